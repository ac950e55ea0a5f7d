package check

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text from outside is made fit to be shown here and nowhere else. Clean and Block
// write what acts rather than shows as an escape, so that a reader sees that it was
// there; Line, for values that are compared, puts a blank in its place.

const ellipsis = "…"

// Clean makes s, which came from outside, fit to be shown: control and other
// characters that act rather than show, and bytes that are not UTF-8, are written as
// in Go source. At most max bytes remain; an ellipsis shows that something is
// missing.
func Clean(s string, max int) string { return escaped(s, max, "") }

// Block is Clean for text of several lines: line feeds and tabs stay.
func Block(s string, max int) string { return escaped(s, max, "\n\t") }

// escaped is Clean, but for the characters to keep.
func escaped(s string, max int, keep string) string {
	if len(s) <= max && plain(s) {
		return s
	}
	var b strings.Builder
	end := 0 // of what leaves room for an ellipsis
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		part := s[i : i+n]
		if r == utf8.RuneError && n == 1 || hidden(r) && !strings.ContainsRune(keep, r) {
			part = strings.Trim(strconv.Quote(part), `"`)
		}
		if b.Len()+len(part) > max {
			return b.String()[:end] + ellipsis
		}
		if b.WriteString(part); b.Len()+len(ellipsis) <= max {
			end = b.Len()
		}
		i += n
	}
	return b.String()
}

// Line makes s, which came from outside, fit to be shown and compared: one line,
// valid UTF-8, a blank for every character that acts rather than shows, at most max
// characters.
func Line(s string, max int) string {
	if len(s) <= max && plain(s) {
		return strings.TrimSpace(s)
	}
	if len(s) > utf8.UTFMax*max {
		s = s[:utf8.UTFMax*max]
	}
	s = strings.Map(func(r rune) rune {
		if hidden(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.TrimSpace(s)
	if runes := []rune(s); len(runes) > max {
		s = string(runes[:max-1]) + ellipsis
	}
	return s
}

// hidden reports whether a character acts rather than shows: controls, marks of
// direction and other invisible ones, separators of lines, and what Unicode has not
// given a form.
func hidden(r rune) bool { return !unicode.IsGraphic(r) }

// plain reports whether s is printable ASCII, as nearly all that is cleaned is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
