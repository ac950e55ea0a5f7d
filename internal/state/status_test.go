package state

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// unable makes a run whose judgement stopped at blocked before expiring.
func unable(id check.ID, n int) check.Result {
	r := run(id, n, blocked)
	r.Report.Unjudged = checktest.Unjudged(expiring)
	return r
}

func TestRecord(t *testing.T) {
	id := activesync
	for name, tc := range map[string]struct {
		runs        []check.Result
		before      check.Outcome
		since       time.Time
		decided     time.Time // zero: none
		lastSuccess time.Time
		foundSince  map[string]time.Time
	}{
		"the first run": {
			runs:  []check.Result{run(id, 1)},
			since: after(1), decided: after(1), lastSuccess: after(1),
		},
		"the outcome stands since its first run": {
			runs:   []check.Result{run(id, 1), run(id, 2, blocked), run(id, 3, blocked, expiring)},
			before: check.Failed, since: after(2), decided: after(3), lastSuccess: after(1),
			foundSince: map[string]time.Time{"blocked": after(2), "certificate_expiring": after(3)},
		},
		"a warning is a success": {
			runs:   []check.Result{run(id, 1, blocked), run(id, 2, expiring)},
			before: check.Failed, since: after(2), decided: after(2), lastSuccess: after(2),
			foundSince: map[string]time.Time{"certificate_expiring": after(2)},
		},
		"only undecided": {
			runs:   []check.Result{unsure(id, 1), unsure(id, 2)},
			before: check.Undecided, since: after(1),
		},
		"an undecided run keeps the verdict and what it found": {
			runs:   []check.Result{run(id, 1, blocked), unsure(id, 2)},
			before: check.Failed, since: after(2), decided: after(1),
			foundSince: map[string]time.Time{"blocked": after(1)},
		},
		"a finding stands across an undecided run": {
			runs:   []check.Result{run(id, 1, blocked), unsure(id, 2), run(id, 3, blocked)},
			before: check.Undecided, since: after(3), decided: after(3),
			foundSince: map[string]time.Time{"blocked": after(1)},
		},
		"a finding stands across a run that could not evaluate it": {
			runs:   []check.Result{run(id, 1, expiring), unable(id, 2), run(id, 3, expiring)},
			before: check.Failed, since: after(3), decided: after(3), lastSuccess: after(3),
			foundSince: map[string]time.Time{"certificate_expiring": after(1)},
		},
		"a finding ends with a run that looked and did not find it": {
			runs:   []check.Result{run(id, 1, blocked), run(id, 2), run(id, 3, blocked)},
			before: check.Passed, since: after(3), decided: after(3), lastSuccess: after(2),
			foundSince: map[string]time.Time{"blocked": after(3)},
		},
		"order is that of recording, so that a clock set back hides nothing": {
			runs:   []check.Result{run(id, 5), run(id, 1, blocked)},
			before: check.Passed, since: after(1), decided: after(1), lastSuccess: after(5),
			foundSince: map[string]time.Time{"blocked": after(1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := Open("", options())
			var before check.Outcome
			for _, r := range tc.runs {
				before = s.Record(r)
			}
			got := statusOf(t, s, id)
			assert.Equal(t, tc.before, before)
			assert.Equal(t, tc.runs[len(tc.runs)-1], got.Last)
			assert.Equal(t, tc.since, got.Since)
			assert.Equal(t, tc.lastSuccess, got.LastSuccess)
			if tc.decided.IsZero() {
				assert.Nil(t, got.Decided)
			} else {
				assert.Equal(t, tc.decided, got.Decided.Start)
			}
			if len(tc.foundSince) == 0 {
				assert.Empty(t, got.FoundSince)
			} else {
				assert.Equal(t, tc.foundSince, got.FoundSince)
			}
		})
	}
}

func TestHistoryKeepsFailuresLonger(t *testing.T) {
	s := Open("", options())
	for n := range 50 { // two good runs, then one that failed or could not tell
		switch n % 6 {
		case 2:
			s.Record(run(activesync, n, blocked))
		case 5:
			s.Record(unsure(activesync, n))
		default:
			s.Record(run(activesync, n))
		}
	}
	var got []time.Time
	for _, r := range statusOf(t, s, activesync).History {
		got = append(got, r.Start)
	}
	var want []time.Time
	for n := 49; n >= 0; n-- {
		if n >= 30 || n%3 == 2 {
			want = append(want, after(n))
		}
	}
	require.Equal(t, want, got, "the last 20, and of the older ones those that were not good")

	for n := range 100 {
		s.Record(run(activesync, 50+n, blocked))
	}
	history := statusOf(t, s, activesync).History
	require.Len(t, history, 30)
	require.Equal(t, after(149), history[0].Start)
	require.Equal(t, after(120), history[29].Start)

	for n := range 20 {
		s.Record(run(activesync, 150+n))
	}
	require.Len(t, statusOf(t, s, activesync).History, 50)
}

func TestSnapshotDoesNotChange(t *testing.T) {
	s := Open("", options())
	for n := range 40 {
		s.Record(run(activesync, n, blocked))
	}
	before := statusOf(t, s, activesync)
	starts := func(h []check.Result) (all []time.Time) {
		for _, r := range h {
			all = append(all, r.Start)
		}
		return all
	}
	want, found := starts(before.History), before.FoundSince["blocked"]
	require.Equal(t, len(before.History), cap(before.History), "an append of two readers would meet")
	for n := range 40 {
		s.Record(run(activesync, 40+n))
		s.Record(run(activesync, 40+n, expiring))
	}
	require.Equal(t, want, starts(before.History))
	require.Equal(t, map[string]time.Time{"blocked": found}, before.FoundSince)
	require.Equal(t, after(39), before.Decided.Start)
}
