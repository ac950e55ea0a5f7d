package powershell

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Row is one object: its properties as JSON. Names are looked up ignoring case:
// DeviceId is also spelt DeviceID. An error of a reading says in one line what
// was found and what is wanted, never the value.
type Row map[string]json.RawMessage

var errMissing = errors.New("missing")

// Rows reads a list of objects; a single one is a list of one. Null is nil, an
// empty list is not.
func Rows(data json.RawMessage) ([]Row, error) {
	data = unwrap(data)
	if kindOf(data) == nothing {
		return nil, nil
	}
	if !json.Valid(data) {
		return nil, json.Unmarshal(data, new(json.RawMessage))
	}
	list := elements(data)
	all := make([]Row, 0, len(list))
	for i, e := range list {
		if e = unwrap(e); kindOf(e) != anObject {
			return nil, fmt.Errorf("row %d: got %s, want an object", i, kindOf(e))
		}
		var row Row
		if err := json.Unmarshal(e, &row); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		all = append(all, row)
	}
	return all, nil
}

// value returns a property; nil where it is absent. Where several spellings fit,
// it is the exact one, else the first in order, so that the answer does not hang
// on chance.
func (r Row) value(name string) json.RawMessage {
	if raw, ok := r[name]; ok {
		return raw
	}
	found := ""
	for k := range r {
		if strings.EqualFold(k, name) && (found == "" || k < found) {
			found = k
		}
	}
	return r[found]
}

// Has reports whether a property is there and not null.
func (r Row) Has(name string) bool { return kindOf(unwrap(r.value(name))) != nothing }

// String returns a text, number or flag as text of one line; empty where there is
// none.
func (r Row) String(name string) string {
	s, _ := r.Text(name)
	return s
}

// Text is String; anything but a text, number, flag or null is an error.
func (r Row) Text(name string) (string, error) { return readText(r.value(name)) }

// Texts returns a list of texts; a single text is a list of its parts, separated
// by commas.
func (r Row) Texts(name string) ([]string, error) { return readTexts(r.value(name)) }

// Flag returns true or false, which must be there.
func (r Row) Flag(name string) (bool, error) { return readFlag(r.value(name)) }

// Int returns a whole number, which must be there, also one written as text.
func (r Row) Int(name string) (int64, error) { return readInt(r.value(name)) }

// Time returns a moment in UTC, zero where there is none. One without a zone is
// an error: a guess could be wrong by half a day.
func (r Row) Time(name string) (time.Time, error) { return ReadTime(r.value(name)) }

// NeedTime is Time of a moment that must be there.
func (r Row) NeedTime(name string) (time.Time, error) {
	t, err := r.Time(name)
	if err == nil && t.IsZero() {
		err = errMissing
	}
	return t, err
}

// Size returns a size such as "99 GB (106,300,440,576 bytes)" or "Unlimited".
func (r Row) Size(name string) (Size, error) { return readSize(r.value(name)) }

// DER returns a list of certificates, given in base64, which must be there.
func (r Row) DER(name string) ([][]byte, error) { return readDER(r.value(name)) }

// Rows returns a list of objects within this one.
func (r Row) Rows(name string) ([]Row, error) { return Rows(r.value(name)) }

// Count returns a number of things, at least 1; nothing is 1.
func (r Row) Count(name string) (int, error) {
	if !r.Has(name) {
		return 1, nil
	}
	n, err := r.Int(name)
	if err == nil && (n < 1 || n > math.MaxInt32) {
		err = errors.New("want at least 1")
	}
	return int(n), err
}
