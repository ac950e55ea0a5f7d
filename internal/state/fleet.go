package state

import (
	"bytes"
	"fmt"

	"github.com/hmad/hmad/internal/check"
)

// What a fleet takes, in bytes.
const (
	maxMember = 1 << 10
	maxRecord = 4 << 10
)

// fleetID names a fleet.
type fleetID struct{ target, name string }

// fleet is one record per member. The records' bytes are never changed, only
// replaced, and there may be hundreds of thousands: what the file does not have
// of them is a set of members of its own, beside Store.dirty and as bounded as
// the fleet is, and the records are looked up as they are written.
type fleet struct {
	records map[string][]byte
	dirty   map[string]struct{} // not tracked while Store.dirty is nil
}

// Fleet gives the fleets of a target, by name. Members are named in no log.
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
	var all []row
	if fleet := h.store.fleets[h.id]; fleet != nil {
		all = make([]row, 0, len(fleet.records))
		for member, record := range fleet.records {
			all = append(all, row{member, record})
		}
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
	fleet := s.fleet(h.id)
	if before, ok := fleet.records[member]; ok && bytes.Equal(before, record) {
		return
	}
	fleet.records[member] = append(make([]byte, 0, len(record)), record...)
	s.markMember(fleet, member)
}

// Delete forgets a member.
func (h fleetOf) Delete(member string) {
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	fleet := h.store.fleets[h.id]
	if fleet == nil {
		return
	}
	if _, ok := fleet.records[member]; ok {
		delete(fleet.records, member)
		h.store.markMember(fleet, member)
	}
}

// fleet gives a fleet, a new one if need be. The caller holds the lock.
func (s *Store) fleet(id fleetID) *fleet {
	if s.fleets[id] == nil {
		s.fleets[id] = &fleet{records: map[string][]byte{}}
	}
	return s.fleets[id]
}

// forgetFleets empties the fleets of targets that are not kept.
func (s *Store) forgetFleets() {
	for id, fleet := range s.fleets {
		if s.kept[id.target] {
			continue
		}
		for member := range fleet.records {
			s.markMember(fleet, member)
		}
		fleet.records = map[string][]byte{}
	}
}

// adoptFleet puts a fleet's records in the file behind those of memory.
func (s *Store) adoptFleet(id fleetID, records map[string][]byte) {
	if s.kept != nil && !s.kept[id.target] {
		return
	}
	fleet := s.fleet(id)
	for member, record := range fleet.records {
		records[member] = record
	}
	fleet.records = records
}
