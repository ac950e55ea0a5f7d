package state

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// sameStatus compares statuses: errors by class and text, NaN as equal.
var sameStatus = cmp.Options{
	cmpopts.EquateNaNs(),
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b *check.Reason) bool { return a == b }),
	cmp.Comparer(func(a, b *check.Metric) bool { return a == b }),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Err" }, cmp.Comparer(func(a, b any) bool {
		x, _ := a.(error)
		y, _ := b.(error)
		if x == nil || y == nil {
			return x == nil && y == nil
		}
		return x.Error() == y.Error() && check.ClassOf(x) == check.ClassOf(y)
	})),
}

// reopened closes the Store and opens its file again.
func reopened(t *testing.T, s *Store) *Store {
	t.Helper()
	require.NoError(t, s.Close())
	return opened(t, s.Health().Path, s.options)
}

func TestRestartKeepsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, statePath(t), options())
		full := run(activesync, 100, expiring)
		full.Report.Unjudged = checktest.Unjudged(blocked)
		full.Report.Samples = []check.Sample{
			{Metric: notAfter, Value: 1.9e9, Labels: []string{"mail.contoso.com"}},
			{Metric: notAfter, Value: math.NaN(), Labels: []string{"nan.contoso.com"}},
			{Metric: notAfter, Value: math.Inf(1), Labels: []string{"inf.contoso.com"}},
			{Metric: check.Phase, Value: .25, Labels: []string{"dns", "mail.contoso.com", ""}},
			{Metric: check.Success, Value: 1},
		}
		full.Report.Notes = []check.Note{{Kind: check.Repeat, Text: "curl -v https://mail.contoso.com/"}, {Kind: check.Seen, Text: "WWW-Authenticate: Bearer"}}
		for n := range 100 {
			r := run(activesync, n)
			if n%3 == 0 {
				r = run(activesync, n, blocked)
			}
			s.Record(r)
		}
		s.Record(full)
		for n := range 60 {
			s.Record(unsure(activesync, 101+n))
		}
		skipped := run(autodiscover, 3)
		skipped.Err = check.Skip("activesync gave no URL")
		s.Record(skipped)
		s.Memory("contoso").Put("seen", map[string]time.Time{"key": noon})
		want := s.Statuses()
		require.Equal(t, full.Start, want[0].Decided.Start, "the verdict is older than the history")
		require.Equal(t, full.Start, want[0].FoundSince[expiring.Name])

		s = reopened(t, s)
		require.Empty(t, cmp.Diff(want, s.Statuses(), sameStatus))
		require.ErrorIs(t, statusOf(t, s, autodiscover).Last.Err, check.ErrSkipped)
		require.Equal(t, check.Skipped, statusOf(t, s, autodiscover).Last.Outcome())
		var seen map[string]time.Time
		require.True(t, s.Memory("contoso").Get("seen", &seen))
		require.Equal(t, map[string]time.Time{"key": noon}, seen)

		s.Record(run(activesync, 200))
		want = s.Statuses()
		s = reopened(t, s)
		require.Empty(t, cmp.Diff(want, s.Statuses(), sameStatus), "a run after a restart follows those before it")
	})
}
