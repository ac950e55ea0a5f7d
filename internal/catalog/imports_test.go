package catalog_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	module       = "github.com/hmad/hmad/"
	architecture = "docs/architecture.md"
)

// foreign are the packages that checks know nothing of: Prometheus, cron, logs,
// disk and the process.
var foreign = []string{"github.com/prometheus", "github.com/robfig/cron", "go.uber.org/zap", "os"}

// ofProcess are the packages below checks that know the process all the same:
// the config file is read, and its schedules are cron's.
var ofProcess = []string{"internal/config", "internal/schedule"}

// Code imports what the table of folders in docs/architecture.md says, no more
// and no less.
func TestImportsAreThoseOfTheTable(t *testing.T) {
	table, imported := folders(t), imports(t)
	for _, folder := range slices.Sorted(maps.Keys(imported)) {
		allowed, listed := table[folder]
		if !listed {
			t.Errorf("%s: no row for the folder %q: what is it for, and what does it import?", architecture, folder)
			continue
		}
		own := ownOf(imported[folder])
		for _, name := range own {
			if !slices.Contains(allowed, name) && !slices.Contains(allowed, "everything") {
				t.Errorf("%s imports %s, which its row in %s does not have", folder, name, architecture)
			}
		}
		for _, name := range allowed {
			if !slices.Contains(own, name) && name != "everything" {
				t.Errorf("%s: the row of %s has %s, which it does not import", architecture, folder, name)
			}
		}
	}
	for folder := range table {
		if _, there := imported[folder]; !there {
			t.Errorf("%s has a row for %s, where there is no code", architecture, folder)
		}
	}
}

// The packages that catalog takes Defs from do not import one another, and what
// they are made of does not import what checks know nothing of.
func TestChecksKnowNothingOfTheProcess(t *testing.T) {
	imported := imports(t)
	packages := checkPackages(t)
	for folder := range below(imported, packages) {
		if slices.Contains(ofProcess, folder) {
			continue
		}
		for _, name := range imported[folder] {
			for _, f := range foreign {
				if name == f || strings.HasPrefix(name, f+"/") {
					t.Errorf("%s imports %s: checks know nothing of it (%s)", folder, name, architecture)
				}
			}
		}
		for _, name := range ownOf(imported[folder]) {
			if slices.Contains(packages, name) {
				t.Errorf("%s imports %s: checks never import each other (%s)", folder, name, architecture)
			}
		}
	}
}

// row is one of the table of folders: folder, one sentence, imports.
var row = regexp.MustCompile("(?m)^\\| `((?:cmd|internal)/[^`]*)` \\| .* \\| (.*) \\|$")

// folders reads the table: for each folder with code those that it imports.
func folders(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../../" + architecture)
	require.NoError(t, err)
	table := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		table[m[1]] = nil
		for name := range strings.SplitSeq(m[2], ", ") {
			switch name = strings.Trim(name, "`"); name {
			case "nothing":
			case "everything":
				table[m[1]] = []string{name}
			default:
				table[m[1]] = append(table[m[1]], "internal/"+name)
			}
		}
	}
	require.Greater(t, len(table), 20, "rows of the table in %s", architecture)
	return table
}

// imports lists what the code of each folder imports, but for that of tools/,
// which are modules of their own, and of the root.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	require.NoError(t, filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == ".git" || d.Name() == "tools") {
			return fs.SkipDir
		}
		folder := strings.TrimPrefix(path.Dir(filepath.ToSlash(file)), "../../")
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || folder == "../.." {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		all[folder] = append(all[folder], importsOf(f.Imports)...)
		return nil
	}))
	require.Greater(t, len(all), 20, "the walk must reach the code")
	return all
}

func importsOf(specs []*ast.ImportSpec) []string {
	var names []string
	for _, i := range specs {
		if name, err := strconv.Unquote(i.Path.Value); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// ownOf keeps of imports the folders of this repository.
func ownOf(imports []string) []string {
	var own []string
	for _, name := range imports {
		if folder, ok := strings.CutPrefix(name, module); ok && !slices.Contains(own, folder) {
			own = append(own, folder)
		}
	}
	return own
}

// checkPackages lists the packages whose Defs the catalog lists.
func checkPackages(t *testing.T) []string {
	var packages []string
	for name := range defVariables(t) {
		folder, _, _ := strings.Cut(name, ".")
		if folder = "internal/" + folder; !slices.Contains(packages, folder) {
			packages = append(packages, folder)
		}
	}
	return packages
}

// below is the set of the folders and of all that they import.
func below(imported map[string][]string, folders []string) map[string]bool {
	all := map[string]bool{}
	for next := slices.Clone(folders); len(next) > 0; next = next[1:] {
		if !all[next[0]] {
			all[next[0]] = true
			next = append(next, ownOf(imported[next[0]])...)
		}
	}
	return all
}

func TestBelowIsAllThatIsImported(t *testing.T) {
	imported := map[string][]string{"internal/a": {"os", module + "internal/b"}, "internal/b": {module + "internal/c"}, "internal/d": {module + "internal/a"}}
	assert.Equal(t, map[string]bool{"internal/a": true, "internal/b": true, "internal/c": true}, below(imported, []string{"internal/a"}))
}

// boldWord begins a row of the table of words.
var boldWord = regexp.MustCompile(`(?m)^\| \*\*(\w+)\*\* \|`)

// The words that the page explains are types of these packages, and no more than
// a reader can keep in mind.
func TestWordsOfTheArchitecturePageAreTypes(t *testing.T) {
	page, err := os.ReadFile("../../" + architecture)
	require.NoError(t, err)
	types := map[string]bool{}
	for _, folder := range []string{"check", "config", "state"} {
		files, err := filepath.Glob("../" + folder + "/*.go")
		require.NoError(t, err)
		for _, file := range files {
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			require.NoError(t, err)
			ast.Inspect(tree, func(n ast.Node) bool {
				if s, ok := n.(*ast.TypeSpec); ok {
					types[s.Name.Name] = true
				}
				return true
			})
		}
	}
	words := boldWord.FindAllStringSubmatch(string(page), -1)
	assert.Len(t, words, 12)
	for _, m := range words {
		assert.True(t, types[m[1]], "%s: there is no type %s", architecture, m[1])
	}
}
