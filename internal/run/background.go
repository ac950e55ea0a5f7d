package run

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/hmad/hmad/internal/check"
)

// The pause before a Background that failed is started again grows from
// backOffMin to backOffMax, and starts over after one that lasted longer.
const (
	backOffMin = time.Second
	backOffMax = 5 * time.Minute
)

// tend begins the job's build, unless that is done, and sees to its Background.
// Nothing of the build before is at work any more.
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

// update notes what has changed of a job.
func (d *Dispatcher) update(j *job, note func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	note()
	d.settle(j)
}

// begin has the check take up what the Store keeps. One that panics works with
// what it has.
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
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
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
