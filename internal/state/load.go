package state

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// loaded is what a file held, as far as it could be used.
type loaded struct {
	names   *names
	runs    map[check.ID]map[uint64]*check.Result
	facts   map[check.ID]facts
	values  map[string]targetsMemory
	fleets  map[fleetID]map[string][]byte
	useless []key // rows that the file had better lose
}

func newLoaded(defs []*check.Def) *loaded {
	return &loaded{
		names:  newNames(defs),
		runs:   map[check.ID]map[uint64]*check.Result{},
		facts:  map[check.ID]facts{},
		values: map[string]targetsMemory{},
		fleets: map[fleetID]map[string][]byte{},
	}
}

// take reads one row. The value is the file's own and not kept.
func (l *loaded) take(k key, value []byte) {
	ok := true
	switch k.bucket {
	case checksBucket:
		ok = l.takeFacts(k.id(), value)
	case runsBucket:
		id, number := k.run()
		ok = l.takeRun(id, number, value)
	case valuesBucket:
		l.takeValue(k.id(), value)
	case fleetsBucket:
		l.takeRecord(k, value)
	}
	if !ok {
		l.useless = append(l.useless, k)
	}
}

func (l *loaded) takeFacts(id check.ID, value []byte) bool {
	var f facts
	if !l.names.check(id.Check) || json.Unmarshal(value, &f) != nil {
		return false
	}
	maps.DeleteFunc(f.FoundSince, func(reason string, _ time.Time) bool { return l.names.reason(id.Check, reason) == nil })
	l.facts[id] = f
	return true
}

func (l *loaded) takeRun(id check.ID, number uint64, value []byte) bool {
	if !l.names.check(id.Check) {
		return false
	}
	r, err := l.names.decode(id, value)
	if err != nil {
		l.names.dropped["result of "+id.Check+": "+err.Error()]++
		return false
	}
	if l.runs[id] == nil {
		l.runs[id] = map[uint64]*check.Result{}
	}
	l.runs[id][number] = r
	return true
}

func (l *loaded) takeValue(id check.ID, value []byte) {
	target, name := id.Target, id.Check
	if l.values[target] == nil {
		l.values[target] = targetsMemory{}
	}
	l.values[target][name] = slices.Clone(value)
}

func (l *loaded) takeRecord(k key, value []byte) {
	id, member := k.member()
	if l.fleets[id] == nil {
		l.fleets[id] = map[string][]byte{}
	}
	l.fleets[id][strings.Clone(member)] = append(make([]byte, 0, len(value)), value...)
}

// entry builds a check's entry by recording its runs again, oldest first, and
// taking the older facts where they belong to the same latest run.
func (l *loaded) entry(id check.ID) *entry {
	e := newEntry(id)
	for _, n := range slices.Sorted(maps.Keys(l.runs[id])) {
		e.last = n - 1
		e.add(*l.runs[id][n])
	}
	if f, ok := l.facts[id]; ok && f.Last == e.last {
		e.status.Since, e.status.FoundSince, e.status.LastSuccess = f.Since, f.FoundSince, f.LastSuccess
	}
	return e
}

// adopt takes over what the file remembers. What the Store was told meanwhile
// is newer and stays on top: its runs are recorded again after the file's. If
// there is nothing of the kind, memory and file differ from here on only by
// what is marked.
func (s *Store) adopt(l *loaded) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := len(s.entries) == 0 && len(s.values) == 0 && len(s.fleets) == 0 && s.kept == nil
	for _, id := range slices.SortedFunc(maps.Keys(l.runs), compareIDs) {
		s.adoptEntry(l.entry(id))
	}
	for target, values := range l.values {
		s.adoptValues(target, values)
	}
	for id, records := range l.fleets {
		s.adoptFleet(id, records)
	}
	if !first {
		return
	}
	s.dirty = map[key]any{}
	for _, k := range l.useless {
		s.mark(k, nil)
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
	if s.kept != nil && !s.kept[target] {
		return
	}
	maps.Copy(values, s.values[target])
	s.values[target] = values
}

// report logs what could not be used, once for each kind.
func (l *loaded) report(logf func(string, error)) {
	for _, what := range slices.Sorted(maps.Keys(l.names.dropped)) {
		logf("dropped on reading the state", fmt.Errorf("%s (%d times)", what, l.names.dropped[what]))
	}
}
