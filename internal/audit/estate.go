package audit

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// estate is all that a run knows, for the requirements to judge.
type estate struct {
	now         time.Time
	tenant      string    // the Entra tenant's id
	activesync  string    // the configured ActiveSync URL; may be empty
	tableDate   time.Time // up to which the table of builds is complete
	updatesDate time.Time // and that of security updates

	report.Evidence // of the on-premises reports

	cloud    cloud
	cloudErr error // why the cloud is not known
}

// toldError is why something is not known, where onprem_report has a finding of
// just that: a section that the collector says it could not read, a value that
// hmad could not, or a server that sends no report in order.
type toldError struct{ error }

func (t toldError) Unwrap() error { return t.error }

// told reports whether onprem_report reports an error.
func told(err error) bool {
	var t toldError
	return errors.As(err, &t) || errors.Is(err, report.ErrUnread) || errors.Is(err, report.ErrValue)
}

// note records on what reports the run is built.
func (e estate) note(v *check.Verdict) {
	for _, r := range e.Reports {
		v.Note("%s: report of %s", r.Host, check.Moment(r.GeneratedAt))
	}
	for _, why := range e.Lacking {
		v.Note("no evidence: %s", check.Clean(why.Error(), maxSeen))
	}
}

// onHost is what one server's section says.
type onHost[T any] struct {
	host  string
	value T
}

// each reads a section about the reporting server alone, on every server
// that reports, or should by the config. The error says of which it could not be
// read.
func each[T any](e estate, read func(report.Report) (T, error)) ([]onHost[T], error) {
	if err := e.Err(); err != nil {
		return nil, err
	}
	var all []onHost[T]
	var unread []string
	for _, why := range e.Lacking {
		unread = append(unread, why.Error())
	}
	allTold := true
	for _, r := range e.Reports {
		value, err := read(r)
		if err != nil {
			unread, allTold = append(unread, err.Error()), allTold && told(err)
			continue
		}
		all = append(all, onHost[T]{r.Host, value})
	}
	slices.SortFunc(all, func(a, b onHost[T]) int { return strings.Compare(a.host, b.host) })
	if len(unread) == 0 {
		return all, nil
	}
	err := check.Errorf(check.ReportInput, "%s", check.List(unread))
	if allTold {
		err = toldError{err}
	}
	return all, err
}

// onEveryHost judges a section of every server: one that does not fit is
// enough to find, and all must be known to pass.
func onEveryHost[T any](e estate, read func(report.Report) (T, error), look func(T) (seen string, ok bool)) answer {
	hosts, err := each(e, read)
	var good, bad, about []string
	for _, h := range hosts {
		seen, ok := look(h.value)
		if ok {
			good = append(good, h.host+" "+seen)
		} else {
			bad, about = append(bad, h.host+" "+seen), append(about, h.host)
		}
	}
	switch {
	case len(bad) > 0:
		return unmet(about, "%s", check.List(bad))
	case err != nil:
		return open(err)
	case len(good) > 0:
		return met("%s", check.List(good))
	default:
		return answer{}
	}
}
