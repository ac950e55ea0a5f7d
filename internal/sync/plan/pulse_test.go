package plan

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
