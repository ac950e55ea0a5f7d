package plan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
)

// However many targets a tenant has, their samples together are a tenth of its
// budget at most, and each has its share of them.
func TestTargetsOfATenantShareItsSamples(t *testing.T) {
	const targets, rate = 20, 2.0
	b, plans := budget.New(rate, 4), make([]*Planner, targets)
	for i := range plans {
		plans[i] = fleet(Settings{StaleAfter: 24 * time.Hour, Budget: b, Seed: uint64(i)}, 200)
	}
	settled, end := monday.Add(2*time.Hour), monday.Add(3*time.Hour)
	samples, all := make([]int, targets), 0
	for now := monday; now.Before(end); now = now.Add(time.Second / 2) {
		for i, p := range plans {
			a, ok, _ := p.Next(now)
			if !ok {
				continue
			}
			p.Settle(now, a, syncedAgo(time.Minute)(now, a))
			if a.Why == Sample && !now.Before(settled) {
				samples[i]++
				all++
			}
		}
	}
	allowed := 0.1 * rate * time.Hour.Seconds()
	assert.LessOrEqual(t, float64(all), allowed+1)
	for i, n := range samples {
		assert.InDelta(t, allowed/targets, n, 2, "target %d", i)
	}
}

// A target whose mailboxes are asked in turn takes no turn of the rotation that
// the samples of the others have.
func TestATargetAskedInTurnLeavesTheOthersTheirSamples(t *testing.T) {
	const rate = 4.0
	b := budget.New(rate, 4)
	inTurn := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: b, AskEvery: 5 * time.Minute}, 300)
	other := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: b}, 200)
	settled, end, samples := monday.Add(2*time.Hour), monday.Add(3*time.Hour), 0
	for now := monday; now.Before(end); now = now.Add(time.Second / 4) {
		for _, p := range []*Planner{inTurn, other} {
			a, ok, _ := p.Next(now)
			if !ok {
				continue
			}
			p.Settle(now, a, syncedAgo(time.Minute)(now, a))
			if p == other && a.Why == Sample && !now.Before(settled) {
				samples++
			}
		}
	}
	assert.InDelta(t, sampleRate*time.Hour.Seconds(), samples, 10)
}

// A target that comes to have nothing to ask while it waits leaves the line.
func TestATargetWithNothingLeftToAskHoldsNobodyUp(t *testing.T) {
	b := budget.New(1, 4)
	one, other := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: b}, 3), fleet(Settings{StaleAfter: 24 * time.Hour, Budget: b}, 1)
	for i := range 3 {
		_, ok, _ := one.Next(monday)
		require.Equal(t, i < 2, ok, "two calls at once, and the third waits")
	}
	for _, key := range []string{"user0@contoso.com", "user1@contoso.com", "user2@contoso.com"} {
		one.remove(key)
	}
	_, ok, _ := one.Next(monday)
	require.False(t, ok)
	_, ok, _ = other.Next(monday.Add(time.Second))
	assert.True(t, ok)
}
