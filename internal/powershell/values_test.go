package powershell

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{
		"35 MB (36,700,160 bytes)":           {Bytes: 36700160},
		"35 MB (36.700.160 bytes)":           {Bytes: 36700160},
		"35 MB (36 700 160 bytes)":           {Bytes: 36700160},
		"35 MB (36\u00a0700\u00a0160 bytes)": {Bytes: 36700160},
		"1 B (1 byte)":                       {Bytes: 1},
		"36700160":                           {Bytes: 36700160},
		"Unlimited":                          {Unlimited: true},
	} {
		got, err := readSize(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "35 MB", "-1", "(bytes)", "99999999999999999999 bytes", "35 MB (x bytes)"} {
		_, err := readSize(text)
		assert.Error(t, err, text)
	}
	assert.True(t, Size{Bytes: 10}.Allows(10))
	assert.False(t, Size{Bytes: 10}.Allows(11))
	assert.True(t, Size{Unlimited: true}.Allows(1<<60))
}

func TestDates(t *testing.T) {
	want := time.Date(2026, 11, 22, 9, 15, 0, 0, time.UTC)
	for _, text := range []any{"2026-11-22T09:15:00Z", "2026-11-22T10:15:00+01:00", "2026-11-22T09:15:00.0000000Z", "/Date(1795338900000)/",
		`\/Date(1795338900000)\/`, "/Date(1795338900000+0100)/", map[string]any{"value": "/Date(1795338900000)/", "DateTime": "x"}} {
		got, err := ReadTime(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []any{nil, "", "0001-01-01T00:00:00Z", "/Date(-62135596800000)/"} {
		got, err := ReadTime(text)
		require.NoError(t, err, text)
		assert.True(t, got.IsZero(), text)
	}
	for _, text := range []any{"yesterday", "2026-11-22T09:15:00", 12.0, []any{}, "/Date(99999999999999999)/", "/Date(999999999999999)/"} {
		_, err := ReadTime(text)
		assert.Error(t, err, text)
	}
}
