package transport

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of what is read from a header: a genuine Exchange sends at most four
// challenges of half a dozen parameters in less than 1 KiB.
const (
	maxChallenges      = 32
	maxParams          = 64 // per challenge
	maxChallengeLength = 32 << 10
)

// Challenge is one challenge of a WWW-Authenticate header (RFC 9110, section
// 11.6.1): a scheme with either a token68 or parameters, or neither.
type Challenge struct {
	Scheme  string // as sent; compare with Is
	Token68 string
	Params  []Param // in order, unknown and repeated ones kept
	Broken  bool    // its field could not be read on, from somewhere in or right behind it
}

// Param is one parameter of a challenge: the name as sent, the value without
// quotes and escapes.
type Param struct{ Name, Value string }

// Is reports whether the challenge is of the scheme, whose case does not matter.
func (c Challenge) Is(scheme string) bool { return strings.EqualFold(c.Scheme, scheme) }

// Param returns the first parameter of that name, whose case does not matter;
// "" when there is none, which nothing here tells from an empty one.
func (c Challenge) Param(name string) string {
	for _, p := range c.Params {
		if strings.EqualFold(p.Name, name) {
			return p.Value
		}
	}
	return ""
}

// String renders the challenge so that parsing it gives the same again: every
// value is quoted.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString(c.Scheme)
	if c.Token68 != "" {
		b.WriteString(" " + c.Token68)
	}
	for i, p := range c.Params {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(" " + p.Name + `="` + quoteEscaper.Replace(p.Value) + `"`)
	}
	return b.String()
}

var quoteEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// ParseChallenges reads the values of all WWW-Authenticate fields of an answer
// (RFC 9110, sections 5.6 and 11.6.1). One field may hold several challenges,
// and a comma may end a parameter or a challenge: what follows decides. Beside
// an error it gives the challenges that were read: a syntaxError ends its field
// alone, and the first one is given; a control character or a limit ends it
// all. Values share the fields' memory.
func ParseChallenges(fields []string) ([]Challenge, error) {
	var all []Challenge
	var spoiled error
	total := 0
	for i, f := range fields {
		if total += len(f); total > maxChallengeLength {
			return all, errTooLong
		}
		s := scanner{in: f}
		first := len(all)
		var err error
		if all, err = s.challenges(all); err == nil {
			continue
		}
		if HasControl(f[s.at:]) {
			err = ErrControl
		}
		err = fmt.Errorf("challenge field %d, byte %d: %w", i+1, s.at+1, err)
		if !IsSyntax(err) {
			return all, err
		}
		if len(all) > first {
			all[len(all)-1].Broken = true
		}
		if spoiled == nil {
			spoiled = err
		}
	}
	return all, spoiled
}

// syntaxError is a fault of one field's grammar.
type syntaxError string

func (e syntaxError) Error() string { return string(e) }

// IsSyntax reports whether an error of ParseChallenges ended its field alone.
func IsSyntax(err error) bool {
	var e syntaxError
	return errors.As(err, &e)
}

var (
	errTooLong           = fmt.Errorf("challenges longer than %d bytes", maxChallengeLength)
	errTooManyChallenges = fmt.Errorf("more than %d challenges", maxChallenges)
	errTooManyParams     = fmt.Errorf("more than %d parameters", maxParams)
)

// ErrControl is the error of a header's value with a control character.
var ErrControl = errors.New("control character")

// ErrUnterminated is the error of a quoted string without its end.
const ErrUnterminated = syntaxError("unterminated quoted string")

const (
	errNoToken  = syntaxError("a name is expected")
	errNoScheme = syntaxError("a parameter without a scheme")
	errMixed    = syntaxError("a parameter after a token68")
	errNoComma  = syntaxError("a comma is expected")
	errNoValue  = syntaxError("a value is expected")
)

// scanner reads one field.
type scanner struct {
	in string
	at int
}

// challenges appends the field's challenges to all. A challenge does not reach
// from one field into the next.
func (s *scanner) challenges(all []Challenge) ([]Challenge, error) {
	first := len(all)
	for s.skip(" \t,"); s.at < len(s.in); s.skip(" \t,") {
		name := s.token()
		if name == "" {
			return all, errNoToken
		}
		after := s.at
		s.skip(" \t")
		var err error
		switch {
		case s.take('='):
			if len(all) == first {
				return all, errNoScheme
			}
			err = s.param(&all[len(all)-1], name)
		case len(all) == maxChallenges:
			return all, errTooManyChallenges
		default:
			all = append(all, Challenge{Scheme: name})
			if s.at == after {
				break // nothing but a comma may follow at once
			}
			if t := s.token68(); t != "" {
				all[len(all)-1].Token68 = t
				break
			}
			continue // the first parameter, or a comma
		}
		if err == nil {
			err = s.end()
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// param reads the value of the parameter name, whose equals sign is read.
func (s *scanner) param(c *Challenge, name string) error {
	if c.Token68 != "" {
		return errMixed
	}
	if len(c.Params) == maxParams {
		return errTooManyParams
	}
	s.skip(" \t")
	var value string
	var err error
	if s.take('"') {
		value, err = s.quoted()
	} else if value = s.token(); value == "" {
		err = errNoValue
	}
	if err != nil {
		return err
	}
	if c.Params == nil {
		c.Params = make([]Param, 0, 6) // what Exchange sends at most
	}
	c.Params = append(c.Params, Param{name, value})
	return nil
}

// quoted reads the rest of a quoted string, whose first quote is read.
func (s *scanner) quoted() (string, error) {
	start, escaped := s.at, false
	for ; s.at < len(s.in); s.at++ {
		switch c := s.in[s.at]; {
		case c == '"':
			value := s.in[start:s.at]
			s.at++
			if escaped {
				value = unescape(value)
			}
			return value, nil
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", ErrControl
		case c == '\\':
			escaped = true
			// The next byte is read as it is, unless it is a control character.
			if next := s.at + 1; next < len(s.in) && s.in[next] >= ' ' && s.in[next] != 0x7f {
				s.at++
			}
		}
	}
	return "", ErrUnterminated
}

func unescape(v string) string {
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) {
			i++
		}
		b = append(b, v[i])
	}
	return string(b)
}

// token68 reads a token68 if one stands here and nothing follows it but a
// comma or the end; otherwise it reads nothing.
func (s *scanner) token68() string {
	i := s.at
	for i < len(s.in) && isToken68(s.in[i]) {
		i++
	}
	if i == s.at {
		return ""
	}
	for i < len(s.in) && s.in[i] == '=' {
		i++
	}
	rest := strings.TrimLeft(s.in[i:], " \t")
	if rest != "" && rest[0] != ',' {
		return ""
	}
	value := s.in[s.at:i]
	s.at = i
	return value
}

func (s *scanner) token() string {
	start := s.at
	for s.at < len(s.in) && isToken(s.in[s.at]) {
		s.at++
	}
	return s.in[start:s.at]
}

// end wants a comma or the end of the field.
func (s *scanner) end() error {
	s.skip(" \t")
	if s.at < len(s.in) && s.in[s.at] != ',' {
		return errNoComma
	}
	return nil
}

func (s *scanner) skip(set string) {
	for s.at < len(s.in) && strings.IndexByte(set, s.in[s.at]) >= 0 {
		s.at++
	}
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.in) && s.in[s.at] == c {
		s.at++
		return true
	}
	return false
}

// isToken: RFC 9110, section 5.6.2, tchar.
func isToken(c byte) bool {
	return isAlnum(c) || c > ' ' && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isToken68: RFC 9110, section 11.2, without the trailing equals signs.
func isToken68(c byte) bool {
	return isAlnum(c) || c > ' ' && strings.IndexByte("-._~+/", c) >= 0
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// HasControl reports whether a header's value holds a control character.
func HasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
