package report

import (
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
	all, err := decodeRows(r, section, read)
	if r.keep != nil {
		r.keep[section] = facts{all, err}
	}
	return all, err
}

// facts are what a section was decoded to, or why it could not be.
type facts struct {
	rows any // a slice
	err  error
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

func decodeRows[T any](r Report, section string, read func(*powershell.Fields) T) ([]T, error) {
	data, err := r.section(section)
	if err != nil {
		return nil, err
	}
	rows, err := powershell.Rows(data)
	if err != nil {
		return nil, check.Errorf(check.ReportInput, "%s: section %s: %w", r.Host, section, jsonError(err))
	}
	if rows == nil {
		return nil, check.Errorf(check.ReportInput, "%s: section %s: ok, but its data is null", r.Host, section)
	}
	all := []T{}
	for i, row := range rows {
		f := powershell.Fields{Row: row}
		all = append(all, read(&f))
		if f.Err != nil {
			return nil, check.Errorf(check.ReportInput, "%s: section %s: row %d: %w", r.Host, section, i, f.Err)
		}
	}
	return all, nil
}

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
