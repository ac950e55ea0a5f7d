package catalog_test

import (
	"cmp"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/hmad/hmad/"

// mayImport lists, for each folder, the folders of this repository that its
// code may import. A folder that is not listed may not exist.
var mayImport = map[string][]string{
	"":                           {},
	"cmd/hmad":                   {"*"},
	"internal/near":              {},
	"internal/config":            {"internal/near", "internal/schedule"},
	"internal/schedule":          {},
	"internal/budget":            {},
	"internal/check":             {"internal/budget", "internal/config"},
	"internal/run":               {"internal/check", "internal/schedule"},
	"internal/state":             {"internal/check"},
	"internal/exporter":          {"internal/check", "internal/state"},
	"internal/probes":            {"internal/check", "internal/config", "internal/transport"},
	"internal/check/checktest":   {"internal/budget", "internal/check", "internal/config"},
	"internal/transport":         {"internal/check", "internal/config"},
	"internal/powershell":        {"internal/check"},
	"internal/report":            {"internal/check", "internal/powershell"},
	"internal/report/intake":     {"internal/check", "internal/config", "internal/report", "internal/transport"},
	"internal/directory":         {"internal/check", "internal/config", "internal/powershell", "internal/report", "internal/transport"},
	"internal/entra":             {"internal/check", "internal/config", "internal/transport"},
	"internal/entra/entratest":   {"internal/check/checktest", "internal/config"},
	"internal/online":            {"internal/check", "internal/config", "internal/entra", "internal/powershell", "internal/transport"},
	"internal/metadata":          {"internal/check", "internal/config", "internal/directory", "internal/entra", "internal/report", "internal/report/intake", "internal/transport"},
	"internal/audit":             {"internal/check", "internal/config", "internal/report", "internal/transport"},
	"internal/sync":              {"internal/budget", "internal/check", "internal/config", "internal/entra", "internal/online", "internal/powershell", "internal/report", "internal/sync/plan"},
	"internal/sync/plan":         {"internal/budget"},
	"internal/phones":            {},
	"internal/sync/simulate":     {"internal/budget", "internal/check", "internal/phones", "internal/sync", "internal/sync/plan"},
	"internal/sync/simulate/cmd": {"internal/sync/simulate"},
	"internal/catalog":           {"internal/check", "internal/config", "internal/run", "internal/schedule", "internal/probes", "internal/metadata", "internal/audit", "internal/sync"},
	"internal/catalog/generate":  {"internal/catalog", "internal/exporter"},
	"internal/lab":               {"internal/lab/online", "internal/near", "internal/phones"},
	"internal/lab/online":        {"internal/phones"},
}

// checkPackages know nothing of Prometheus, cron, logs, disk or the process.
var (
	checkPackages = []string{"internal/budget", "internal/check", "internal/transport", "internal/powershell", "internal/report", "internal/report/intake",
		"internal/directory", "internal/entra", "internal/online", "internal/probes", "internal/metadata", "internal/audit", "internal/sync", "internal/sync/plan"}
	foreign = []string{"github.com/prometheus/", "github.com/robfig/cron", "go.uber.org/zap", "os"}
)

func TestImportsGoOneWay(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == ".git" || d.Name() == "tools") {
			return cmpErr(err, fs.SkipDir)
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		seen++
		folder := strings.TrimPrefix(strings.TrimPrefix(path.Dir(filepath.ToSlash(file)), "../.."), "/")
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			assert.Empty(t, refused(folder, name), file)
		}
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, seen, 20, "the walk must reach the code")
}

// The page that a newcomer reads says the same.
func TestTheArchitecturePageHasTheMapOfImports(t *testing.T) {
	page, err := os.ReadFile("../../docs/architecture.md")
	require.NoError(t, err)
	short := func(folder string) string { return "`" + strings.TrimPrefix(folder, "internal/") + "`" }
	var rows []string
	for _, folder := range slices.Sorted(maps.Keys(mayImport)) {
		var names []string
		for _, name := range mayImport[folder] {
			names = append(names, short(name))
		}
		may := cmp.Or(strings.Join(names, ", "), "nothing")
		if may == short("*") {
			may = "everything"
		}
		if folder != "" {
			rows = append(rows, "| "+short(folder)+" | "+may+" |\n")
		}
	}
	assert.Contains(t, string(page), "|---|---|\n"+strings.Join(rows, "")+"\n", "docs/architecture.md, Which way imports go")
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// refused says why folder may not import name; empty when it may.
func refused(folder, name string) string {
	allowed, known := mayImport[folder]
	if !known {
		return folder + " is not in the map of imports"
	}
	if own, ok := strings.CutPrefix(name+"/", module); ok {
		own = strings.TrimSuffix(own, "/")
		if own != "" && !slices.Contains(allowed, own) && !slices.Contains(allowed, "*") {
			return folder + " must not import " + own
		}
	}
	for _, f := range foreign {
		if slices.Contains(checkPackages, folder) && (name == strings.TrimSuffix(f, "/") || strings.HasPrefix(name, strings.TrimSuffix(f, "/")+"/")) {
			return folder + " must not import " + name
		}
	}
	return ""
}

func TestRefusedImports(t *testing.T) {
	for name, c := range map[string]struct {
		folder, imported string
		ok               bool
	}{
		"a check package may use the vocabulary": {"internal/probes", module + "internal/check", true},
		"a check package may not use another":    {"internal/probes", module + "internal/metadata", false},
		"a check package may not use os":         {"internal/probes", "os", false},
		"nor what lies below it":                 {"internal/probes", "os/exec", false},
		"nor Prometheus":                         {"internal/probes", "github.com/prometheus/client_golang/prometheus", false},
		"the config knows no check":              {"internal/config", module + "internal/check", false},
		"nobody imports cmd":                     {"internal/run", module + "cmd/hmad", false},
		"cmd wires everything":                   {"cmd/hmad", module + "internal/lab", true},
		"an unknown folder is refused":           {"internal/other", "fmt", false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.ok, refused(c.folder, c.imported) == "")
		})
	}
}
