package plan

import "time"

// Sources are the sources of the config that name a mailbox, as bits. A record
// has room for four.
type Sources uint8

// The sources of mailboxes.
const (
	FromList      Sources = 1 << iota // sync.mailboxes and sync.watch
	FromFile                          // sync.file
	FromInventory                     // the tenant's devices

	AllSources = FromList | FromFile | FromInventory
)

// Adopt records that a source names these mailboxes and adds those that are new;
// whole: it names no others. A mailbox that no source names any more is removed.
// Adopt returns the mailboxes whose record has changed, and those it removed.
func (p *Planner) Adopt(now time.Time, source Sources, keys []string, whole bool) (changed, removed []string) {
	has := make(map[string]bool, len(keys))
	for _, key := range keys {
		has[key] = true
		p.Add(now, key)
	}
	for i := range p.all {
		m := &p.all[i]
		if !m.member() {
			continue
		}
		before := m.sources
		if has[m.key] {
			m.sources |= source
		} else if whole {
			m.sources &^= source
		}
		switch m.sources {
		case 0:
			removed = append(removed, m.key)
		case before:
		default:
			changed = append(changed, m.key)
		}
	}
	for _, key := range removed {
		p.remove(key)
	}
	return changed, removed
}
