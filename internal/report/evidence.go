package report

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// What is evidence of the present, everywhere in hmad.
const (
	// maxIntervals is how many of its intervals old a report may be.
	maxIntervals = 3
	// maxAge is how old a report may be however rarely its collector runs.
	maxAge = 2 * time.Hour
	// MaxAhead is how far in the future a report may be dated: one dated next
	// year would be evidence for a year.
	MaxAhead = 10 * time.Minute
	// MaxInterval is the longest interval at which evidence outlasts the loss of
	// one report.
	MaxInterval = maxAge / maxIntervals

	maxWhy = 1000 // runes of an error that names several reports
)

// EvidenceFor returns how long after its making the report is evidence: three of
// its intervals, and at most two hours.
func (r Report) EvidenceFor() time.Duration { return min(maxIntervals*r.Interval, maxAge) }

// Late reports whether the report is too old to be evidence.
func (r Report) Late(now time.Time) bool { return now.Sub(r.GeneratedAt) > r.EvidenceFor() }

// Fresh reports whether the report is evidence of the present.
func (r Report) Fresh(now time.Time) bool {
	return !r.Late(now) && r.GeneratedAt.Sub(now) <= MaxAhead
}

// IntervalAdvice returns what to change where the report comes so rarely that the
// loss of one ends the evidence; empty where it comes often enough.
func (r Report) IntervalAdvice() string {
	if r.Interval <= MaxInterval {
		return ""
	}
	return fmt.Sprintf("%s reports every %s, and hmad judges by a report for two hours at most: "+
		"set the scheduled task and -IntervalMinutes to %s or less, so that one lost report does not stop it",
		r.Host, check.Span(r.Interval), check.Span(MaxInterval))
}

// Evidence is what the reports of a folder say of the present.
type Evidence struct {
	Reports []Report // those that are evidence, newest first
	Lacking []error  // why each other file or expected host has none; class report
	Ignored []error  // the same of hosts that are not expected
	Failed  error    // why the folder could not be read; nil: it was
}

// EvidenceOf sorts the reports of a folder. An expected host without any report
// is among Lacking.
func EvidenceOf(arrived []Arrived, now time.Time, expected ...string) Evidence {
	var e Evidence
	for _, a := range arrived {
		if err := a.notEvidence(now); a.Stranger != "" {
			e.Ignored = append(e.Ignored, err)
		} else if err != nil {
			e.Lacking = append(e.Lacking, err)
		} else {
			e.Reports = append(e.Reports, a.Report)
		}
	}
	for _, host := range expected {
		if !slices.ContainsFunc(arrived, func(a Arrived) bool { return SameHost(a.Host, host) }) {
			e.Lacking = append(e.Lacking, check.Errorf(check.ReportInput, "%s: no report", host))
		}
	}
	slices.SortStableFunc(e.Reports, func(a, b Report) int { return b.GeneratedAt.Compare(a.GeneratedAt) })
	return e
}

// notEvidence returns why the file's report is no evidence, nil where it is.
func (a Arrived) notEvidence(now time.Time) error {
	switch {
	case a.Stranger != "":
		return check.Errorf(check.ReportInput, "%s: its report, %s, is not used: it is not among `hosts` of the config", a.Stranger, a.File)
	case a.Host == "" && a.Err != nil:
		return a.Err
	case a.Host == "":
		return check.Errorf(check.ReportInput, "%s: no report", a.File)
	case a.Late(now):
		return check.Errorf(check.ReportInput, "%s: its report of %s is over %s old", a.Host, check.Moment(a.GeneratedAt), check.Span(a.EvidenceFor()))
	case !a.Fresh(now):
		return check.Errorf(check.ReportInput, "%s: its report is dated in the future, %s", a.Host, check.Moment(a.GeneratedAt))
	default:
		return nil
	}
}

// Err returns why there is no report that is evidence, an error of class report;
// nil where there is one.
func (e Evidence) Err() error {
	switch {
	case e.Failed != nil:
		return e.Failed
	case len(e.Reports) > 0:
		return nil
	case len(e.Lacking)+len(e.Ignored) == 0:
		return check.Errorf(check.ReportInput, "no on-premises report has arrived yet: docs/onprem-report.md says how Exchange servers send theirs")
	}
	var why []string
	for _, err := range slices.Concat(e.Lacking, e.Ignored) {
		why = append(why, err.Error())
	}
	return check.Errorf(check.ReportInput, "no on-premises report is recent enough to judge by: %s", check.Line(strings.Join(why, "; "), maxWhy))
}

// Newest reads a fact of the whole organisation from the newest report that has
// it. If none has, the error is the newest report's; an error other than
// ErrUnread, which the check onprem_report does not show by itself, goes first.
func Newest[T any](e Evidence, read func(Report) (T, error)) (T, error) {
	err := e.Err()
	for _, r := range e.Reports {
		value, why := read(r)
		if why == nil {
			return value, nil
		}
		if err == nil || errors.Is(err, ErrUnread) && !errors.Is(why, ErrUnread) {
			err = why
		}
	}
	var none T
	return none, err
}

// SameHost reports whether two names are of one server: whatever their case, and
// whether or not they are qualified. An organisation of Exchange has every
// computer name once.
func SameHost(a, b string) bool { return ShortHost(a) == ShortHost(b) }

// ShortHost returns a server's name without its domain, in lower case.
func ShortHost(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), ".")
	return strings.ToLower(s)
}
