package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAutoDetectVisits(t *testing.T) {
	const times = `"since":"2026-11-22T08:15:00Z","until":"2026-11-22T09:15:00Z"`
	got, err := sectionReport(t, SectionAutoDetect, `{`+times+`,"lastVisit":"2026-11-22T09:14:31Z","counts":[{"method":"GET","document":"json","status":200,"count":4}]}`).
		AutoDetectVisits()
	require.NoError(t, err)
	at := func(h, m, s int) time.Time { return time.Date(2026, 11, 22, h, m, s, 0, time.UTC) }
	assert.Equal(t, AutoDetectVisits{Since: at(8, 15, 0), Until: at(9, 15, 0), Last: at(9, 14, 31), Counts: []VisitCount{{"GET", "json", 200, 4}}}, got)
	got, err = sectionReport(t, SectionAutoDetect, `{`+times+`,"lastVisit":null,"counts":[]}`).AutoDetectVisits()
	require.NoError(t, err)
	assert.True(t, got.Last.IsZero())
	for name, c := range map[string]struct{ data, want string }{
		"no times":  {`{"counts":[]}`, "since: missing"},
		"backwards": {`{"since":"2026-11-22T09:15:00Z","until":"2026-11-22T08:15:00Z"}`, "until: want a time within two days after since"},
		"no status": {`{` + times + `,"counts":[{"method":"GET","status":7,"count":1}]}`, "counts: want a status of HTTP and a count of at least 0"},
		"no row":    {`{` + times + `,"counts":[7]}`, "counts: row 0: got a number, want an object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sectionReport(t, SectionAutoDetect, c.data).AutoDetectVisits()
			require.EqualError(t, err, "EX01: section autodetectVisits: row 0: "+c.want)
		})
	}
	_, err = sectionReport(t, "other", `{}`).AutoDetectVisits()
	assert.ErrorIs(t, err, ErrMissing)
}
