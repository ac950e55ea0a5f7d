package sync

import (
	"context"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/online"
)

// regions returns two targets of one tenant, of so many mailboxes each.
func regions(t *testing.T, first, second int, b *budget.Budget) [2]*office {
	return [2]*office{newOfficeWithin(t, config.Sync{Mailboxes: addresses(first)}, newStore(), b),
		newOfficeWithin(t, config.Sync{Mailboxes: addresses(second)}, newStore(), b)}
}

// sweepBoth lets the Backgrounds of both work for a time.
func sweepBoth(both [2]*office, d time.Duration) {
	var sweeps gosync.WaitGroup
	for _, o := range both {
		sweeps.Go(func() { o.sweepFor(d) })
	}
	sweeps.Wait()
}

func TestTargetsOfATenantShareItsRate(t *testing.T) {
	const span = 20 * time.Minute
	for name, takes := range map[string]time.Duration{"calls that are quick": 100 * time.Millisecond, "calls that are slow": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				both := regions(t, 3000, 3000, budget.New(2, 4))
				both[0].takes, both[1].takes = takes, takes
				sweepBoth(both, span)
				all := both[0].calls() + both[1].calls()
				possible := min(2, 3/takes.Seconds()) * span.Seconds() // three at once, the last place is kept
				assert.LessOrEqual(t, float64(all), possible+4)
				assert.GreaterOrEqual(t, float64(all), 0.95*possible)
				for _, o := range both {
					assert.InDelta(t, all/2, o.calls(), 0.05*float64(all))
				}
			})
		})
	}
}

func TestATargetWithLittleToAskLeavesTheRestToTheOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		both := regions(t, 3000, 10, budget.New(2, 4))
		sweepBoth(both, 20*time.Minute)
		assert.Len(t, both[1].store.records, 10)
		assert.GreaterOrEqual(t, float64(both[0].calls()+both[1].calls()), 0.95*2*20*60)
	})
}

func TestARefusalInOneTargetPausesTheOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		both := regions(t, 500, 500, budget.New(2, 4))
		var refused time.Time
		both[0].fail = func(q question) error {
			if !refused.IsZero() || time.Since(q.at.Truncate(time.Hour)) < 10*time.Second {
				return nil
			}
			refused = time.Now()
			return check.Errorf(check.Throttled, "%w", &online.CmdletError{Kind: online.Throttled, RetryAfter: time.Minute})
		}
		sweepBoth(both, 2*time.Minute)
		require.False(t, refused.IsZero())
		before, after := 0, 0
		for _, o := range both {
			for _, q := range append(o.questions(getLocation), o.questions(getDevices)...) {
				since := q.at.Sub(refused)
				assert.False(t, since > 0 && since < time.Minute, "a call %s after the refusal", since)
				if since <= 0 {
					before++
				} else {
					after++
				}
			}
			assert.Less(t, o.hmad.sweep.budget.Rate(), 2.0)
		}
		assert.Greater(t, before, 10)
		assert.Greater(t, after, 50)
	})
}

// A sweep that ends leaves the tenant to the others at once.
func TestATargetThatStopsHoldsNobodyUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		both := regions(t, 3000, 3000, budget.New(2, 1))
		both[0].takes, both[1].takes = time.Second, time.Second
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- both[0].hmad.background(ctx) }()
		time.AfterFunc(time.Minute+300*time.Millisecond, cancel)
		both[1].sweepFor(10 * time.Minute)
		require.ErrorIs(t, <-stopped, context.Canceled)
		assert.InDelta(t, 30, both[0].calls(), 5)
		assert.InDelta(t, 30+9*60, both[1].calls(), 15)
	})
}

// However slow the sweep's calls are, a run's watch list does not wait for one
// of them to end.
func TestSlowCallsDoNotKeepTheWatchListWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := watching("jane@contoso.com")
		s.Mailboxes = addresses(300)
		o := newOfficeWithin(t, s, newStore(), budget.New(2, 2))
		o.takes = 50 * time.Second
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- o.hmad.background(ctx) }()
		time.Sleep(10*time.Minute + 20*time.Second)
		began := time.Now()
		_, err := o.runNow()
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(began), 2*o.takes+time.Second, "its two calls, one after the other")
		assert.LessOrEqual(t, o.most, 2)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}
