package run

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

// wallStarts returns the starts of c's runs since the given number of runs.
func wallStarts(b *bench, c *check.Check, since int) []time.Time { return b.book.starts(c)[since:] }

func TestAClockThatJumpsAheadMakesOneRunEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, checks := newBench(), fleet(20, good)
		b.serve(t, 5, checks...)
		pass(20 * time.Minute)
		before := make([]int, len(checks))
		for i, c := range checks {
			before[i] = len(b.book.of(c))
		}
		b.clock.jump(3 * time.Hour) // 36 planned runs of each
		pass(31 * time.Second)
		for i, c := range checks {
			runs := wallStarts(b, c, before[i])
			require.NotEmpty(t, runs, c.Target)
			require.LessOrEqual(t, len(runs), 2, "the catch-up, and at most one that was due just now")
			assert.InDelta(t, 35, b.meters.count(c, check.Missed, check.Clock), 1)
			assert.Zero(t, b.meters.count(c, check.Missed, check.Late))
		}
		pass(time.Hour)
		for i, c := range checks {
			runs := wallStarts(b, c, before[i])
			for n := range runs[2:] {
				require.Equal(t, 5*time.Minute, runs[n+2].Sub(runs[n+1]), "back on time")
			}
			planned := b.meters.count(c, check.Missed, check.Clock) + float64(len(runs))
			assert.InDelta(t, 4*12, planned, 1, "every planned run either started or is counted")
		}
		assert.Equal(t, 1, b.logs.FilterMessage("the clock jumped").Len())
	})
}

func TestCatchingUpIsNoBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, checks := newBench(), fleet(2000, good)
		for _, c := range checks {
			c.Schedule = "0 * * * *"
		}
		b.serve(t, 2000, checks...)
		pass(time.Hour + 30*time.Minute)
		jumped := time.Now()
		b.clock.jump(24 * time.Hour)
		pass(2 * time.Minute)
		seconds := map[time.Time]int{}
		for _, c := range checks {
			starts := b.book.starts(c)
			last := starts[len(starts)-1]
			require.True(t, last.After(jumped.Add(24*time.Hour)), "%s has not caught up", c.Target)
			seconds[last.Truncate(time.Second)]++
		}
		for second, n := range seconds {
			assert.LessOrEqual(t, n, 60, "%s", second)
		}
	})
}

func TestAClockSetBackKeepsChecksRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(good)
		b.serve(t, 1, c)
		pass(20 * time.Minute) // 00:20
		before := len(b.book.of(c))
		b.clock.jump(-time.Hour) // 23:20 of the day before
		pass(30 * time.Second)
		assert.Equal(t, planned("00:00", 1)[0].Add(-40*time.Minute), b.book.due(c), "the next run is planned anew")
		pass(20 * time.Minute)
		want := planned("00:00", 4)
		for i := range want {
			want[i] = want[i].Add(-40 * time.Minute)
		}
		assert.Equal(t, want, wallStarts(b, c, before))
		assert.Zero(t, b.meters.count(c, check.Missed, check.Clock))
	})
}

func TestAClockSetBackKeepsFirstRunsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, checks := newBench(), fleet(3000, good) // over 100 s
		b.serve(t, 100, checks...)
		pass(35 * time.Second)
		b.clock.jump(-time.Hour)
		pass(2*time.Minute + 30*time.Second)
		for _, c := range checks {
			require.NotEmpty(t, b.book.of(c), c.Target)
		}
	})
}

func TestASmallStepOfTheClockRepeatsNoRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(good)
		d, _ := b.serve(t, 1, c)
		pass(phase + time.Second) // it has just run
		b.clock.jump(-3 * time.Second)
		d.poke()
		pass(4 * time.Minute)
		assert.Len(t, b.book.of(c), 2)
		pass(time.Minute + 3*time.Second)
		assert.Equal(t, planned("00:00", 2), wallStarts(b, c, 1))
	})
}

func TestAProcessThatWasHeldUpCatchesUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(good)
		d := NewDispatcher(b.Runner, 1)
		var hold atomic.Bool
		d.OnTick(func() {
			if hold.CompareAndSwap(true, false) { // both clocks go on, as while the process is stopped
				time.Sleep(20 * time.Minute)
			}
		})
		require.NoError(t, d.Set([]*check.Check{c}))
		b.start(t, d)
		pass(phase + 10*time.Second)
		hold.Store(true)
		pass(25 * time.Minute)
		// Of the runs at 8, 13, 18 and 23 minutes the last is made up for.
		assert.EqualValues(t, 3, b.meters.count(c, check.Missed, check.Late))
		assert.Zero(t, b.meters.count(c, check.Missed, check.Clock))
		assert.Len(t, b.book.of(c), 4, "first, 3 minutes, the catch-up, and 28 minutes")
		assert.Equal(t, planned("00:25", 1), wallStarts(b, c, 3))
	})
}

// A machine without a battery for its clock starts in 1970.
func TestAClockThatStartsDecadesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(good)
		b.clock.jump(-30 * 365 * day)
		b.serve(t, 1, c)
		pass(10 * time.Minute)
		before := len(b.book.of(c))
		b.clock.jump(30 * 365 * day)
		pass(31 * time.Second)
		assert.Len(t, b.book.of(c), before+1)
		assert.EqualValues(t, maxMissed-1, b.meters.count(c, check.Missed, check.Clock), "counting is bounded")
		pass(10 * time.Minute)
		starts := b.book.starts(c)
		assert.Equal(t, 5*time.Minute, starts[len(starts)-1].Sub(starts[len(starts)-2]))
	})
}

// Wherever the clock jumps to, each check runs on within its gap, keeps its times,
// and makes no burst.
func TestStepsOfTheClock(t *testing.T) {
	for _, step := range []time.Duration{-30 * 365 * day, -day, -time.Hour, -2 * time.Minute, -time.Second,
		time.Second, 2 * time.Minute, time.Hour, day, 30 * 365 * day} {
		t.Run(step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, checks := newBench(), fleet(20, good)
				b.serve(t, 5, checks...)
				pass(20*time.Minute + 17*time.Second)
				before := make([]int, len(checks))
				for i, c := range checks {
					before[i] = len(b.book.of(c))
				}
				b.clock.jump(step)
				pass(5*time.Minute + 31*time.Second)
				for i, c := range checks {
					assert.NotEmpty(t, wallStarts(b, c, before[i]), c.Target)
				}
				pass(30*time.Minute - 31*time.Second)
				for i, c := range checks {
					runs := wallStarts(b, c, before[i])
					assert.InDelta(t, 7, len(runs), 1, "of %s in 35 minutes", c.Target)
					for n := range runs[2:] {
						require.Equal(t, 5*time.Minute, runs[n+2].Sub(runs[n+1]), c.Target)
					}
				}
			})
		})
	}
}
