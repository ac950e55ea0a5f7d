package plan

import "time"

// Why is the purpose for which a mailbox is asked.
type Why uint8

// The purposes, in order of priority.
const (
	Urgent   Why = iota // of the watch list: a run waits for the answer
	Deadline            // its fresh verdict ends
	Sample              // in rotation, whatever is known of it
	Again               // new, or not fresh when last asked
	Early               // before its deadline, to level the load
)

// Ask is a mailbox to ask now. It must go back to the Planner by Settle or
// Release.
type Ask struct {
	Key        string
	Why        Why
	StaleAfter time.Duration
	Location   Location // zero: to be looked up first
	Located    time.Time
	Ends       time.Time // of the fresh verdict that stands; zero: none does
	Failed     bool      // it could not be asked the last time
	id         int32
}

// Answer is what one visit found out.
type Answer struct {
	State    State
	Success  time.Time // last good sync of the partnership that decides; zero: none known
	Attempt  time.Time // its last attempt
	Devices  int       // Outlook's partnerships
	Location Location  // zero: there is none
	Located  time.Time // when Location was looked up
	Unread   string    // the form of a date that could not be read; empty: all could
}

// A mailbox may have moved, so its location is looked up again.
const (
	relocateAfter = 24 * time.Hour // where it is watched, or was fresh and is not
	relocateIdle  = 72 * time.Hour // of others that are not fresh
)

// LocateAgain reports whether a visit that found this state must look up the
// mailbox's location again, which is one more call.
func (a Ask) LocateAgain(now time.Time, found State) bool {
	age := now.Sub(a.Located)
	switch {
	case a.Why == Urgent, found != Fresh && !a.Ends.IsZero():
		return age >= relocateAfter
	default:
		return found != Fresh && age >= relocateIdle
	}
}
