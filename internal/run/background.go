package run

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/hmad/hmad/internal/check"
)

// A Background that failed is started again after a pause, which grows from
// backOffMin to backOffMax. It starts again at backOffMin after a Background that
// ran for longer than backOffMax.
const (
	backOffMin = time.Second
	backOffMax = 5 * time.Minute
)

// tend calls Begin of the job's check, unless that is done, and then runs its
// Background. Nothing of the check before a change may still be working.
func (d *Dispatcher) tend(j *job) {
	runner, ctx, c, begun := d.runner, j.ctx, j.check, j.begun
	j.fresh, j.tending = false, true
	d.working.Go(func() {
		if !begun {
			runner.begin(c)
			d.update(j, func() { j.begun = !j.fresh })
		}
		if c.Background != nil {
			runner.keepUp(ctx, c)
		}
		d.update(j, func() { j.tending = false })
	})
}

// update changes a job by note, under the mutex, and settles it.
func (d *Dispatcher) update(j *job, note func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	note()
	d.settle(j)
}

// begin calls the check's Begin, which reads what the Store keeps. After a panic
// the check runs with what it has read.
func (r *Runner) begin(c *check.Check) {
	if c.Begin == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			_ = r.panicked(c, p) // logged
		}
	}()
	c.Begin()
}

// keepUp runs the Background until ctx ends or it returns without an error.
func (r *Runner) keepUp(ctx context.Context, c *check.Check) {
	for wait := backOffMin; ctx.Err() == nil; wait = min(2*wait, backOffMax) {
		begun := time.Now()
		err := r.background(ctx, c)
		if err == nil || ctx.Err() != nil {
			return
		}
		if time.Since(begun) > backOffMax {
			wait = backOffMin
		}
		r.log().Warn("background failed", zap.String("check", c.Name), zap.String("target", c.Target),
			zap.String("class", check.ClassOf(err).Name), zap.Duration("again_in", wait))
		check.Pause(ctx, wait)
	}
}

func (r *Runner) background(ctx context.Context, c *check.Check) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.panicked(c, p)
		}
	}()
	return c.Background(ctx)
}
