package main

import (
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

const (
	usualColumns = 80 // where nobody knows the width
	leastColumns = 40 // text that is narrower cannot be read
)

// isTerminal reports whether a person looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// moves reports whether w is a terminal that understands escape sequences.
func moves(w io.Writer) bool { return isTerminal(w) && os.Getenv("TERM") != "dumb" }

// colours reports whether w shows colours and the user wants them
// (https://no-color.org).
func colours(w io.Writer) bool { return moves(w) && os.Getenv("NO_COLOR") == "" }

// columns returns the width of text for w, in letters: that of the terminal,
// else what COLUMNS says, else 80.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return max(width, leastColumns)
		}
	}
	if width, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && width > 0 {
		return max(width, leastColumns)
	}
	return usualColumns
}

// escapes are those with which a printer paints.
var escapes = regexp.MustCompile("\x1b\\[[0-9]+m")

// letters returns how many columns s takes.
func letters(s string) int { return utf8.RuneCountInString(escapes.ReplaceAllString(s, "")) }

// wrap returns prefix and text in lines of at most width letters; a longer word
// has a line of its own. All lines but the first begin with indent blanks.
func wrap(prefix, text string, indent, width int) string {
	var b strings.Builder
	b.WriteString(prefix)
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		at := letters(prefix)
		if i > 0 {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		}
		wrapLine(&b, line, at, indent, width)
	}
	return b.String()
}

// wrapLine writes the words of a line that begins in column at.
func wrapLine(b *strings.Builder, line string, at, indent, width int) {
	begins := true
	for _, word := range strings.Fields(line) {
		n := letters(word)
		switch {
		case begins:
		case at+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at, begins = at+n, false
	}
}

// cut returns s in at most width letters, with «…» where it was longer.
func cut(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	return string(runes[:width-1]) + "…"
}
