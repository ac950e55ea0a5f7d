package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/lab"
)

var (
	codeBlock = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	codeSpan  = regexp.MustCompile("`[^`\n]+`")
	ofHmad    = regexp.MustCompile(`(?:^|[\s/])hmad ([a-z]+)([^|#;&]*)`)
	aFlag     = regexp.MustCompile(`--([a-z][a-z.-]*[a-z])`)
)

// handWritten returns the documents, the README and what ships in deploy/ for
// people to read.
func handWritten(t *testing.T) map[string]string {
	t.Helper()
	files := []string{"../../README.md", "../../CONTRIBUTING.md", "../../SECURITY.md"}
	for _, pattern := range []string{"../../docs/*.md", "../../deploy/*/*.yml", "../../deploy/*/*.sh", "../../deploy/*/*.tmpl", "../../deploy/systemd/hmad.service", "../../deploy/packaging/hmad.default"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		files = append(files, found...)
	}
	texts := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		texts[file] = string(text)
	}
	return texts
}

// Commands of hmad's that are written down are there, with every flag that
// stands behind them.
func TestCommandsInTheDocuments(t *testing.T) {
	app, _ := (&cli{stdout: io.Discard, stderr: io.Discard}).app()
	commands, all := map[string][]string{}, []string{"help", "version"}
	for _, c := range app.Model().Commands {
		for _, sub := range append(c.Commands, c) {
			for _, f := range sub.Flags {
				commands[c.Name] = append(commands[c.Name], f.Name)
			}
		}
		commands[c.Name] = append(commands[c.Name], "help")
		all = append(all, commands[c.Name]...)
	}
	seen := 0
	for file, text := range handWritten(t) {
		for _, span := range codeSpan.FindAllString(codeBlock.ReplaceAllString(text, ""), -1) {
			span = strings.Trim(span, "`")
			if name, ok := strings.CutPrefix(span, "hmad "); ok {
				assert.Contains(t, commands, strings.Fields(name)[0], "%s: hmad has no such command: %s", file, span)
			}
			if strings.HasPrefix(span, "--") {
				name, isPrefix := aFlag.FindStringSubmatch(span)[1], strings.HasSuffix(span, ".") // all that begin so
				assert.True(t, slices.ContainsFunc(all, func(f string) bool { return f == name || isPrefix && strings.HasPrefix(f, name+".") }),
					"%s: no command has such a flag: %s", file, span)
			}
		}
		for _, m := range ofHmad.FindAllStringSubmatch(strings.NewReplacer("`", "\n", "\\\n", "").Replace(text), -1) {
			if commands[m[1]] == nil {
				continue // prose
			}
			seen++
			line, _, _ := strings.Cut(m[2], "\n")
			for _, f := range aFlag.FindAllStringSubmatch(line, -1) {
				assert.Contains(t, commands[m[1]], f[1], "%s: hmad %s has no such flag", file, m[1])
			}
		}
	}
	assert.Greater(t, seen, 30)
}

// Every fault of the lab has a row in the table that the trial of pages wrote.
// Of a check that the trial has never tried, it has none.
func TestEveryFaultHasARowInThePagingTable(t *testing.T) {
	text, err := os.ReadFile("../../docs/paging-table.md")
	require.NoError(t, err)
	var rows []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([\w.]+) \| [\w.]+ \| .*Hmad`).FindAllStringSubmatch(string(text), -1) {
		rows = append(rows, m[1])
	}
	l, err := lab.Start(lab.Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Now: now, Online: lab.Online{Mailboxes: fleetSize}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	var faults []string
	for _, f := range l.Faults() {
		def, _ := leadsTo(labFault(f))
		if def != nil && slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, def.Name+".") }) {
			faults = append(faults, f.Name)
		}
	}
	assert.ElementsMatch(t, faults, rows)
	assert.Greater(t, len(rows), 100)
}
