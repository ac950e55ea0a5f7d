package plan

import "strings"

// counted says whether a mailbox counts of those at a location: sources may call
// one by several names. A watched one does, else one that is called by its
// address, else who came first.
func (p *Planner) counted(id int32, at Location) bool {
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

// rank orders the names of one mailbox.
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
