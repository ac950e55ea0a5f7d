package check_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

func TestCleanMakesTextFitToBeShown(t *testing.T) {
	tests := map[string]struct {
		in   string
		max  int
		want string
	}{
		"plain":                {`Bearer realm="a"`, 100, `Bearer realm="a"`},
		"letters of any kind":  {"zażółć", 100, "zażółć"},
		"an escape sequence":   {"\x1b[31mred\x00\r\n", 100, `\x1b[31mred\x00\r\n`},
		"invalid UTF-8":        {"a\xffb", 100, `a\xffb`},
		"right-to-left trick":  {"a\u202eb", 100, `a\u202eb`},
		"too long":             {strings.Repeat("a", 20), 10, strings.Repeat("a", 7) + "…"},
		"never half a letter":  {"aaaażóó", 8, "aaaa…"},
		"never half an escape": {"aaa\x00aaa", 9, "aaa…"},
		"many bytes to escape": {strings.Repeat("\xff", 50), 10, `\xff…`},
		"C1 controls and NUL":  {"\x00\u0085\u009b", 100, `\x00\u0085\u009b`},
		"a tab":                {"a\tb", 100, `a\tb`},
		"zero width":           {"\u200b\ufeff\U000e0001", 100, `\u200b\ufeff\U000e0001`},
		"separators of lines":  {"\u2028\u2029", 100, `\u2028\u2029`},
		"spaces of any kind":   {"5\u00a0µs, 36\u202f700, 試験 ✓", 100, "5\u00a0µs, 36\u202f700, 試験 ✓"},
		"half a letter":        {"a\xc3", 100, `a\xc3`},
		"the sign for one":     {"a\ufffdb", 100, "a\ufffdb"},
		"exactly fitting":      {"aaa", 3, "aaa"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, check.Clean(test.in, test.max)) })
	}
}

func TestBlockKeepsLines(t *testing.T) {
	assert.Equal(t, "a\\r\nb\tc\\x1b", check.Block("a\r\nb\tc\x1b", 100))
	assert.Equal(t, "a\n…", check.Block("a\nbcdef", 5))
}

func TestLine(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		max  int
		want string
	}{
		"several lines":         {" one\r\ntwo\u2028three ", 100, "one  two three"},
		"text that is mirrored": {"a\u202eb", 100, "a b"},
		"zero width":            {"a\u200bb\ufeff", 100, "a b"},
		"invalid UTF-8":         {"a\xffb", 100, "a\uFFFDb"},
		"as long as may be":     {"äöü", 3, "äöü"},
		"longer":                {"äöüß", 3, "äö…"},
		"much longer":           {"abcdefghijklmnopqrstuvwxyz", 3, "ab…"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, check.Line(c.text, c.max))
		})
	}
}
