// Package run carries checks out, by schedule and once, in the same way.
//
// A Runner makes one run of one check: it holds the deadline, makes the
// confirming attempt, catches panics, applies the waivers and hands the
// stamped Result to the Book (the Store). The Dispatcher decides when: it
// keeps every check's next run in one heap, starts what is due from one
// goroutine, and holds single flight, the pace of starts and the limit of
// runs in flight. A Schedule is a cron expression in UTC.
//
// The wall clock (Runner.Now) says when a run is due; the monotonic clock
// measures how long things take, and the difference between the two is how a
// clock that jumped is told from a process that was held up.
package run

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/hmad/hmad/internal/check"
)

// Book keeps what runs give; the Store is one.
type Book interface {
	// Record keeps a result and gives the outcome of the one before, "" when
	// there was none.
	Record(check.Result) check.Outcome
	// Planned says when a check is next due and the largest gap of its schedule.
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

// grace is what a check gets beyond its deadline to notice that it has passed.
const grace = time.Second

// Run begins c, makes one run of it and gives the result: for who runs a check
// once, without a Dispatcher. It gives false, and records nothing, when ctx
// itself ended before the run did: a run that shutdown cut off says nothing
// about the target. It never returns later than a second after the check's
// deadline, even if the check ignores its context.
func (r *Runner) Run(ctx context.Context, c *check.Check) (check.Result, bool) {
	r.begin(c)
	result, ok, _ := r.run(ctx, c)
	return result, ok
}

// answer is what the goroutine of a check gives back.
type answer struct {
	report check.Report
	err    error
}

// run is Run; the channel that it also gives closes when the check's own
// goroutine has really ended, which a stuck check's may do much later.
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

// await waits for the answer, and for the grace beyond the end of ctx: a
// goroutine cannot be killed, only left behind.
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

// given is the answer, or what stands for it where the check's goroutine ended
// without one (runtime.Goexit).
func given(a answer, ok bool) answer {
	if !ok {
		a.err = check.Errorf(check.Panic, "the check ended its goroutine without an answer")
	}
	return a
}

// record hands a result to the meter, the book and, when the outcome changed,
// the log.
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

// logChange writes the one line of a change of outcome. It carries names only:
// details and error texts may hold what does not belong into a log.
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
