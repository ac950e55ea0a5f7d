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
		"too long":             {strings.Repeat("a", 20), 10, strings.Repeat("a", 10) + "…"},
		"never half a letter":  {"aż", 2, "a…"},
		"never half an escape": {"a\x00", 3, "a…"},
		"exactly fitting":      {"aaa", 3, "aaa"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, check.Clean(test.in, test.max)) })
	}
}
