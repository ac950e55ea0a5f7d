package exchange

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// rowsOf reads a section whose data is a list of objects, in the report's order.
// An empty list says that there is none; null says nothing, and is an error.
func rowsOf[T any](r Report, section string, read func(*row) T) ([]T, error) {
	data, err := r.section(section)
	if err != nil {
		return nil, err
	}
	var tree any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		return nil, check.Errorf(check.ReportInput, "%s: section %s: %w", r.Host, section, jsonError(err))
	}
	if tree = unwrap(tree); tree == nil {
		return nil, check.Errorf(check.ReportInput, "%s: section %s: ok, yet its data is null", r.Host, section)
	}
	all := []T{}
	for i, v := range list(tree) {
		w, err := newRow(v)
		if err == nil {
			all = append(all, read(w))
			err = w.err
		}
		if err != nil {
			return nil, check.Errorf(check.ReportInput, "%s: section %s: row %d: %w", r.Host, section, i, err)
		}
	}
	return all, nil
}

// rowOf reads a section whose data is one object.
func rowOf[T any](r Report, section string, read func(*row) T) (T, error) {
	all, err := rowsOf(r, section, read)
	if err == nil && len(all) != 1 {
		err = check.Errorf(check.ReportInput, "%s: section %s: got %d objects, want one", r.Host, section, len(all))
	}
	if err != nil {
		var none T
		return none, err
	}
	return all[0], nil
}

// row is one object of a section. Keys are read ignoring case, as PowerShell
// does; the first value that does not fit stands in err.
type row struct {
	values map[string]any
	err    error
}

func newRow(v any) (*row, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("got %s, want an object", kind(v))
	}
	w := &row{values: make(map[string]any, len(object))}
	for k, v := range object {
		w.values[strings.ToLower(k)] = v
	}
	return w, nil
}

func (w *row) get(key string) any { return unwrap(w.values[strings.ToLower(key)]) }

// wrong notes that a key's value does not fit.
func (w *row) wrong(key, want string) {
	w.fail(key, fmt.Errorf("got %s, want %s", kind(w.get(key)), want))
}

func (w *row) fail(key string, err error) {
	if w.err == nil {
		w.err = fmt.Errorf("%s: %w", key, err)
	}
}

// text reads a text or a number as text; nothing and null are empty.
func (w *row) text(key string) string {
	s, ok := scalar(w.get(key))
	if !ok {
		w.wrong(key, "a text")
	}
	return s
}

// need reads a text that must not be empty.
func (w *row) need(key string) string {
	s := w.text(key)
	if s == "" {
		w.fail(key, errors.New("missing"))
	}
	return s
}

// texts reads a list of texts; a single text is a list of one, and several in
// one text, separated by commas, are told apart.
func (w *row) texts(key string) []string {
	var all []string
	v := w.get(key)
	if s, ok := v.(string); ok {
		for part := range strings.SplitSeq(s, ",") {
			if part = cut(part, maxText); part != "" {
				all = append(all, part)
			}
		}
		return all
	}
	for _, e := range list(v) {
		s, ok := scalar(unwrap(e))
		if !ok {
			w.fail(key, fmt.Errorf("got %s in a list, want texts", kind(e)))
		}
		all = append(all, s)
	}
	return all
}

// flag reads true or false, which must be there: what is not known must not
// pass for false.
func (w *row) flag(key string) bool {
	switch v := w.get(key).(type) {
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

// number reads a whole number, which must be there.
func (w *row) number(key string) int {
	s, _ := scalar(w.get(key))
	n, err := strconv.Atoi(s)
	if err != nil {
		w.wrong(key, "a whole number")
	}
	return n
}

// count reads a number of things, at least 1; nothing is 1.
func (w *row) count(key string) int {
	if w.get(key) == nil {
		return 1
	}
	n := w.number(key)
	if n < 1 {
		w.fail(key, errors.New("want at least 1"))
	}
	return n
}

// when reads a date; nothing and null are the zero time.
func (w *row) when(key string) time.Time {
	t, err := readTime(w.get(key))
	if err != nil {
		w.fail(key, err)
	}
	return t
}

// needTime reads a date that must be there.
func (w *row) needTime(key string) time.Time {
	t := w.when(key)
	if t.IsZero() {
		w.fail(key, errors.New("missing"))
	}
	return t
}

// size reads a size as Exchange writes it.
func (w *row) size(key string) Size {
	s, err := readSize(w.text(key))
	if err != nil {
		w.fail(key, err)
	}
	return s
}

// der reads base64 texts of DER, a list that must be there; white space within
// is allowed.
func (w *row) der(key string) [][]byte {
	var all [][]byte
	v := w.get(key)
	if v == nil {
		w.fail(key, errors.New("missing"))
	}
	for _, e := range list(v) {
		s, _ := unwrap(e).(string)
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
		if err != nil || len(der) == 0 {
			w.fail(key, errors.New("want certificates in base64"))
			return nil
		}
		all = append(all, der)
	}
	return all
}
