package plan

import (
	"encoding/binary"
	"errors"
)

// recordVersion is the first byte of a mailbox's record.
const recordVersion = 2

// recordSize is 4 bytes of head, 5 moments and a GUID.
const recordSize = 4 + 5*4 + 16

var errRecord = errors.New("not a mailbox record of this version")

// record returns what must survive a restart. The next visit is used only where
// the last one had no answer; otherwise restore computes it from the rest and the
// config in force.
func (m *entry) record() []byte {
	b := make([]byte, 0, recordSize)
	b = append(b, recordVersion, byte(m.sources)<<4|byte(m.state), m.devices, m.tries)
	for _, s := range []seconds{m.success, m.attempt, m.checked, m.located, m.due} {
		b = binary.BigEndian.AppendUint32(b, uint32(s))
	}
	return append(b, m.location[:]...)
}

// restore reads a record into m and plans the next visit. Its error leaves m as
// it was.
func (m *entry) restore(b []byte) error {
	if len(b) != recordSize || b[0] != recordVersion || State(b[1]&15) >= states {
		return errRecord
	}
	m.state, m.sources, m.devices, m.tries = State(b[1]&15), Sources(b[1]>>4), b[2], b[3]
	for i, s := range []*seconds{&m.success, &m.attempt, &m.checked, &m.located, &m.due} {
		*s = seconds(binary.BigEndian.Uint32(b[4+4*i:]))
	}
	copy(m.location[:], b[4+5*4:])
	if m.state != Error && m.state != Unchecked && m.tries == 0 {
		m.due = m.next(m.checked)
	}
	return nil
}
