package metadata

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxDetail bounds a finding's detail and a quoted error, in bytes.
const maxDetail = 300

// clean makes s, which came from outside, fit to be shown: control and other
// unprintable characters and invalid UTF-8 are escaped as in Go source, and
// what exceeds max bytes is cut off with an ellipsis.
func clean(s string, max int) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		part := s[i : i+n]
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			part = strings.Trim(strconv.Quote(part), `"`)
		}
		if b.Len()+len(part) > max {
			return b.String() + "…"
		}
		b.WriteString(part)
		i += n
	}
	return b.String()
}

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
