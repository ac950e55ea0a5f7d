package simulate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/phones"
	"github.com/hmad/hmad/internal/sync/simulate"
)

// bounds are what the plan promises of a fleet.
type bounds struct {
	kind       phones.Kind
	staleAfter time.Duration
	calls      float64       // per mailbox and day
	late       time.Duration // of any mailbox, in two weeks in which nothing is wrong
	from, to   time.Duration // a stop begun at these times of day is found within half an hour
}

var promised = []bounds{
	{phones.DayAndNight, 24 * time.Hour, 1.3, 15 * time.Minute, 0, 24 * time.Hour},
	// On a Monday every mailbox must be asked between its first sync and the
	// evening; two calls per second are too few for that.
	{phones.OfficeHours, 72 * time.Hour, 1.0, 5 * time.Hour, simulate.Office.From, simulate.Office.To},
}

// hundredThousand is the fleet of the promises. Under the race detector it is
// small, and the number of calls, which then is mostly the sample's, says
// nothing.
func hundredThousand(seed uint64) simulate.Options {
	o := simulate.Options{Mailboxes: 100_000, Watched: 10, Rate: 2, Seed: seed}
	if small {
		o.Mailboxes = 1000
	}
	return o
}

// holds says that two weeks in which nothing is wrong are as promised.
func holds(t *testing.T, c bounds, got simulate.Outcome) {
	if !small {
		assert.LessOrEqual(t, got.CallsPerDay, c.calls)
	}
	assert.LessOrEqual(t, got.WorstLate, c.late)
	assert.LessOrEqual(t, got.WatchedLate, 5*time.Minute, "within one schedule")
	assert.LessOrEqual(t, got.FailingLate, c.staleAfter+c.late, "what fails is seen when its verdict ends")
	assert.Zero(t, got.FalseVerdicts)
	assert.Zero(t, got.Unasked)
	assert.Empty(t, got.Findings, "quiet nights and weekends say nothing")
}

func TestWhatThePlanPromises(t *testing.T) {
	for _, c := range promised {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			o := hundredThousand(1)
			got := simulate.Run(o, c.kind, c.staleAfter)
			holds(t, c, got)
			for name, trouble := range map[string]simulate.Trouble{"half the rate": got.Throttled, "an outage": got.Outage} {
				assert.Zero(t, trouble.FalseVerdicts, name)
				assert.Subset(t, []string{"sweep_behind"}, trouble.Findings, name)
				assert.LessOrEqual(t, trouble.Peak, o.Rate+0.1, "%s: no storm", name)
				assert.LessOrEqual(t, trouble.WorstLate, 9*time.Hour, name)
			}
			tried := 0
			for _, s := range got.Stops {
				if s.Clock >= c.from && s.Clock <= c.to {
					tried++
					assert.LessOrEqual(t, s.Found, 30*time.Minute, "at %s", s.Clock)
				}
			}
			assert.GreaterOrEqual(t, tried, 18, "every half hour of the office")
			assert.LessOrEqual(t, got.Again.Found, 30*time.Minute, "the outage a week before is not the norm")
			assert.Empty(t, got.Between, "what was mended is not found")
		})
	}
}

func TestTheTable(t *testing.T) {
	var out strings.Builder
	simulate.Simulate(&out, simulate.Options{Mailboxes: 200, Watched: 2, Rate: 0.5, Seed: 7})
	for _, want := range []string{"200 mailboxes, 2 of them watched, 0.5 calls per second, seed 7", "day and night", "office hours", "24h ", "calls per mailbox and day", "every phone stops, found after", "at 08:30"} {
		assert.Contains(t, out.String(), want)
	}
}
