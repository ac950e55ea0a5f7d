package simulate

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/phones"
	"github.com/hmad/hmad/internal/sync"
	"github.com/hmad/hmad/internal/sync/plan"
)

const (
	schedule    = 5 * time.Minute // of the check
	concurrency = 4
	day         = 24 * time.Hour
	refuseWait  = 10 * time.Second // Retry-After of a tenant that throttles
)

// world is a planner, a fleet and a tenant in virtual time.
type world struct {
	fleet  phones.Fleet
	limit  time.Duration // stale_after
	set    plan.Settings
	plan   *plan.Planner
	most   int // mailboxes, in the end
	size   int // now: the last of them join within the fleet's span
	now    time.Time
	quiet  quiet
	tenant *rate.Limiter // what the tenant allows; nil: everything
	rules  sync.Rules
	nextAt time.Time // of the check's next run
	tally
}

// quiet is a time in which no phone synchronises, wherever it is.
type quiet struct{ from, to time.Time }

// tally is what a world has seen.
type tally struct {
	calls, refused int
	lateness       time.Duration // worst, of a verdict that ended without having been asked
	falseVerdicts  int           // a phone in normal life called stale or failing
	findings       map[string]time.Time
	minute         map[int64]int // calls by minute
	watchedLate    time.Duration
	failingLate    time.Duration // worst, from when a phone failed for an hour until it was seen to
}

// newWorld starts a daemon with an empty state.
func newWorld(o Options, kind phones.Kind, limit, span time.Duration) *world {
	w := &world{fleet: phones.Fleet{Kind: kind, Seed: o.Seed, From: start(), Span: span}, limit: limit, most: o.Mailboxes, now: start(), nextAt: start()}
	w.set = plan.Settings{StaleAfter: limit, Budget: budget.New(o.Rate, concurrency), Seed: o.Seed}
	w.plan = plan.New(w.set)
	w.join()
	for i := 0; i < o.Mailboxes && len(w.rules.Watch) < o.Watched; i++ {
		if w.fleet.Healthy(i, start(), 0) && !w.fleet.Healthy(i, start().Add(span), span/2) { // one that will be seen stale
			w.plan.Watch(w.now, name(i), limit)
			w.rules.Watch = append(w.rules.Watch, sync.Watched{Key: name(i), Name: name(i), StaleAfter: limit, Severity: check.Warning})
		}
	}
	w.rules.Share, w.rules.Floor = 0.25, 10
	w.reset()
	return w
}

// start is a Monday, so that two weeks are ten working days.
func start() time.Time { return time.Date(2026, time.November, 2, 0, 0, 0, 0, time.UTC) }

// join adds the mailboxes that are there by now; one in a hundred joins within
// the fleet's span.
func (w *world) join() {
	late := w.most / 100
	there := w.most - late + int(float64(late)*float64(w.now.Sub(w.fleet.From))/float64(w.fleet.Span))
	for ; w.size < min(there, w.most); w.size++ {
		w.plan.Add(w.now, name(w.size))
	}
}

func (w *world) reset() { w.tally = tally{findings: map[string]time.Time{}, minute: map[int64]int{}} }

func name(i int) string { return fmt.Sprintf("user%06d@contoso.com", i) }

// numberOf is the inverse of name, without the cost of parsing formats.
func numberOf(key string) (n int) {
	for _, c := range key[4:10] {
		n = 10*n + int(c-'0')
	}
	return n
}

// until runs the daemon until a moment.
func (w *world) until(end time.Time) {
	for w.now.Before(end) {
		if !w.now.Before(w.nextAt) {
			w.run()
		}
		ask, ok, at := w.plan.Next(w.now)
		if ok {
			w.answer(ask)
			continue
		}
		if at.IsZero() || at.After(w.nextAt) {
			at = w.nextAt
		}
		w.now = at
	}
}

// run is a run of the check.
func (w *world) run() {
	w.nextAt = w.nextAt.Add(schedule)
	v := sync.MailboxSync.Judge()
	sync.Judge(v, w.plan, w.now, w.rules)
	for _, f := range v.Findings() {
		if _, seen := w.findings[f.Reason.Name]; !seen {
			w.findings[f.Reason.Name] = w.now
		}
	}
	for _, e := range w.rules.Watch {
		w.plan.Urge(e.Key)
	}
	if w.nextAt.Minute() == 0 {
		w.statistics()
	}
	w.join()
}

// perDay returns the calls per mailbox and day over a span.
func (w *world) perDay(span time.Duration) float64 {
	return float64(w.calls) / float64(w.size) / span.Hours() * 24
}

// peak returns the greatest number of calls per second over a minute.
func (w *world) peak() float64 {
	most := 0
	for _, n := range w.minute {
		most = max(most, n)
	}
	return float64(most) / 60
}

// fork returns a copy of the world in which the daemon has just been restarted and
// nothing has been counted yet.
func (w *world) fork() *world {
	other := *w
	other.restart(0)
	other.reset()
	return &other
}

// restart ends the daemon and starts another one later with its records.
func (w *world) restart(after time.Duration) {
	before := w.plan
	w.now = w.now.Add(after)
	for !w.nextAt.After(w.now) {
		w.nextAt = w.nextAt.Add(schedule)
	}
	w.set.Budget = budget.New(w.set.Budget.Configured(), concurrency)
	w.plan = plan.New(w.set)
	w.plan.Resume(before.History())
	w.join()
	for i := range w.size {
		w.plan.Restore(w.now, name(i), before.Record(name(i)), plan.AllSources)
	}
	for _, e := range w.rules.Watch {
		w.plan.Watch(w.now, e.Key, e.StaleAfter)
	}
}
