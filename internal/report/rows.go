package report

import (
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/powershell"
)

// rowsOf reads a section whose data is a list of objects, in the report's order.
// An empty list means that there is none; null means nothing, and is an error.
func rowsOf[T any](r Report, section string, read func(*powershell.Fields) T) ([]T, error) {
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
