package state

import (
	"slices"

	"github.com/hmad/hmad/internal/check"
)

// What the file does not have yet is tracked as rows in Store.dirty, nil for a
// row that must go. No map at all means that everything is to be written: the
// file is new, cannot be written, or too much has changed meanwhile. So what
// waits for a disk is bounded. The contents never change after they are noted;
// they are encoded by the writer, outside of the lock.

// maxDirty bounds the rows that are tracked.
const maxDirty = 20000

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

// changes gives the rows to write, and whether they are the whole.
func (s *Store) changes() (rows map[key]any, whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, whole = s.dirty, s.dirty == nil
	if whole {
		rows = s.rows()
	}
	s.dirty = map[key]any{}
	return rows, whole
}

// restore takes back rows that were not written, unless newer ones stand.
func (s *Store) restore(rows map[key]any, whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if whole {
		s.dirty = nil
		return
	}
	for k, content := range rows {
		if _, ok := s.dirty[k]; !ok {
			s.mark(k, content)
		}
	}
}
