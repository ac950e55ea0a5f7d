package check

import (
	"context"
	"errors"
	"fmt"
)

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

// Outcome derives the outcome: a critical finding → failed, also beside an
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

// Decided says whether the outcome is a verdict: passed, warned or failed.
func (o Outcome) Decided() bool { return o == Passed || o == Warned || o == Failed }

// Good says whether the outcome is passed or warned.
func (o Outcome) Good() bool { return o == Passed || o == Warned }

// Class is the closed set of reasons for which hmad could not tell.
type Class string

// The classes, as hmad_check_errors_total has them.
const (
	VantageOffline Class = "vantage_offline"
	Resolver       Class = "resolver"
	Token          Class = "token"
	Permission     Class = "permission"
	Throttled      Class = "throttled"
	Metadata       Class = "metadata"
	LDAP           Class = "ldap"
	ReportInput    Class = "report"
	State          Class = "state"
	Timeout        Class = "timeout"
	Panic          Class = "panic"
)

// Classes lists every Class.
var Classes = []Class{VantageOffline, Resolver, Token, Permission, Throttled, Metadata, LDAP, ReportInput, State, Timeout, Panic}

// ErrSkipped is the error of a run whose input another check failed to give.
var ErrSkipped = errors.New("skipped")

// Skip gives an error that says why a run was skipped.
func Skip(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSkipped, fmt.Sprintf(format, args...))
}

// Error is an error with its class.
type Error struct {
	Class Class
	Err   error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the error below.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a class; the verbs are those of fmt.Errorf.
func Errorf(class Class, format string, args ...any) error {
	return &Error{class, fmt.Errorf(format, args...)}
}

// ClassOf gives the class of an error from a run: its own, timeout for a
// deadline that passed, else state (hmad's own house).
func ClassOf(err error) Class {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Class
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	default:
		return State
	}
}
