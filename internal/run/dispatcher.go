package run

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/schedule"
)

// Dispatcher starts the runs of checks when they are due.
//
// No check overlaps itself, at most maxRuns runs are in flight, and at most sixty
// start in any second; other runs that are due wait in a queue. All decisions are
// made under one mutex, nearly all of them by the goroutine in Serve. Each run
// has a goroutine of its own.
type Dispatcher struct {
	onTick   func()
	maxSleep time.Duration        // between two looks around
	uptime   func() time.Duration // the monotonic clock
	wake     chan struct{}        // makes Serve look again

	mu       sync.Mutex
	runner   *Runner
	maxRuns  int
	ctx      context.Context // Serve's; nil before it
	stopped  bool            // Serve has ended
	jobs     map[check.ID]*job
	plan     jobs   // a heap of all that are not removed
	ready    []*job // due, in order; those that are no longer queued are skipped
	inFlight int    // runs, at most maxRuns
	pacer    pacer
	wall     time.Time      // the wall clock when last looked at
	up       time.Duration  // the monotonic clock then
	working  sync.WaitGroup // runs and backgrounds
}

// errStopping is the answer to RunNow when hmad shuts down before the run has
// ended.
var errStopping = errors.New("hmad is shutting down")

// NewDispatcher returns a dispatcher without checks. maxRuns limits the runs in
// flight; less than 1 counts as 1.
func NewDispatcher(r *Runner, maxRuns int) *Dispatcher {
	start := time.Now()
	return &Dispatcher{
		runner: r, maxRuns: max(maxRuns, 1),
		onTick: func() {}, maxSleep: maxSleep, uptime: func() time.Duration { return time.Since(start) },
		wake: make(chan struct{}, 1),
		jobs: map[check.ID]*job{},
	}
}

// OnTick sets a function that Serve calls after each step, at least every 30
// seconds, as a sign of life for a watchdog. Call it before Serve.
func (d *Dispatcher) OnTick(f func()) { d.onTick = f }

// TickWithin makes ticks come at least once in most, if that is less than 30
// seconds. Call it before Serve.
func (d *Dispatcher) TickWithin(most time.Duration) { d.maxSleep = min(maxSleep, most) }

// Tune changes, for runs that start from now on, the limit of runs in flight
// and the pause before confirming attempts.
func (d *Dispatcher) Tune(maxRuns int, confirmAfter time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	tuned := *d.runner // runs in flight use the old one
	tuned.ConfirmAfter = confirmAfter
	d.runner, d.maxRuns = &tuned, max(maxRuns, 1)
	d.poke()
}

// Set replaces the dispatcher's checks, at the start and at each reload.
//
// Checks whose ID, Schedule and Hash are the same keep their phase, their next
// run, their run in flight and their Background. New and changed checks run once
// soon, spread over time, but not later than their first planned run. The run in
// flight of a removed or changed check is cancelled and not recorded.
//
// Before Serve is called, Set calls Begin of each check itself. Later, Begin is
// called as soon as nothing of the check before the change is still working.
// After an error (a schedule that schedule.Parse refuses, an ID twice) nothing has
// changed.
func (d *Dispatcher) Set(checks []*check.Check) error {
	timings, err := timingsOf(checks)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	listed := make(map[check.ID]bool, len(checks))
	var fresh []*job
	d.plan = make(jobs, 0, len(checks))
	for i, c := range checks {
		listed[c.ID()] = true
		j := d.jobs[c.ID()]
		if j == nil || !j.same(c) {
			j = d.adopt(j, c, timings[i])
			fresh = append(fresh, j)
		}
		j.order = i
		d.plan = append(d.plan, j)
	}
	for id, j := range d.jobs {
		if !listed[id] {
			d.remove(j)
		}
	}
	d.planFirst(fresh)
	heap.Init(d.plan)
	for _, j := range d.plan {
		d.report(j)
	}
	d.poke()
	return nil
}

// adopt binds the check to a job, which it returns: j, or a new one if j is nil.
func (d *Dispatcher) adopt(j *job, c *check.Check, t timing) *job {
	if j == nil {
		j = &job{}
		d.jobs[c.ID()] = j
	} else {
		j.cancel()
	}
	j.check, j.timing, j.schedule = c, t, t.phased(c)
	j.removed, j.again, j.queued = false, false, false // its first run follows, and answers those who wait
	j.fresh, j.begun = true, false
	j.cancel = func() {}
	if d.ctx != nil {
		d.launch(j)
	} else {
		d.runner.begin(c)
		j.begun = true
	}
	return j
}

// launch runs the job under a context of its own, below Serve's.
func (d *Dispatcher) launch(j *job) {
	j.ctx, j.cancel = context.WithCancel(d.ctx)
	d.settle(j)
}

// remove ends the job and answers those who wait for a run of it.
func (d *Dispatcher) remove(j *job) {
	j.cancel()
	j.removed, j.queued, j.again = true, false, false
	j.answer(reply{err: check.ErrUnknown})
	d.settle(j)
}

// planFirst plans the first runs of new and changed jobs, thirty a second.
func (d *Dispatcher) planFirst(fresh []*job) {
	now := d.now()
	window := time.Duration(len(fresh)) * time.Second / 30
	for _, j := range fresh {
		j.plan(now, schedule.Spread(j.check.Name+" "+j.check.Target, min(window, j.timing.least)))
	}
}

// RunNow runs the check as soon as possible and returns the result. If a run is
// in flight, a new one starts after it. The end of ctx ends the waiting, not the
// run. Errors: check.ErrUnknown; check.ErrBusy if somebody already waits for a
// run of this check; the error of ctx; an error that says that hmad is shutting
// down.
func (d *Dispatcher) RunNow(ctx context.Context, id check.ID) (check.Result, error) {
	answer, err := d.ask(id)
	if err != nil {
		return check.Result{}, err
	}
	select {
	case r := <-answer:
		return r.result, r.err
	case <-ctx.Done():
		return check.Result{}, ctx.Err()
	}
}

func (d *Dispatcher) ask(id check.ID) (<-chan reply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	j := d.jobs[id]
	switch {
	case d.stopped:
		return nil, errStopping
	case j == nil || j.removed:
		return nil, check.ErrUnknown
	case len(j.waiting) > 0:
		return nil, check.ErrBusy
	}
	answer := make(chan reply, 1)
	j.waiting = append(j.waiting, answer)
	if !j.busy() {
		d.first(j)
		d.startReady()
		d.poke()
	}
	return answer, nil
}

// now returns the wall clock's time, without a monotonic reading.
func (d *Dispatcher) now() time.Time { return d.runner.Now().UTC() }

// poke makes Serve look again.
func (d *Dispatcher) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *Dispatcher) report(j *job) {
	if d.runner.Book != nil {
		d.runner.Book.Planned(j.check.ID(), j.at, j.timing.most)
	}
}
