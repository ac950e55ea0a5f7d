package collector

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// facts is what PowerShell's own parser finds in a file (testbed/syntax.ps1).
type facts struct {
	Errors    []string  `json:"errors"`
	Functions []string  `json:"functions"`
	Commands  []command `json:"commands"`
	Types     []string  `json:"types"`
	Members   []string  `json:"members"`
	Tokens    []string  `json:"tokens"`
	Texts     []string  `json:"texts"`
}

type command struct {
	Name       string   `json:"name"`
	Line       int      `json:"line"`
	Parameters []string `json:"parameters"`
	First      string   `json:"first"` // its first argument, where that is a constant text
	How        string   `json:"how"`   // Ampersand or Dot; else Unknown
}

// parsed returns what PowerShell's parser finds in files.
func parsed(t *testing.T, files ...string) []facts {
	t.Helper()
	look(t)
	for i, file := range files {
		full, err := filepath.Abs(file)
		require.NoError(t, err)
		files[i] = full
	}
	status, out, complaints := powershell(t, nil, "testbed/syntax.ps1", files...)
	require.Zero(t, status, complaints)
	var all []facts
	require.NoError(t, json.Unmarshal([]byte(out), &all), out)
	require.Len(t, all, len(files))
	return all
}

// table returns a file of testdata, a row per line: its words, the first as the key.
func table(t *testing.T, name string) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	rows := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			require.NotContains(t, rows, words[0])
			rows[words[0]] = words[1:]
		}
	}
	return rows
}

// since51 are the kinds of token that Windows PowerShell 5.1 does not have: ternary,
// null-coalescing, null-conditional and pipeline chains.
var since51 = []string{"QuestionMark", "QuestionQuestion", "QuestionQuestionEquals", "QuestionDot", "QuestionLBracket", "AndAnd", "OrOr", "Clean"}

func TestWindowsPowerShellKnowsTheSyntax(t *testing.T) {
	f := parsed(t, script)[0]
	assert.Empty(t, f.Errors)
	for _, kind := range since51 {
		assert.NotContains(t, f.Tokens, kind)
	}
	for _, s := range f.Texts {
		assert.NotRegexp(t, `\$\(\$_\.(?:[A-Z]\w+)\)`, strings.ReplaceAll(s, "$($_.Exception.", ""), "a text of a value of Exchange's is ConvertTo-Text's to write")
	}
}

func TestWindowsPowerShellHasTheCommands(t *testing.T) {
	f, known := parsed(t, script)[0], table(t, "commands.txt")
	used := map[string]bool{}
	for _, c := range f.Commands {
		if slices.Contains(f.Functions, c.Name) || c.How == "Ampersand" && c.Name == "" {
			continue // one of the script's own, or a section's block
		}
		parameters, ok := known[c.Name]
		assert.True(t, ok, "line %d calls %q, which is not among the reviewed commands", c.Line, c.Name)
		assert.Subset(t, parameters, c.Parameters, "line %d: %s", c.Line, c.Name)
		used[c.Name] = true
	}
	for name := range known {
		assert.True(t, used[name], "%s is not called: take it off the list", name)
	}
}

// What the script names of .NET stands in the reviewed list; what is left are fields
// of its own objects, and of Exchange's results, which have no list.
func TestFramework472HasTypesAndMembers(t *testing.T) {
	f, known := parsed(t, script)[0], table(t, "framework.txt")
	own := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)(?:^\s+|[{;] |\$(?:beside|section)\.)(\w+) += `).FindAllStringSubmatch(text(t), -1) {
		own["."+strings.ToLower(m[1])] = true
	}
	for _, name := range resultFields(t) {
		own["."+strings.ToLower(name)] = true
	}
	for _, name := range slices.Concat(f.Types, f.Members) {
		if known[name] == nil && !own[strings.ToLower(name)] {
			t.Errorf("%s is not in testdata/framework.txt: look it up for .NET Framework 4.7.2", name)
		}
	}
	for name := range known {
		used := func(s string) bool { return strings.EqualFold(s, name) }
		assert.True(t, slices.ContainsFunc(f.Types, used) || slices.ContainsFunc(f.Members, used), "%s is not used: take it off the list", name)
	}
}

// resultFields returns the names of the properties of Exchange's results, and of the
// events of Windows.
func resultFields(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("testbed/organisation.cs")
	require.NoError(t, err)
	names := []string{"Id", "Level"}
	for _, m := range regexp.MustCompile(`(\w+) \{ get; set; \}`).FindAllStringSubmatch(string(data), -1) {
		names = append(names, m[1])
	}
	return names
}

// Exchange is asked in one place, and of nothing but the cmdlets at the script's head.
func TestExchangeIsAskedByOneFunction(t *testing.T) {
	f := parsed(t, script)[0]
	var asked []string
	bounded := 0
	for _, c := range f.Commands {
		switch c.Name {
		case "Invoke-Exchange":
			assert.NotEmpty(t, c.First, "line %d: the cmdlet is a constant", c.Line)
			asked = append(asked, c.First)
		case "Invoke-Bounded":
			bounded++
		}
	}
	slices.Sort(asked)
	want := cmdlets(t)
	slices.Sort(want)
	assert.Equal(t, want, slices.Compact(asked))
	for _, name := range want {
		assert.Regexp(t, `^Get-[A-Z][A-Za-z]+$`, name)
	}
	assert.Equal(t, 3, bounded, "opening the session, a question, closing the session")
}

func TestTheScriptIsPlain(t *testing.T) {
	s := text(t)
	for i, c := range []byte(s) {
		if c >= 0x80 || c == '\t' || c == '\r' {
			t.Fatalf("byte %d is not plain ASCII: Windows PowerShell reads a script without a mark in the server's code page", i)
		}
	}
	assert.True(t, strings.HasPrefix(s, "#Requires -Version 5.1\n"))
	for i, line := range strings.Split(s, "\n") {
		assert.LessOrEqual(t, len(line), 160, "line %d", i+1)
	}
	for _, never := range []string{"Invoke-Expression", "Add-Type", "Add-PSSnapin", "Import-PSSession", "CredSSP", "ServerCertificateValidationCallback", "SkipCACheck", "Bypass"} {
		assert.False(t, strings.Contains(s, never), never)
	}
	for _, never := range []string{"AuthenticatedUser", "AnchorMailbox", "ClientIpAddress"} {
		assert.False(t, strings.Contains(s, never), "the log's column %s", never)
	}
}

// The sections are those that are read, in the same order.
func TestTheScriptWritesTheSectionsThatAreRead(t *testing.T) {
	var written []string
	for _, m := range regexp.MustCompile(`(?m)^\s*Add-Section '(\w+)'`).FindAllStringSubmatch(text(t), -1) {
		written = append(written, m[1])
	}
	assert.Equal(t, sectionNames(), written)
}

// parameter returns the default of one of the script's parameters.
func parameter(t *testing.T, name string) int {
	t.Helper()
	m := regexp.MustCompile(`\[int\] \$` + name + ` = (\d+)`).FindStringSubmatch(text(t))
	require.NotNil(t, m, name)
	var n int
	_, err := fmt.Sscan(m[1], &n)
	require.NoError(t, err)
	return n
}

func TestTheGuideNamesWhatTheScriptHas(t *testing.T) {
	data, err := os.ReadFile("../../docs/onprem-report.md")
	require.NoError(t, err)
	names := func(what string) { assert.True(t, strings.Contains(string(data), what), "the guide has %s", what) }
	for _, name := range sectionNames() {
		names("`" + name + "`")
	}
	head, _, _ := strings.Cut(text(t), "\n)\n")
	for _, m := range regexp.MustCompile(`(?m)\] \$(\w+)`).FindAllStringSubmatch(head, -1) {
		names("`-" + m[1] + "`")
	}
	for _, code := range []string{"204", "400", "401", "409", "413", "415", "422", "429", "500", "507"} {
		names("| " + code + " |")
	}
	var task int
	m := regexp.MustCompile(`-ExecutionTimeLimit \(New-TimeSpan -Minutes (\d+)\)`).FindStringSubmatch(string(data))
	require.NotNil(t, m)
	_, err = fmt.Sscan(m[1], &task)
	require.NoError(t, err)
	assert.LessOrEqual(t, parameter(t, "RunSeconds"), 60*task-60, "a run ends before the task scheduler ends it")
	names(fmt.Sprintf("| `-RunSeconds` | %d |", parameter(t, "RunSeconds")))
	names(fmt.Sprintf("| `-CommandSeconds` | %d |", parameter(t, "CommandSeconds")))
	assert.GreaterOrEqual(t, parameter(t, "LogMinutes"), longestInterval+5, "the front end's log is read over the interval and five minutes")
}

// longestInterval is the longest that the script accepts, in minutes: with it one
// lost report leaves the one before it within the two hours of evidence.
const longestInterval = 40
