package plan

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSamplesInPartsAreTheSameAgain(t *testing.T) {
	for name, c := range map[string]struct {
		n     int
		every time.Duration
		kept  int
	}{
		"none":                        {0, time.Second, 0},
		"one":                         {1, time.Second, 1},
		"an hour of them":             {pulseSize, 10 * time.Second, pulseSize},
		"more than are kept":          {5 * pulseSize, 10 * time.Second, pulseSize},
		"many in a minute":            {3 * pulseSize, 100 * time.Millisecond, pulseSize},
		"few, of which some are late": {100, 2 * time.Minute, 31},
	} {
		t.Run(name, func(t *testing.T) {
			var p Pulse
			kept := map[int64]Pulse{}
			for i := range c.n {
				p.note(secondsOf(monday.Add(time.Duration(i)*c.every)), time.Duration(i)*time.Minute)
				if i%30 == 0 || i == c.n-1 {
					for n, slot := range p.Slots() {
						kept[n%SlotsKept] = slot
					}
				}
			}
			var again Pulse
			for _, slot := range kept {
				again.Join(slot)
			}
			all := func(p *Pulse) (all []beat) {
				for _, b := range p.newest(secondsOf(monday.Add(time.Duration(c.n-1)*c.every)), pulseWindow) {
					all = append(all, b)
				}
				return all
			}
			assert.Len(t, all(&p), c.kept)
			assert.Equal(t, all(&p), all(&again))
		})
	}
}

func TestSamplesReadTheSameAgain(t *testing.T) {
	for name, n := range map[string]int{"none": 0, "a few": 3, "as many as are kept": pulseSize, "more": 3*pulseSize + 7} {
		t.Run(name, func(t *testing.T) {
			var p, again Pulse
			for i := range n {
				p.note(secondsOf(monday.Add(time.Duration(i)*time.Second)), time.Duration(i)*time.Minute)
			}
			text, err := json.Marshal(p)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(text, &again))
			all := func(p *Pulse) (all []beat) {
				for _, b := range p.newest(secondsOf(monday), day) {
					all = append(all, b)
				}
				return all
			}
			assert.Len(t, all(&again), min(n, pulseSize))
			assert.Equal(t, all(&p), all(&again))
		})
	}
	assert.Error(t, json.Unmarshal([]byte(`[[1]]x`), new(Pulse)))
	assert.Error(t, json.Unmarshal([]byte(`{"asked":1}`), new(Pulse)))
}
