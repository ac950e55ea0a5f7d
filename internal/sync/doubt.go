package sync

import (
	"fmt"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/sync/plan"
)

// doubtFloor is how many answers must be missing to say something of a fleet,
// however small.
const doubtFloor = 3

// many says whether n of so many are too many to pass over, from a floor on.
func many(n, of, floor int) bool { return n >= floor && float64(n) > unknownShare*float64(of) }

// doubt returns why the answers that came do not tell how the fleet is; empty:
// they do, as far as it has been asked.
func doubt(c plan.Counts) string {
	failed, tried := c.States[plan.Error], c.Mailboxes-c.States[plan.Unchecked]
	switch {
	case many(failed, tried, doubtFloor) || 2*failed > tried:
		return fmt.Sprintf("%d of %d mailboxes could not be asked", failed, tried)
	case many(c.Lost, c.Active+c.Lost, doubtFloor):
		return fmt.Sprintf("%d mailboxes synchronised in the last %d days and count no more: they are silent for over %d days, or Exchange Online has no phone or no mailbox of theirs; %d others count",
			c.Lost, plan.LostWithin/(24*time.Hour), plan.InactiveAfter/(24*time.Hour), c.Active)
	case c.Known() && c.Active == 0 && !many(c.States[plan.Unknown], tried, unknownFloor):
		return fmt.Sprintf("none of %d mailboxes asked synchronises: %d inactive, %d not provisioned, %d of the cloud",
			tried, c.States[plan.Inactive], c.States[plan.NotProvisioned], c.States[plan.Cloud])
	default:
		return ""
	}
}

// undecided gives the error of a run that has asked and cannot tell; failure is
// that of the last visit without an answer. The watch list is judged one by one:
// where it is all there is, what its answers say is enough.
func (o observation) undecided(failure error) error {
	unheard := 0
	for _, w := range o.watched {
		if w.state == plan.Error {
			unheard++
		}
	}
	why := doubt(o.counts)
	switch {
	case unheard > 0:
		return because(failure, "%d of %d watched mailboxes could not be asked", unheard, len(o.watched))
	case o.counts.Mailboxes == len(o.watched):
		return nil
	case o.counts.Mailboxes == o.counts.States[plan.Unchecked]:
		return check.Errorf(check.State, "nothing is known yet of %d mailboxes: the sweep of `hmad run` asks them in turn, `hmad check` those of sync.watch", o.counts.Mailboxes)
	case why != "" && o.counts.States[plan.Error] > 0:
		return because(failure, "%s", why)
	case why != "":
		return check.Errorf(check.State, "%s", why)
	default:
		return nil
	}
}

// because words an error with its cause, whose class it has.
func because(cause error, format string, args ...any) error {
	if cause == nil { // of an earlier process
		return check.Errorf(check.State, format, args...)
	}
	return check.Errorf(check.ClassOf(cause), "%s; the last failure: %w", fmt.Sprintf(format, args...), cause)
}
