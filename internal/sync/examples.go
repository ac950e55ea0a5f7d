package sync

import (
	"cmp"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/sync/plan"
)

// namedInDetail is how many mailboxes a finding's detail names at most.
const namedInDetail = 5

// example is a mailbox that a finding about the fleet may name.
type example struct {
	key    string
	synced time.Time // zero: never
}

// extremes are the examples of a fleet, at most namedInDetail of each kind.
type extremes struct {
	longest map[plan.State][]example // without a sync, of those stale, those failing and those unknown; longest first
	newest  []example                // that synchronised last, of all; newest first
}

// extremesOf returns the fleet's extremes. It looks at every mailbox.
func extremesOf(p *plan.Planner, now time.Time) extremes {
	out := extremes{longest: map[plan.State][]example{}}
	for m := range p.All(now) {
		e := example{m.Key, m.Success}
		if m.State == plan.Stale || m.State == plan.Failing || m.State == plan.Unknown {
			out.longest[m.State] = keep(out.longest[m.State], e, earlier)
		}
		if !e.synced.IsZero() {
			out.newest = keep(out.newest, e, latest)
		}
	}
	return out
}

// keep inserts an example by order and returns the first namedInDetail.
func keep(few []example, e example, order func(a, b example) int) []example {
	i, _ := slices.BinarySearchFunc(few, e, order)
	if i == namedInDetail {
		return few
	}
	few = slices.Insert(few, i, e)
	return few[:min(len(few), namedInDetail)]
}

func earlier(a, b example) int {
	return cmp.Or(a.synced.Compare(b.synced), cmp.Compare(a.key, b.key))
}

func latest(a, b example) int {
	return cmp.Or(b.synced.Compare(a.synced), cmp.Compare(a.key, b.key))
}
