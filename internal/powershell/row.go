package powershell

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Row is one object of an answer: its properties as JSON, without the side
// keys that say their types. Names are looked up ignoring case: DeviceId is
// also spelt DeviceID. Texts come as one line of valid UTF-8.
type Row map[string]json.RawMessage

// value returns a property; nil where it is absent, null or no JSON.
func (r Row) value(name string) any {
	raw, ok := r[name]
	if !ok {
		raw = r.fold(name)
	}
	if len(raw) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// fold finds a property by another case; where several fit, the first in
// order, so that the answer does not hang on chance.
func (r Row) fold(name string) json.RawMessage {
	found := ""
	for k := range r {
		if strings.EqualFold(k, name) && (found == "" || k < found) {
			found = k
		}
	}
	return r[found]
}

// String returns a text, number or flag as text; empty where there is none.
func (r Row) String(name string) string {
	s, _ := scalar(r.value(name))
	return s
}

// Strings returns a collection's texts. One element may hold several, joined by
// ", "; a single text is a collection of one.
func (r Row) Strings(name string) []string {
	var all []string
	for _, v := range List(r.value(name)) {
		s, _ := scalar(v)
		for part := range strings.SplitSeq(s, ", ") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

// Time returns a moment in UTC; false where there is none, and where its zone is
// not said: a guess could be wrong by half a day.
func (r Row) Time(name string) (time.Time, bool) {
	t, err := ReadTime(r.value(name))
	return t, err == nil && !t.IsZero()
}

// Int returns a whole number, also one written as text.
func (r Row) Int(name string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(r.String(name)), 10, 64)
	return n, err == nil
}

// Bool returns a flag, also one written as text.
func (r Row) Bool(name string) (value, ok bool) {
	switch strings.ToLower(r.String(name)) {
	case "true":
		return true, true
	case "false":
		return false, true
	default:
		return false, false
	}
}

// Size returns a size such as "99 GB (106,300,440,576 bytes)" or "Unlimited".
func (r Row) Size(name string) (Size, bool) {
	s, err := readSize(r.String(name))
	return s, err == nil
}

// Duration returns a TimeSpan: "[-][d.]hh:mm:ss[.fffffff]".
func (r Row) Duration(name string) (time.Duration, bool) {
	s, negative := strings.CutPrefix(r.String(name), "-")
	var days int64
	if head, rest, ok := strings.Cut(s, "."); ok && strings.Contains(rest, ":") {
		n, err := strconv.ParseUint(head, 10, 16)
		if err != nil {
			return 0, false
		}
		days, s = int64(n), rest
	}
	t, err := time.Parse("15:04:05", s)
	if err != nil {
		return 0, false
	}
	d := time.Duration(days)*24*time.Hour + t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))
	if negative {
		d = -d
	}
	return d, true
}
