package metadata

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/hmad/hmad/internal/check"
)

// newXMLDecoder reads XML in the encoding that it declares: UTF-8, UTF-16 with a
// byte order mark, ISO 8859-1, Windows-1252 and ASCII (XML 1.0, section 4.3.3).
// Another one is an error that names it.
func newXMLDecoder(data []byte) *xml.Decoder {
	var in io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		in = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(in)
	}
	d := xml.NewDecoder(in)
	d.CharsetReader = inCharset
	return d
}

// inCharset reads an encoding other than UTF-8. UTF-16 has been decoded by then:
// the declaration itself is in it.
func inCharset(name string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "utf-16", "utf8", "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "iso8859-1", "latin1":
		return charmap.ISO8859_1.NewDecoder().Reader(in), nil
	case "windows-1252", "cp1252":
		return charmap.Windows1252.NewDecoder().Reader(in), nil
	}
	return nil, fmt.Errorf("it declares the encoding %q, want UTF-8", check.Clean(name, 40))
}
