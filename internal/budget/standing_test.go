package budget

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// memory keeps JSON, as the Store does.
type memory map[string][]byte

func (m memory) Get(key string, into any) bool { return json.Unmarshal(m[key], into) == nil }
func (m memory) Put(key string, v any)         { m[key], _ = json.Marshal(v) }

func restarted(now time.Time, m memory) *Budget {
	b := New(2, 4)
	b.Remember(now, "Contoso", "emea", m)
	return b
}

func TestARestartGoesOnWhereTheTenantRefused(t *testing.T) {
	m := memory{}
	b := restarted(monday, m)
	assert.Empty(t, m, "nothing has happened")
	b.Refused(monday, monday, time.Minute)

	now := monday.Add(20 * time.Second)
	b = restarted(now, m)
	assert.Equal(t, 40*time.Second, b.Paused(now))
	assert.InDelta(t, 1.4, b.Rate(), 1e-9)
	assert.Equal(t, 3, b.Places())
	assert.False(t, begun(b, now, true))

	now = now.Add(100 * time.Second)
	assert.Zero(t, b.Paused(now))
	assert.InDelta(t, 1.5, b.Rate(), 1e-9, "a minute after the pause it climbs")
	assert.Equal(t, 4, b.Places())
	b = restarted(now, m)
	assert.InDelta(t, 1.5, b.Rate(), 1e-9, "and that is known")
	for range 10 {
		now = now.Add(time.Minute)
		b.Paused(now)
	}
	assert.InDelta(t, 2.0, restarted(now, m).Rate(), 1e-9, "to the top")
}

func TestWhatIsNotBelievedOfAnEarlierProcess(t *testing.T) {
	for name, c := range map[string]struct {
		kept   string
		pause  time.Duration
		rate   float64
		places int
	}{
		"the longest pause":       {`{"share":1,"fewer":0,"resume":"2026-11-23T10:05:00Z"}`, 5 * time.Minute, 2, 4},
		"a pause longer than any": {`{"share":1,"fewer":0,"resume":"2036-11-23T10:00:00Z"}`, 0, 2, 4},
		"no calls at all":         {`{"share":0,"fewer":9,"resume":"2026-11-23T09:00:00Z"}`, 0, 0.1, 1},
		"more than is configured": {`{"share":7,"fewer":-3,"resume":"2026-11-23T09:00:00Z"}`, 0, 2, 4},
		"what does not fit":       {`"none"`, 0, 2, 4},
	} {
		t.Run(name, func(t *testing.T) {
			b := restarted(monday, memory{"budget_contoso": []byte(c.kept)})
			assert.Equal(t, c.pause, b.Paused(monday))
			assert.InDelta(t, c.rate, b.Rate(), 1e-9)
			assert.Equal(t, c.places, b.Places())
		})
	}
}

func TestAChangeOfWhatIsConfigured(t *testing.T) {
	b := New(0, 0) // of a config with faults
	b.Configure(monday, 2, 4)
	b.Configure(monday, 10, 8)
	assert.InDelta(t, 10, b.Rate(), 1e-9)
	assert.Equal(t, 8, b.Places())
	assert.True(t, b.raise.IsZero(), "nothing to climb")
	for range 2 {
		assert.True(t, begun(b, monday.Add(time.Second), false))
	}
	b.Refused(monday, monday, time.Minute)
	b.Configure(monday, 1, 2)
	assert.Equal(t, time.Minute, b.Paused(monday))
	assert.InDelta(t, 0.7, b.Rate(), 1e-9)
	assert.Equal(t, 1, b.Places())
	assert.False(t, begun(b, monday.Add(2*time.Minute), true), "until those of before have ended")
}
