package state

import (
	"bytes"
	"cmp"
	"encoding/ascii85"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// loaded is what a file held, as far as it could be used.
type loaded struct {
	names  *names
	runs   map[check.ID]map[uint64]storedRun
	facts  map[check.ID][]Fact
	values map[string]targetsMemory
	fleets map[fleetID]records
}

func newLoaded(defs []*check.Def) *loaded {
	return &loaded{newNames(defs), map[check.ID]map[uint64]storedRun{}, map[check.ID][]Fact{}, map[string]targetsMemory{}, map[fleetID]records{}}
}

// take reads one line. Those after it may say otherwise.
func (l *loaded) take(k key, value []byte) {
	var err error
	switch k.table {
	case runTable:
		err = l.takeRun(check.ID{Check: k.name, Target: k.target}, k.member, value)
	case factTable:
		err = l.takeFacts(check.ID{Check: k.name, Target: k.target}, value)
	case valueTable:
		in(l.values, k.target)[k.name] = bytes.Clone(value)
	case fleetTable:
		err = l.takeRecord(in(l.fleets, fleetID{k.target, k.name}), k.member, value)
	default:
		err = errors.New("no such table")
	}
	if err != nil {
		l.names.dropped[fmt.Sprintf("%s of %s: %v", k.table, k.name, err)]++
	}
}

// in returns the map in m under a key, a new one if need be.
func in[K, L comparable, V any, M ~map[L]V](m map[K]M, key K) M {
	if m[key] == nil {
		m[key] = M{}
	}
	return m[key]
}

func (l *loaded) takeRun(id check.ID, number string, value []byte) error {
	if !l.names.check(id.Check) {
		return nil
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return err
	}
	r, err := l.names.decode(id, value)
	if err == nil {
		in(l.runs, id)[n] = r
	}
	return err
}

func (l *loaded) takeRecord(fleet records, member string, value []byte) error {
	if value == nil {
		delete(fleet, member)
		return nil
	}
	record := make([]byte, 4*len(value)) // as much as it may be
	n, _, err := ascii85.Decode(record, value, true)
	if err == nil {
		fleet[member] = bytes.Clone(record[:n])
	}
	return err
}

// entry builds a check's entry by recording its runs again, oldest first, and
// taking the older times that belong to the latest.
func (l *loaded) entry(id check.ID) *entry {
	e := newEntry(id)
	e.status.Facts = l.facts[id]
	for _, n := range slices.Sorted(maps.Keys(l.runs[id])) {
		e.last = n - 1
		e.add(*l.runs[id][n].result)
	}
	if f := l.runs[id][e.last].times; f != nil {
		e.status.Since, e.status.FoundSince, e.status.LastSuccess = f.Since, f.FoundSince, f.LastSuccess
	}
	return e
}

// adopt takes over what the file remembers. What the Store was told meanwhile
// is newer and stays on top: its runs are recorded again after the file's. If
// there is nothing of the kind, and the file holds nothing else, memory and file
// are the same from here on.
func (s *Store) adopt(l *loaded, sound bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole = !sound || len(l.names.dropped) > 0 || len(s.entries)+len(s.values)+len(s.fleets) > 0 || s.kept != nil
	for _, id := range slices.SortedFunc(maps.Keys(l.runs), compareIDs) {
		s.adoptEntry(l.entry(id))
	}
	for target, values := range l.values {
		s.adoptValues(target, values)
	}
	for id, records := range l.fleets {
		s.adoptFleet(id, records)
	}
}

func compareIDs(a, b check.ID) int {
	return cmp.Or(strings.Compare(a.Target, b.Target), strings.Compare(a.Check, b.Check))
}

func (s *Store) adoptEntry(e *entry) {
	live := s.entry(e.status.ID)
	if live == nil {
		return
	}
	for _, r := range slices.Backward(live.status.History) {
		e.add(r)
	}
	e.status.Next, e.status.MaxGap = live.status.Next, live.status.MaxGap
	*live = *e
}

func (s *Store) adoptValues(target string, values targetsMemory) {
	if s.kept == nil || s.kept[target] {
		maps.Copy(values, s.values[target])
		s.values[target] = values
	}
}

// report logs what could not be used, once for each kind.
func (l *loaded) report(logf func(string, error)) {
	for _, what := range slices.Sorted(maps.Keys(l.names.dropped)) {
		logf("dropped on reading the state", fmt.Errorf("%s (%d times)", what, l.names.dropped[what]))
	}
}
