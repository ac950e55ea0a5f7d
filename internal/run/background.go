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

// startBackground starts the job's Background after the one before of the same
// ID has returned: it must not overlap itself either.
func (d *Dispatcher) startBackground(j *job) {
	id, runner, ctx, c := j.check.ID(), d.runner, j.ctx, j.check
	before, done := d.backgrounds[id], make(chan struct{})
	d.backgrounds[id] = done
	d.working.Go(func() {
		defer d.forget(id, done)
		if before != nil {
			<-before
		}
		runner.keepUp(ctx, c)
	})
}

// forget says that the Background has returned.
func (d *Dispatcher) forget(id check.ID, done chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(done)
	if d.backgrounds[id] == done {
		delete(d.backgrounds, id)
	}
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
			zap.String("class", string(check.ClassOf(err))), zap.Duration("again_in", wait))
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
