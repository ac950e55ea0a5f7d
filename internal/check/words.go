package check

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxListed is how many of many things a text names.
const maxListed = 8

// Moment returns a time as people read it: "2026-11-29 21:36 UTC", "unknown"
// for the zero time.
func Moment(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format("2006-01-02 15:04") + " UTC"
}

// Day returns a time's day in UTC: "2026-11-29".
func Day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Span returns a duration in its two largest units: "3 d 4 h", "13 h 15 min",
// "45 s"; a short one with three digits: "1.25 s", "250 ms".
func Span(d time.Duration) string {
	if d < 0 {
		return "-" + Span(-d)
	}
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, " d"}, {time.Hour, " h"}, {time.Minute, " min"}, {time.Second, " s"}}
	for i, u := range units {
		if d < u.size || u.size == time.Second {
			continue
		}
		text := strconv.FormatInt(int64(d/u.size), 10) + u.name
		if rest := d % u.size / units[i+1].size; rest > 0 {
			text += " " + strconv.FormatInt(int64(rest), 10) + units[i+1].name
		}
		return text
	}
	switch {
	case d >= 10*time.Second:
		return strconv.FormatInt(int64(d/time.Second), 10) + " s"
	case d >= time.Second:
		return strconv.FormatFloat(d.Seconds(), 'g', 3, 64) + " s"
	case d == 0:
		return "0 s"
	default:
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'g', 3, 64) + " ms"
	}
}

// List joins words, naming the first eight of many; "none" for none.
func List(words []string) string {
	switch n := len(words) - maxListed; {
	case len(words) == 0:
		return "none"
	case n > 0:
		return fmt.Sprintf("%s and %d more", strings.Join(words[:maxListed], ", "), n)
	default:
		return strings.Join(words, ", ")
	}
}

// ShellWord returns s, cleaned and at most max bytes long, as one word of a
// POSIX shell; quoted only where a shell would read it as something else.
func ShellWord(s string, max int) string {
	s = Clean(s, max)
	special := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./:=@%+,", r)
	}
	if s != "" && !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
