package powershell

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// Fields reads the properties of one object that must fit; the first that does
// not stands in Err. Names are read ignoring case, as PowerShell does.
type Fields struct {
	values map[string]any
	Err    error
}

// NewFields reads a decoded JSON object.
func NewFields(v any) (*Fields, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("got %s, want an object", kind(v))
	}
	w := &Fields{values: make(map[string]any, len(object))}
	for k, v := range object {
		w.values[strings.ToLower(k)] = v
	}
	return w, nil
}

// Get returns a property's decoded value, out of any object that wraps it; nil
// where it is absent or null.
func (w *Fields) Get(key string) any { return Unwrap(w.values[strings.ToLower(key)]) }

// wrong notes that a key's value does not fit.
func (w *Fields) wrong(key, want string) {
	w.Fail(key, fmt.Errorf("got %s, want %s", kind(w.Get(key)), want))
}

// Fail notes what is wrong with a property.
func (w *Fields) Fail(key string, err error) {
	if w.Err == nil {
		w.Err = fmt.Errorf("%s: %w", key, err)
	}
}

// Text reads a text or a number as text; nothing and null are empty.
func (w *Fields) Text(key string) string {
	s, ok := scalar(w.Get(key))
	if !ok {
		w.wrong(key, "a text")
	}
	return s
}

// Need reads a text that must not be empty.
func (w *Fields) Need(key string) string {
	s := w.Text(key)
	if s == "" {
		w.Fail(key, errors.New("missing"))
	}
	return s
}

// Texts reads a list of texts; a single text is a list of one, and several in
// one text, separated by commas, are told apart.
func (w *Fields) Texts(key string) []string {
	var all []string
	v := w.Get(key)
	if s, ok := v.(string); ok {
		for part := range strings.SplitSeq(s, ",") {
			if part = check.Line(part, MaxText); part != "" {
				all = append(all, part)
			}
		}
		return all
	}
	for _, e := range List(v) {
		s, ok := scalar(Unwrap(e))
		if !ok {
			w.Fail(key, fmt.Errorf("got %s in a list, want texts", kind(e)))
		}
		all = append(all, s)
	}
	return all
}

// Flag reads true or false, which must be there: what is not known must not
// pass for false.
func (w *Fields) Flag(key string) bool {
	switch v := w.Get(key).(type) {
	case bool:
		return v
	case string:
		if b := strings.ToLower(v); b == "true" || b == "false" {
			return b == "true"
		}
	}
	w.wrong(key, "true or false")
	return false
}

// Number reads a whole number, which must be there.
func (w *Fields) Number(key string) int {
	s, _ := scalar(w.Get(key))
	n, err := strconv.Atoi(s)
	if err != nil {
		w.wrong(key, "a whole number")
	}
	return n
}

// Count reads a number of things, at least 1; nothing is 1.
func (w *Fields) Count(key string) int {
	if w.Get(key) == nil {
		return 1
	}
	n := w.Number(key)
	if n < 1 {
		w.Fail(key, errors.New("want at least 1"))
	}
	return n
}

// Time reads a date; nothing and null are the zero time.
func (w *Fields) Time(key string) time.Time {
	t, err := ReadTime(w.Get(key))
	if err != nil {
		w.Fail(key, err)
	}
	return t
}

// NeedTime reads a date that must be there.
func (w *Fields) NeedTime(key string) time.Time {
	t := w.Time(key)
	if t.IsZero() {
		w.Fail(key, errors.New("missing"))
	}
	return t
}

// Size reads a size as Exchange writes it.
func (w *Fields) Size(key string) Size {
	s, err := readSize(w.Text(key))
	if err != nil {
		w.Fail(key, err)
	}
	return s
}

// DER reads base64 texts of DER, a list that must be there; white space within
// is allowed.
func (w *Fields) DER(key string) [][]byte {
	var all [][]byte
	v := w.Get(key)
	if v == nil {
		w.Fail(key, errors.New("missing"))
	}
	for _, e := range List(v) {
		s, _ := Unwrap(e).(string)
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
		if err != nil || len(der) == 0 {
			w.Fail(key, errors.New("want certificates in base64"))
			return nil
		}
		all = append(all, der)
	}
	return all
}
