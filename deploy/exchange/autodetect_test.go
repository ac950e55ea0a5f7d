package collector

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/report"
)

// visits returns the section of AutoDetect's visits as hmad reads it.
func visits(t *testing.T, o outcome) report.AutoDetectVisits {
	t.Helper()
	r, err := report.Decode(o.data)
	require.NoError(t, err)
	v, err := r.AutoDetectVisits()
	require.NoError(t, err)
	return v
}

// A log of a real server, with its times moved to now: two GETs of AutoDetect, one
// of them refused, and Apple's own request.
func TestAutoDetectsVisitsAreCounted(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/autodiscover-front-end.LOG")
	require.NoError(t, err)
	text := string(data)
	var last time.Time
	for i, at := range []string{"2023-01-09T19:00:00.130Z", "2023-01-09T19:01:00.130Z", "2023-01-09T19:02:00.130Z"} {
		require.Contains(t, text, "\n"+at)
		last = time.Now().Add(time.Duration(i-20) * time.Minute).UTC().Truncate(time.Millisecond)
		text = strings.ReplaceAll(text, "\n"+at, "\n"+last.Format("2006-01-02T15:04:05.000Z"))
	}
	b := newBed(t)
	folder := filepath.Join(b.dir, "exchange/Logging/HttpProxy/Autodiscover")
	require.NoError(t, os.RemoveAll(folder))
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "HttpProxy_2026113009-1.LOG"), []byte(text), 0o600))
	o := b.run(t, "no-session", nil)
	v := visits(t, o)
	assert.ElementsMatch(t, []report.VisitCount{{Method: "GET", Document: "json", Status: 200, Count: 1}, {Method: "GET", Document: "json", Status: 403, Count: 1}},
		v.Counts)
	assert.WithinDuration(t, last, v.Last, time.Second)
	for _, secret := range []string{"jane", "203.0.113.3", "198.51.100.7", "S-1-5-21"} {
		assert.NotContains(t, string(o.data), secret)
	}
}

func TestAServerWithoutAutoDiscoversLogSaysSo(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	require.NoError(t, os.RemoveAll(filepath.Join(b.dir, "exchange/Logging/HttpProxy/Autodiscover")))
	o := b.run(t, "no-session", nil)
	s := o.sections(t)["autodetectVisits"]
	assert.False(t, s.OK)
	assert.Contains(t, s.Error, "Autodiscover", "the folder that the account must read")
	assert.True(t, o.sections(t)["frontEndRequests"].OK, "the other log is counted")
}

func TestTheBedsVisits(t *testing.T) {
	t.Parallel()
	v := visits(t, newBed(t).run(t, "no-session", nil))
	require.Len(t, v.Counts, 2)
	assert.False(t, v.Last.IsZero())
	for _, c := range v.Counts {
		assert.Equal(t, map[string]int{"json": 200, "xml": 401}[c.Document], c.Status)
		assert.InDelta(t, 5, c.Count, 1)
	}
}
