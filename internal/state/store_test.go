package state

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

func ids(s *Store) (all []check.ID) {
	for _, st := range s.Statuses() {
		all = append(all, st.ID)
	}
	return all
}

func TestKeep(t *testing.T) {
	fabrikam := check.ID{Check: "activesync", Target: "fabrikam"}
	s := Open(statePath(t), options())
	s.Keep([]check.ID{fabrikam, autodiscover, activesync})
	require.Equal(t, []check.ID{autodiscover, activesync, fabrikam}, ids(s), "by target, then in the order given")
	require.True(t, statusOf(t, s, activesync).Last.Start.IsZero(), "none yet")

	for _, id := range ids(s) {
		s.Record(run(id, 1))
		s.Planned(id, after(2), time.Hour)
		s.Memory(id.Target).Put("seen", true)
	}
	s = reopened(t, s)
	require.Equal(t, []check.ID{activesync, autodiscover, fabrikam}, ids(s))
	s.Keep([]check.ID{activesync})
	require.Equal(t, []check.ID{activesync}, ids(s))

	require.Empty(t, s.Record(run(fabrikam, 2)), "a late run of a removed check")
	s.Planned(fabrikam, after(3), time.Hour)
	s.Memory("fabrikam").Put("seen", true)
	s = reopened(t, s)
	require.Equal(t, []check.ID{activesync}, ids(s))
	var seen bool
	require.True(t, s.Memory("contoso").Get("seen", &seen))
	require.False(t, s.Memory("fabrikam").Get("seen", &seen))
	require.Len(t, rowsOf(t, s), 3, "facts, run, value: nothing of the others is left in the file")

	s.Keep([]check.ID{activesync, fabrikam})
	require.True(t, statusOf(t, s, fabrikam).Last.Start.IsZero(), "a target that comes back begins anew")
	require.False(t, s.Memory("fabrikam").Get("seen", &seen))
}

// rowsOf gives the keys that are in the Store's file, by a copy of it, which
// is what kill -9 would leave.
func rowsOf(t *testing.T, s *Store) (keys []key) {
	t.Helper()
	f := copied(t, s.Health().Path)
	require.NoError(t, readFile(f, osOpen, func(k key, _ []byte) { keys = append(keys, k) }))
	return keys
}

func TestPlanned(t *testing.T) {
	s := Open("", options())
	s.Planned(activesync, after(1), 5*time.Minute)
	s.Record(run(activesync, 1))
	got := statusOf(t, s, activesync)
	require.Equal(t, after(1), got.Next)
	require.Equal(t, 5*time.Minute, got.MaxGap)
}

func TestMemoryOnlyIsHealthy(t *testing.T) {
	s := Open("", options())
	require.Equal(t, Health{OK: true}, s.Health())
	require.Empty(t, s.Statuses())
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
}

func TestMemory(t *testing.T) {
	var said logs
	o := options()
	o.Logf = said.add
	m := Open("", o).Memory("contoso")
	var got []int
	assert.False(t, m.Get("seen", &got), "nothing yet")
	value := []int{1, 2}
	m.Put("seen", value)
	value[0] = 9
	require.True(t, m.Get("seen", &got))
	assert.Equal(t, []int{1, 2}, got, "what was put, not what became of it")
	var wrong map[string]int
	assert.False(t, m.Get("seen", &wrong), "nothing that fits")

	m.Put("seen", strings.Repeat("x", maxValue))
	m.Put("seen", func() {})
	assert.True(t, m.Get("seen", &got), "what cannot be kept leaves what was there")
	require.Len(t, said.all(), 2)
	assert.Contains(t, said.all()[0], "over the limit of 1048576")
	assert.Contains(t, said.all()[1], "unsupported type: func()")
}

func TestMemoryListsAndForgets(t *testing.T) {
	s := Open(statePath(t), options())
	for _, key := range []string{"evosts/a", "evosts/b", "other"} {
		memory{s, "contoso"}.Put(key, 1)
	}
	s = reopened(t, s)
	m := memory{s, "contoso"}
	require.ElementsMatch(t, []string{"evosts/a", "evosts/b"}, m.Keys("evosts/"))
	require.Empty(t, memory{s, "fabrikam"}.Keys(""))
	m.Delete("evosts/a")
	m.Delete("nothing")
	memory{s, "fabrikam"}.Delete("nothing")
	require.Equal(t, []string{"evosts/b"}, m.Keys("evosts/"))
	s = reopened(t, s)
	require.ElementsMatch(t, []string{"evosts/b", "other"}, memory{s, "contoso"}.Keys(""))
}

func TestUnpersistableResultStaysInMemory(t *testing.T) {
	var said logs
	o := options()
	o.Logf = said.add
	s := Open(statePath(t), o)
	s.Record(run(activesync, 1))
	large := run(activesync, 2)
	large.Report.Notes = check.Notes(strings.Repeat("x", maxValue))
	s.Record(large)
	require.Equal(t, after(2), statusOf(t, s, activesync).Last.Start)
	s = reopened(t, s)
	require.Len(t, said.all(), 1)
	require.Contains(t, said.all()[0], "over the limit")
	require.Equal(t, after(1), statusOf(t, s, activesync).Last.Start)
}
