package check_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 250 * time.Millisecond: "250 ms", 1250 * time.Millisecond: "1.25 s", 45 * time.Second: "45 s", 5 * time.Minute: "5 min",
		5*time.Minute + 10*time.Second: "5 min 10 s", 8 * time.Hour: "8 h", 13*time.Hour + 15*time.Minute: "13 h 15 min",
		8*time.Hour + 59*time.Second: "8 h", 76 * time.Hour: "3 d 4 h", 72 * time.Hour: "3 d", -time.Hour: "-1 h", 1500 * time.Microsecond: "1.5 ms",
	} {
		assert.Equal(t, want, check.Span(d), d.String())
	}
}

func TestMomentDayAndList(t *testing.T) {
	at := time.Date(2026, 11, 29, 22, 36, 58, 0, time.FixedZone("", 3600))
	assert.Equal(t, "2026-11-29 21:36 UTC", check.Moment(at))
	assert.Equal(t, "unknown", check.Moment(time.Time{}))
	assert.Equal(t, "2026-11-29", check.Day(at))
	assert.Equal(t, "none", check.List(nil))
	assert.Equal(t, "a, b", check.List([]string{"a", "b"}))
	assert.Equal(t, "1, 2, 3, 4, 5, 6, 7, 8 and 2 more", check.List([]string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}))
}

func TestAShellReadsAWordAsItWas(t *testing.T) {
	assert.Equal(t, "https://mail.contoso.com:443/a_b", check.ShellWord("https://mail.contoso.com:443/a_b", 100))
	assert.Equal(t, `'it'\''s\x00'`, check.ShellWord("it's\x00", 100))
	for _, s := range []string{"", "plain", "two words", "it's", `back\slash`, "$HOME `id` $(id)", "*?[]{}~!#&|;<>\"", "ż"} {
		out, err := exec.Command("/bin/sh", "-c", "printf %s "+check.ShellWord(s, 100)).Output()
		require.NoError(t, err)
		assert.Equal(t, s, string(out))
	}
}
