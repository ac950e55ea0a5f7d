package catalog

import (
	"time"

	"github.com/hmad/hmad/internal/check"
)

// sooner returns the reason of d.Sooner for the same fault; nil where
// none does. The alert of d comes only where d.Sooner has told nothing, nor
// lately: a finding an hour old would page again after the outage is mended,
// when no inhibition holds it any more.
func sooner(d *check.Def, r *check.Reason) *check.Reason {
	if d.Sooner == nil {
		return nil
	}
	return d.Sooner.Reason(r.Name)
}

// holdOf returns how long a reason stands before it alerts: by its check's waits, or as
// long as it takes the check that looks more often to tell of the same fault.
func holdOf(d *check.Def, r *check.Reason) time.Duration {
	if told := sooner(d, r); told != nil {
		wait := waitsOf(d.Sooner)
		return wait.gap + wait.hold(told) + aRun
	}
	return waitsOf(d).hold(r)
}

// Hold returns how long a finding of a check stands before it alerts, by the
// rules that ship; also of the reason undecided.
func Hold(checkName, reason string) time.Duration {
	d := Find(checkName)
	if d == nil {
		return 0
	}
	if r := d.Reason(reason); r != nil {
		return holdOf(d, r)
	}
	return undecidedHold
}

// waits derives from a check's default schedule how long its alerts wait.
type waits struct{ gap time.Duration }

// Bounds of what alerts wait.
const (
	// atOnce is four evaluations: one look's word is enough, and it has stood
	// through more than one scrape.
	atOnce = 2 * time.Minute
	// aRun is what a run, the next scrape and the next evaluation may take.
	aRun = time.Minute
	// slowGap is the gap from which a check does not look at answers of servers,
	// which may flicker, but at settings and reports, which do not.
	slowGap = 10 * time.Minute
	// keptMost bounds how late «resolved» may be.
	keptMost = 15 * time.Minute
)

// hold returns how long a finding stands before it alerts, unless its reason states it. Between two runs a
// finding cannot change, so there are two sensible times: at once, or as long
// as it takes the next run to agree. At once where the run itself has looked
// twice (Confirm), and where the next look is so far away that waiting for it
// costs more than a false page; else the next run has its say.
func (w waits) hold(r *check.Reason) time.Duration {
	switch {
	case r.For != 0:
		return r.For
	case r.Confirm || w.gap >= slowGap:
		return atOnce
	default:
		return w.gap + aRun
	}
}

// keep returns an alert's keep_firing_for: one good run between two bad ones (a
// load balancer with one bad member) or a restart of hmad makes no second page.
// It is also how late «resolved» comes, so that it ends at keptMost: a finding
// that comes and goes from one hour to the next pages each time.
func (w waits) keep() time.Duration { return min(w.gap, keptMost) + aRun }

// remembered is how long a finding that is found again needs no new hold: one
// good run between two bad ones makes no second page. It is no less than how
// long a finding counts whose hmad has died.
func remembered(d *check.Def, r *check.Reason) time.Duration {
	return max(standing+missable, waitsOf(d).keep()+holdOf(d, r))
}
