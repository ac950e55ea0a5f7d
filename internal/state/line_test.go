package state

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLines(t *testing.T) {
	for name, tc := range map[string]struct {
		key   key
		value []byte
		text  string // behind the checksum
	}{
		"a run":                 {key{runTable, "contoso", "activesync", "7"}, []byte(`{"took":1}`), `run contoso activesync 7 {"took":1}`},
		"a value with spaces":   {key{valueTable, "contoso", "seen", ""}, []byte(`"a b"`), `value contoso seen  "a b"`},
		"an empty record":       {key{fleetTable, "contoso", "mailboxes", "a+b@contoso.com"}, []byte{}, "fleet contoso mailboxes a+b@contoso.com "},
		"a deletion":            {key{fleetTable, "contoso", "mailboxes", "a@contoso.com"}, nil, "fleet contoso mailboxes a@contoso.com"},
		"separators in the key": {key{fleetTable, "a b", "c\nd", "e%20f\x00"}, []byte("x"), "fleet a%20b c%0Ad e%2520f%00 x"},
	} {
		t.Run(name, func(t *testing.T) {
			line := appendLine([]byte("before\n"), tc.key, tc.value)
			require.Equal(t, fmt.Sprintf("before\n%08x %s\n", checksum([]byte(tc.text)), tc.text), string(line))
			text, all := unseal(bytes.TrimSuffix(line[len("before\n"):], []byte("\n")))
			require.True(t, all)
			k, value, err := parseLine(text)
			require.NoError(t, err)
			require.Equal(t, tc.key, k)
			require.Equal(t, tc.value, value)
		})
	}
}

func TestLinesThatAreNone(t *testing.T) {
	good := strings.TrimSuffix(string(appendLine(nil, key{valueTable, "contoso", "seen", ""}, []byte("1"))), "\n")
	for name, line := range map[string]string{
		"nothing":              "",
		"a checksum alone":     good[:sumSize],
		"its beginning":        good[:len(good)-1],
		"another's checksum":   "00000000" + good[sumSize:],
		"another key":          strings.Replace(good, "seen", "sees", 1),
		"another value":        good[:len(good)-1] + "2",
		"no value any more":    strings.TrimSuffix(good, " 1"),
		"something behind it":  good + " ",
		"a sound line in half": good[:12] + good[:12],
	} {
		t.Run(name, func(t *testing.T) {
			text, all := unseal([]byte(line))
			require.Nil(t, text)
			require.False(t, all)
		})
	}
	text, all := unseal([]byte("what was before x" + good))
	require.Equal(t, good[sumSize+1:], string(text), "a sound line behind a damaged one")
	require.False(t, all)
}

// FuzzJournal reads any file: garbage, and behind it texts with their right
// checksums. What it takes from it is what it takes from the same changes written
// anew, and a sound line at the end is always found.
func FuzzJournal(f *testing.F) {
	sound := appendLine(nil, key{valueTable, "contoso", "seen", ""}, []byte("1"))
	f.Add([]byte{}, "")
	f.Add(bytes.TrimSuffix(sound, []byte("\n")), header+"1\nvalue contoso seen  1\n"+snapshotMark)
	f.Add([]byte("garbage\n"), header+"2")
	f.Add(sound, "run contoso activesync 1 {\"outcome\":\"failed\",\"findings\":[{\"reason\":\"blocked\"}],\"notes\":[{\"kind\":\"seen\",\"texts\":[\"x\"]}],\"samples\":[{\"metric\":\"hmad_check_success\",\"rows\":[[],[\"1\"],[\"x\"]]}],\"times\":{\"found_since\":{\"blocked\":\"2026-11-22T12:00:00Z\"}}}")
	f.Add(sound[1:], "run contoso activesync x {}\nrun contoso activesync 1\nrun contoso activesync 18446744073709551615 {}")
	f.Add(sound[:5], "too few fields\nfleet contoso mailboxes %zz x\nother contoso x y z\nfleet a b c zzzz\nfleet a b c ~")
	last := key{fleetTable, "contoso", "mailboxes", "last@contoso.com"}
	f.Fuzz(func(t *testing.T, garbage []byte, texts string) {
		content := garbage
		for text := range strings.SplitSeq(texts, "\n") {
			content = appendMark(content, text)
		}
		content = appendLine(content, last, []byte{})
		l := newLoaded(defs)
		var taken []string
		var anew []byte
		take := func(k key, value []byte) {
			taken = append(taken, fmt.Sprintf("%q %q %q %q %q %t", k.table, k.target, k.name, k.member, value, value == nil))
			anew = appendLine(anew, k, value)
			l.take(k, value)
		}
		a, err := readJournal(bytes.NewReader(content), take)
		if err != nil {
			require.ErrorIs(t, err, errNewer)
			return
		}
		require.Contains(t, taken[len(taken)-1], last.member)
		require.Equal(t, a.size, a.end)
		first := taken
		taken = nil
		a, err = readJournal(bytes.NewReader(anew), take)
		require.NoError(t, err)
		require.Zero(t, a.damaged)
		require.Equal(t, first, taken)
		s := Open("", options())
		s.adopt(l, true)
		require.NotEmpty(t, fleetMap(s.Fleet("contoso")("mailboxes")))
	})
}
