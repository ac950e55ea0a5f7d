package check

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes s, which came from outside, fit to be shown: control and
// other unprintable characters and invalid UTF-8 are escaped as in Go source,
// and what exceeds max bytes is cut off with an ellipsis.
func Clean(s string, max int) string {
	if len(s) <= max && plain(s) {
		return s
	}
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

// plain reports whether s is printable ASCII, as nearly all that is cleaned is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
