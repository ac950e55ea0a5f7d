package metadata

import (
	"strconv"
	"time"
)

// maxDetail bounds a finding's detail and a quoted error, in bytes.
const maxDetail = 300

// moment gives a time as the notes and details show it: to the minute, UTC.
func moment(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}

// span gives a duration as a person says it: 8h, 13h15m, 3d4h.
func span(d time.Duration) string {
	d = d.Round(time.Minute)
	days, rest := d/(24*time.Hour), d%(24*time.Hour)
	hours, minutes := rest/time.Hour, rest%time.Hour/time.Minute
	var s string
	for _, part := range []struct {
		n    time.Duration
		unit string
	}{{days, "d"}, {hours, "h"}, {minutes, "m"}} {
		if part.n != 0 {
			s += strconv.Itoa(int(part.n)) + part.unit
		}
	}
	if s == "" {
		return "0m"
	}
	return s
}
