package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onTerminal runs hmad on a pseudo-terminal of 80 columns, with further
// environment, and returns what a person sees there.
func onTerminal(t *testing.T, env []string, args ...string) string {
	t.Helper()
	text, err := json.Marshal(args)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childEnv+"="+string(text), "TERM=xterm", "NO_COLOR=", "COLUMNS="), env...)
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	require.NoError(t, err)
	defer f.Close()
	seen, _ := io.ReadAll(f) // the terminal's end is an error of its own
	_ = cmd.Wait()           // the exit code is another test's
	return strings.ReplaceAll(string(seen), "\r\n", "\n")
}

// tooWide returns the lines of over 80 letters, but for commands, which are there
// to be copied, and a long URL that nothing follows.
func tooWide(text string) (lines []string) {
	for _, line := range strings.Split(text, "\n") {
		line = line[strings.LastIndex(line, "\r")+1:]
		words := strings.Fields(escapes.ReplaceAllString(line, ""))
		copied := len(words) > 1 && (words[0] == "repeat:" || words[0] == "curl")
		if letters(line) > usualColumns && !copied && letters(words[len(words)-1]) < usualColumns/2 {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestTextFitsTheTerminal(t *testing.T) {
	l := startLab(t)
	require.NoError(t, l.Set("activesync.bearer_missing", true))
	config := "--config.file=" + labConfig(t, l, "")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a finding":       {[]string{"check", "activesync", config}, "bearer_missing"},
		"every note":      {[]string{"check", "activesync", config, "--verbose"}, "bearer_missing"},
		"a reason":        {[]string{"explain", "activesync.bearer_missing", "--web.url=http://127.0.0.1:1"}, "causes: 1. "},
		"the index":       {[]string{"explain"}, "activesync.bearer_missing"},
		"the doctor":      {[]string{"doctor", config, "--storage.path=" + t.TempDir()}, "this host"},
		"the help":        {[]string{"--help"}, "usage: hmad"},
		"a command's own": {[]string{"run", "--help"}, "--storage.path"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := onTerminal(t, nil, c.args...)
			assert.Contains(t, seen, c.want)
			assert.Empty(t, tooWide(seen))
		})
	}
}

func TestColoursOnlyWhereTheyAreWanted(t *testing.T) {
	l := startLab(t)
	config := "--config.file=" + labConfig(t, l, "")
	for name, c := range map[string]struct {
		env       []string
		painted   bool
		waitingOf bool // one line of progress, written anew
	}{
		"a terminal":      {nil, true, true},
		"NO_COLOR":        {[]string{"NO_COLOR=1"}, false, true},
		"a dumb terminal": {[]string{"TERM=dumb"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			seen := onTerminal(t, c.env, "check", "activesync", config)
			assert.Contains(t, seen, "activesync")
			assert.Equal(t, c.painted, strings.Contains(seen, "\x1b[32m"), seen)
			assert.Equal(t, c.waitingOf, strings.Contains(seen, "\r\x1b[K0 of 1 done, waiting for activesync of contoso"), seen)
			assert.Equal(t, !c.waitingOf, strings.Contains(seen, "1 of 1 done: activesync of contoso passed\n"), seen)
		})
	}
}

func TestWrap(t *testing.T) {
	for name, c := range map[string]struct{ prefix, text, want string }{
		"short":                 {"fix: ", "one two", "fix: one two"},
		"long":                  {"fix: ", "one two three four five", "fix: one two three\n  four five"},
		"lines of their own":    {"fix: ", "one\ntwo", "fix: one\n  two"},
		"a word that is longer": {"fix: ", "https://mail.contoso.com/ one", "fix: https://mail.contoso.com/\n  one"},
		"paint has no width":    {"\x1b[1mfix\x1b[0m: ", "one two three", "\x1b[1mfix\x1b[0m: one two three"},
		"nothing":               {"fix: ", "", "fix: "},
	} {
		assert.Equal(t, c.want, wrap(c.prefix, c.text, 2, 18), name)
	}
}

func TestColumns(t *testing.T) {
	for given, want := range map[string]int{"": usualColumns, "132": 132, "7": leastColumns, "wide": usualColumns, "-1": usualColumns} {
		t.Setenv("COLUMNS", given)
		assert.Equal(t, want, columns(io.Discard), given)
	}
}

// Programs read the doctor and mailboxes as they read check.
func TestDoctorForPrograms(t *testing.T) {
	p := start(t, "doctor", "--config.file="+labConfig(t, startLab(t), ""), "--storage.path="+t.TempDir(), "--output=json", "--web.listen-address=127.0.0.1:0")
	<-p.exited
	var all []stepsOf
	require.NoError(t, json.Unmarshal([]byte(p.stdout.String()), &all))
	require.Len(t, all, 2)
	assert.Equal(t, "this host", all[0].Of)
	assert.Contains(t, all[1].Steps, step{What: "check activesync", Status: works, Detail: "passed"})
}
