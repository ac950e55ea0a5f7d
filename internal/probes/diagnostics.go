package probes

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/hmad/hmad/internal/transport"
)

const maxDiagnosticsLength = 8 << 10

// Diagnostics is Exchange's x-ms-diagnostics header: why it refused a token.
// Match on number and category together: other Microsoft services reuse the
// numbers, and builds moved reasons from one number to another (domain notes,
// section 5).
type Diagnostics struct {
	Number   int    // 0: there was no such header, or it had no number
	Reason   string // for people
	Category string // error_category
}

var (
	errDiagnosticsLong   = errors.New("diagnostics too long")
	errDiagnosticsNumber = errors.New("diagnostics without a number")
)

// ParseDiagnostics reads one field: NUMBER;reason="TEXT";error_category="NAME".
// The reason may be missing and may hold semicolons and quotes: its closing
// quote is the one before a semicolon or the end. Unknown parts are skipped.
// With an error it returns what could be read.
func ParseDiagnostics(field string) (Diagnostics, error) {
	var d Diagnostics
	if len(field) > maxDiagnosticsLength {
		return d, errDiagnosticsLong
	}
	number, rest, _ := strings.Cut(field, ";")
	n, err := strconv.ParseUint(strings.Trim(number, " \t"), 10, 31)
	if err != nil {
		return d, errDiagnosticsNumber
	}
	d.Number = int(n)
	for rest != "" {
		var name, value string
		if name, value, rest, err = diagnosticsPart(rest); err != nil {
			return d, err
		}
		switch {
		case strings.EqualFold(name, "reason"):
			d.Reason = value
		case strings.EqualFold(name, "error_category"):
			d.Category = value
		}
	}
	return d, nil
}

// diagnosticsPart reads one part, NAME=VALUE or NAME="VALUE", and its semicolon.
func diagnosticsPart(in string) (name, value, rest string, err error) {
	i := strings.IndexAny(in, "=;")
	if i < 0 || in[i] == ';' {
		_, rest, _ = strings.Cut(in, ";")
		return "", "", rest, nil
	}
	name, in = strings.Trim(in[:i], " \t"), strings.TrimLeft(in[i+1:], " \t")
	if strings.HasPrefix(in, `"`) {
		value, rest, err = untilClosingQuote(in[1:])
	} else {
		value, rest, _ = strings.Cut(in, ";")
		value = strings.Trim(value, " \t")
	}
	if err == nil && transport.HasControl(value) {
		err = transport.ErrControl
	}
	return name, value, rest, err
}

func untilClosingQuote(in string) (value, rest string, err error) {
	for i := 0; i < len(in); i++ {
		if in[i] != '"' {
			continue
		}
		rest := strings.TrimLeft(in[i+1:], " \t")
		if rest == "" || rest[0] == ';' {
			return in[:i], strings.TrimPrefix(rest, ";"), nil
		}
	}
	return "", "", transport.ErrUnterminated
}

// diagnosticsOf returns the answer's diagnostics as far as they can be read: the
// first field with a number. They explain, they do not decide, so trouble in
// them is no finding.
func diagnosticsOf(h http.Header) Diagnostics {
	for _, f := range h.Values("X-Ms-Diagnostics") {
		if d, _ := ParseDiagnostics(f); d.Number != 0 {
			return d
		}
	}
	return Diagnostics{}
}

// is reports whether the diagnostics have that number, and that category if any.
func (d Diagnostics) is(number int, category string) bool {
	return d.Number == number && (d.Category == "" || strings.EqualFold(d.Category, category))
}

// sawPlainHTTP reports whether Exchange refused a token because it saw the URL as
// plain http: invalid_resource with «Actual 'http://…'», or the guide's sentence
// on the audience's hostname, which builds moved to other numbers of the tokens'
// range (domain notes, section 5).
func (d Diagnostics) sawPlainHTTP() bool {
	text := strings.ToLower(d.Reason)
	if !strings.Contains(text, "actual 'http://") {
		return false
	}
	sentence := d.Number >= 2000000 && d.Number <= 2000009 && strings.Contains(text, "hostname component of the audience")
	return sentence || d.is(2000003, "invalid_resource")
}

// String renders the diagnostics for people; parsing it gives the same again.
func (d Diagnostics) String() string {
	s := strconv.Itoa(d.Number)
	if d.Reason != "" {
		s += `;reason="` + d.Reason + `"`
	}
	if d.Category != "" {
		s += `;error_category="` + d.Category + `"`
	}
	return s
}
