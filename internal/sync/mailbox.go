package sync

import "time"

// State is what is known of a mailbox. It is in exactly one.
type State uint8

// The states, as hmad_mailboxes names them.
const (
	Unchecked      State = iota // not asked yet, or not since its last verdict ran out
	Fresh                       // synchronised within stale_after
	Stale                       // not synchronised within stale_after
	Failing                     // its last attempt is over an hour newer than its last success
	Inactive                    // no success for 14 days: nobody's fault
	Unknown                     // Exchange Online does not say when
	NotProvisioned              // no mailbox in the cloud, or no phone with Outlook
	Cloud                       // a mailbox of Exchange Online itself
	Error                       // could not be asked, or answered with another mailbox's rows
	Duplicate                   // another name of a mailbox that the fleet has
	states
)

// String gives the state's name, as the label has it.
func (s State) String() string {
	names := [states]string{"unchecked", "fresh", "stale", "failing", "inactive", "unknown", "not_provisioned", "cloud", "error", "duplicate"}
	if s >= states {
		return "unchecked"
	}
	return names[s]
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// active says whether phones synchronise with the mailbox, or should.
func (s State) active() bool { return s == Fresh || s == Stale || s == Failing }

const (
	inactiveAfter = 14 * 24 * time.Hour // no success for so long is nobody's fault
	failingAfter  = time.Hour           // an attempt so much newer than the success has failed
	restMost      = 48 * time.Hour      // between two visits of a mailbox that is not fresh
)

// Location is the GUID of a mailbox in Exchange Online; zero: not known.
type Location [16]byte

// Verdict is what one visit found out.
type Verdict struct {
	State    State
	Success  time.Time // last good sync of the partnership that decides; zero: none known
	Attempt  time.Time // its last attempt
	Devices  int       // Outlook's partnerships
	Location Location  // zero: there is none
	Located  time.Time // when Location was looked up
}

// seconds is a moment as Unix seconds, in four bytes; 0 is never.
type seconds uint32

func secondsOf(t time.Time) seconds {
	if t.Unix() <= 0 {
		return 0
	}
	return seconds(min(t.Unix(), 1<<32-1))
}

func (s seconds) time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}

// sub gives s − t.
func (s seconds) sub(t seconds) time.Duration {
	return time.Duration(int64(s)-int64(t)) * time.Second
}

// add gives s + d.
func (s seconds) add(d time.Duration) seconds {
	return seconds(max(0, min(int64(s)+int64(d/time.Second), 1<<32-1)))
}

// mailbox is one member of the fleet, kept small: there may be 100,000.
type mailbox struct {
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
	sources    uint8 // which of them have it, in four bits
	watched    bool
	shown      bool // has a row in the table of gauges
	gone       bool // removed while it was being asked
}

func (m *mailbox) limit() time.Duration { return time.Duration(m.staleAfter) * time.Second }

// synced gives the last sync of a phone that there still is.
func (m *mailbox) synced() seconds {
	if m.state == NotProvisioned {
		return 0
	}
	return m.success
}

// ends is when a fresh verdict ends: not before then can the mailbox be stale.
func (m *mailbox) ends() seconds { return m.success + seconds(m.staleAfter) }

// take keeps what a visit found out and plans the next one.
func (m *mailbox) take(now seconds, v Verdict) {
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
func (m *mailbox) takeError(now seconds) {
	if m.state != Fresh || now >= m.ends() {
		m.state = Error
	}
	m.due = now.add(min(15*time.Minute<<min(m.tries, 7), 24*time.Hour))
	m.tries = min(m.tries+1, 100)
}

// next gives the earliest moment after an answer at which asking again can
// change the verdict; where that is any moment, one that grows with the age of
// what is known.
func (m *mailbox) next(now seconds) seconds {
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
func (m *mailbox) inTime(every time.Duration, asked seconds) {
	if every > 0 {
		m.due = min(m.due, asked.add(every))
	}
}

// slack is how long a verdict may be overdue and still stand.
func (m *mailbox) slack() seconds { return max(seconds(m.staleAfter)/8, 60) }

// at gives the state at a moment: a verdict does not stand for ever. Fresh
// stands until it ends; the others, which only an answer can better, while
// they are of the last days.
func (m *mailbox) at(now seconds) State {
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
