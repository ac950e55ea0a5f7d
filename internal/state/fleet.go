package state

import (
	"bytes"
	"fmt"
	"maps"

	"github.com/hmad/hmad/internal/check"
)

// What a fleet takes, in bytes.
const (
	maxMember = 1 << 10
	maxRecord = 4 << 10
)

// fleetID names a fleet.
type fleetID struct{ target, name string }

// records are those of a fleet, by member. Their bytes are never changed, only
// replaced.
type records map[string][]byte

// Fleet returns the fleets of a target, by name. Members are named in no log.
func (s *Store) Fleet(target string) func(name string) check.Fleet {
	return func(name string) check.Fleet { return fleetOf{s, fleetID{target, name}} }
}

type fleetOf struct {
	store *Store
	id    fleetID
}

// Each calls f for every record.
func (h fleetOf) Each(f func(member string, record []byte)) {
	type row struct {
		member string
		record []byte
	}
	h.store.mu.Lock()
	fleet := h.store.fleets[h.id]
	all := make([]row, 0, len(fleet))
	for member, record := range fleet {
		all = append(all, row{member, record})
	}
	h.store.mu.Unlock()
	for _, r := range all {
		f(r.member, r.record)
	}
}

// Put keeps a copy of record, unless the target is gone.
func (h fleetOf) Put(member string, record []byte) {
	s := h.store
	if len(member) > maxMember || len(record) > maxRecord {
		s.options.Logf(fmt.Sprintf("record of fleet %s of target %s not kept", h.id.name, h.id.target),
			fmt.Errorf("%d bytes with a key of %d, over the limit of %d and %d", len(record), len(member), maxRecord, maxMember))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept != nil && !s.kept[h.id.target] {
		return
	}
	fleet := s.fleets[h.id]
	if before, ok := fleet[member]; ok && bytes.Equal(before, record) {
		return
	}
	if fleet == nil {
		fleet = records{}
		s.fleets[h.id] = fleet
	}
	fleet[member] = append(make([]byte, 0, len(record)), record...)
	h.mark(member, fleet[member])
}

// mark notes a member's record. The caller holds the lock.
func (h fleetOf) mark(member string, content any) {
	_ = h.store.mark(key{fleetTable, h.id.target, h.id.name, member}, content) // a record always encodes
}

// Delete forgets a member.
func (h fleetOf) Delete(member string) {
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	fleet := h.store.fleets[h.id]
	if _, ok := fleet[member]; ok {
		delete(fleet, member)
		h.mark(member, nil)
	}
}

// adoptFleet puts a fleet's records in the file behind those of memory.
func (s *Store) adoptFleet(id fleetID, read records) {
	if s.kept == nil || s.kept[id.target] {
		maps.Copy(read, s.fleets[id])
		s.fleets[id] = read
	}
}
