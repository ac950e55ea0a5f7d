package state

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

func ids(s *Store) (all []check.ID) {
	for _, st := range s.Statuses() {
		all = append(all, st.ID)
	}
	return all
}

func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fabrikam := check.ID{Check: "activesync", Target: "fabrikam"}
		s := opened(t, statePath(t), options())
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
		require.Len(t, rowsOf(t, s), 2, "run and value: nothing of the others is left in the file")

		s.Keep([]check.ID{activesync, fabrikam})
		require.True(t, statusOf(t, s, fabrikam).Last.Start.IsZero(), "a target that comes back begins anew")
		require.False(t, s.Memory("fabrikam").Get("seen", &seen))
	})
}

// rowsOf returns the keys that have a value in the Store's file as it is, which
// is what kill -9 would leave.
func rowsOf(t *testing.T, s *Store) []key {
	t.Helper()
	content, err := os.ReadFile(s.Health().Path)
	require.NoError(t, err)
	live := map[key]bool{}
	_, err = readJournal(bytes.NewReader(content), func(k key, value []byte) { live[k] = value != nil })
	require.NoError(t, err)
	maps.DeleteFunc(live, func(_ key, has bool) bool { return !has })
	return slices.Collect(maps.Keys(live))
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
	assert.Contains(t, said.all()[0], "over the limit of 1048576 and 1024")
	assert.Contains(t, said.all()[1], "unsupported type: func()")
}

func TestUnpersistableResultStaysInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said logs
		o := options()
		o.Logf = said.add
		s := opened(t, statePath(t), o)
		s.Record(run(activesync, 1))
		large := run(activesync, 2)
		large.Report.Notes = checktest.Seen(strings.Repeat("x", maxValue))
		s.Record(large)
		require.Equal(t, after(2), statusOf(t, s, activesync).Last.Start)
		s = reopened(t, s)
		require.Len(t, said.all(), 1)
		require.Contains(t, said.all()[0], "over the limit")
		require.Equal(t, after(1), statusOf(t, s, activesync).Last.Start)
	})
}
