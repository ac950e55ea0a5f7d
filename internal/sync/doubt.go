package sync

import (
	"fmt"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/sync/plan"
)

// doubtFloor is the least number of missing answers that puts a fleet in doubt.
const doubtFloor = 3

// many reports whether n, if it is at least floor, is more than a fifth of of.
func many(n, of, floor int) bool { return n >= floor && float64(n) > unknownShare*float64(of) }

// doubt returns why the fleet cannot be judged by the answers that came; empty: it
// can, as far as it has been asked.
func doubt(c plan.Counts) string {
	failed, tried := c.States[plan.Error], c.Mailboxes-c.States[plan.Unchecked]
	switch {
	case many(failed, tried, doubtFloor) || 2*failed > tried:
		return fmt.Sprintf("%d of %d mailboxes could not be asked", failed, tried)
	case many(c.Lost, c.Active+c.Lost, doubtFloor):
		return fmt.Sprintf("%d mailboxes that synchronised in the last %d days no longer count: silent for over %d days, or without a phone or a mailbox in "+
			"Exchange Online; %d others count",
			c.Lost, plan.LostWithin/(24*time.Hour), plan.InactiveAfter/(24*time.Hour), c.Active)
	case c.Known() && c.Active == 0 && !many(c.States[plan.Unknown], tried, unknownFloor):
		return fmt.Sprintf("none of the %d mailboxes that were asked synchronises: %d inactive, %d not provisioned, %d of the cloud",
			tried, c.States[plan.Inactive], c.States[plan.NotProvisioned], c.States[plan.Cloud])
	default:
		return ""
	}
}

// undecided returns the error of a run that has asked and cannot judge; failure is
// the error of the last visit without an answer. The mailboxes of the watch list
// are judged one by one, so a fleet that consists of them is never in doubt.
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
		return check.Errorf(check.State, "nothing is known yet of %d mailboxes: `hmad run` asks them in turn, `hmad check` only those of sync.watch",
			o.counts.Mailboxes)
	case why != "" && o.counts.States[plan.Error] > 0:
		return because(failure, "%s", why)
	case why != "":
		return check.Errorf(check.Other, "%s", why)
	default:
		return nil
	}
}

// because returns an error with its cause, in the cause's class. A nil cause was
// seen by an earlier process: this one does not know it yet.
func because(cause error, format string, args ...any) error {
	if cause == nil {
		return check.Errorf(check.State, format, args...)
	}
	return check.Errorf(check.ClassOf(cause), "%s; the last failure: %w", fmt.Sprintf(format, args...), cause)
}
