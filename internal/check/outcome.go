package check

import "errors"

// Outcome sums up a Result in one word.
type Outcome string

// The outcomes. Skipped is that of a run whose input another check failed to
// give.
const (
	Passed    Outcome = "passed"
	Warned    Outcome = "warned"
	Failed    Outcome = "failed"
	Undecided Outcome = "undecided"
	Skipped   Outcome = "skipped"
)

// Outcomes lists every Outcome, best first.
var Outcomes = []Outcome{Passed, Warned, Failed, Undecided, Skipped}

// Outcome derives the outcome: a critical finding → failed, even with an
// error; else an error → undecided (or skipped); only warnings → warned; none
// → passed. Accepted findings do not count.
func (r Result) Outcome() Outcome {
	warned := false
	for _, f := range r.Report.Findings {
		switch {
		case f.Accepted:
		case f.Reason.Severity == Critical:
			return Failed
		default:
			warned = true
		}
	}
	switch {
	case errors.Is(r.Err, ErrSkipped):
		return Skipped
	case r.Err != nil:
		return Undecided
	case warned:
		return Warned
	default:
		return Passed
	}
}

// Decided reports whether the outcome is a verdict: passed, warned or failed.
func (o Outcome) Decided() bool { return o == Passed || o == Warned || o == Failed }

// Good reports whether the outcome is passed or warned.
func (o Outcome) Good() bool { return o == Passed || o == Warned }
