package exporter

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

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
