package sync

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/sync/plan"
)

// noWatched is why nothing is judged of the watch list where it is empty.
const noWatched = "no mailbox is watched"

// seenWatched is an entry of the watch list and what is known of it.
type seenWatched struct {
	entry   Watched
	state   plan.State
	success time.Time
}

// called returns the entry's name, or what stands for it where the label mode
// hides names.
func (w Watched) called() string { return cmp.Or(w.Name, check.UnnamedMailbox) }

// unheard returns how many mailboxes of the watch list nothing is known of.
func (o observation) unheard() (n int) {
	for _, w := range o.watched {
		if w.state == plan.Unchecked || w.state == plan.Error {
			n++
		}
	}
	return n
}

func (o observation) unheardWords() string {
	return fmt.Sprintf("nothing is known of %d of %d watched mailboxes", o.unheard(), len(o.watched))
}

// judgeWatched judges each mailbox of the watch list. A reason is clear where
// every mailbox that it may concern has answered; one of which nothing is known
// leaves it open.
func (o observation) judgeWatched(v *check.Verdict) {
	if len(o.watched) == 0 {
		v.NotApplicable(noWatched, watchedStaleCritical, watchedStale, watchedNotProvisioned, watchedInCloud)
		return
	}
	o.judgeStale(v, watchedStaleCritical, check.Critical)
	o.judgeStale(v, watchedStale, check.Warning)
	o.judgePlace(v, watchedNotProvisioned, plan.NotProvisioned)
	o.judgePlace(v, watchedInCloud, plan.Cloud)
}

// judgeStale judges the watched mailboxes of a severity by their last sync, the
// one that synchronised longest ago first.
func (o observation) judgeStale(v *check.Verdict, r *check.Reason, severity check.Severity) {
	of := slices.DeleteFunc(slices.Clone(o.watched), func(w seenWatched) bool {
		return (w.entry.Severity == check.Critical) != (severity == check.Critical)
	})
	if len(of) == 0 {
		v.NotApplicable(fmt.Sprintf("%s with severity %s", noWatched, severity), r)
		return
	}
	slices.SortStableFunc(of, func(a, b seenWatched) int { return a.success.Compare(b.success) })
	var about, details []string
	for _, w := range of {
		switch w.state {
		case plan.Stale, plan.Failing, plan.Inactive:
			about = append(about, w.entry.Name)
			details = append(details, fmt.Sprintf("%s is %s, last synchronised %s (stale_after %s)",
				w.entry.called(), w.state, check.Moment(w.success), check.Span(w.entry.StaleAfter)))
		case plan.Fresh, plan.NotProvisioned, plan.Cloud:
			v.Clear(r)
		case plan.Unknown:
			v.Open("not known when a watched mailbox last synchronised, see sync_unknown", r)
		default:
			v.Open(o.unheardWords(), r)
		}
	}
	if len(details) > 0 {
		v.Find(r, about, "%s", check.List(details))
	}
}

// judgePlace judges which watched mailboxes are in a state that shows nothing
// about hybrid Modern Authentication.
func (o observation) judgePlace(v *check.Verdict, r *check.Reason, in plan.State) {
	var about, names []string
	for _, w := range o.watched {
		if w.state == in {
			about, names = append(about, w.entry.Name), append(names, w.entry.called())
		}
	}
	switch {
	case len(names) > 0:
		v.Find(r, about, "%s", check.List(names))
	case o.unheard() > 0:
		v.Open(o.unheardWords(), r)
	default:
		v.Clear(r)
	}
}
