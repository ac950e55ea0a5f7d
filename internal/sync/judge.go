package sync

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/sync/plan"
)

// Limits of the verdicts on a fleet.
const (
	stopActive   = 100 // active mailboxes, below which sync_stopped is not judged
	stopShare    = 0.1 // of the samples that usually move, which may still move in a stop
	unknownShare = 0.2 // see many
	unknownFloor = 20
	behindShare  = 0.1
	behindFloor  = 10
)

// Rules are the config's settings for judging a fleet.
type Rules struct {
	Share float64 // of the active mailboxes, from which sync_stale and sync_failing are found
	Floor int     // and the least number of them
	Watch []Watched
	Name  func(key string) string // a mailbox's name by the label mode; "", or a nil Name: it is not named
}

// Watched is an entry of the watch list.
type Watched struct {
	Key        string
	Name       string // by the label mode
	StaleAfter time.Duration
	Severity   check.Severity
}

// Judge returns the findings about the planner's fleet, and the reasons that could
// not be judged.
func Judge(p *plan.Planner, now time.Time, r Rules) (found []check.Finding, unevaluated []*check.Reason) {
	return judge(observe(p, now, r))
}

func observe(p *plan.Planner, now time.Time, r Rules) observation {
	o := observation{counts: p.Count(now), rules: r, movement: p.Movement(now), extremes: extremesOf(p, now)}
	for _, w := range r.Watch {
		seen := seenWatched{entry: w}
		if m, ok := p.Mailbox(now, w.Key); ok {
			seen.state, seen.success = m.State, m.Success
		}
		o.watched = append(o.watched, seen)
	}
	return o
}

// observation is all that the verdict of mailbox_sync depends on.
type observation struct {
	counts   plan.Counts
	rules    Rules
	movement plan.Movement
	extremes extremes
	watched  []seenWatched
	partial  bool // the tenant's inventory was never read completely, so mailboxes may be missing
	halted   bool // the sweep pauses for an error, which is the run's error too
}

// seenWatched is an entry of the watch list and what is known of it.
type seenWatched struct {
	entry   Watched
	state   plan.State
	success time.Time
}

// judge returns the findings, and the reasons that could not be judged.
func judge(o observation) (found []check.Finding, unevaluated []*check.Reason) {
	v := &fleetVerdict{seen: o, unsure: o.partial || doubt(o.counts) != ""}
	v.stopped()
	v.share(syncFailing, "fail", plan.Failing)
	if v.stands(syncFailing) { // one fault shows one reason: the failing ones have theirs
		v.share(syncStale, "are stale", plan.Stale)
	} else {
		v.share(syncStale, "are stale or failing", plan.Stale, plan.Failing)
	}
	v.unknown()
	v.watchList()
	v.behind()
	return v.found, v.unevaluated
}

type fleetVerdict struct {
	seen        observation
	unsure      bool // the fleet may be worse than what is known of it
	found       []check.Finding
	unevaluated []*check.Reason
}

func (v *fleetVerdict) find(r *check.Reason, format string, args ...any) {
	v.found = append(v.found, check.Finding{Reason: r, Detail: fmt.Sprintf(format, args...)})
}

func (v *fleetVerdict) stands(r *check.Reason) bool {
	return slices.ContainsFunc(v.found, func(f check.Finding) bool { return f.Reason == r })
}

// stopped judges sync_stopped: hardly any sample moved, at an hour at which many
// usually do.
func (v *fleetVerdict) stopped() {
	small := v.seen.counts.Active < stopActive
	if small && v.seen.counts.Known() && !v.unsure {
		return
	}
	s := v.seen.movement
	if small || s.Asked < plan.SamplesFloor || !s.Known {
		v.unevaluated = append(v.unevaluated, syncStopped)
		return
	}
	if s.Enough() && float64(s.Moved) <= stopShare*s.Expected {
		v.find(syncStopped, "of %d mailboxes asked in rotation, %d had synchronised in the %s before; at this hour %.0f usually have; the newest sync known: %s%s",
			s.Asked, s.Moved, check.Span(plan.MovedWithin), s.Expected, check.Moment(v.seen.counts.Newest), v.naming("the last to synchronise", v.seen.extremes.newest))
	}
}

// share judges the share of the active mailboxes that are in these states. A
// mailbox that was fresh when last asked counts as active, however long ago that
// was: hmad's own lag must not make a share larger.
func (v *fleetVerdict) share(r *check.Reason, words string, in ...plan.State) {
	if !v.seen.counts.Known() {
		v.unevaluated = append(v.unevaluated, r)
		return
	}
	n := 0
	var longest []example
	for _, s := range in {
		n += v.seen.counts.States[s]
		for _, e := range v.seen.extremes.longest[s] {
			longest = keep(longest, e, earlier)
		}
	}
	if n >= v.seen.rules.Floor && float64(n) >= v.seen.rules.Share*float64(v.seen.counts.Active) {
		v.find(r, "%d of %d active mailboxes %s (%s); the newest sync known: %s%s",
			n, v.seen.counts.Active, words, percent(n, v.seen.counts.Active), check.Moment(v.seen.counts.Newest), v.naming("longest without a sync", longest))
	} else if v.unsure {
		v.unevaluated = append(v.unevaluated, r)
	}
}

// naming returns the end of a detail that names examples; empty where the label
// mode hides names.
func (v *fleetVerdict) naming(words string, of []example) string {
	if v.seen.rules.Name == nil {
		return ""
	}
	var named []string
	for _, e := range of {
		if name := v.seen.rules.Name(e.key); name != "" {
			named = append(named, fmt.Sprintf("%s (%s)", name, check.Moment(e.synced)))
		}
	}
	if len(named) == 0 {
		return ""
	}
	return "; " + words + ": " + strings.Join(named, ", ")
}

func (v *fleetVerdict) unknown() {
	n, asked := v.seen.counts.States[plan.Unknown], v.seen.counts.Asked()
	var names []string
	for _, w := range v.seen.watched {
		if w.state == plan.Unknown {
			names = append(names, w.entry.Name)
		}
	}
	switch {
	case len(names) > 0:
		v.find(syncUnknown, "not known when these watched mailboxes last synchronised: %s", check.List(names))
	case !v.seen.counts.Known():
		v.unevaluated = append(v.unevaluated, syncUnknown)
	case many(n, asked, unknownFloor):
		v.find(syncUnknown, "not known when %d of %d mailboxes last synchronised (%s)", n, asked, percent(n, asked))
	case v.unsure:
		v.unevaluated = append(v.unevaluated, syncUnknown)
	}
}

// watchList judges each watched mailbox. One that could not be asked leaves its
// reasons open, unless they are found of another mailbox.
func (v *fleetVerdict) watchList() {
	found := map[*check.Reason][]string{}
	open := map[*check.Reason]bool{}
	for _, w := range v.seen.watched {
		stale := watchedStale
		if w.entry.Severity == check.Critical {
			stale = watchedStaleCritical
		}
		switch w.state {
		case plan.Stale, plan.Failing, plan.Inactive:
			found[stale] = append(found[stale], fmt.Sprintf("%s is %s, last synchronised %s (stale_after %s)",
				w.entry.Name, w.state, check.Moment(w.success), check.Span(w.entry.StaleAfter)))
		case plan.NotProvisioned:
			found[watchedNotProvisioned] = append(found[watchedNotProvisioned], w.entry.Name)
		case plan.Cloud:
			found[watchedInCloud] = append(found[watchedInCloud], w.entry.Name)
		case plan.Unchecked, plan.Error:
			open[stale], open[watchedNotProvisioned], open[watchedInCloud] = true, true, true
		}
	}
	for _, r := range []*check.Reason{watchedStaleCritical, watchedStale, watchedNotProvisioned, watchedInCloud} {
		switch {
		case len(found[r]) > 0:
			v.find(r, "%s", check.List(found[r]))
		case open[r]:
			v.unevaluated = append(v.unevaluated, r)
		}
	}
}

func (v *fleetVerdict) behind() {
	if v.seen.halted {
		v.unevaluated = append(v.unevaluated, sweepBehind)
		return
	}
	if n := v.seen.counts.Behind; n >= behindFloor && float64(n) >= behindShare*float64(v.seen.counts.Mailboxes) {
		v.find(sweepBehind, "%d of %d mailboxes should have been asked long ago, the first %s ago", n, v.seen.counts.Mailboxes, check.Span(v.seen.counts.Lag))
	}
}

func percent(n, of int) string { return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(max(of, 1))) }
