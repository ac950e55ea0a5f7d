package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// known are all things that a Store was ever told, one string for each.
type known map[string]bool

func (k known) result(t testing.TB, id check.ID, r check.Result) {
	t.Helper()
	value, err := encode(storedRun{result: &r})
	require.NoError(t, err)
	k[fmt.Sprint(id, string(value))] = true
}

// remembered returns all that a Store says.
func remembered(t testing.TB, s *Store) known {
	t.Helper()
	all := known{}
	for _, st := range s.Statuses() {
		for _, r := range st.History {
			all.result(t, st.ID, r)
		}
		if st.Decided != nil {
			all.result(t, st.ID, *st.Decided)
		}
	}
	for n := range 20 {
		var v string
		if s.Memory("contoso").Get(fmt.Sprint("key", n), &v) {
			all[v] = true
		}
	}
	s.Fleet("contoso")("mailboxes").Each(func(member string, record []byte) { all[member+string(record)] = true })
	return all
}

// fleetSize is the number of records in goodFile.
const fleetSize = 50

// goodFile returns the bytes of a file with a snapshot and many changes behind
// it, and all that the Store behind it was ever told.
func goodFile(t *testing.T) (content []byte, all known) {
	t.Helper()
	path := statePath(t)
	all = known{}
	bubble(t, path, osOpen, func(t *testing.T, s *Store, _ *logs) {
		for n := range 40 {
			for _, id := range []check.ID{activesync, autodiscover} {
				r := run(id, n)
				if n%2 == 0 {
					r = run(id, n, blocked, expiring)
				}
				r.Report.Notes = checktest.Seen(strings.Repeat("WWW-Authenticate: Bearer ", 8))
				s.Record(r)
				all.result(t, id, r)
			}
			value := fmt.Sprint("value", n)
			s.Memory("contoso").Put(fmt.Sprint("key", n%20), value)
			all[value] = true
			if n == 20 {
				s.untrack()
				pass() // a snapshot
			}
		}
		for n := range fleetSize {
			member, record := fmt.Sprintf("user%02d@contoso.com", n), strings.Repeat("r", 60)
			s.Fleet("contoso")("mailboxes").Put(member, []byte(record))
			all[member+record] = true
		}
	})
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content, all
}

// spoiled returns a copy of content with up to n random bytes changed, and
// which lines were not hit.
func spoiled(content []byte, n int, random *rand.Rand) (bad []byte, whole [][]byte) {
	bad = bytes.Clone(content)
	for range n {
		bad[random.IntN(len(bad))] = byte(random.Uint32())
	}
	at := 0
	for line := range bytes.Lines(content) {
		if bytes.Equal(line, bad[at:at+len(line)]) {
			whole = append(whole, line)
		}
		at += len(line)
	}
	return bad, whole
}

// read returns the changes in a file, one string for each, and its account.
func read(t testing.TB, content []byte) (changes []string, a account) {
	t.Helper()
	a, err := readJournal(bytes.NewReader(content), func(k key, value []byte) {
		changes = append(changes, fmt.Sprintf("%s %s %s %s %s", k.table, k.target, k.name, k.member, value))
	})
	require.NoError(t, err)
	return changes, a
}

// within reports whether all of some are among others, in order.
func within(some, others []string) bool {
	for _, other := range others {
		if len(some) > 0 && some[0] == other {
			some = some[1:]
		}
	}
	return len(some) == 0
}

func TestDamageCostsTheLinesItHits(t *testing.T) {
	good, _ := goodFile(t)
	all, _ := read(t, good)
	damaged := 0
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 0))
		bad, whole := spoiled(good, 1+random.IntN(300), random)
		kept, _ := read(t, bytes.Join(whole, nil))
		got, a := read(t, bad)
		require.True(t, within(kept, got), "seed %d: nothing else is lost", seed)
		require.True(t, within(got, all), "seed %d: nothing is made up", seed)
		damaged += a.damaged
	}
	require.Greater(t, damaged, 10000, "it is counted")
}

func TestDamageAmong100000Keys(t *testing.T) {
	const keys, changed = 100_000, 300
	content := appendMark(nil, fmt.Sprint(header, schema))
	for n := range keys {
		value, err := encode(record(n, 0))
		require.NoError(t, err)
		content = appendLine(content, key{fleetTable, mailbox.target, mailbox.name, mailboxAt(n)}, value)
	}
	content = appendMark(content, snapshotMark)
	bad, whole := spoiled(content, changed, rand.New(rand.NewPCG(1, 0)))
	all, _ := read(t, content)
	kept, _ := read(t, bytes.Join(whole, nil))
	got, a := read(t, bad)
	require.True(t, within(kept, got), "nothing else is lost")
	require.True(t, within(got, all), "nothing is made up")
	require.GreaterOrEqual(t, len(got), keys-changed)
	require.Greater(t, a.damaged, changed/2)
	t.Logf("%d of %d keys kept of a file of %.1f MB, %d lines told damaged", len(got), keys, float64(len(content))/1e6, a.damaged)
}

// openDamaged opens a damaged file twice, the second time after one more run,
// and holds what must be true of any damage.
func openDamaged(t *testing.T, path string, all known) (h Health) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var said logs
		o := options()
		o.Logf = said.add
		s := opened(t, path, o)
		for what := range remembered(t, s) {
			require.True(t, all[what], "made up: %s", what)
		}
		h = s.Health()
		require.True(t, h.OK, "%v", h)
		require.Equal(t, h.SetAside != "" || h.Damaged > 0, len(said.all()) == 1, "told once: %v", said.all())
		last := run(activesync, 1000)
		s.Record(last)
		require.NoError(t, s.Close(), "%v", said.all())
		require.NotContains(t, strings.Join(said.all(), "\n"), "@", "mailboxes are not for logs")
		s = opened(t, path, options())
		again := s.Health()
		require.True(t, again.OK, "%v", again)
		require.Empty(t, again.SetAside, "the second open finds a sound file")
		require.Zero(t, again.Damaged, "the second open finds a sound file")
		require.Equal(t, last.Start, statusOf(t, s, activesync).Last.Start)
		require.NoError(t, s.Close())
	})
	return h
}

func TestHundredDamagedFiles(t *testing.T) {
	good, all := goodFile(t)
	path := statePath(t)
	noticed := 0
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		bad, _ := spoiled(good, 1+random.IntN(300), random)
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		if openDamaged(t, path, all).Damaged > 0 {
			noticed++
		}
		require.False(t, t.Failed(), "seed %d", seed)
	}
	require.Greater(t, noticed, 90, "damage must be noticed")
	require.Empty(t, asideFiles(t, path), "what is sound stays in use")
}

// TestDamageWhileRunning changes the file under the open Store and goes on
// recording: the damage costs what it hit, and nothing that came after.
func TestDamageWhileRunning(t *testing.T) {
	good, all := goodFile(t)
	path := statePath(t)
	require.NoError(t, os.WriteFile(path, good, 0o600))
	bubble(t, path, osOpen, func(t *testing.T, s *Store, said *logs) {
		bad, _ := spoiled(good, 300, rand.New(rand.NewPCG(1, 1)))
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		_, err = f.Write(bad)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		s.Record(run(activesync, 1001))
		pass()
		require.True(t, s.Health().OK, "%v", said.all())
	})
	all.result(t, activesync, run(activesync, 1001))
	require.Positive(t, openDamaged(t, copied(t, path), all).Damaged)
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, path, options())
		require.Equal(t, after(1001), statusOf(t, s, activesync).Last.Start)
		require.NoError(t, s.Close())
	})
}

// TestFileCutWhileRunning takes the content away from under the open Store,
// which has all of it in memory.
func TestFileCutWhileRunning(t *testing.T) {
	good, _ := goodFile(t)
	path := statePath(t)
	require.NoError(t, os.WriteFile(path, good, 0o600))
	bubble(t, path, osOpen, func(t *testing.T, s *Store, said *logs) {
		require.NoError(t, os.Truncate(path, 100))
		s.Record(run(activesync, 1000))
		pass()
		require.True(t, s.Health().OK, "%v", said.all())
		require.Len(t, rowsOf(t, s), 31+30+20+fleetSize, "the new file has everything")
	})
}

func TestUnusableFiles(t *testing.T) {
	good, all := goodFile(t)
	lines := bytes.SplitAfter(good, []byte("\n"))
	lines = lines[:len(lines)-1]
	for name, tc := range map[string]struct {
		content  []byte
		setAside bool
		damaged  int
	}{
		"empty":                        {nil, false, 0},
		"one byte":                     {[]byte{0}, true, 0},
		"garbage":                      {[]byte(strings.Repeat("not a state file\n", 5000)), true, 0},
		"zeroes":                       {make([]byte, len(good)), true, 0},
		"a database of an earlier day": {append(make([]byte, 16), "\xed\xda\x0c\xed\x02\x00\x00\x00\x00\x10\x00\x00"...), true, 0},
		"a line longer than any":       {bytes.Repeat([]byte("a line without an end "), 200_000), true, 0},
		"cut inside the snapshot":      {bytes.Join(lines[:10], nil), false, 0},
		"cut inside a line":            {good[:len(good)-7], false, 0},
		"the header is lost":           {bytes.Join(lines[1:], nil), false, 0},
		"the header is damaged":        {append([]byte("x"), good[1:]...), false, 1},
		"an end of a line is damaged":  {bytes.Replace(good, []byte("\n"), []byte("x"), 1), false, 1},
		"all but one line is damaged":  {append(bytes.ReplaceAll(good, []byte(" "), []byte("x")), lines[3]...), false, len(lines)},
		"nothing wrong with it":        {good, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := statePath(t)
			require.NoError(t, os.WriteFile(path, tc.content, 0o600))
			h := openDamaged(t, path, all)
			require.Equal(t, tc.setAside, len(asideFiles(t, path)) == 1)
			require.Equal(t, tc.damaged, h.Damaged)
		})
	}
}
