package run

import (
	"container/heap"
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/hmad/hmad/internal/check"
)

const (
	// maxSleep limits the time until the wall clock is read again: a timer uses
	// the monotonic clock, and so does not notice when the wall clock jumps.
	maxSleep = 30 * time.Second
	// clockStep: if the wall clock and the monotonic clock differ by more since
	// the last look, the wall clock was set or the host slept.
	clockStep = 10 * time.Second
	// drainTime limits the wait for runs in flight at the end.
	drainTime = 4 * time.Second
)

// Serve starts runs and Backgrounds until ctx ends, which also cancels those in
// flight. It returns when they have returned, at most four seconds later. Call it
// once. The error is always nil.
func (d *Dispatcher) Serve(ctx context.Context) error {
	d.begin(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			d.drain()
			return nil
		case <-d.wake:
		case <-timer.C:
		}
		timer.Reset(d.step())
		d.onTick()
	}
}

func (d *Dispatcher) begin(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ctx = ctx
	d.wall, d.up = d.now(), d.uptime()
	for _, j := range d.plan {
		d.launch(j)
	}
}

// drain refuses calls of RunNow that wait, and waits until runs and Backgrounds
// have ended.
func (d *Dispatcher) drain() {
	d.mu.Lock()
	d.stopped = true
	log := d.runner.log()
	for _, j := range d.jobs {
		j.answer(reply{err: errStopping})
	}
	d.mu.Unlock()

	returned := make(chan struct{})
	go func() {
		d.working.Wait()
		close(returned)
	}()
	timer := time.NewTimer(drainTime)
	defer timer.Stop()
	select {
	case <-returned:
	case <-timer.C:
		log.Warn("gave up waiting for runs that ignore the shutdown")
	}
}

// step handles everything that is due and returns the time until the next step.
func (d *Dispatcher) step() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, cause := d.look()
	for len(d.plan) > 0 && !d.plan[0].at.After(now) {
		d.due(d.plan[0], now, cause)
		heap.Fix(d.plan, 0)
	}
	sleep := min(d.maxSleep, d.startReady())
	if len(d.plan) > 0 {
		sleep = min(sleep, d.plan[0].at.Sub(d.now()))
	}
	return sleep
}

// look reads the clocks. It returns the wall clock's time and the cause of runs
// that prove to be missed: check.Clock if the wall clock jumped (it was set, or
// the host slept), else check.Late (the process was held up). After a jump back
// it moves all jobs back, because otherwise nothing would run until the old time
// is reached again.
func (d *Dispatcher) look() (now time.Time, cause string) {
	now, up := d.now(), d.uptime()
	step := now.Sub(d.wall) - (up - d.up)
	d.wall, d.up = now, up
	if step.Abs() < clockStep {
		return now, check.Late
	}
	d.runner.log().Warn("the clock jumped", zap.Duration("by", step))
	if step < 0 {
		for _, j := range d.plan {
			j.replan(now, step)
			d.report(j)
		}
		heap.Init(d.plan)
	}
	return now, check.Clock
}

// due queues a job that is due. It queues it once, even if several planned runs
// have passed since; the others count as missed.
func (d *Dispatcher) due(j *job, now time.Time, cause string) {
	planned := j.pass(now)
	d.report(j)
	switch {
	case !j.busy() && !j.queued:
		j.queued = true
		d.ready = append(d.ready, j)
	case planned == 0: // a first run; one from before a change may still be in flight
		j.again = j.busy()
	default:
		d.missed(j, check.Overlap, 1)
	}
	d.missed(j, cause, planned-1)
}

// first puts a job at the head of the queue, because a person waits for it.
func (d *Dispatcher) first(j *job) {
	j.queued = true
	d.ready = append([]*job{j}, d.ready...)
}

// startReady starts jobs of the queue as far as the limits allow, and returns
// the time until it should be called again.
func (d *Dispatcher) startReady() time.Duration {
	for d.ctx != nil && d.ctx.Err() == nil && len(d.ready) > 0 && d.inFlight < d.maxRuns {
		if j := d.ready[0]; j.queued {
			up := d.uptime()
			if wait := d.pacer.wait(up); wait > 0 {
				return wait
			}
			d.pacer.start(up)
			d.start(j)
		}
		d.ready = d.ready[1:]
	}
	return maxSleep
}

func (d *Dispatcher) start(j *job) {
	runner, ctx, c, served := d.runner, j.ctx, j.check, j.waiting
	j.queued, j.flying, j.waiting = false, true, nil
	d.inFlight++
	d.working.Go(func() {
		result, ok, answers := runner.run(ctx, c)
		d.ended(j, result, ok, served)
		for range answers { // until the check's goroutine has ended, however late
		}
		d.update(j, func() { j.flying = false }) // the next run may start
	})
}

// ended notes that a run is no longer in flight and answers the calls that wait
// for it. If a reload cancelled the run, they wait for the next one.
func (d *Dispatcher) ended(j *job, result check.Result, ok bool, served []chan<- reply) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inFlight--
	d.poke()
	r := reply{result: result}
	switch {
	case ok:
	case d.ctx.Err() != nil:
		r = reply{err: errStopping}
	case j.removed:
		r = reply{err: check.ErrUnknown}
	default:
		j.waiting = append(served, j.waiting...)
		return
	}
	for _, w := range served {
		w <- r
	}
}

// settle does what is next for a job that is new, or of which a run or a
// Background has ended: forget it, tend it, or queue it.
func (d *Dispatcher) settle(j *job) {
	alone := !j.flying && !j.tending
	switch {
	case j.removed && alone:
		delete(d.jobs, j.check.ID())
	case j.removed:
	case j.fresh && alone && d.ctx.Err() == nil:
		d.tend(j)
	case !j.busy() && !j.queued && (j.again || len(j.waiting) > 0):
		j.again = false
		d.first(j)
		d.poke()
	}
}

func (d *Dispatcher) missed(j *job, cause string, n int) {
	if d.runner.MeterFor != nil && n > 0 {
		d.runner.MeterFor(j.check.ID()).Add(check.Missed, float64(n), cause)
	}
}
