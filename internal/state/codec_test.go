package state

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// TestUpgradeDropsWhatIsNoMore opens a file with other Defs than wrote it.
func TestUpgradeDropsWhatIsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		s := opened(t, path, options())
		with := run(activesync, 1, expiring)
		with.Report.Unjudged = checktest.Unjudged(blocked)
		with.Report.Samples = []check.Sample{
			{Metric: notAfter, Value: 1, Labels: []string{"mail.contoso.com"}},
			{Metric: check.Decided, Value: 1},
		}
		s.Record(with)
		s.Record(run(activesync, 2, blocked, expiring))
		s.Record(run(activesync, 3, blocked))
		s.Record(run(autodiscover, 3))
		require.NoError(t, s.Close())

		var said logs
		fewer := &check.Metric{Name: notAfter.Name}
		s = opened(t, path, Options{Logf: said.add, Defs: []*check.Def{
			{Name: "activesync", Reasons: []*check.Reason{expiring}, Metrics: []*check.Metric{fewer}}}})
		require.Equal(t, []check.ID{activesync}, ids(s))
		got := statusOf(t, s, activesync)
		require.Len(t, got.History, 1, "a failed run must not become a good one because its reason is gone")
		require.Equal(t, after(1), got.Last.Start)
		require.Equal(t, after(1), got.Since)
		require.Same(t, expiring, got.Last.Report.Findings[0].Reason)
		require.Empty(t, got.Last.Report.Unevaluated())
		require.Len(t, got.Last.Report.Samples, 1, "a metric with other labels would be a broken series")
		require.Same(t, check.Decided, got.Last.Report.Samples[0].Metric)
		require.Equal(t, []string{
			"dropped on reading the state: run of activesync: its verdict, failed, is based on a reason that no longer exists (2 times)",
			"dropped on reading the state: unknown check autodiscover (1 times)",
			"dropped on reading the state: unknown metric hmad_tls_certificate_not_after_timestamp_seconds (1 times)",
			"dropped on reading the state: unknown reason activesync.blocked (3 times)",
		}, said.all())
		require.True(t, s.Health().OK)
		require.NoError(t, s.Close())

		s = opened(t, path, options())
		require.Equal(t, []check.ID{activesync}, ids(s), "the file has lost them too")
		require.NoError(t, s.Close())
	})
}

func TestEncodeHoldsPanics(t *testing.T) {
	r := run(activesync, 1)
	r.Report.Samples = []check.Sample{{Value: 1}}
	_, err := encode(storedRun{result: &r})
	require.ErrorContains(t, err, "panic")
}

func TestErrorsKeepClassAndKind(t *testing.T) {
	for name, err := range map[string]error{
		"classed": check.Errorf(check.Resolver, "resolver silent"),
		"skipped": check.Skip("no URL"),
		"plain":   errNotRegular,
	} {
		t.Run(name, func(t *testing.T) {
			r := run(activesync, 1)
			r.Err = err
			value, encodeErr := encode(storedRun{result: &r})
			require.NoError(t, encodeErr)
			stored, decodeErr := newNames(defs).decode(activesync, value)
			require.NoError(t, decodeErr)
			got := stored.result
			require.EqualError(t, got.Err, err.Error())
			require.Equal(t, check.ClassOf(err), check.ClassOf(got.Err))
			require.Equal(t, r.Outcome(), got.Outcome())
		})
	}
}
