package sync

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/sync/plan"
)

const (
	pauseFirst    = time.Minute // after an error that is not a single mailbox's
	pauseMost     = 10 * time.Minute
	failuresInRow = 5         // mailboxes without an answer, from which the error is not a single mailbox's
	othersWithin  = time.Hour // the least time within which others must answer; samples leave out mailboxes asked within the hour
)

// sweep carries out the plan: it asks mailboxes, keeps the answers in the fleet's
// records and shows them in the table. The fields below mu are shared by the
// goroutines of visits and by the runs of the check.
type sweep struct {
	visitor visitor
	now     func() time.Time
	budget  *budget.Budget // the tenant's
	records check.Fleet
	gauges  *gauges
	wake    chan struct{} // capacity 1

	mu       sync.Mutex
	plan     *plan.Planner
	unread   map[string]string // mailboxes of which a date could not be read, with its form
	pending  map[string]bool   // mailboxes for which a run waits
	done     chan struct{}     // closed when nothing is pending
	cut      error             // of the last visit that the run's deadline or the tenant cut short
	serving  int               // loops at work
	answered time.Time         // of the last visit with an answer
	failed   int               // visits without an answer since then that count (see fail)
	failure  error             // of the last visit without an answer
	pause    time.Duration     // length of the last pause
	resume   time.Time         // when it ends
	trouble  error             // why the sweep pauses, until the next answer; nil: it does not
}

// newSweep returns a sweep of an empty fleet.
func newSweep(invoker online.Invoker, tenant string, env check.Env, s plan.Settings, g *gauges) *sweep {
	spend := func(ctx context.Context) error { return s.Budget.Call(ctx, env.Now) }
	return &sweep{visitor: visitor{invoker: invoker, tenant: tenant, now: env.Now, spend: spend}, now: env.Now, budget: s.Budget,
		records: fleetOf(env), gauges: g, wake: make(chan struct{}, 1), plan: plan.New(s), unread: map[string]string{}}
}

// chooser is a method of the Planner that chooses the next mailbox.
type chooser func(*plan.Planner, time.Time) (plan.Ask, bool, time.Time)

// work asks mailboxes until the context ends, and returns when all visits have.
func (s *sweep) work(ctx context.Context, next chooser) {
	var visits sync.WaitGroup
	defer visits.Wait()
	s.serve(1)
	defer s.leave()
	for ctx.Err() == nil {
		a, ok, at := s.next(next)
		if !ok {
			s.sleep(ctx, at)
			continue
		}
		visits.Go(func() { s.ask(ctx, a) })
	}
}

func (s *sweep) serve(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving += n
}

// leave ends a loop. Another loop may share the place in the budget's line, so it
// is woken.
func (s *sweep) leave() {
	s.serve(-1)
	s.plan.Leave()
	s.rouse()
}

func (s *sweep) next(next chooser) (plan.Ask, bool, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.paused(now) {
		s.plan.Leave()
		return plan.Ask{}, false, s.resume
	}
	return next(s.plan, now)
}

// paused reports whether nobody is asked now. A pause that is longer than the
// longest possible means that the clock was set back: it ends.
func (s *sweep) paused(now time.Time) bool {
	if s.resume.Sub(now) > pauseMost {
		s.resume = now
	}
	return now.Before(s.resume)
}

// sleep waits until a moment (zero: for ever), or until rouse or the budget's turn.
func (s *sweep) sleep(ctx context.Context, at time.Time) {
	var timer <-chan time.Time
	if !at.IsZero() {
		t := time.NewTimer(max(at.Sub(s.now()), time.Millisecond))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
	case <-timer:
	case <-s.wake:
	case <-s.plan.Turn():
	}
}

// rouse ends a sleep.
func (s *sweep) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// ask visits one mailbox and gives it back to the plan.
func (s *sweep) ask(ctx context.Context, a plan.Ask) {
	v, err := s.guarded(ctx, a)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.rouse()
	now := s.now()
	switch {
	case err == nil:
		s.answered, s.failed, s.pause, s.trouble = now, 0, 0, nil
		s.settle(now, a, v)
	case ctx.Err() != nil:
		s.plan.Release(now, a)
		s.cut = err
	case refused(err):
		s.plan.Release(now, a)
		s.cut = err
		if s.pending[a.Key] {
			s.plan.Urge(a.Key)
		}
	default: // a missing role or token too: the next visit must be to another mailbox
		s.settle(now, a, plan.Answer{State: plan.Error})
		s.fail(now, a, err)
	}
}

// fail counts a visit without an answer. It does not count while others answer and
// this mailbox had no answer the last time either: that is the mailbox's own
// trouble. Nor does it count during a pause: it was in flight when that began.
func (s *sweep) fail(now time.Time, a plan.Ask, err error) {
	s.failure = err
	if s.paused(now) || a.Failed && now.Sub(s.answered) < othersWithin {
		return
	}
	if s.failed++; s.failed >= failuresInRow {
		s.halt(now, err)
	}
}

// guarded visits a mailbox and returns a panic as an error.
func (s *sweep) guarded(ctx context.Context, a plan.Ask) (v plan.Answer, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = check.Errorf(check.Panic, "panic while a mailbox was asked: %v", r)
		}
	}()
	return s.visitor.visit(ctx, a)
}

// settle records an answer.
func (s *sweep) settle(now time.Time, a plan.Ask, v plan.Answer) {
	s.plan.Settle(now, a, v)
	s.noteUnread(a.Key, v)
	if record := s.plan.Record(a.Key); record != nil {
		s.records.Put(a.Key, record)
		if m, ok := s.plan.Mailbox(now, a.Key); ok {
			s.gauges.update(m)
		}
	}
	s.finish(a.Key)
}

// noteUnread keeps whether a date of a mailbox could not be read. An answer that
// brought none, as an error does, leaves it as it was.
func (s *sweep) noteUnread(key string, v plan.Answer) {
	switch {
	case v.Unread != "":
		s.unread[key] = v.Unread
	case v.State != plan.Error:
		delete(s.unread, key)
	}
}

// unreadDates returns the mailboxes of the fleet of which a date could not be read.
// The caller holds mu.
func (s *sweep) unreadDates(now time.Time) (all unreadDates) {
	for _, key := range slices.Sorted(maps.Keys(s.unread)) {
		if _, ok := s.plan.Mailbox(now, key); !ok {
			delete(s.unread, key)
			continue
		}
		all.add(s.unread[key])
	}
	return all
}

// refused reports whether the tenant refused a call by throttling. The Invoker has
// told the budget.
func refused(err error) bool { return kindOf(err) == online.Throttled }

// halt pauses the sweep, because mailboxes one after the other cannot be asked. A
// run that waits stops waiting. Unless the error is one that all mailboxes have in
// common, the count begins anew, so that as many others are tried after the pause.
func (s *sweep) halt(now time.Time, err error) {
	s.trouble = check.Errorf(check.ClassOf(err), "%d mailboxes in a row could not be asked: %w", s.failed, err)
	s.pause = min(max(2*s.pause, pauseFirst), pauseMost)
	s.resume = now.Add(s.pause)
	if !ofTenant(err) {
		s.failed = 0
	}
	for key := range s.pending {
		s.finish(key)
	}
}

// ofTenant reports whether all mailboxes have an error in common: there is no
// token, or the application lacks the cmdlet's role. For a missing role Exchange
// Online names the exception CommandNotFound, or none.
func ofTenant(err error) bool {
	e := new(online.CmdletError)
	if !errors.As(err, &e) {
		return false
	}
	return e.Kind == online.Token || e.Kind == online.Access && (e.Type == "" || strings.Contains(e.Type, "CommandNotFound"))
}

// finish records that a mailbox was asked, for a run that may wait for it.
func (s *sweep) finish(key string) {
	if !s.pending[key] {
		return
	}
	if delete(s.pending, key); len(s.pending) == 0 {
		close(s.done)
	}
}

// askNow asks these mailboxes before all others and waits for the answers, until
// the context ends or the sweep pauses. Its error says why answers are missing.
func (s *sweep) askNow(ctx context.Context, keys []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done, alone := s.urge(keys)
	var loop sync.WaitGroup
	if alone { // the check runs once, without its Background
		loop.Go(func() { s.work(ctx, (*plan.Planner).NextUrgent) })
	}
	s.rouse()
	select {
	case <-done:
	case <-ctx.Done():
	}
	cancel()
	loop.Wait() // for the results of the last visits
	return s.left()
}

func (s *sweep) urge(keys []string) (done chan struct{}, alone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending, s.done, s.cut = map[string]bool{}, make(chan struct{}), nil
	s.resume = time.Time{} // the run tries again: the cause may have been mended
	for _, k := range keys {
		s.pending[k] = true
		s.plan.Urge(k)
	}
	if len(s.pending) == 0 {
		close(s.done)
	}
	return s.done, s.serving == 0
}

// left returns why not all of a run's mailboxes were asked, and ends its wait.
func (s *sweep) left() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.pending)
	s.pending = nil
	switch {
	case s.trouble != nil:
		return s.trouble
	case n > 0:
		return s.late(n)
	default:
		return nil
	}
}

// late returns why n mailboxes could not be asked in time: the tenant's pause, the
// error of the last call, or else the rate.
func (s *sweep) late(n int) error {
	const text = "%d watched mailboxes could not be asked in time: "
	now := s.now()
	if pause := s.budget.Paused(now); pause > 0 {
		return check.Errorf(check.Throttled, text+"Exchange Online throttles hmad, and its pause had %s left", n, check.Span(pause.Round(time.Second)))
	}
	if kindOf(s.cut) != nil {
		return check.Errorf(check.ClassOf(s.cut), text+"%w", n, s.cut)
	}
	return check.Errorf(check.Throttled, text+"the tenant allows %.2g calls per second now", n, s.budget.Rate())
}

// note records the fleet's size and the budget. The caller holds mu.
func (s *sweep) note(v *check.Verdict) {
	v.Note("%d mailboxes, at most %.2g calls per second, %d at once", s.plan.Len(), s.budget.Rate(), s.budget.Places())
}
