package powershell

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func rowOf(t *testing.T, value string) Row {
	t.Helper()
	rows, err := Rows(json.RawMessage(fmt.Sprintf(`{"v": %s}`, value)))
	require.NoError(t, err)
	return rows[0]
}

func TestSizesInEveryCulture(t *testing.T) {
	for name, between := range map[string]string{
		"en-US": ",", "de-DE": ".", "de-CH": "\u2019", "fr-CH": "\u202f", "fr-FR": "\u00a0", "ar-SA": "\u066c", "an apostrophe": "'", "a space": " ", "nothing": "",
		"a thin space": "\u2009", "a modifier apostrophe": "\u02bc", "an Arabic comma": "\u060c", "a full stop of full width": "\uff0e", "an underline": "_",
		"a comma with a mark of direction": "\u200f,",
	} {
		t.Run(name, func(t *testing.T) {
			size, err := rowOf(t, fmt.Sprintf("%q", "35 MB (36"+between+"700"+between+"160 bytes)")).Size("v")
			require.NoError(t, err)
			assert.Equal(t, Size{Bytes: 36700160}, size)
		})
	}
	for name, text := range map[string]string{
		"groups of two, hi-IN": "35 MB (3,67,00,160 bytes)", "a no-break space before the word": "35 MB (36,700,160\u00a0bytes)", "another word": "35 Mo (36 700 160 octets)",
	} {
		size, err := rowOf(t, fmt.Sprintf("%q", text)).Size("v")
		require.NoError(t, err, name)
		assert.Equal(t, Size{Bytes: 36700160}, size, name)
	}
	for _, bad := range []string{"(bytes)", "(, bytes)", "(36 and 700 bytes)", "(36,700,160)", "(-5 bytes)"} {
		_, err := rowOf(t, fmt.Sprintf("%q", bad)).Size("v")
		assert.Error(t, err, bad)
	}
}

func TestANumberIsNoName(t *testing.T) {
	for value, want := range map[string]string{`"Mounted"`: "Mounted", `null`: "", `"Ssl128"`: "Ssl128"} {
		f := Fields{Row: rowOf(t, value)}
		assert.Equal(t, want, f.Name("v"))
		assert.NoError(t, f.Err, value)
	}
	for _, value := range []string{`2`, `"2"`, `"-1"`} {
		f := Fields{Row: rowOf(t, value)}
		f.Name("v")
		assert.ErrorContains(t, f.Err, "v: got a number, want a name")
		f = Fields{Row: rowOf(t, `["OAuth", `+value+`]`)}
		f.Names("v")
		assert.ErrorContains(t, f.Err, "v: got a number, want a name")
	}
	f := Fields{Row: rowOf(t, `""`)}
	f.NeedName("v")
	assert.ErrorContains(t, f.Err, "missing")
}
