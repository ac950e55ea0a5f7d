package simulate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/phones"
	"github.com/hmad/hmad/internal/sync/simulate"
)

// What the plan promises, for 100,000 mailboxes at 2 calls per second. Under
// the race detector the fleet is small, and the number of calls, which then is
// mostly the sample's, says nothing.
func TestWhatThePlanPromises(t *testing.T) {
	o := simulate.Options{Mailboxes: 100_000, Watched: 10, Rate: 2, Seed: 1}
	if small {
		o.Mailboxes = 1000
	}
	for _, c := range []struct {
		kind       phones.Kind
		staleAfter time.Duration
		calls      float64       // per mailbox and day
		late       time.Duration // of any mailbox, in two weeks in which nothing is wrong
	}{
		{phones.DayAndNight, 24 * time.Hour, 1.3, 15 * time.Minute},
		// On a Monday every mailbox must be asked between its first sync and the
		// evening; two calls per second are too few for that.
		{phones.OfficeHours, 72 * time.Hour, 1.0, 5 * time.Hour},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			got := simulate.Run(o, c.kind, c.staleAfter)
			if !small {
				assert.LessOrEqual(t, got.CallsPerDay, c.calls)
			}
			assert.LessOrEqual(t, got.WorstLate, c.late)
			assert.LessOrEqual(t, got.WatchedLate, 5*time.Minute, "within one schedule")
			assert.Zero(t, got.FalseVerdicts)
			assert.Empty(t, got.Findings, "quiet nights and weekends say nothing")
			assert.LessOrEqual(t, got.StopFound, 30*time.Minute)
			for name, trouble := range map[string]simulate.Trouble{"half the rate": got.Throttled, "an outage": got.Outage} {
				assert.Zero(t, trouble.FalseVerdicts, name)
				assert.Subset(t, []string{"sweep_behind"}, trouble.Findings, name)
				assert.LessOrEqual(t, trouble.Peak, o.Rate+0.1, "%s: no storm", name)
				assert.LessOrEqual(t, trouble.WorstLate, 9*time.Hour, name)
			}
		})
	}
}

func TestTheTable(t *testing.T) {
	var out strings.Builder
	simulate.Simulate(&out, simulate.Options{Mailboxes: 200, Watched: 2, Rate: 0.5, Seed: 7})
	for _, want := range []string{"200 mailboxes, 2 of them watched, 0.5 calls per second, seed 7", "day and night", "office hours", "calls per mailbox and day", "fleet-wide stop found after"} {
		assert.Contains(t, out.String(), want)
	}
}
