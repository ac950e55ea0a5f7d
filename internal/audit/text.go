package audit

import (
	"strings"
	"time"
)

// maxSeen bounds in bytes what a detail or note quotes of an organisation.
const maxSeen = 400

// maxError bounds in bytes the text of a run's error.
const maxError = 1000

// moment gives a time as notes and details show it: to the minute, UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// day gives a time's day, UTC.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// span gives a duration without the units that are nought: 15m, 1h.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// days gives a duration in whole days.
func days(d time.Duration) int { return int(d / (24 * time.Hour)) }
