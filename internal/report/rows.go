package report

import (
	"errors"
	"slices"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/powershell"
)

// rowsOf reads a section whose data is a list of objects, in the report's order.
// An empty list means that there is none; null means nothing, and is an error.
func rowsOf[T any](r Report, section string, read func(*powershell.Fields) T) ([]T, error) {
	if known, ok := r.facts[section]; ok {
		all, _ := known.rows.([]T)
		return slices.Clone(all), known.err
	}
	all, unread, err := decodeRows(r, section, read)
	if r.keep != nil {
		r.keep[section] = facts{all, unread, err}
	}
	return all, err
}

// ErrValue: a value of a section cannot be read, and the rest of the section can.
var ErrValue = errors.New("a value cannot be read")

// valueError is an ErrValue with what is wrong.
type valueError struct{ error }

func (v valueError) Unwrap() error { return v.error }

func (valueError) Is(target error) bool { return target == ErrValue }

// facts are what a section was decoded to, or why it could not be.
type facts struct {
	rows   any     // a slice
	unread []error // ErrValue each
	err    error
}

// UnreadValues returns why values in sections that can otherwise be read cannot be
// read, of a report that a Reader has read. Each is an ErrValue of class report.
func (r Report) UnreadValues() []error {
	var all []error
	for _, p := range parts() {
		all = append(all, r.facts[p.name].unread...)
	}
	return all
}

// Needing returns a reading for which the named properties must be readable. What
// is read embeds powershell.Unread.
func Needing[T interface{ Lacks(names ...string) error }](read func(Report) (T, error), names ...string) func(Report) (T, error) {
	return func(r Report) (T, error) {
		value, err := read(r)
		if err == nil {
			err = value.Lacks(names...)
		}
		return value, err
	}
}

// kept returns the report with its facts decoded and without the bytes that they
// came in.
func (r Report) kept() Report {
	r.keep = map[string]facts{}
	for _, p := range parts() {
		_, _ = p.read(r)
	}
	r.facts, r.keep = r.keep, nil
	for name, s := range r.Sections {
		s.Data = nil
		r.Sections[name] = s
	}
	return r
}

// decodeRows returns a section's rows, and why values of them cannot be read.
func decodeRows[T any](r Report, section string, read func(*powershell.Fields) T) ([]T, []error, error) {
	data, err := r.section(section)
	if err != nil {
		return nil, nil, err
	}
	rows, err := powershell.Rows(data)
	if err != nil {
		return nil, nil, check.Errorf(check.ReportInput, "%s: section %s: %w", r.Host, section, jsonError(err))
	}
	if rows == nil {
		return nil, nil, check.Errorf(check.ReportInput, "%s: section %s: ok, but its data is null", r.Host, section)
	}
	all, unread := []T{}, []error{}
	for i, row := range rows {
		f := powershell.Fields{Row: row}
		all = append(all, read(&f))
		if f.Err != nil {
			return nil, nil, check.Errorf(check.ReportInput, "%s: section %s: row %d: %w", r.Host, section, i, f.Err)
		}
		for j, p := range f.Unread() {
			if len(unread) < maxUnread {
				unread = append(unread, valueError{check.Errorf(check.ReportInput, "%s: section %s: row %d: %s: %w", r.Host, section, i, p.Name, p.Err)})
			}
			f.Unread()[j].Err = unread[len(unread)-1]
		}
	}
	return all, unread, nil
}

// maxUnread bounds the values of one section that are told as unreadable; the
// others have the error of the last one.
const maxUnread = 3

// rowOf reads a section whose data is one object.
func rowOf[T any](r Report, section string, read func(*powershell.Fields) T) (T, error) {
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
