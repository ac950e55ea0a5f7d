// Package powershell reads values as PowerShell and Exchange write them into
// JSON: dates, sizes, flags, numbers written as text, lists of one that have
// become their element. The report and Exchange Online's admin API are both made
// of them.
package powershell

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// MaxText bounds a text that is read, in runes.
const MaxText = 4096

// Size is a limit of Exchange: a number of bytes, or none.
type Size struct {
	Bytes     int64
	Unlimited bool
}

// Allows reports whether something of n bytes is within the limit.
func (s Size) Allows(n int64) bool { return s.Unlimited || n <= s.Bytes }

// sizeForm is "35 MB (36,700,160 bytes)": only the exact number is read, its
// digits grouped as the server's culture has it.
var sizeForm = regexp.MustCompile(`\(([0-9][0-9.,'\s\x{a0}\x{202f}]*) ?bytes?\)$`)

func readSize(s string) (Size, error) {
	if strings.EqualFold(s, "unlimited") {
		return Size{Unlimited: true}, nil
	}
	if m := sizeForm.FindStringSubmatch(s); m != nil {
		digits := strings.Map(func(c rune) rune {
			if c < '0' || c > '9' {
				return -1
			}
			return c
		}, m[1])
		s = digits
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

// ReadTime reads a date: RFC 3339 with a zone, or /Date(ms)/. Null,
// an empty text and .NET's own zero are the zero time.
func ReadTime(v any) (time.Time, error) {
	v = Unwrap(v)
	s, ok := v.(string)
	if v == nil || ok && s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if m := dotNetDate.FindStringSubmatch(s); m != nil {
		ms, _ := strconv.ParseInt(m[1], 10, 64)
		t, err = time.UnixMilli(ms), nil
	}
	if !ok || err != nil || t.Year() > 9999 {
		return time.Time{}, errors.New("want a date such as 2026-11-22T09:15:00Z")
	}
	if t.Year() <= 1601 {
		return time.Time{}, nil
	}
	return t.UTC(), nil
}

// Unwrap takes the value out of the object that PowerShell 5.1 makes of an
// array or date which carries extra properties: {"value": ..., "Count": 2}.
func Unwrap(v any) any {
	object, ok := v.(map[string]any)
	if !ok || len(object) > 4 {
		return v
	}
	inner, hasValue := object["value"]
	_, hasCount := object["Count"]
	_, hasDate := object["DateTime"]
	if hasValue && (hasCount || hasDate) {
		return inner
	}
	return v
}

// List returns the elements of an array; a single value is an array of one that
// ConvertTo-Json collapsed, null one that was empty.
func List(v any) []any {
	switch v := Unwrap(v).(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// scalar gives a text, number or flag as a text of one line; null is empty.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return check.Line(v, MaxText), true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	default:
		return "", false
	}
}

// kind names the JSON type of a value.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case string:
		return "a text"
	case json.Number:
		return "a number"
	case bool:
		return "true or false"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}
