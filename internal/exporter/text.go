package exporter

import "github.com/hmad/hmad/internal/check"

const (
	maxLabel = 256     // bytes of a label value
	maxText  = 4 << 10 // bytes of a detail or message on the page
	maxNotes = 96 << 10
)

// label makes a label value: printable valid UTF-8 of at most maxLabel bytes.
func label(s string) string { return check.Clean(s, maxLabel) }

// line makes one line of page text.
func line(s string) string { return check.Clean(s, maxText) }
