package run

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// Dispatcher starts the runs of checks when they are due.
//
// No check ever overlaps itself, at most maxRuns runs are in flight, and at
// most sixty start in any second; what is due beyond that waits for its turn.
// All decisions are made under one mutex, nearly all of them by the goroutine
// in Serve; each run has a goroutine of its own.
type Dispatcher struct {
	onTick   func()
	maxSleep time.Duration        // between two looks around
	uptime   func() time.Duration // the monotonic clock
	wake     chan struct{}        // has Serve look again

	mu       sync.Mutex
	runner   *Runner
	maxRuns  int
	ctx      context.Context // Serve's; nil before it
	stopped  bool            // Serve has ended
	jobs     map[check.ID]*job
	plan     jobs   // a heap of all that are not removed
	ready    []*job // due, first come first served; those no longer queued are skipped
	inFlight int    // runs that hold one of the maxRuns places
	pacer    pacer
	wall     time.Time      // the wall clock when last looked at
	up       time.Duration  // the monotonic clock then
	working  sync.WaitGroup // runs and backgrounds
}

// errStopping answers who asked for a run that shutdown cut off.
var errStopping = errors.New("hmad is shutting down")

// NewDispatcher makes a dispatcher without checks; maxRuns bounds the runs in
// flight (at least 1).
func NewDispatcher(r *Runner, maxRuns int) *Dispatcher {
	start := time.Now()
	return &Dispatcher{
		runner: r, maxRuns: max(maxRuns, 1),
		onTick: func() {}, maxSleep: maxSleep, uptime: func() time.Duration { return time.Since(start) },
		wake: make(chan struct{}, 1),
		jobs: map[check.ID]*job{},
	}
}

// OnTick sets a function that Serve calls every time it has looked around, at
// least every 30 seconds, as the sign of life for a watchdog. To be set before
// Serve.
func (d *Dispatcher) OnTick(f func()) { d.onTick = f }

// TickWithin has ticks come at least so often, where a watchdog wants to hear
// more than every 30 seconds. To be set before Serve.
func (d *Dispatcher) TickWithin(most time.Duration) { d.maxSleep = min(maxSleep, most) }

// Tune changes, for runs that start from now on, the limit of runs in flight
// and the pause before confirming attempts.
func (d *Dispatcher) Tune(maxRuns int, confirmAfter time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	tuned := *d.runner // runs in flight read the old one
	tuned.ConfirmAfter = confirmAfter
	d.runner, d.maxRuns = &tuned, max(maxRuns, 1)
	d.poke()
}

// Set gives the dispatcher its checks, at first and at a reload. Checks of the
// same ID, Schedule and Hash keep their phase, their next run, their run in
// flight and their Background. The others that are new or changed run once
// soon, spread, but not later than their first planned run. The run in flight
// of a removed or changed check is cut off and not recorded. Checks begin
// before Set returns where Serve has not been called yet; later, as soon as
// nothing of the build before is at work. After an error (a schedule that
// ParseSchedule refuses, an ID twice) nothing has changed.
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

// adopt gives the check its job: a new one, or the one of the ID.
func (d *Dispatcher) adopt(j *job, c *check.Check, t timing) *job {
	if j == nil {
		j = &job{}
		d.jobs[c.ID()] = j
	} else {
		j.cancel()
	}
	j.check, j.timing, j.schedule = c, t, t.phased(c)
	j.removed, j.again, j.queued = false, false, false // its first run comes, and serves who waits
	j.fresh, j.begun = true, false
	j.cancel = func() {}
	d.zero(c.ID())
	if d.ctx != nil {
		d.launch(j)
	} else {
		d.runner.begin(c)
		j.begun = true
	}
	return j
}

// launch binds the job to Serve's context.
func (d *Dispatcher) launch(j *job) {
	j.ctx, j.cancel = context.WithCancel(d.ctx)
	d.settle(j)
}

// remove ends the job.
func (d *Dispatcher) remove(j *job) {
	j.cancel()
	j.removed, j.queued, j.again = true, false, false
	j.answer(reply{err: check.ErrUnknown})
	d.settle(j)
}

// planFirst plans new and changed jobs: thirty first runs a second.
func (d *Dispatcher) planFirst(fresh []*job) {
	now := d.now()
	window := time.Duration(len(fresh)) * time.Second / 30
	for _, j := range fresh {
		j.plan(now, spread(j.check.Name+" "+j.check.Target, min(window, j.timing.least)))
	}
}

// RunNow runs the check at once and gives the result. A run in flight is
// waited for and a new one started. The run belongs to the dispatcher: ctx
// only ends the waiting. Errors: check.ErrUnknown; check.ErrBusy when a run
// that somebody asked for already waits; that of ctx; one that says that hmad
// is shutting down.
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

// now reads the wall clock; UTC drops the monotonic reading.
func (d *Dispatcher) now() time.Time { return d.runner.Now().UTC() }

// poke has Serve look again.
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
