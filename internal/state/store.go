// Package state keeps what hmad knows: of each check its last results, since
// when they stand and a short history, and the tables of its fleet's gauges;
// of each target a small memory, and fleets of one small record per member.
//
// The Store is memory: no caller ever waits for a disk. Behind it lies a file,
// so that a restart, kill -9 too, finds what was known: a snapshot, and behind
// that a journal with one line per change (line.go has its form). One
// goroutine, the writer, reads the file once when it opens and then appends what
// has changed: the first change after a quiet time at once, others at most five
// seconds later. When the journal has grown enough, a new snapshot is written
// next to the file and replaces it. Counters, plans and tables are not kept
// there.
//
// Whatever the disk does, checks go on, and Health says what is wrong:
//
//   - Each line has a checksum. A damaged line is lost, and an older line of the
//     same key counts again where there is one; all others are kept. Damaged
//     lines are counted and logged, and a new snapshot is written at once.
//   - A file that is not a state file, or that cannot be read to its end, is set
//     aside as NAME.corrupt-TIME, of which the newest three are kept, and a new
//     file gets all that memory holds.
//   - A lock, NAME.lock, keeps a second process away. A locked file, one that a
//     newer hmad wrote, and what is not a regular file are left alone: memory
//     only, and tried again every five seconds. What a file knows that becomes
//     free later is put behind what happened meanwhile.
//   - A file that can only be read is read, and otherwise likewise left alone.
//   - On a full disk batches fail and are tried again. A file is used only if the
//     disk has room for a batch, so that Health is right from the start. What
//     waits is bounded: beyond some megabytes the next batch is everything.
//   - A file, a lock or a folder that somebody removes is made again.
//   - A disk that does not answer holds up Open for ten seconds and Close for
//     three, and nothing else.
//
// Results name their reasons and metrics; what the present version does not
// know is dropped, and a result whose verdict would change by that is dropped
// whole.
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
	// Defs have the reasons and metrics that persisted results name. What they
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
	fleets  map[fleetID]records
	tables  map[tableID]*Table
	pending []byte // lines to write; see changes.go
	whole   bool   // everything is to be written
	health  Health

	changed chan struct{} // holds a token when something has changed
	writer  *writer       // nil: memory only
	closing sync.Once
}

// Health is how the Store's file fares.
type Health struct {
	Path        string    // the file; empty: memory only, as asked for
	OK          bool      // results reach the file, or none was asked for
	Problem     string    // why they do not; empty when OK
	SetAside    string    // where this process last put a file that it could not use; empty: there was none
	Damaged     int       // lines of the file that this process found damaged, and lost
	LastWrite   time.Time // of the last batch that reached the file; zero: none yet
	WriteErrors uint64    // batches that did not reach the file
}

// Open returns the Store in front of the file at path, with what the file remembers.
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
		fleets:  map[fleetID]records{},
		tables:  map[tableID]*Table{},
		whole:   true,
		changed: make(chan struct{}, 1),
		health:  Health{OK: true},
	}
	if path != "" {
		s.health = Health{Path: path, Problem: "the disk does not respond"}
		s.writer = startWriter(s, path, set)
	}
	return s
}

// Record keeps a result as its check's latest and returns the outcome of the one
// before, "" when there was none. Order is that of the calls, not of Start: a
// clock that was set back must not hide new results. A result of a check that
// Keep has forgotten is ignored.
func (s *Store) Record(r check.Result) check.Outcome {
	before, err := s.record(r)
	if err != nil {
		s.options.Logf("not persisted: result of "+r.Check+" of target "+r.Target, err)
	}
	return before
}

func (s *Store) record(r check.Result) (before check.Outcome, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(r.ID())
	if e == nil {
		return "", nil
	}
	before = e.outcome()
	e.add(r)
	if e.factsChanged {
		err = s.mark(factsKey(r.ID()), storeFacts(e.status.Facts))
	}
	return before, errors.Join(err, s.mark(runKey(r.ID(), e.last), e.stored(e.last, &r)))
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

// entry returns a check's entry, a new one while nothing says that it is gone.
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
// tables, and so are the memories and fleets of targets that have none. Statuses
// has the order of ids within each target.
func (s *Store) Keep(ids []check.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.entries
	s.entries, s.order, s.kept = make(map[check.ID]*entry, len(ids)), sorted(slices.Clone(ids)), map[string]bool{}
	for _, id := range ids {
		s.entries[id] = cmp.Or(before[id], newEntry(id))
		s.kept[id.Target] = true
	}
	gone := len(before) + len(s.values) + len(s.fleets)
	maps.DeleteFunc(before, func(id check.ID, _ *entry) bool { return s.entries[id] == nil })
	maps.DeleteFunc(s.tables, func(id tableID, _ *Table) bool { return s.entries[id.check] == nil })
	maps.DeleteFunc(s.values, func(target string, _ targetsMemory) bool { return !s.kept[target] })
	maps.DeleteFunc(s.fleets, func(id fleetID, _ records) bool { return !s.kept[id.target] })
	if gone > len(before)+len(s.values)+len(s.fleets) {
		s.writeAll()
	}
}

// sorted orders ids by target and leaves the order within a target.
func sorted(ids []check.ID) []check.ID {
	slices.SortStableFunc(ids, func(a, b check.ID) int { return cmp.Compare(a.Target, b.Target) })
	return ids
}

// Statuses returns every check's status, by target, then in the order of Keep's
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

// Health returns how the Store's file fares.
func (s *Store) Health() Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

// Close writes what is not written yet and releases the file. It waits for a few
// seconds at most. The error says that the file lacks something.
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
		return errors.New("state not saved: the disk does not respond")
	}
	if h := s.Health(); !h.OK {
		return errors.New("state not saved: " + h.Problem)
	}
	return nil
}
