package plan

import "time"

const restMost = 48 * time.Hour // between two visits of a mailbox that is not fresh

// entry is a mailbox of the fleet, kept small: there may be 100,000.
type entry struct {
	key        string
	location   Location
	success    seconds
	attempt    seconds
	checked    seconds // last answer
	located    seconds
	due        seconds // the earliest moment at which asking can change the verdict
	staleAfter uint32  // in seconds
	slot       int32   // place in its queue
	queue      queueID
	state      State
	tries      uint8 // visits without an answer in a row
	devices    uint8
	sources    Sources
	watched    bool
	gone       bool // removed while it was being asked
}

// member reports whether the place is that of a mailbox of the fleet.
func (m *entry) member() bool { return m.key != "" && !m.gone }

func (m *entry) limit() time.Duration { return time.Duration(m.staleAfter) * time.Second }

// synced gives the last sync of a phone that there still is.
func (m *entry) synced() seconds {
	if m.state == NotProvisioned {
		return 0
	}
	return m.success
}

// ends is when a fresh verdict ends: not before then can the mailbox be stale.
func (m *entry) ends() seconds { return m.success + seconds(m.staleAfter) }

// take keeps what a visit found out and plans the next one.
func (m *entry) take(now seconds, v Answer) {
	if v.State == Error {
		m.takeError(now)
		return
	}
	m.location, m.located = v.Location, secondsOf(v.Located)
	m.checked, m.state, m.tries = now, v.State, 0
	m.attempt = secondsOf(v.Attempt)
	if v.State != NotProvisioned { // which says nothing of a last sync; that there was one is remembered
		m.success = secondsOf(v.Success)
	}
	m.devices = uint8(min(max(v.Devices, 0), 255))
	m.due = m.next(now)
}

// takeError notes a visit without an answer. A fresh verdict that has not ended
// is true all the same.
func (m *entry) takeError(now seconds) {
	if m.state != Fresh || now >= m.ends() {
		m.state = Error
	}
	m.due = now.add(min(15*time.Minute<<min(m.tries, 7), 24*time.Hour))
	m.tries = min(m.tries+1, 100)
}

// next gives the earliest moment after an answer at which asking again can
// change the verdict; where that is any moment, one that grows with the age of
// what is known.
func (m *entry) next(now seconds) seconds {
	switch m.state {
	case Fresh:
		return max(m.ends(), now.add(time.Minute))
	case Stale, Failing, Inactive:
		return now.add(min(max(now.sub(m.success)/6, time.Hour), restMost))
	case Unknown:
		return now.add(max(min(m.limit()/2, 12*time.Hour), time.Hour))
	case NotProvisioned, Cloud, Duplicate:
		return now.add(24 * time.Hour)
	default:
		return now
	}
}

// inTime brings the visit that follows one at asked forward to where asking
// every so often (0: it is not wanted) has it.
func (m *entry) inTime(every time.Duration, asked seconds) {
	if every > 0 {
		m.due = min(m.due, asked.add(every))
	}
}

// slack is how long a verdict may be overdue and still stand.
func (m *entry) slack() seconds { return max(seconds(m.staleAfter)/8, 60) }

// at gives the state at a moment: a verdict does not stand for ever. Fresh
// stands until it ends; the others, which only an answer can better, while
// they are of the last days.
func (m *entry) at(now seconds) State {
	var ends seconds
	switch m.state {
	case Unchecked, Error:
		return m.state
	case Fresh:
		ends = m.ends()
	default:
		ends = m.checked + max(seconds(m.staleAfter), seconds(restMost/time.Second))
	}
	if now > ends+m.slack() {
		return Unchecked
	}
	return m.state
}
