package plan

import "time"

const restMost = 48 * time.Hour // between two visits to a mailbox that is not fresh

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

// member reports whether the entry is in use by a mailbox of the fleet.
func (m *entry) member() bool { return m.key != "" && !m.gone }

func (m *entry) limit() time.Duration { return time.Duration(m.staleAfter) * time.Second }

// synced returns the last sync; 0 where the mailbox has no phone any more.
func (m *entry) synced() seconds {
	if m.state == NotProvisioned {
		return 0
	}
	return m.success
}

// ends returns when a fresh verdict ends. The mailbox cannot be stale before.
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
	if v.State != NotProvisioned { // such an answer has no last sync; the known one is kept
		m.success = secondsOf(v.Success)
	}
	m.devices = uint8(min(max(v.Devices, 0), 255))
	m.due = m.next(now)
}

// takeError records a visit without an answer. A fresh verdict that has not
// ended still holds.
func (m *entry) takeError(now seconds) {
	if m.state != Fresh || now >= m.ends() {
		m.state = Error
	}
	m.due = now.add(min(15*time.Minute<<min(m.tries, 7), 24*time.Hour))
	m.tries = min(m.tries+1, 100)
}

// next returns when to ask again after an answer: for a fresh mailbox, the
// earliest moment at which the verdict can change. Any other verdict can change
// at any time, so such a mailbox is asked the less often the longer ago it
// synchronised.
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

// inTime brings the next visit forward, so that it is at most every after the
// one at asked; 0: no such limit.
func (m *entry) inTime(every time.Duration, asked seconds) {
	if every > 0 {
		m.due = min(m.due, asked.add(every))
	}
}

// leastSlack is what is at least allowed: a host that is busy for a moment is not
// behind.
const leastSlack seconds = 60

// slack returns how long a verdict may be overdue and still count.
func (m *entry) slack() seconds { return max(seconds(m.staleAfter)/8, leastSlack) }

// at returns the state that counts at a moment. A verdict that was not renewed
// runs out: fresh when it ends; the others, which only an answer can improve,
// after stale_after or two days, whichever is longer.
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
