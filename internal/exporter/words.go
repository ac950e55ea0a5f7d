package exporter

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// look is how an outcome shows: never by colour alone.
type look struct{ Class, Symbol, Word string }

// notRun is the look of a check before its first run.
var notRun = look{"waiting", "·", "not run yet"}

// lookOf returns the look of an outcome; "" stands for a check that has not run.
func lookOf(o check.Outcome) look {
	switch o {
	case "":
		return notRun
	case check.Passed:
		return look{"passed", "✓", "passed"}
	case check.Warned:
		return look{"warned", "!", "warning"}
	case check.Failed:
		return look{"failed", "✕", "failed"}
	case check.Skipped:
		return look{"skipped", "–", "skipped"}
	default:
		return look{"undecided", "?", "could not tell"}
	}
}

// overall sums up the present outcomes ("" for a check that has not run): one
// sentence, the class of its colour and the icon.
func overall(outcomes []check.Outcome) (sentence, class, icon string) {
	n := map[check.Outcome]int{}
	for _, o := range outcomes {
		n[o]++
	}
	of := func(k int, what string) string {
		return fmt.Sprintf("%d of %s %s", k, plural(len(outcomes), "check"), what)
	}
	unsure := n[check.Undecided] + n[check.Skipped]
	switch {
	case len(outcomes) == 0:
		return "No checks are configured", "waiting", "unsure"
	case n[check.Failed] > 0:
		return of(n[check.Failed], "failing"), "failed", "bad"
	case unsure > 0:
		return of(unsure, "could not tell"), "undecided", "unsure"
	case n[check.Warned] > 0:
		return of(n[check.Warned], "with warnings"), "warned", "unsure"
	case n[""] == len(outcomes):
		return "The first runs have not finished yet", "waiting", "unsure"
	case n[""] > 0:
		return of(n[check.Passed], "passed so far"), "passed", "good"
	case len(outcomes) == 1:
		return "The check passed", "passed", "good"
	default:
		return fmt.Sprintf("All %d checks passed", len(outcomes)), "passed", "good"
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// moment is a time as the page shows it: absolute, and from now.
type moment struct {
	ISO, UTC string
	Ago      string // "3 min ago", "in 3 min"
	Span     string // "3 min"
}

// momentOf returns nil for the zero time.
func momentOf(t, now time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	m := &moment{ISO: t.Format(time.RFC3339), UTC: t.Format("2006-01-02 15:04:05") + " UTC"}
	d := now.Sub(t)
	m.Span = check.Span(d.Abs().Truncate(time.Second))
	switch {
	case d >= time.Second:
		m.Ago = m.Span + " ago"
	case d <= -time.Second:
		m.Ago = "in " + m.Span
	default:
		m.Ago, m.Span = "now", "a moment"
	}
	return m
}

// anchor is a check's place on the page; what might not stand in an id or a
// URL becomes a hyphen.
func anchor(id check.ID) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, id.Target+"-"+id.Check)
}

// segment is a stretch of prose, or a command or name within it.
type segment struct {
	Code bool
	Text string
}

// prose parts a declared text at its backticks, as Markdown has them.
func prose(text string) []segment {
	var out []segment
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			out = append(out, segment{i%2 == 1, part})
		}
	}
	return out
}
