package simulate

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/phones"
	"github.com/hmad/hmad/internal/sync"
	"github.com/hmad/hmad/internal/sync/plan"
)

// answer makes one visit and returns the mailbox to the plan. Answers take no
// time: that real calls overlap changes nothing that is measured here.
func (w *world) answer(a plan.Ask) {
	v, ok := w.visit(a)
	if !ok {
		w.refused++
		w.set.Budget.Refused(w.now, w.now, refuseWait)
		w.plan.Release(w.now, a)
		return
	}
	w.judge(a, v)
	w.plan.Settle(w.now, a, v)
}

// visit asks what the sweep asks: where the mailbox is, unless that is known
// and recent, and when its phones synchronised. False: the tenant refuses.
func (w *world) visit(a plan.Ask) (v plan.Answer, ok bool) {
	located := a.Located
	if !w.call() {
		return v, false
	}
	seen := w.at(numberOf(a.Key), w.now)
	if !seen.SignedIn { // it is nowhere
		return plan.Answer{State: plan.NotProvisioned}, true
	}
	if a.Location == (plan.Location{}) {
		located = w.now
		w.pay()
		if !w.call() {
			return v, false
		}
	}
	v = plan.Judge(w.now, []plan.Partnership{{First: start().Add(-90 * day), Attempt: seen.Attempt, Success: seen.Success}}, a.StaleAfter)
	v.Location, v.Located = locationOf(numberOf(a.Key)), located
	if a.LocateAgain(w.now, v.State) && located.Equal(a.Located) {
		w.pay()
		if !w.call() {
			return v, false
		}
		v.Located = w.now
	}
	return v, true
}

// locationOf returns a location that no other mailbox has.
func locationOf(n int) (l plan.Location) {
	binary.BigEndian.PutUint64(l[:], uint64(n)+1)
	return l
}

// pay waits for one more call of the budget. The visit ends its last call first.
func (w *world) pay() {
	w.set.Budget.End()
	for further := w.set.Budget.Caller(); ; {
		ok, at := further.Begin(w.now, true)
		if ok {
			return
		}
		w.now = at
	}
}

// statistics asks what the cloud parts of watched mailboxes hold, while the
// budget has a call to spare.
func (w *world) statistics() {
	for range w.rules.Watch {
		spare := w.set.Budget.Caller()
		if ok, _ := spare.Begin(w.now, true); !ok {
			spare.Leave()
			return
		}
		w.call()
		w.set.Budget.End()
	}
}

// call makes a call. False: the tenant refuses it.
func (w *world) call() bool {
	w.calls++
	w.minute[w.now.Unix()/60]++
	return w.tenant == nil || w.tenant.AllowN(w.now, 1)
}

// at returns what a phone has done by t. In the world's quiet time no phone
// synchronises.
func (w *world) at(n int, t time.Time) phones.Seen {
	seen := w.fleet.At(n, t)
	if seen.Success.After(w.quiet.from) && !seen.Success.After(w.quiet.to) {
		return w.fleet.At(n, w.quiet.from)
	}
	return seen
}

// judge compares a verdict with the truth.
func (w *world) judge(a plan.Ask, v plan.Answer) {
	n := numberOf(a.Key)
	if !a.Ends.IsZero() {
		w.lateness = max(w.lateness, w.now.Sub(a.Ends))
		if v.State == plan.Stale && slices.ContainsFunc(w.rules.Watch, func(e sync.Watched) bool { return e.Key == a.Key }) {
			w.watchedLate = max(w.watchedLate, w.now.Sub(a.Ends))
		}
		if v.State == plan.Failing {
			w.failingLate = max(w.failingLate, w.now.Sub(v.Success)-time.Hour)
		}
	}
	seen := w.at(n, w.now)
	if w.quiet.to.IsZero() && v.State == plan.Stale && w.fleet.Healthy(n, w.now, w.limit) ||
		v.State == plan.Failing && !seen.Failing() || v.State == plan.Fresh && w.now.Sub(seen.Success) >= w.limit {
		w.falseVerdicts++
	}
}
