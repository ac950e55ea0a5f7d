package powershell

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Fields reads the properties of a Row that must fit, and keeps the error of the
// first that does not.
type Fields struct {
	Row Row
	Err error

	unread Unread
}

// Fail notes what is wrong with a property.
func (f *Fields) Fail(name string, err error) {
	if f.Err == nil {
		f.Err = fmt.Errorf("%s: %w", name, err)
	}
}

// read reads a property and notes its error.
func read[T any](f *Fields, name string, by func(string) (T, error)) T {
	value, err := by(name)
	if err != nil {
		f.Fail(name, err)
	}
	return value
}

// Text reads a text; see Row.Text.
func (f *Fields) Text(name string) string { return read(f, name, f.Row.Text) }

// Texts reads a list of texts; see Row.Texts.
func (f *Fields) Texts(name string) []string { return read(f, name, f.Row.Texts) }

// Flag reads true or false; see Row.Flag.
func (f *Fields) Flag(name string) bool { return read(f, name, f.Row.Flag) }

// Number reads a whole number; see Row.Int.
func (f *Fields) Number(name string) int { return int(read(f, name, f.Row.Int)) }

// Time reads a moment; see Row.Time.
func (f *Fields) Time(name string) time.Time { return read(f, name, f.Row.Time) }

// DER reads certificates; see Row.DER.
func (f *Fields) DER(name string) [][]byte { return read(f, name, f.Row.DER) }

// Rows reads a list of objects; see Row.Rows.
func (f *Fields) Rows(name string) []Row { return read(f, name, f.Row.Rows) }

// Need reads a text that must not be empty.
func (f *Fields) Need(name string) string {
	s := f.Text(name)
	if s == "" {
		f.Fail(name, errMissing)
	}
	return s
}

// Named fails where the object has no such property at all; null is a value.
func (f *Fields) Named(name string) {
	if f.Row.value(name) == nil {
		f.Fail(name, errMissing)
	}
}

// errNumber is why a number is no name: remoting may bring an enumeration as the
// number behind its name, which means nothing here.
var errNumber = errors.New("got a number, want a name")

// Name reads the name of an enumeration's value; nothing and null are empty.
func (f *Fields) Name(name string) string {
	s := f.Text(name)
	if isNumber(s) {
		f.Fail(name, errNumber)
	}
	return s
}

// NeedName reads the name of an enumeration's value, which must be there.
func (f *Fields) NeedName(name string) string {
	f.Need(name)
	return f.Name(name)
}

// Names reads a list of names of an enumeration's values.
func (f *Fields) Names(name string) []string {
	all := f.Texts(name)
	if slices.ContainsFunc(all, isNumber) {
		f.Fail(name, errNumber)
	}
	return all
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// NeedTime reads a moment that must be there.
func (f *Fields) NeedTime(name string) time.Time { return read(f, name, f.Row.NeedTime) }

// Count reads a number of things, at least 1; nothing is 1.
func (f *Fields) Count(name string) int { return read(f, name, f.Row.Count) }
