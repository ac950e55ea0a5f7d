package plan

import "time"

// Why is the purpose for which a mailbox is asked.
type Why uint8

// The purposes, in order of priority.
const (
	Urgent Why = iota // the watch list, or somebody who asks
	Deadline
	Sample
	Again // new ones, and those of which nothing lasting is known
	Early // before its deadline, to level the load
)

// Ask is a mailbox that is to be asked now. It must be given back by Settle or
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
}

// A mailbox may have moved. Where it is is looked up anew when its location is
// so old and it is watched, or was fresh and is not; otherwise, while nothing
// good is heard of it, more rarely.
const (
	relocateAfter = 24 * time.Hour
	relocateIdle  = 72 * time.Hour
)

// LocateAgain reports whether a visit that found this state looks up anew where
// the mailbox is, which is another call.
func (a Ask) LocateAgain(now time.Time, found State) bool {
	age := now.Sub(a.Located)
	switch {
	case a.Why == Urgent, found != Fresh && !a.Ends.IsZero():
		return age >= relocateAfter
	default:
		return found != Fresh && age >= relocateIdle
	}
}
