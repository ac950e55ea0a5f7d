package plan

import "time"

// AheadAllowed is by how much a time may lie in the future: clocks differ. What
// lies beyond is not known.
const AheadAllowed = 5 * time.Minute

// Partnership is what Exchange Online says of one phone with Outlook and one
// mailbox. Zero times are those that it does not say.
type Partnership struct {
	First   time.Time // first sync
	Attempt time.Time // last attempt
	Success time.Time // last good sync
}

// known says whether the partnership says when it last synchronised.
func (d Partnership) known(now time.Time) bool {
	return !d.Success.IsZero() && !d.Success.After(now.Add(AheadAllowed))
}

// begun says since when there is the partnership; one that says nothing at all
// may be the newest.
func (d Partnership) begun(now time.Time) time.Time {
	if d.First.IsZero() && !d.known(now) {
		return now.AddDate(1, 0, 0)
	}
	return d.First
}

// Judge gives the state of a mailbox with these partnerships. The newest
// success decides. Where the newest partnership does not say when it last
// synchronised, and no other is fresh, nothing is known: the user has a new
// phone, and the old one says nothing of it.
func Judge(now time.Time, rows []Partnership, staleAfter time.Duration) Answer {
	if len(rows) == 0 {
		return Answer{State: NotProvisioned}
	}
	newest, decides := rows[0], Partnership{}
	for _, d := range rows {
		if d.begun(now).After(newest.begun(now)) {
			newest = d
		}
		if d.known(now) && d.Success.After(decides.Success) {
			decides = d
		}
	}
	v := Answer{State: stateOf(now, decides, staleAfter), Success: decides.Success, Attempt: decides.Attempt, Devices: len(rows)}
	if v.State != Fresh && !newest.known(now) {
		v.State = Unknown
	}
	return v
}

// stateOf gives the state that one partnership says.
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
