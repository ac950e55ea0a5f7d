package plan

import "strings"

// countsAt reports whether a mailbox is counted under this name. The sources may
// have one mailbox (one location) under several names. Watched names are counted;
// where none is watched, one name is: an address rather than another name, and
// otherwise the one that was there first.
func (p *Planner) countsAt(id int32, at Location) bool {
	if at == (Location{}) {
		return true
	}
	m := &p.all[id]
	if other, ok := p.places[at]; ok && other != id {
		if o := &p.all[other]; o.location == at && m.rank() <= o.rank() {
			return m.watched
		}
	}
	p.places[at] = id
	return true
}

// rank returns which of a mailbox's names is counted: the highest.
func (m *entry) rank() int {
	switch {
	case m.watched:
		return 2
	case strings.Contains(m.key, "@"):
		return 1
	default:
		return 0
	}
}
