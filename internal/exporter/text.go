package exporter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxLabel = 256     // bytes of a label value
	maxText  = 4 << 10 // bytes of a detail or message on the page
	maxNotes = 96 << 10
)

// visible makes text from the network harmless to look at: what a terminal or
// browser would obey instead of showing (control characters, direction
// overrides and other invisible format characters, bytes that are not UTF-8)
// is written as an escape. Runes of keep stay as they are.
func visible(s, keep string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || hidden(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !hidden(r) || strings.ContainsRune(keep, r):
			b.WriteRune(r)
		default:
			b.WriteString(escape(r))
		}
	}
	return b.String()
}

// hidden reports whether a rune acts rather than shows.
func hidden(r rune) bool {
	if ' ' <= r && r <= '~' { // nearly all
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

func escape(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}

// bounded cuts valid UTF-8 to at most max bytes, between runes; an ellipsis
// shows that something is missing.
func bounded(s string, max int) string {
	const ellipsis = "…"
	if len(s) <= max {
		return s
	}
	end := max - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// label makes a label value: printable valid UTF-8 of at most maxLabel bytes.
func label(s string) string { return bounded(visible(prefix(s, maxLabel), ""), maxLabel) }

// line makes one line of page text, block several.
func line(s string) string { return bounded(visible(prefix(s, maxText), ""), maxText) }

func block(s string, max int) string { return bounded(visible(prefix(s, max), "\n\t"), max) }

// prefix spares escaping what would be cut away anyhow, without splitting
// the rune at the bound that matters.
func prefix(s string, max int) string {
	if len(s) > max+utf8.UTFMax {
		return s[:max+utf8.UTFMax]
	}
	return s
}
