package probes

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

// memory is a check.Memory that encodes, as the real one does.
type memory map[string][]byte

func (m memory) Get(key string, into any) bool {
	v, ok := m[key]
	return ok && json.Unmarshal(v, into) == nil
}

func (m memory) Delete(key string) { delete(m, key) }

func (m memory) Keys(prefix string) (keys []string) {
	for k := range m {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	return keys
}

func (m memory) Put(key string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	m[key] = b
}

func TestBuildsAreKeptADay(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	a := &activesync{env: check.Env{Memory: memory{}, Now: func() time.Time { return now }}}
	see := func(frontends ...string) (seen []string) {
		var v Visit
		for _, f := range frontends {
			v.Answers = append(v.Answers, answered(401, "X-FEServer", f, "X-OWA-Version", "15.2.2562.17"))
		}
		for _, s := range a.builds([]Visit{v}) {
			assert.Equal(t, 1.0, s.Value)
			seen = append(seen, strings.Join(s.Labels, " "))
		}
		return seen
	}
	ex01, ex02 := "EX01 15.2.2562.17", "EX02 15.2.2562.17"
	assert.Equal(t, []string{ex01}, see("EX01", "EX01"))
	now = now.Add(23 * time.Hour)
	assert.Equal(t, []string{ex01, ex02}, see("EX02"))
	now = now.Add(2 * time.Hour)
	assert.Equal(t, []string{ex02}, see(), "EX01 was last seen 25 hours ago")
	now = now.Add(48 * time.Hour)
	assert.Empty(t, see())
}

func TestBuildsAreBounded(t *testing.T) {
	now := time.Now()
	var known []seenBuild
	for i := range 200 {
		known = addBuild(known, answered(401, "X-FEServer", fmt.Sprintf("EX%03d", i)), now.Add(time.Duration(i)))
	}
	known = addBuild(known, answered(401), now)
	known = pruneBuilds(known, now)
	assert.Len(t, known, maxBuilds)
	assert.Equal(t, "EX199", known[maxBuilds-1].Frontend, "the newest are kept")
	long := addBuild(nil, answered(401, "X-FEServer", strings.Repeat("\x01", 500)), now)
	assert.LessOrEqual(t, len(long[0].Frontend), maxBuildName+len("…"))
	assert.NotContains(t, long[0].Frontend, "\x01")
}
