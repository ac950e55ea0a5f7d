package sync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestARefusalPausesAndSlowsEverything(t *testing.T) {
	b := NewBudget(2, 4)
	ok, _ := b.Take(monday)
	require.True(t, ok)
	b.Refused(monday, 20*time.Second)
	b.Refused(monday.Add(time.Second), 10*time.Second) // of a call in flight: the same
	ok, at := b.Take(monday.Add(5 * time.Second))
	assert.False(t, ok)
	assert.Equal(t, monday.Add(20*time.Second), at)
	ok, _ = b.Take(monday.Add(20 * time.Second))
	assert.True(t, ok)
	assert.InDelta(t, 1.4, b.Rate(), 1e-9)
	assert.Equal(t, 3, b.Slots())
}

func TestARefusalThatDoesNotSayHowLong(t *testing.T) {
	b := NewBudget(2, 4)
	b.Refused(monday, 0)
	_, at := b.Take(monday)
	assert.Equal(t, monday.Add(pauseDefault), at)
}

func TestAPauseIsBounded(t *testing.T) {
	b := NewBudget(2, 4)
	b.Refused(monday, 100*time.Hour)
	_, at := b.Take(monday)
	assert.Equal(t, monday.Add(pauseMax), at)
}

func TestTheBudgetNeverFallsToNothingAndClimbsBackSlowly(t *testing.T) {
	b, now := NewBudget(2, 4), monday
	for range 100 {
		b.Refused(now, time.Second)
		now = now.Add(time.Minute)
		b.Ready(now)
	}
	assert.GreaterOrEqual(t, b.Rate(), 2*floor)
	assert.Equal(t, 1, b.Slots())
	var half time.Duration
	for since := time.Duration(0); since < time.Hour; since += time.Second {
		b.Ready(now.Add(since))
		if half == 0 && b.Rate() >= 1 {
			half = since
		}
	}
	assert.InDelta(t, 8*time.Minute, half, float64(2*time.Minute))
	assert.InDelta(t, 2.0, b.Rate(), 1e-9)
	assert.Equal(t, 4, b.Slots())
}
