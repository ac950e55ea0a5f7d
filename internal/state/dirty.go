package state

import (
	"slices"

	"github.com/hmad/hmad/internal/check"
)

// What the file does not have yet is tracked as rows in Store.dirty, nil for a
// row that must go, and as members in each fleet. No map at all means that
// everything is to be written: the file is new, cannot be written, or too much
// has changed meanwhile. So what waits for a disk is bounded. The contents
// never change after they are noted; they are encoded by the writer, outside of
// the lock.

// maxDirty bounds the rows that are tracked.
const maxDirty = 20000

// changes are what the file does not have yet.
type changes struct {
	rows    map[key]any
	members map[fleetID]map[string]struct{}
	whole   bool // they are everything: the file must lose what is not among them
}

// mark notes a row. The caller holds the lock.
func (s *Store) mark(k key, content any) {
	if s.dirty == nil {
		return
	}
	s.dirty[k] = content
	if len(s.dirty) > maxDirty {
		s.dirty = nil
	}
}

// markMember notes the record of a fleet's member. The caller holds the lock.
func (s *Store) markMember(f *fleet, member string) {
	if s.dirty == nil {
		return
	}
	if f.dirty == nil {
		f.dirty = map[string]struct{}{}
	}
	f.dirty[member] = struct{}{}
}

// markRun notes what recording its latest run, r, changed in an entry of which
// the file had the runs held.
func (s *Store) markRun(e *entry, r *check.Result, held []uint64) {
	id := e.status.ID
	for _, n := range held {
		if n != e.decided && !slices.Contains(e.numbers, n) {
			s.mark(runKey(id, n), nil)
		}
	}
	s.mark(runKey(id, e.last), r)
	s.mark(checkKey(id), e.facts())
}

// markGone notes that the file must forget a check.
func (s *Store) markGone(e *entry) {
	s.mark(checkKey(e.status.ID), nil)
	e.runs(func(n uint64, _ *check.Result) { s.mark(runKey(e.status.ID, n), nil) })
}

// untrack makes the next batch everything.
func (s *Store) untrack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty = nil
}

// changes gives what to write, which from here on counts as written.
func (s *Store) changes() changes {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := changes{s.dirty, map[fleetID]map[string]struct{}{}, s.dirty == nil}
	if c.whole {
		c.rows = s.rows()
	}
	for id, fleet := range s.fleets {
		if c.whole {
			fleet.markAll()
		}
		if len(fleet.dirty) > 0 {
			c.members[id], fleet.dirty = fleet.dirty, nil
		}
		if len(fleet.records) == 0 {
			delete(s.fleets, id)
		}
	}
	s.dirty = map[key]any{}
	return c
}

// restore takes back what was not written, unless newer changes stand.
func (s *Store) restore(c changes) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.whole {
		s.dirty = nil
		return
	}
	for k, content := range c.rows {
		if _, ok := s.dirty[k]; !ok {
			s.mark(k, content)
		}
	}
	for id, members := range c.members {
		fleet := s.fleet(id)
		for member := range members {
			s.markMember(fleet, member)
		}
	}
}

// none says that there is nothing to write.
func (c changes) none() bool { return len(c.rows) == 0 && len(c.members) == 0 && !c.whole }

// has says whether a row is among the changes.
func (c changes) has(k key) bool {
	if k.bucket == fleetsBucket {
		id, member := k.member()
		_, ok := c.members[id][member]
		return ok
	}
	_, ok := c.rows[k]
	return ok
}

// markAll makes a fleet's changes everything.
func (f *fleet) markAll() {
	f.dirty = make(map[string]struct{}, len(f.records))
	for member := range f.records {
		f.dirty[member] = struct{}{}
	}
}

// memberRows gives the rows of members as they are now.
func (s *Store) memberRows(id fleetID, members []string) []row {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := make([]row, len(members))
	for i, member := range members {
		rows[i].key = memberKey(id, member)
		if fleet := s.fleets[id]; fleet != nil {
			rows[i].value = fleet.records[member]
		}
	}
	return rows
}
