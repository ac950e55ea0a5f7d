package budget

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// monday is ten o'clock on a working day.
var monday = time.Date(2026, time.November, 23, 10, 0, 0, 0, time.UTC)

// begun is a call that a caller of its own begins, and whether it may.
func begun(b *Budget, now time.Time, urgent bool) bool {
	ok, _ := b.Caller().Begin(now, urgent)
	return ok
}

func TestARefusalPausesAndSlowsEverybody(t *testing.T) {
	b := New(2, 4)
	one, other := b.Caller(), b.Caller()
	ok, _ := one.Begin(monday, false)
	require.True(t, ok)
	assert.Equal(t, 20*time.Second, b.Refused(monday, monday, 20*time.Second))
	assert.Equal(t, 19*time.Second, b.Refused(monday, monday.Add(time.Second), 10*time.Second), "of a call in flight: the same")
	for _, c := range []*Caller{one, other} {
		ok, at := c.Begin(monday.Add(5*time.Second), true)
		assert.False(t, ok)
		assert.Equal(t, monday.Add(20*time.Second), at)
	}
	assert.Equal(t, 15*time.Second, b.Paused(monday.Add(5*time.Second)))
	for _, c := range []*Caller{one, other} {
		ok, _ = c.Begin(monday.Add(20*time.Second), true)
		assert.True(t, ok)
	}
	assert.InDelta(t, 1.4, b.Rate(), 1e-9)
	assert.Equal(t, 3, b.Places())
	assert.Equal(t, 2.0, b.Configured())
}

func TestPausesGrowWhileRefusalsGoOn(t *testing.T) {
	b, now := New(2, 4), monday
	refused := func(after time.Duration) time.Duration { return b.Refused(now, now, after) }
	assert.Equal(t, 3*time.Second, refused(0))
	now = now.Add(3 * time.Second)
	assert.Equal(t, 6*time.Second, refused(0))
	assert.Equal(t, 6*time.Second, b.Refused(now.Add(-time.Second), now, 0), "one that was in flight does not count")
	for range 30 {
		now = now.Add(time.Minute)
		refused(0)
	}
	now = now.Add(time.Minute)
	assert.Equal(t, time.Minute, refused(0), "the longest of its own choice")
	assert.Equal(t, 5*time.Minute, refused(time.Hour), "the longest that is asked for")
	assert.Equal(t, 5*time.Minute, refused(time.Second), "a shorter one does not end it")

	b.Answered(now.Add(-time.Second))
	now = now.Add(5 * time.Minute)
	assert.Zero(t, b.Paused(now))
	assert.Equal(t, time.Minute, refused(0), "a good answer to what was sent before says nothing")
	now = now.Add(time.Minute)
	b.Answered(now)
	assert.Equal(t, 3*time.Second, refused(0), "a good answer ends the row")
}

func TestTheBudgetNeverFallsToNothingAndClimbsBackSlowly(t *testing.T) {
	b, now := New(2, 4), monday
	for range 100 {
		b.Refused(now, now, time.Second)
		now = now.Add(time.Minute)
		b.Paused(now)
	}
	assert.GreaterOrEqual(t, b.Rate(), 2*floor)
	assert.Equal(t, 1, b.Places())
	var half time.Duration
	for since := time.Duration(0); since < time.Hour; since += time.Second {
		b.Paused(now.Add(since))
		if half == 0 && b.Rate() >= 1 {
			half = since
		}
	}
	assert.InDelta(t, 8*time.Minute, half, float64(2*time.Minute))
	assert.InDelta(t, 2.0, b.Rate(), 1e-9)
	assert.Equal(t, 4, b.Places())
}

func TestTheLastPlaceIsForWhatIsUrgent(t *testing.T) {
	for name, c := range map[string]struct{ places, ordinary, urgent int }{
		"of four":                        {4, 3, 1},
		"of two":                         {2, 1, 1},
		"of one, which is for everybody": {1, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := New(100, c.places)
			for range c.ordinary {
				assert.True(t, begun(b, monday, false))
			}
			assert.False(t, begun(b, monday, false))
			for range c.urgent {
				assert.True(t, begun(b, monday, true))
			}
			assert.False(t, begun(b, monday, true))
		})
	}
}

// turned reports whether the caller was told to ask again.
func turned(c *Caller) bool {
	select {
	case <-c.Turn():
		return true
	default:
		return false
	}
}

func TestWhoWaitsForAPlace(t *testing.T) {
	tests := map[string]struct {
		first, second bool // urgent
		between       func(b *Budget, first *Caller)
		firstIsServed bool
	}{
		"first come, first served":           {false, false, func(*Budget, *Caller) {}, true},
		"the urgent one before":              {false, true, func(*Budget, *Caller) {}, false},
		"of two urgent ones the first":       {true, true, func(*Budget, *Caller) {}, true},
		"not for one that has left":          {false, false, func(_ *Budget, c *Caller) { c.Leave() }, false},
		"the first one, that asks and waits": {false, false, func(_ *Budget, c *Caller) { c.Begin(monday, false) }, true},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			b := New(100, 1)
			require.True(t, begun(b, monday, true))
			first, second := b.Caller(), b.Caller()
			ok, at := first.Begin(monday, c.first)
			assert.False(t, ok)
			assert.Zero(t, at, "nobody knows when")
			ok, _ = second.Begin(monday, c.second)
			assert.False(t, ok)
			c.between(b, first)
			assert.False(t, turned(first))
			turned(second)
			b.End()
			assert.True(t, turned(second))
			if c.firstIsServed {
				ok, _ = second.Begin(monday, c.second)
				assert.False(t, ok, "the other's turn, though this one asks before")
				assert.True(t, turned(first))
				ok, _ = first.Begin(monday, c.first)
				assert.True(t, ok)
				b.End()
				assert.True(t, turned(second))
			}
			ok, _ = second.Begin(monday, c.second)
			assert.True(t, ok)
		})
	}
}

func TestAFurtherCallDoesNotWaitForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(100, 1)
		require.True(t, begun(b, time.Now(), false))
		require.False(t, begun(b, time.Now(), true))
		began := time.Now()
		require.NoError(t, b.Call(t.Context(), time.Now))
		assert.Zero(t, time.Since(began))
	})
}

func TestAClockThatIsSetBackEndsAPause(t *testing.T) {
	b := New(2, 4)
	b.Refused(monday, monday, time.Minute)
	assert.Zero(t, b.Paused(monday.Add(-time.Hour)))
	assert.Less(t, b.Rate(), 2.0)
	b.Paused(monday.Add(-time.Hour + 20*time.Minute))
	assert.Greater(t, b.Rate(), 1.4)
}

func TestFurtherCallsWaitInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, began := New(1, 4), time.Now()
		for i, want := range []time.Duration{0, 0, time.Second, 2 * time.Second} {
			require.NoError(t, b.Call(t.Context(), time.Now))
			assert.Equal(t, want, time.Since(began), "call %d", i)
		}
		b.Refused(time.Now(), time.Now(), 10*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		require.ErrorIs(t, b.Call(ctx, time.Now), context.DeadlineExceeded)
		require.NoError(t, b.Call(t.Context(), time.Now))
		assert.Equal(t, 12*time.Second, time.Since(began), "after the pause")
	})
}

// Who returns up gives its call back.
func TestACallThatIsGivenUpIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, began := New(1, 4), time.Now()
		for range 2 {
			require.NoError(t, b.Call(t.Context(), time.Now))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		require.ErrorIs(t, b.Call(ctx, time.Now), context.DeadlineExceeded)
		require.NoError(t, b.Call(t.Context(), time.Now))
		assert.Equal(t, time.Second, time.Since(began).Round(time.Millisecond))
	})
}

func TestARotationOfCallersGivesATurnInEverySoMuchTime(t *testing.T) {
	b, now := New(2, 4), monday
	for _, want := range []time.Duration{0, 5 * time.Second, 10 * time.Second} {
		assert.Equal(t, want, b.Slot(now, 5*time.Second).Sub(monday))
	}
	now = monday.Add(12 * time.Second)
	assert.Equal(t, 15*time.Second, b.Slot(now, 5*time.Second).Sub(monday))
	now = monday.Add(time.Hour)
	assert.Zero(t, b.Slot(now, 5*time.Second).Sub(now), "turns that nobody wanted are over")
	now = monday
	assert.Zero(t, b.Slot(now, 5*time.Second).Sub(now), "the clock was set back")
}

// Whatever the clock does, calls go on within a second, at the rate that was
// configured.
func TestStepsOfTheClockNeitherStopCallsNorAddAny(t *testing.T) {
	for _, step := range checkSteps {
		t.Run(step.String(), func(t *testing.T) {
			b := New(2, 1000)
			c := b.Caller()
			for ok := true; ok; {
				ok, _ = c.Begin(monday, false)
			}
			calls := 0
			for tick := range 101 { // of a tenth of a second
				if ok, _ := c.Begin(monday.Add(step+time.Duration(tick)*time.Second/10), false); ok {
					calls++
				}
			}
			most := 20
			if step > 0 {
				most += 4 // what was saved up meanwhile
			}
			assert.InDelta(t, most, calls, 1)
		})
	}
}

// checkSteps are steps of the clock: of NTP, of a wrong time zone, of a machine
// whose clock has no battery.
var checkSteps = []time.Duration{-20 * 365 * 24 * time.Hour, -24 * time.Hour, -time.Hour, -2 * time.Second, time.Hour, 24 * time.Hour, 20 * 365 * 24 * time.Hour}
