package audit

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

const (
	// lateAfter is how many of its intervals may pass until a report is no
	// evidence any more.
	lateAfter = 3
	// maxAhead is how far in the future a report may be dated: one dated next
	// year would be evidence for a year.
	maxAhead = 10 * time.Minute
)

// estate is all that a run knows, for the requirements to judge.
type estate struct {
	now        time.Time
	tenant     string // the Entra tenant's id
	activesync string // the configured ActiveSync URL; may be empty

	reports []report.Report // those that are evidence, newest first
	lacking []string        // hosts or files without one, each with the reason
	err     error           // why there is no report at all

	cloud    cloud
	cloudErr error // why the cloud is not known
}

// sort puts what arrived into the estate: reports that are evidence, and what
// is lacking. Of expected hosts (the config's) each must be among the reports.
func (e *estate) sort(arrived []report.Arrived, expected []string) {
	for _, a := range arrived {
		age := e.now.Sub(a.GeneratedAt)
		switch {
		case a.Host == "":
			e.lacking = append(e.lacking, a.Err.Error())
		case age > lateAfter*a.Interval:
			e.lacking = append(e.lacking, fmt.Sprintf("%s: its report of %s is over %d intervals of %s old", a.Host, moment(a.GeneratedAt), lateAfter, span(a.Interval)))
		case age < -maxAhead:
			e.lacking = append(e.lacking, fmt.Sprintf("%s: its report is dated in the future, %s", a.Host, moment(a.GeneratedAt)))
		default:
			e.reports = append(e.reports, withoutNulls(a.Report))
		}
	}
	for _, host := range expected {
		if !slices.ContainsFunc(arrived, func(a report.Arrived) bool { return sameHost(a.Host, host) }) {
			e.lacking = append(e.lacking, host+": no report")
		}
	}
	slices.SortStableFunc(e.reports, func(a, b report.Report) int { return b.GeneratedAt.Compare(a.GeneratedAt) })
	if len(e.reports) == 0 {
		e.err = check.Errorf(check.ReportInput, "no on-premises report is evidence for now: %s", cmp.Or(list(e.lacking), "none has arrived"))
	}
}

// withoutNulls takes data away that is null. The collector writes an empty list
// where there is nothing, so null is no evidence of it.
func withoutNulls(r report.Report) report.Report {
	r.Sections = maps.Clone(r.Sections)
	for name, s := range r.Sections {
		if string(s.Data) == "null" {
			s.Data = nil
			r.Sections[name] = s
		}
	}
	return r
}

// toldError is why something is not known, where onprem_report has a finding of
// just that: a section that the collector says it could not read, or a server
// that sends no report in order.
type toldError struct{ error }

func (t toldError) Unwrap() error { return t.error }

// told says whether onprem_report tells of an error.
func told(err error) bool {
	var t toldError
	return errors.As(err, &t) || errors.Is(err, report.ErrUnread)
}

// notes say on what the run is built.
func (e estate) notes() []string {
	var notes []string
	for _, r := range e.reports {
		notes = append(notes, fmt.Sprintf("%s: report of %s", r.Host, moment(r.GeneratedAt)))
	}
	for _, why := range e.lacking {
		notes = append(notes, "no evidence: "+check.Clean(why, maxSeen))
	}
	return notes
}

// newest reads a section that tells of the whole organisation: from the newest
// report that has it in order. Otherwise the error is that of the newest, one
// of which nobody else tells before others.
func newest[T any](e estate, read func(report.Report) (T, error)) (T, error) {
	err := e.err
	for _, r := range e.reports {
		value, why := read(r)
		if why == nil {
			return value, nil
		}
		if err == nil || told(err) && !told(why) {
			err = why
		}
	}
	var none T
	return none, err
}

// onHost is what one server's section says.
type onHost[T any] struct {
	host  string
	value T
}

// each reads a section that tells of the reporting server alone, on every server
// that reports, or should by the config. The error says of which it could not be
// read.
func each[T any](e estate, read func(report.Report) (T, error)) ([]onHost[T], error) {
	if e.err != nil {
		return nil, e.err
	}
	var all []onHost[T]
	unread, allTold := slices.Clone(e.lacking), true
	for _, r := range e.reports {
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
	err := check.Errorf(check.ReportInput, "%s", list(unread))
	if allTold {
		err = toldError{err}
	}
	return all, err
}

// onEveryHost judges a section of every server: one that does not fit is
// enough to find, and all must be known to pass.
func onEveryHost[T any](e estate, read func(report.Report) (T, error), look func(T) (seen string, ok bool)) answer {
	hosts, err := each(e, read)
	var good, bad []string
	for _, h := range hosts {
		seen, ok := look(h.value)
		if ok {
			good = append(good, h.host+" "+seen)
		} else {
			bad = append(bad, h.host+" "+seen)
		}
	}
	switch {
	case len(bad) > 0:
		return unmet("%s", list(bad))
	case err != nil:
		return open(err)
	default:
		return met("%s", list(good))
	}
}

// sameHost compares the names of servers, one of which may be qualified.
func sameHost(a, b string) bool { return strings.EqualFold(shortHost(a), shortHost(b)) }

func shortHost(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), ".")
	return s
}
