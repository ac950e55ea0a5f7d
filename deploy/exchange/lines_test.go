package collector

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const repository = "../.."

var (
	// block is a block of PowerShell in a document.
	block = regexp.MustCompile("(?ms)^```powershell\n(.*?)^```")
	// span is code within a sentence.
	span = regexp.MustCompile("`([^`\n]+)`")
	// cmdline is how a line of PowerShell begins: a cmdlet, or a variable that takes
	// what one returns.
	cmdline = regexp.MustCompile(`^(?:\$\w+ = )?\(?(?:Add|Connect|Disable|Enable|Get|Install|Invoke|New|Register|Remove|Resolve|Restart|Select|Set|Start|Test|Update)-[A-Z]\w+(?:[ )]|$)`)
	// shouted are placeholders that would be taken for values.
	shouted = regexp.MustCompile(`\b(?:ADDRESS|DATABASE|DATE|DOMAIN|GUID|HOST|IDENTITY|MAILBOX|NAME|SERVER|TENANT|THUMBPRINT|USER)\b|…`)
	// quoted is the one form of a placeholder: words between angle brackets within
	// single quotes, which no address, name or thumbprint has.
	quoted = regexp.MustCompile(`'[^'<>]*<[a-z][a-z ]*>[^'<>]*'`)
)

// Every line of PowerShell that a person is asked to type is one that PowerShell
// parses, and what is to be replaced in it is seen to be.
func TestEveryLineOfPowerShellParses(t *testing.T) {
	lines := powershellLines(t)
	require.Greater(t, len(lines), 60)
	dir := t.TempDir()
	var files []string
	all := slices.Sorted(maps.Keys(lines))
	for i, line := range all {
		file := filepath.Join(dir, fmt.Sprintf("%d.ps1", i))
		require.NoError(t, os.WriteFile(file, []byte(line), 0o600))
		files = append(files, file)
	}
	for i, f := range parsed(t, files...) {
		assert.Empty(t, f.Errors, "%s: %s", lines[all[i]], all[i])
	}
	for _, line := range all {
		assert.False(t, shouted.MatchString(line), "%s: a placeholder is '<words>': %s", lines[line], line)
		rest := quoted.ReplaceAllString(line, "")
		assert.False(t, strings.ContainsAny(rest, "<>") && !strings.Contains(rest, "=>"), "%s: a placeholder is '<words>', in single quotes: %s", lines[line], line)
	}
}

// powershellLines returns every line of PowerShell in documents, texts of the code
// and alerts, with the file that has it.
func powershellLines(t *testing.T) map[string]string {
	t.Helper()
	lines := map[string]string{}
	add := func(file, line string) {
		if cmdline.MatchString(line) {
			lines[line] = file
		}
	}
	require.NoError(t, filepath.WalkDir(repository, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "dist", "tools", "testdata", "testbed", "tests"}, d.Name()):
			return fs.SkipDir
		case strings.HasSuffix(file, ".md"):
			documentLines(t, file, lines, add)
		case strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go"):
			codeLines(t, file, add)
		case strings.HasSuffix(file, ".rules.yaml"):
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range span.FindAllStringSubmatch(strings.ReplaceAll(string(data), "''", "'"), -1) {
				add(file, m[1])
			}
		}
		return nil
	}))
	return lines
}

// documentLines takes a document's blocks whole, and its code within sentences.
func documentLines(t *testing.T, file string, lines map[string]string, add func(file, line string)) {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, m := range block.FindAllStringSubmatch(string(data), -1) {
		lines[m[1]] = file
	}
	for _, m := range span.FindAllStringSubmatch(block.ReplaceAllString(string(data), ""), -1) {
		add(file, m[1])
	}
}

// codeLines takes texts of the code that are a line of PowerShell, or have one.
// Where a value is put in, a word stands for it.
func codeLines(t *testing.T, file string, add func(file, line string)) {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	ast.Inspect(tree, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		s, whole := constant(e)
		if !whole {
			return true
		}
		if !strings.HasPrefix(s, "(") {
			add(file, strings.TrimSpace(s))
		}
		for _, m := range span.FindAllStringSubmatch(s, -1) {
			add(file, m[1])
		}
		return false
	})
}

// verb is where a format puts a value in.
var verb = regexp.MustCompile(`%(?:\[\d+\])?[a-z]`)

// constant returns the text of an expression that begins with one; what is not
// constant within it is the word value.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return verb.ReplaceAllString(s, "value"), err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, whole := constant(e.X)
		right, also := constant(e.Y)
		if !also {
			right = "value"
		}
		return left + right, whole && e.Op == token.ADD
	default:
		return "", false
	}
}
