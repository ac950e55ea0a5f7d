// Package state keeps what hmad knows: of each check its last results, since
// when they stand and a short history, and the tables of its fleet's gauges;
// of each target a small memory, and fleets of one small record per member.
//
// The Store is memory: whoever tells it something or asks it never waits for a
// disk. Behind it lies a bbolt file, so that a restart, kill -9 too, finds what
// was known; one goroutine, the writer, reads it once when it opens and then
// writes what has changed every five seconds, in transactions that bbolt makes
// whole or not at all. Counters, plans and tables are not kept there.
//
// The disk may do what it likes; probing goes on, and Health says what is wrong:
//
//   - A damaged file (cut, overwritten, not ours, or of which bbolt panics or
//     faults) is set aside as NAME.corrupt-TIME, of which the newest three are
//     kept. What is sound in it is taken over, and a new file gets all that
//     memory holds. The same is done when damage shows while running.
//   - A locked file, one that a newer hmad wrote, and what is not a regular file
//     are left alone: memory only, and tried again with each batch. What a file
//     knows that becomes free later is put behind what happened meanwhile.
//   - A file that can only be read is read, and otherwise likewise left alone.
//   - On a full disk batches fail; they are tried again, and what waits is
//     bounded: beyond some thousands of rows the next batch is everything.
//   - A file that somebody removes is made again.
//   - A disk that does not answer holds up Open for ten seconds and Close for
//     three, and nothing else.
//
// Nothing of the file is believed without proof. Its pages are walked by this
// package before bbolt follows them (pages.go says why), and each value has a
// checksum over itself and its key. Results name their reasons and metrics;
// what the present version does not know of is dropped, and a result whose
// verdict would change by that is dropped whole.
package state

import (
	"cmp"
	"errors"
	"maps"
	"os"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// Options are what a Store needs to know of the world.
type Options struct {
	// Defs give the reasons and metrics that persisted results name. What they
	// do not know is dropped when the file is read.
	Defs []*check.Def
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Logf is told of every trouble with the file once, and with a nil error
	// of its end; nil: nobody is. It is called from several goroutines.
	Logf func(msg string, err error)
}

// Store holds the state of every check. It is safe for concurrent use.
type Store struct {
	options Options

	mu      sync.Mutex
	entries map[check.ID]*entry
	order   []check.ID               // of Statuses
	kept    map[string]bool          // targets of the last Keep; nil before the first
	values  map[string]targetsMemory // by target
	fleets  map[fleetID]*fleet
	tables  map[tableID]*Table
	dirty   map[key]any // rows to write; see dirty.go
	health  Health

	writer  *writer // nil: memory only
	closing sync.Once
}

// Health says how the Store's file fares.
type Health struct {
	Path        string    // the file; empty: memory only, as asked for
	OK          bool      // results reach the file, or none was asked for
	Problem     string    // why they do not; empty when OK
	SetAside    string    // where this process last put a damaged file; empty: it met none
	LastWrite   time.Time // of the last batch that reached the file; zero: none yet
	WriteErrors uint64    // batches that did not reach the file
}

// Open gives the Store behind the file at path, with what the file remembers.
// It never fails: whatever is wrong with the file, the Store works from memory
// and its Health says why. An empty path asks for memory only.
func Open(path string, o Options) *Store {
	return openWith(path, o, settings{every: flushEvery, open: os.OpenFile})
}

func openWith(path string, o Options, set settings) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logf == nil {
		o.Logf = func(string, error) {}
	}
	s := &Store{
		options: o,
		entries: map[check.ID]*entry{},
		values:  map[string]targetsMemory{},
		fleets:  map[fleetID]*fleet{},
		tables:  map[tableID]*Table{},
		health:  Health{OK: true},
	}
	if path != "" {
		s.health = Health{Path: path, Problem: "the disk does not answer"}
		s.writer = startWriter(s, path, set)
	}
	return s
}

// Record keeps a result as its check's latest and gives the outcome of the one
// before, "" when there was none. Order is that of the calls, not of Start: a
// clock that was set back must not hide new results. A result of a check that
// Keep has forgotten is ignored.
func (s *Store) Record(r check.Result) check.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(r.ID())
	if e == nil {
		return ""
	}
	before, held := e.outcome(), append(e.numbers, e.decided)
	e.add(r)
	s.markRun(e, &r, held)
	return before
}

// Planned notes when a check runs next and the largest gap of its schedule.
// Neither is persisted.
func (s *Store) Planned(id check.ID, next time.Time, maxGap time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entry(id); e != nil {
		e.status.Next, e.status.MaxGap = next, maxGap
	}
}

// entry gives a check's entry, a new one while nothing says that it is gone.
func (s *Store) entry(id check.ID) *entry {
	e, ok := s.entries[id]
	if !ok && s.kept == nil {
		e = newEntry(id)
		s.entries[id] = e
		at := sort.Search(len(s.order), func(i int) bool { return s.order[i].Target > id.Target })
		s.order = slices.Insert(s.order, at, id)
	}
	return e
}

// Keep makes ids the checks that there are: all others are forgotten with their
// tables, and so are the memories and fleets of targets that have none. Statuses has the order of ids
// within each target.
func (s *Store) Keep(ids []check.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := make(map[check.ID]*entry, len(ids))
	s.kept = make(map[string]bool)
	for _, id := range ids {
		entries[id] = s.entries[id]
		if entries[id] == nil {
			entries[id] = newEntry(id)
		}
		s.kept[id.Target] = true
	}
	for id, e := range s.entries {
		if entries[id] == nil {
			s.markGone(e)
		}
	}
	s.entries, s.order = entries, sorted(slices.Clone(ids))
	maps.DeleteFunc(s.tables, func(id tableID, _ *Table) bool { return entries[id.check] == nil })
	s.forgetValues()
	s.forgetFleets()
}

// forgetValues drops the memories of targets that are not kept.
func (s *Store) forgetValues() {
	for target, values := range s.values {
		if s.kept[target] {
			continue
		}
		for name := range values {
			s.mark(valueKey(target, name), nil)
		}
		delete(s.values, target)
	}
}

// sorted orders ids by target and leaves the order within a target.
func sorted(ids []check.ID) []check.ID {
	slices.SortStableFunc(ids, func(a, b check.ID) int { return cmp.Compare(a.Target, b.Target) })
	return ids
}

// Statuses gives every check's status, by target, then in the order of Keep's
// ids. It is a snapshot: nothing in it changes any more, and readers must not
// change it either, since snapshots share what they have in common.
func (s *Store) Statuses() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Status, 0, len(s.order))
	for _, id := range s.order {
		all = append(all, s.entries[id].status)
	}
	return all
}

// Health says how the Store's file fares.
func (s *Store) Health() Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

// Close writes what is not written yet and gives the file back. It waits for a
// few seconds at most. The error says that the file lacks something.
func (s *Store) Close() error {
	if s.writer == nil {
		return nil
	}
	s.closing.Do(func() { close(s.writer.stop) })
	patience := time.NewTimer(closePatience)
	defer patience.Stop()
	select {
	case <-s.writer.done:
	case <-patience.C:
		return errors.New("state not saved: the disk does not answer")
	}
	if h := s.Health(); !h.OK {
		return errors.New("state not saved: " + h.Problem)
	}
	return nil
}
