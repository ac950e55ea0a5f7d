package run

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/schedule"
)

// phase is that of contoso's five-minute checks with a deadline of 30 s.
var phase = schedule.Phase("contoso", 5*time.Minute, 30*time.Second)

// planned returns n planned starts of such a check from the given time of
// 2000-01-01, the day on which synctest begins.
func planned(from string, n int) (starts []time.Time) {
	for i := range n {
		starts = append(starts, at("2000-01-01 "+from+":00").Add(phase+time.Duration(i)*5*time.Minute))
	}
	return starts
}

// fleet returns a check for each of n targets.
func fleet(n int, run runFunc) (checks []*check.Check) {
	for i := range n {
		c := checkOf(run)
		c.Target = fmt.Sprintf("target-%d", i)
		checks = append(checks, c)
	}
	return checks
}

// alone wraps a run so that the test fails when it overlaps itself.
func alone(t *testing.T, run runFunc) runFunc {
	var flying atomic.Int32
	return func(ctx context.Context, v *check.Verdict) {
		assert.EqualValues(t, 1, flying.Add(1), "runs overlap")
		defer flying.Add(-1)
		run(ctx, v)
	}
}

func TestChecksRunAtStartAndThenOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(taking(2*time.Second))
		b.serve(t, 1, c)
		pass(time.Hour)
		assert.Equal(t, 5*time.Minute, b.book.maxGap[c.ID()])
		starts := b.book.starts(c)
		assert.WithinDuration(t, at("2000-01-01 00:00:00"), starts[0], time.Second/30)
		assert.Equal(t, planned("00:00", 12), starts[1:])
		assert.Equal(t, planned("01:00", 1)[0], b.book.due(c))
		for _, cause := range []string{check.Overlap, check.Late, check.Clock} {
			assert.Zero(t, b.meters.count(c, check.Missed, cause), cause)
		}
	})
}

func TestARunNeverOverlapsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		c := checkOf(alone(t, taking(7*time.Minute)))
		c.Timeout = 20 * time.Minute // no phase
		b.serve(t, 5, c)
		pass(time.Hour)
		// The first run ends at 7 minutes; from then on every other planned one starts.
		want := []time.Time{}
		for minute := 10; minute < 60; minute += 10 {
			want = append(want, at(fmt.Sprintf("2000-01-01 00:%02d:00", minute)))
		}
		assert.Equal(t, want, b.book.starts(c)[1:])
		assert.EqualValues(t, 6, b.meters.count(c, check.Missed, check.Overlap)) // 5, 15, 25 … 55
	})
}

func TestAStuckCheckHoldsUpNothingButItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		stuck := checkOf(alone(t, inTurn(func(ctx context.Context, v *check.Verdict) {
			<-free
			good(ctx, v)
		}, good)))
		other := checkOf(good)
		other.Target = "fabrikam"
		b := newBench()
		b.serve(t, 1, stuck, other)
		pass(time.Hour)

		results := b.book.of(stuck)
		require.Len(t, results, 1)
		assert.Equal(t, check.Timeout, check.ClassOf(results[0].Err))
		assert.Equal(t, 31*time.Second, results[0].Took)
		assert.EqualValues(t, 12, b.meters.count(stuck, check.Missed, check.Overlap))
		assert.Len(t, b.book.of(other), 13)

		close(free)
		pass(10 * time.Minute)
		assert.Equal(t, planned("01:00", 2), b.book.starts(stuck)[1:])
	})
}

func TestRunsInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flying, most atomic.Int32
		checks := fleet(20, func(ctx context.Context, v *check.Verdict) {
			if n := flying.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer flying.Add(-1)
			taking(10*time.Second)(ctx, v)
		})
		b := newBench()
		ticks := 0
		d := NewDispatcher(b.Runner, 3)
		d.OnTick(func() { ticks++ })
		require.NoError(t, d.Set(checks))
		b.start(t, d)
		pass(69 * time.Second)
		assert.EqualValues(t, 3, most.Load())
		for _, c := range checks {
			assert.GreaterOrEqual(t, len(b.book.of(c))+int(flying.Load()), 1, c.Target)
		}
		d.Tune(20, time.Second)
		pass(time.Hour)
		assert.Greater(t, most.Load(), int32(3), "the limit was lifted")
		assert.Equal(t, time.Second, d.runner.ConfirmAfter)
	})
}

func TestChecksOfOneMomentStartInTheOrderOfTheConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		var checks []*check.Check
		want := []string{"vantage", "autodiscover", "activesync", "tls_offload", "configuration"}
		for _, name := range want {
			c := checkOf(func(ctx context.Context, v *check.Verdict) {
				got = append(got, name)
				good(ctx, v)
			})
			c.Name = name
			checks = append(checks, c)
		}
		newBench().serve(t, 1, checks...)
		pass(time.Hour)
		require.Len(t, got, 13*len(want))
		for round := range 12 { // after the first runs, which a hash spreads
			assert.Equal(t, want, got[(round+1)*len(want):][:len(want)])
		}
	})
}

func TestTheLoopTicksAtLeastEveryThirtySecondsOrMoreOften(t *testing.T) {
	for within, want := range map[time.Duration]time.Duration{
		0: 30 * time.Second, 700 * time.Millisecond: 700 * time.Millisecond, time.Hour: 30 * time.Second,
	} {
		t.Run(within.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				d := NewDispatcher(b.Runner, 1)
				last, longest := time.Now(), time.Duration(0)
				d.OnTick(func() {
					longest, last = max(longest, time.Since(last)), time.Now()
				})
				if within > 0 {
					d.TickWithin(within)
				}
				b.start(t, d)
				pass(time.Hour)
				assert.Equal(t, want, longest)
			})
		})
	}
}

func TestShutdownEndsRunsAndRecordsNothingOfThem(t *testing.T) {
	for name, tc := range map[string]struct {
		run  func(chan struct{}) runFunc
		want time.Duration
	}{
		"one that heeds its context": {func(chan struct{}) runFunc { return taking(12 * time.Second) }, 0},
		"one that takes a while": {func(chan struct{}) runFunc {
			return func(ctx context.Context, v *check.Verdict) {
				<-ctx.Done()
				time.Sleep(2 * time.Second)
				good(ctx, v)
			}
		}, 2 * time.Second},
		"one that never returns": {func(free chan struct{}) runFunc {
			return func(ctx context.Context, v *check.Verdict) {
				<-free
				good(ctx, v)
			}
		}, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				free := make(chan struct{})
				b, c := newBench(), checkOf(tc.run(free))
				d, stop := b.serve(t, 1, c)
				pass(time.Second)
				answer := make(chan error, 1)
				go func() {
					_, err := d.RunNow(t.Context(), c.ID())
					answer <- err
				}()
				synctest.Wait()
				begun := time.Now()
				stop()
				assert.Equal(t, tc.want, time.Since(begun))
				assert.ErrorIs(t, <-answer, errStopping)
				_, err := d.RunNow(t.Context(), c.ID())
				assert.ErrorIs(t, err, errStopping)
				close(free)
				pass(time.Minute)
				assert.Empty(t, b.book.of(c))
				assert.Zero(t, b.logs.FilterMessage("outcome changed").Len())
			})
		})
	}
}

// The figures: 10,000 five-minute checks over an hour of virtual time.
