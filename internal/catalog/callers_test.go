package catalog_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	pathpkg "path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
)

// What the commands, the rules and the doctor need to know of a check stands in
// its Def, its reasons and its metrics. They name none: not by its variable, and
// not by its name or that of a reason in a text of its own.
func TestCallersNameNoCheck(t *testing.T) {
	names, variables := declaredNames(), defVariables(t)
	seen := 0
	for _, pattern := range []string{"../../cmd/hmad/*.go", "*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			seen++
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			require.NoError(t, err)
			for _, found := range namesIn(tree, names, variables) {
				t.Errorf("%s names %s: what it needs of the check belongs into a field of check.Def, check.Reason or check.Metric",
					file, found)
			}
		}
	}
	assert.Greater(t, seen, 20, "the walk must reach the code")
}

// declaredNames holds check, check.reason, and the reasons that no word of
// English or Go is: those with an underscore.
func declaredNames() map[string]bool {
	names := map[string]bool{}
	for _, d := range catalog.Defs() {
		names[d.Name] = true
		for _, r := range d.Reasons {
			names[d.Name+"."+r.Name] = true
			if strings.Contains(r.Name, "_") {
				names[r.Name] = true
			}
		}
	}
	return names
}

// defVariables holds the variables that Defs lists, as package.Name.
func defVariables(t *testing.T) map[string]bool {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), "catalog.go", nil, 0)
	require.NoError(t, err)
	variables := map[string]bool{}
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "Defs" {
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if name := selected(tree, n); name != "" && name != "check.Def" {
					variables[name] = true
				}
				return true
			})
		}
	}
	require.Len(t, variables, len(catalog.Defs()), "each Def is listed by its variable")
	return variables
}

// namesIn lists what a file says of checks by name, but for the list itself.
func namesIn(tree *ast.File, names, variables map[string]bool) []string {
	var found []string
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "Defs" {
			continue
		}
		ast.Inspect(d, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				found = append(found, namesInText(l.Value, names)...)
			}
			if name := selected(tree, n); variables[name] {
				found = append(found, name)
			}
			return true
		})
	}
	return found
}

// namesInText lists the names that a literal is, or that it has as a label's value.
func namesInText(literal string, names map[string]bool) (found []string) {
	text, err := strconv.Unquote(literal)
	if err == nil && names[text] {
		return []string{text}
	}
	for _, m := range matcher.FindAllStringSubmatch(text, -1) {
		if names[m[2]] {
			found = append(found, m[2])
		}
	}
	return found
}

// selected returns package.Name for an expression that selects from a package,
// which is called by the last part of its path, whatever the file calls it.
func selected(tree *ast.File, n ast.Node) string {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	for _, i := range tree.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		if i.Name == nil && pathpkg.Base(path) == x.Name || i.Name != nil && i.Name.Name == x.Name {
			return pathpkg.Base(path) + "." + s.Sel.Name
		}
	}
	return ""
}

func TestNamesOfChecksAreSeen(t *testing.T) {
	names, variables := declaredNames(), defVariables(t)
	const imports = "package p\nimport (\"x/probes\"; hmadsync \"x/sync\")\n"
	for code, want := range map[string][]string{
		`func f() { use(probes.ActiveSync) }`:                            {"probes.ActiveSync"},
		`func f() { use(hmadsync.MailboxSync.Needs) }`:                   {"sync.MailboxSync"},
		`func f() { w.env(t, "onprem_report") }`:                         {"onprem_report"},
		`const c = "activesync.timeout"`:                                 {"activesync.timeout"},
		"const c = `hmad_finding{check=\"vantage\",reason=\"timeout\"}`": {"vantage"},
		`func f() bool { return name == "probe_mailbox_unknown" }`:       {"probe_mailbox_unknown"},
		`func f() { use("timeout", probes.Expiring) }`:                   nil,
		`func Defs() []*check.Def { return list(probes.Vantage) }`:       nil,
	} {
		tree, err := parser.ParseFile(token.NewFileSet(), "f.go", imports+code, 0)
		require.NoError(t, err)
		assert.Equal(t, want, namesIn(tree, names, variables), code)
	}
}
