// Package powershell reads values as PowerShell and Exchange write them into
// JSON: dates, sizes, flags, numbers written as text, lists of one that have
// become their element. The on-premises report and Exchange Online's admin API
// are both made of them, and both are read by Row.
package powershell

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hmad/hmad/internal/check"
)

// MaxText bounds a text that is read, in runes.
const MaxText = 4096

// Size is a limit of Exchange: a number of bytes, or none.
type Size struct {
	Bytes     int64
	Unlimited bool
}

// sizeForm is "35 MB (36,700,160 bytes)": only the exact number is read. Between its
// digits is whatever groups them in the server's culture: a comma, a dot, a space,
// an apostrophe of any kind, the Arabic separator. The word behind them is not read.
var sizeForm = regexp.MustCompile(`\(([0-9](?:[^0-9()]{0,2}[0-9])*)[\s\p{Z}]?\p{L}+\)$`)

func readSize(raw json.RawMessage) (Size, error) {
	s, err := readText(raw)
	if err != nil {
		return Size{}, err
	}
	if strings.EqualFold(s, "unlimited") {
		return Size{Unlimited: true}, nil
	}
	if m := sizeForm.FindStringSubmatch(s); m != nil {
		s = strings.Map(func(c rune) rune {
			if c < '0' || c > '9' {
				return -1
			}
			return c
		}, m[1])
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return Size{}, errors.New("want a size such as 35 MB (36,700,160 bytes), or Unlimited")
	}
	return Size{Bytes: n}, nil
}

// dotNetDate is how PowerShell 5.1 writes a date that is not made a text
// first: milliseconds since 1970 in UTC; an offset behind them is for show.
var dotNetDate = regexp.MustCompile(`^\\?/Date\((-?[0-9]{1,15})([+-][0-9]{4})?\)\\?/$`)

// ReadTime reads a date: RFC 3339 with a zone, or /Date(ms)/. Nothing, null, an
// empty text and .NET's own zero are the zero time.
func ReadTime(raw json.RawMessage) (time.Time, error) {
	raw = unwrap(raw)
	var s string
	if kindOf(raw) != nothing && json.Unmarshal(raw, &s) != nil {
		return time.Time{}, &DateError{}
	}
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if m := dotNetDate.FindStringSubmatch(s); m != nil {
		ms, _ := strconv.ParseInt(m[1], 10, 64)
		t, err = time.UnixMilli(ms), nil
	}
	if err != nil || t.Year() > 9999 {
		return time.Time{}, &DateError{formOf(s)}
	}
	if t.Year() <= 1601 {
		return time.Time{}, nil
	}
	return t.UTC(), nil
}

// DateError is why a date cannot be read.
type DateError struct {
	Form string // its characters, with 9 for a digit and A for a letter; empty: it is no text
}

// Error implements error.
func (e *DateError) Error() string {
	if e.Form == "" {
		return "want a date such as 2026-11-22T09:15:00Z"
	}
	return "want a date such as 2026-11-22T09:15:00Z, got one of the form " + e.Form
}

// maxForm bounds the form of a date that is shown, in characters.
const maxForm = 40

// formOf returns the form of a text: nothing of it but where it has digits and
// letters. The T between two digits stays, for it is how ISO 8601 writes a moment.
func formOf(s string) string {
	runes := []rune(check.Line(s, maxForm))
	form := make([]rune, len(runes))
	digit := func(i int) bool { return i >= 0 && i < len(runes) && unicode.IsDigit(runes[i]) }
	for i, c := range runes {
		switch {
		case unicode.IsDigit(c):
			form[i] = '9'
		case unicode.IsLetter(c) && !(c == 'T' && digit(i-1) && digit(i+1)):
			form[i] = 'A'
		default:
			form[i] = c
		}
	}
	return string(form)
}

// readText reads a text, number or flag as a text of one line; nothing and null
// are empty.
func readText(raw json.RawMessage) (string, error) {
	raw = unwrap(raw)
	switch k := kindOf(raw); k {
	case nothing:
		return "", nil
	case aText:
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return "", errors.New("the JSON is not valid")
		}
		return check.Line(s, MaxText), nil
	case aNumber, aFlag:
		return string(raw), nil
	default:
		return "", fmt.Errorf("got %s, want a text", k)
	}
}

// readTexts reads a list of texts. A single text is a list too: its parts,
// separated by commas.
func readTexts(raw json.RawMessage) ([]string, error) {
	raw = unwrap(raw)
	var all []string
	if kindOf(raw) == aText {
		s, err := readText(raw)
		for part := range strings.SplitSeq(s, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
		return all, err
	}
	for _, e := range elements(raw) {
		s, err := readText(e)
		if err != nil {
			return nil, fmt.Errorf("got %s in a list, want texts", kindOf(unwrap(e)))
		}
		all = append(all, s)
	}
	return all, nil
}

// readFlag reads true or false, also written as text. Nothing and null are
// neither: what is not known must not pass for false.
func readFlag(raw json.RawMessage) (bool, error) {
	raw = unwrap(raw)
	if k := kindOf(raw); k == aFlag || k == aText {
		s, _ := readText(raw)
		if s = strings.ToLower(s); s == "true" || s == "false" {
			return s == "true", nil
		}
	}
	return false, fmt.Errorf("got %s, want true or false", kindOf(raw))
}

// readInt reads a whole number, also written as text.
func readInt(raw json.RawMessage) (int64, error) {
	s, _ := readText(raw)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("got %s, want a whole number", kindOf(unwrap(raw)))
	}
	return n, nil
}

// readDER reads a list of DER in base64, white space within it allowed. Nothing
// and null are no list.
func readDER(raw json.RawMessage) ([][]byte, error) {
	raw = unwrap(raw)
	if kindOf(raw) == nothing {
		return nil, errMissing
	}
	var all [][]byte
	for _, e := range elements(raw) {
		var s string
		_ = json.Unmarshal(unwrap(e), &s)
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
		if err != nil || len(der) == 0 {
			return nil, errors.New("want certificates in base64")
		}
		all = append(all, der)
	}
	return all, nil
}

// unwrap takes the value out of the object that PowerShell 5.1 makes of an
// array or date which carries extra properties: {"value": ..., "Count": 2}.
func unwrap(raw json.RawMessage) json.RawMessage {
	if kindOf(raw) != anObject {
		return raw
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil || len(object) > 4 {
		return raw
	}
	inner, hasValue := object["value"]
	_, hasCount := object["Count"]
	_, hasDate := object["DateTime"]
	if hasValue && (hasCount || hasDate) {
		return inner
	}
	return raw
}

// elements returns the elements of an array; a single value is an array of one
// that ConvertTo-Json collapsed, nothing one that was empty.
func elements(raw json.RawMessage) []json.RawMessage {
	raw = unwrap(raw)
	var all []json.RawMessage
	switch {
	case kindOf(raw) == nothing:
		return nil
	case json.Unmarshal(raw, &all) == nil:
		return all
	default:
		return []json.RawMessage{raw}
	}
}

// kind is the JSON type of a value, in words.
type kind string

const (
	nothing  kind = "nothing"
	aText    kind = "a text"
	aNumber  kind = "a number"
	aFlag    kind = "true or false"
	anArray  kind = "an array"
	anObject kind = "an object"
)

func kindOf(raw json.RawMessage) kind {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return nothing
	}
	switch raw[0] {
	case 'n':
		return nothing
	case '"':
		return aText
	case 't', 'f':
		return aFlag
	case '[':
		return anArray
	case '{':
		return anObject
	default:
		return aNumber
	}
}
