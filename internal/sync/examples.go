package sync

import (
	"cmp"
	"slices"
)

// namedInDetail is how many mailboxes a finding's detail names at most.
const namedInDetail = 5

// example is a mailbox that may be named beside a verdict on its fleet.
type example struct {
	key    string
	synced seconds // 0: never
}

// examples are the extremes of a fleet, the utmost first, namedInDetail each.
type examples struct {
	longest [states][]example // without a sync, of those stale and those failing
	newest  []example         // syncs of any mailbox
}

// examples looks at each mailbox once; O(n).
func (p *Planner) examples(now seconds) examples {
	var out examples
	for i := range p.all {
		m := &p.all[i]
		if m.key == "" || m.gone {
			continue
		}
		e := example{m.key, m.synced()}
		if s := m.at(now); s == Stale || s == Failing {
			out.longest[s] = keep(out.longest[s], e, earlier)
		}
		if e.synced != 0 {
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
	return cmp.Or(cmp.Compare(a.synced, b.synced), cmp.Compare(a.key, b.key))
}

func latest(a, b example) int {
	return cmp.Or(cmp.Compare(b.synced, a.synced), cmp.Compare(a.key, b.key))
}
