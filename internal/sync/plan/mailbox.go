package plan

import (
	"iter"
	"time"
)

// Mailbox is what the plan knows of a mailbox. Zero times are not known.
type Mailbox struct {
	Key        string
	State      State     // that counts now
	Last       State     // when it was last asked; it may have run out since
	Success    time.Time // last good sync of a phone with the cloud
	Attempt    time.Time // its last attempt
	Checked    time.Time // last answer
	NextAsk    time.Time // planned, if nothing more urgent comes
	Location   Location
	Devices    int // Outlook's partnerships
	StaleAfter time.Duration
	Watched    bool
}

// view returns what is known of the mailbox at a moment.
func (m *entry) view(now seconds) Mailbox {
	return Mailbox{Key: m.key, State: m.at(now), Last: m.state, Success: m.synced().time(), Attempt: m.attempt.time(), Checked: m.checked.time(),
		NextAsk: m.due.time(), Location: m.location, Devices: int(m.devices), StaleAfter: m.limit(), Watched: m.watched}
}

// Mailbox returns what is known of a mailbox; false: the fleet does not have it.
func (p *Planner) Mailbox(now time.Time, key string) (Mailbox, bool) {
	id, ok := p.index[key]
	if !ok {
		return Mailbox{}, false
	}
	return p.all[id].view(secondsOf(now)), true
}

// All returns every mailbox of the fleet. The fleet must not change during the
// iteration.
func (p *Planner) All(now time.Time) iter.Seq[Mailbox] {
	at := secondsOf(now)
	return func(yield func(Mailbox) bool) {
		for i := range p.all {
			if m := &p.all[i]; m.member() && !yield(m.view(at)) {
				return
			}
		}
	}
}

// Read returns what a record says of a mailbox, and when a Planner of these
// settings asks it next.
func Read(now time.Time, key string, record []byte, s Settings) (Mailbox, error) {
	m := entry{key: key, staleAfter: uint32(s.StaleAfter / time.Second)}
	if err := m.restore(record); err != nil {
		return Mailbox{}, err
	}
	m.inTime(s.AskEvery, m.checked)
	return m.view(secondsOf(now)), nil
}
