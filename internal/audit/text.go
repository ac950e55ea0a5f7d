package audit

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxSeen bounds in bytes what a detail or note quotes of an organisation.
const maxSeen = 400

// clean makes s, which came from outside, fit to be shown: one line of valid
// UTF-8 without unprintable characters, at most max bytes and an ellipsis.
func clean(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) <= max {
		return s
	}
	for !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max] + "…"
}

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
