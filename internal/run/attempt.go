package run

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hmad/hmad/internal/check"
)

// examine makes the first attempt and, where a finding needs confirming, the
// second; then the check's Doubt judges what still stands. A panic in any of
// them becomes an error of class panic.
func (r *Runner) examine(ctx context.Context, c *check.Check, at time.Time) (last answer) {
	defer func() {
		if p := recover(); p != nil {
			last = answer{err: r.panicked(c, p)}
		}
	}()
	verdict := attempt(ctx, c)
	first := answerOf(verdict)
	if !unconfirmed(c, first.report, at) {
		return first
	}
	if !pause(ctx, r.ConfirmAfter) {
		return answer{
			report: check.Report{Notes: first.account(c, 1)},
			err:    check.Errorf(check.Timeout, "there was no time to confirm what the first attempt found"),
		}
	}
	verdict = attempt(ctx, c)
	second := answerOf(verdict)
	last = second
	if c.Doubt != nil && unconfirmed(c, second.report, at) {
		c.Doubt(ctx, verdict)
		last = answerOf(verdict)
	}
	last.report.Notes = slices.Concat(first.account(c, 1), second.account(c, 2), last.report.Notes)
	return last
}

// attempt runs the check once. If a second attempt may follow, this one gets
// half of the time that is left.
func attempt(ctx context.Context, c *check.Check) *check.Verdict {
	if deadline, ok := ctx.Deadline(); ok && slices.ContainsFunc(c.Reasons, func(r *check.Reason) bool { return r.Confirm }) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	v := c.Judge()
	c.Run(ctx, v)
	return v
}

func answerOf(v *check.Verdict) answer {
	report, err := v.Report()
	return answer{report, err}
}

// unconfirmed reports whether a finding needs confirming. One that a waiver
// accepts does not: it alerts nobody.
func unconfirmed(c *check.Check, report check.Report, at time.Time) bool {
	return slices.ContainsFunc(report.Findings, func(f check.Finding) bool {
		_, waived := waiver(c, f.Reason, at)
		return f.Reason.Confirm && !waived
	})
}

// pause waits for d, or for half of the time that is left if that is shorter,
// so that the second attempt has the other half. It returns false when ctx has
// ended.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(deadline)/2)
	}
	return check.Pause(ctx, d)
}

// account returns notes on what the n-th attempt of two found.
func (a answer) account(c *check.Check, n int) []check.Note {
	var notes []check.Note
	add := func(format string, args ...any) {
		notes = append(notes, check.Note{Kind: check.Attempt, Text: fmt.Sprintf("attempt %d of 2: ", n) + fmt.Sprintf(format, args...)})
	}
	for _, f := range a.report.Findings {
		add("%s.%s: %s", c.Name, f.Reason.Name, f.Detail)
	}
	switch {
	case a.err != nil:
		add("could not tell: %s", a.err)
	case len(notes) == 0:
		add("nothing found")
	}
	return notes
}

// panicked logs a recovered panic with its stack and returns an error of one
// line for it.
func (r *Runner) panicked(c *check.Check, p any) error {
	text, _, _ := strings.Cut(fmt.Sprint(p), "\n")
	r.log().Error("panic in a check", zap.String("check", c.Name), zap.String("target", c.Target),
		zap.String("panic", text), zap.ByteString("stack", debug.Stack()))
	return check.Errorf(check.Panic, "panic: %.200s", text)
}
