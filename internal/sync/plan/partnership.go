package plan

import (
	"cmp"
	"time"
)

// AheadAllowed is how far a time may lie in the future, because clocks differ. A
// time beyond it is treated as not known.
const AheadAllowed = 5 * time.Minute

// Partnership is what Exchange Online says of one phone with Outlook and one
// mailbox. A zero time is one that it does not give.
type Partnership struct {
	First   time.Time // first sync
	Attempt time.Time // last attempt
	Success time.Time // last good sync
	Unread  string    // the form of a date that could not be read; empty: all could
}

// known reports whether the time of the last sync is known.
func (d Partnership) known(now time.Time) bool {
	return !d.Success.IsZero() && !d.Success.After(now.Add(AheadAllowed))
}

// begun returns when the partnership began. One without any known time may be the
// newest, and is treated as such.
func (d Partnership) begun(now time.Time) time.Time {
	if d.First.IsZero() && !d.known(now) {
		return now.AddDate(1, 0, 0)
	}
	return d.First
}

// Judge returns the answer that a mailbox's partnerships amount to. The newest
// success decides. But where the newest partnership has no known success and no
// other is fresh, the state is Unknown: the user has a new phone, and the old one
// proves nothing about it. A success that cannot be read may be
// the newest: only a fresh one proves anything then.
func Judge(now time.Time, rows []Partnership, staleAfter time.Duration) Answer {
	if len(rows) == 0 {
		return Answer{State: NotProvisioned}
	}
	newest, decides, unread, maybe := rows[0], Partnership{}, "", false
	for _, d := range rows {
		if d.begun(now).After(newest.begun(now)) {
			newest = d
		}
		if d.known(now) && d.Success.After(decides.Success) {
			decides = d
		}
		if unread = cmp.Or(unread, d.Unread); d.Unread != "" && !d.known(now) {
			maybe = true
		}
	}
	v := Answer{State: stateOf(now, decides, staleAfter), Success: decides.Success, Attempt: decides.Attempt, Devices: len(rows), Unread: unread}
	if v.State != Fresh && (!newest.known(now) || maybe) {
		v.State = Unknown
	}
	return v
}

// stateOf returns the state by one partnership.
func stateOf(now time.Time, d Partnership, staleAfter time.Duration) State {
	age := now.Sub(d.Success)
	switch {
	case !d.known(now):
		return Unknown
	case age >= InactiveAfter:
		return Inactive
	case d.Attempt.Sub(d.Success) > failingAfter && !d.Attempt.After(now.Add(AheadAllowed)) && now.Sub(d.Attempt) < staleAfter:
		return Failing
	case age >= staleAfter:
		return Stale
	default:
		return Fresh
	}
}
