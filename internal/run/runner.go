// Package run runs checks, by schedule or once, in the same way.
//
// A Runner makes one run of one check: it enforces the deadline, makes the
// confirming attempt, recovers panics, applies the waivers and passes the Result
// to the Book (the Store). The Dispatcher decides when: it keeps the next run of
// every check in one heap and starts what is due from one goroutine. It never
// runs a check twice at once, and limits the starts per second and the runs in
// flight.
//
// The wall clock (Runner.Now) decides when a run is due; the monotonic clock
// measures durations. When a run is late, comparing the two tells whether the
// wall clock jumped or the process was held up.
package run

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/hmad/hmad/internal/check"
)

// Book keeps the results of runs. The Store is one.
type Book interface {
	// Record keeps a result and returns the outcome of the one before it, "" if
	// there was none.
	Record(check.Result) check.Outcome
	// Planned keeps when a check is next due and the largest gap of its schedule.
	Planned(id check.ID, next time.Time, maxGap time.Duration)
	// Standing returns what the check's latest decided run found.
	Standing(id check.ID) []check.Finding
}

// Runner makes runs. Its fields are set before the first and not changed.
type Runner struct {
	Book         Book                       // nil: results are only returned
	MeterFor     func(check.ID) check.Meter // nil: nothing is counted
	Now          func() time.Time           // the wall clock
	ConfirmAfter time.Duration              // pause before the confirming attempt
	Log          *zap.Logger                // nil: silent
}

// grace is the time after its deadline in which a check has to return.
const grace = time.Second

// Run begins c, makes one run of it and returns the result. It is for callers
// without a Dispatcher. It returns false, and records nothing, if ctx ended before
// the run did: a run that a shutdown interrupted says nothing about the target. It
// returns at most a second after the check's deadline, even if the check ignores
// its context.
func (r *Runner) Run(ctx context.Context, c *check.Check) (check.Result, bool) {
	r.begin(c)
	result, ok, _ := r.run(ctx, c)
	return result, ok
}

// answer is what the goroutine of a check returns.
type answer struct {
	report check.Report
	err    error
}

// run is Run without Begin. The channel that it also returns is closed when the
// check's goroutine has ended, which may be much later if the check is stuck.
func (r *Runner) run(parent context.Context, c *check.Check) (check.Result, bool, <-chan answer) {
	result := check.Result{Check: c.Name, Target: c.Target, Start: r.Now().UTC()}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(parent, c.Timeout)
	defer cancel()

	answers := make(chan answer, 1)
	go func() {
		defer close(answers)
		answers <- r.examine(ctx, c, result.Start)
	}()
	a := await(ctx, answers, c)

	result.Took = time.Since(begun)
	if parent.Err() != nil {
		return result, false, answers
	}
	result.Report, result.Err = accepted(c, a.report, result.Start), a.err
	if r.Book != nil && result.Outcome().Decided() {
		result.Report = accepted(c, a.report.Carry(r.Book.Standing(c.ID())), result.Start)
	}
	r.record(result)
	return result, true, answers
}

// await waits for the answer until the grace after the end of ctx has passed. A
// goroutine cannot be stopped from outside: a check that is stuck is left behind.
func await(ctx context.Context, answers <-chan answer, c *check.Check) answer {
	select {
	case a, ok := <-answers:
		return given(a, ok)
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case a, ok := <-answers:
		return given(a, ok)
	case <-timer.C:
		return answer{err: check.Errorf(check.Timeout, "the check did not return within its deadline of %s", c.Timeout)}
	}
}

// given returns the answer, or an error in its place if the check's goroutine
// ended without one (runtime.Goexit).
func given(a answer, ok bool) answer {
	if !ok {
		a.err = check.Errorf(check.Panic, "the check ended its goroutine without an answer")
	}
	return a
}

// record passes a result to the meter and the book, and to the log if the
// outcome changed.
func (r *Runner) record(result check.Result) {
	outcome := result.Outcome()
	if r.MeterFor != nil {
		m := r.MeterFor(result.ID())
		m.Add(check.Runs, 1, string(outcome))
		m.Observe(check.Duration, result.Took.Seconds())
		if result.Err != nil && !errors.Is(result.Err, check.ErrSkipped) {
			m.Add(check.Errors, 1, check.ClassOf(result.Err).Name)
		}
	}
	if r.Book == nil {
		return
	}
	if before := r.Book.Record(result); before != outcome {
		r.logChange(before, result)
	}
}

// logChange logs a change of outcome in one line. The line has names only,
// because details and error texts may hold personal data.
func (r *Runner) logChange(before check.Outcome, result check.Result) {
	outcome := result.Outcome()
	reasons := make([]string, 0, len(result.Report.Findings))
	for _, f := range result.Report.Findings {
		reasons = append(reasons, f.Reason.Name)
	}
	fields := []zap.Field{
		zap.String("check", result.Check), zap.String("target", result.Target),
		zap.String("from", string(before)), zap.String("to", string(outcome)),
		zap.Strings("reasons", reasons),
	}
	if result.Err != nil && !errors.Is(result.Err, check.ErrSkipped) {
		fields = append(fields, zap.String("class", check.ClassOf(result.Err).Name))
	}
	r.log().Log(level(outcome), "outcome changed", fields...)
}

func level(o check.Outcome) zapcore.Level {
	switch o {
	case check.Failed:
		return zapcore.ErrorLevel
	case check.Warned, check.Undecided:
		return zapcore.WarnLevel
	default:
		return zapcore.InfoLevel
	}
}

func (r *Runner) log() *zap.Logger {
	if r.Log == nil {
		return zap.NewNop()
	}
	return r.Log
}
