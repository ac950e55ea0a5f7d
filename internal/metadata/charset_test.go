package metadata

import (
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
)

func TestFederationMetadataAsPeopleMetIt(t *testing.T) {
	for _, file := range []string{"16-federation-wrapped.xml", "17-federation-no-use.xml", "18-federation-charset.xml"} {
		data, err := os.ReadFile("testdata/" + file)
		require.NoError(t, err)
		d, err := ParseFederation(data)
		if strings.HasPrefix(file, "17") {
			require.EqualError(t, err, "the document publishes no signing certificate", "Exchange reads keys for signing alone")
			continue
		}
		require.NoError(t, err, file)
		assert.Len(t, d.Certificates, 2, file)
		assert.Equal(t, "https://sts.windows.net/5de110f8-2e0f-4d45-891d-bcf2218e253d/", d.Issuer)
	}
}

func TestTheEncodingThatXMLDeclares(t *testing.T) {
	data, err := os.ReadFile("testdata/18-federation-charset.xml")
	require.NoError(t, err)
	declared := func(name string) string { return strings.Replace(string(data), "iso-8859-1", name, 1) }
	wide := func(s string, big bool) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
			if big {
				b.Write([]byte{byte(u >> 8), byte(u)})
			} else {
				b.Write([]byte{byte(u), byte(u >> 8)})
			}
		}
		return b.String()
	}
	for name, c := range map[string]struct{ text, want string }{
		"UTF-8":                     {declared("UTF-8"), ""},
		"ASCII":                     {declared("us-ascii"), ""},
		"Windows-1252":              {declared("Windows-1252"), ""},
		"Windows-1252, an e acute":  {declared("windows-1252") + "<!-- caf\xe9 \x80 -->", ""},
		"ISO 8859-1, an e acute":    {string(data) + "<!-- caf\xe9 -->", ""},
		"UTF-16, little-endian":     {wide(declared("utf-16"), false), ""},
		"UTF-16, big-endian":        {wide(declared("UTF-16"), true), ""},
		"an encoding of a stranger": {declared("koi8-r"), `it declares the encoding "koi8-r", want UTF-8`},
		"UTF-8 that is none":        {strings.Replace(declared("UTF-8"), "sts.windows", "sts\xe9windows", 1), "the XML cannot be read"},
		"half of UTF-16":            {wide(declared("utf-16"), false)[:301], "the XML"},
	} {
		_, err := ParseFederation([]byte(c.text))
		if c.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, c.want, name)
		checktest.OneLine(t, err)
		assert.NotContains(t, err.Error(), "CharsetReader")
	}
}
