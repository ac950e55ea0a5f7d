package sync

import (
	"cmp"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/sync/plan"
)

// namedInDetail is how many mailboxes a finding's detail names at most.
const namedInDetail = 5

// example is a mailbox that may be named beside a verdict on its fleet.
type example struct {
	key    string
	synced time.Time // zero: never
}

// extremes are the examples of a fleet, the utmost first, namedInDetail each.
type extremes struct {
	longest map[plan.State][]example // without a sync, of those stale and those failing
	newest  []example                // syncs of any mailbox
}

// extremesOf looks at each mailbox once; O(n).
func extremesOf(p *plan.Planner, now time.Time) extremes {
	out := extremes{longest: map[plan.State][]example{}}
	for m := range p.All(now) {
		e := example{m.Key, m.Success}
		if m.State == plan.Stale || m.State == plan.Failing {
			out.longest[m.State] = keep(out.longest[m.State], e, earlier)
		}
		if !e.synced.IsZero() {
			out.newest = keep(out.newest, e, latest)
		}
	}
	return out
}

// keep puts an example in its place among the first few.
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
