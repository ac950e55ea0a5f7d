package state

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/hmad/hmad/internal/check"
)

// What the file does not have yet waits in Store.pending, as lines. Store.whole
// says instead that everything is to be written: the file is new, cannot be
// written, holds what it must lose, or too much has changed meanwhile. So what
// waits for a disk is bounded.

// maxPending bounds the lines that wait, in bytes.
const maxPending = 4 << 20

// row is one line of a snapshot before it is encoded. Its content never
// changes, so that it is encoded outside of the lock.
type row struct {
	key
	content any
}

// changes are what the file does not have.
type changes struct {
	lines []byte
	rows  []row // all there are, when whole
	whole bool
}

func (c changes) none() bool { return len(c.lines) == 0 && !c.whole }

// mark notes that k now has this content; nil: none any more. The caller holds
// the lock.
func (s *Store) mark(k key, content any) error {
	select {
	case s.changed <- struct{}{}:
	default: // the writer knows already
	}
	if s.whole {
		return nil
	}
	value, err := encode(content)
	if err != nil {
		return err
	}
	s.pending = appendLine(s.pending, k, value)
	if len(s.pending) > maxPending {
		s.writeAll()
	}
	return nil
}

// untrack makes the next batch everything.
func (s *Store) untrack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeAll()
}

// writeAll makes the next batch everything. The caller holds the lock.
func (s *Store) writeAll() { s.pending, s.whole = nil, true }

// changes returns what to write, which from here on counts as written.
func (s *Store) changes() changes {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := changes{lines: s.pending, whole: s.whole}
	if c.whole {
		c.rows = s.rows()
	}
	s.pending, s.whole = nil, false
	return c
}

// restore takes back what was not written.
func (s *Store) restore(c changes) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole = s.whole || c.whole
	s.pending = append(c.lines, s.pending...)
	if s.whole || len(s.pending) > maxPending {
		s.writeAll()
	}
}

func runKey(id check.ID, number uint64) key {
	return key{runTable, id.Target, id.Check, strconv.FormatUint(number, 10)}
}

// rows returns everything that the file must hold. The caller holds the lock.
func (s *Store) rows() (rows []row) {
	for id, e := range s.entries {
		if len(e.status.Facts) > 0 {
			rows = append(rows, row{factsKey(id), storeFacts(e.status.Facts)})
		}
		e.runs(func(n uint64, r *check.Result) { rows = append(rows, row{runKey(id, n), e.stored(n, r)}) })
	}
	for target, values := range s.values {
		for name, value := range values {
			rows = append(rows, row{key{valueTable, target, name, ""}, json.RawMessage(value)})
		}
	}
	for id, records := range s.fleets {
		rows = slices.Grow(rows, len(records))
		for member, record := range records {
			rows = append(rows, row{key{fleetTable, id.target, id.name, member}, record})
		}
	}
	return rows
}
