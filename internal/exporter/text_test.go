package exporter

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestVisible(t *testing.T) {
	for name, c := range map[string]struct{ in, keep, want string }{
		"plain text stays":                   {in: "Größe 5 µs 試験 ✓", want: "Größe 5 µs 試験 ✓"},
		"a terminal escape is written out":   {in: "a\x1b[31mb", want: `a\x1b[31mb`},
		"C1 controls and NUL too":            {in: "\x00\u0085\u009b", want: `\x00\x85\x9b`},
		"a line break is written out":        {in: "a\r\nb\tc", want: `a\r\nb\tc`},
		"or kept where lines are wanted":     {in: "a\r\nb\tc", keep: "\n\t", want: "a\\r\nb\tc"},
		"direction overrides do not act":     {in: "cod.\u202egpj\u2066x", want: `cod.\u202egpj\u2066x`},
		"zero width and the byte order mark": {in: "\u200b\ufeff\U000e0001", want: `\u200b\ufeff\U000e0001`},
		"line and paragraph separators":      {in: "\u2028\u2029", want: `\u2028\u2029`},
		"bytes that are not UTF-8":           {in: "a\xff\xc3", want: `a\xff\xc3`},
		"a replacement character stays":      {in: "a\ufffdb", want: "a\ufffdb"},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, visible(c.in, c.keep)) })
	}
}

func TestLabelIsBoundedValidUTF8(t *testing.T) {
	for name, in := range map[string]string{
		"long ASCII":             strings.Repeat("a", 5000),
		"runes across the bound": strings.Repeat("é", 5000),
		"long and invalid":       strings.Repeat("\xff", 5000),
		"a rune cut at the end":  strings.Repeat("a", maxLabel+1) + "試験",
		"just fits":              strings.Repeat("a", maxLabel),
	} {
		t.Run(name, func(t *testing.T) {
			got := label(in)
			assert.LessOrEqual(t, len(got), maxLabel)
			assert.Greater(t, len(got), maxLabel-8)
			assert.True(t, utf8.ValidString(got))
			assert.Equal(t, len(in) > maxLabel, strings.HasSuffix(got, "…"), "what is cut says so")
		})
	}
}
