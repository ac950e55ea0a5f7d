package sync

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// Floors below which nothing is said of the fleet.
const (
	stopActive   = 100 // mailboxes that synchronise at all
	stopExpected = 15  // samples that should have moved
	stopShare    = 0.1 // of them may move in a stop
	unknownShare = 0.2
	unknownFloor = 20
	behindShare  = 0.1
	behindFloor  = 10
	hourLookedAt = 10 // samples of an hour that make it known
)

// Rules are what the config says of judging a fleet.
type Rules struct {
	Share float64 // of fresh, stale and failing mailboxes at which sync_stale and sync_failing stand
	Floor int     // and how many they must be at least
	Watch []Watched
	Name  func(key string) string // of a mailbox as the label mode has it; empty, or nil: none is named
}

// Watched is an entry of the watch list.
type Watched struct {
	Key        string
	Name       string // as the label mode has it
	StaleAfter time.Duration
	Severity   check.Severity
}

// Judge gives the findings of what the planner knows, and the reasons of which
// it does not know enough.
func (p *Planner) Judge(now time.Time, r Rules) (found []check.Finding, unevaluated []*check.Reason) {
	return judge(p.observe(now, r))
}

func (p *Planner) observe(now time.Time, r Rules) observation {
	o := observation{counts: p.Count(now), rules: r, pulse: p.sampled(now), examples: p.examples(secondsOf(now))}
	for _, w := range r.Watch {
		seen := watched{Watched: w}
		if id, ok := p.index[w.Key]; ok {
			m := &p.all[id]
			seen.state, seen.success = m.at(secondsOf(now)), m.success.time()
		}
		o.watched = append(o.watched, seen)
	}
	return o
}

// observation is all that the verdict of mailbox_sync follows from.
type observation struct {
	counts   Counts
	rules    Rules
	pulse    samples
	examples examples
	watched  []watched
	partial  bool // the tenant's inventory was never read whole: the fleet is larger than is known
	halted   bool // the sweep pauses for a trouble of hmad's own, which the run's error tells
}

// watched is an entry of the watch list and what is known of it.
type watched struct {
	Watched
	state   State
	success time.Time
}

// judge gives the findings of what is known, and the reasons that could not be
// judged.
func judge(o observation) (found []check.Finding, unevaluated []*check.Reason) {
	v := &verdict{observation: o, unsure: o.partial || o.counts.doubt() != ""}
	v.stopped()
	v.share(syncFailing, "fail", Failing)
	if v.stands(syncFailing) { // one fault shows one reason: those that fail have been counted
		v.share(syncStale, "are stale", Stale)
	} else {
		v.share(syncStale, "are stale or failing", Stale, Failing)
	}
	v.unknown()
	v.watchList()
	v.behind()
	return v.found, v.unevaluated
}

type verdict struct {
	observation
	unsure      bool // what is known may make a fleet look better than it is
	found       []check.Finding
	unevaluated []*check.Reason
}

func (v *verdict) find(r *check.Reason, format string, args ...any) {
	v.found = append(v.found, check.Finding{Reason: r, Detail: fmt.Sprintf(format, args...)})
}

func (v *verdict) stands(r *check.Reason) bool {
	return slices.ContainsFunc(v.found, func(f check.Finding) bool { return f.Reason == r })
}

// stopped: hardly any of the samples moved where many always do.
func (v *verdict) stopped() {
	small := v.counts.Active < stopActive
	if small && v.counts.Known() && !v.unsure {
		return
	}
	s := v.pulse
	if small || s.asked < pulseFloor || !s.known {
		v.unevaluated = append(v.unevaluated, syncStopped)
		return
	}
	if s.enough() && float64(s.moved) <= stopShare*s.expected {
		v.find(syncStopped, "of %d mailboxes asked in rotation %d had synchronised within %s before; at this hour %.0f usually have; the newest sync that hmad knows of is of %s%s",
			s.asked, s.moved, span(movedWithin), s.expected, moment(v.counts.Newest), v.naming("the last to synchronise", v.examples.newest))
	}
}

// share judges how large a part of the active mailboxes is in these states.
// What was fresh when last asked counts as fresh: hmad's own lag must not make
// a share larger.
func (v *verdict) share(r *check.Reason, words string, in ...State) {
	if !v.counts.Known() {
		v.unevaluated = append(v.unevaluated, r)
		return
	}
	n := 0
	var longest []example
	for _, s := range in {
		n += v.counts.States[s]
		for _, e := range v.examples.longest[s] {
			longest = keep(longest, e, earlier)
		}
	}
	if n >= v.rules.Floor && float64(n) >= v.rules.Share*float64(v.counts.Active) {
		v.find(r, "%d of %d active mailboxes %s (%s); the newest sync that hmad knows of is of %s%s",
			n, v.counts.Active, words, percent(n, v.counts.Active), moment(v.counts.Newest), v.naming("longest without a sync", longest))
	} else if v.unsure {
		v.unevaluated = append(v.unevaluated, r)
	}
}

// naming names examples, where names may show.
func (v *verdict) naming(words string, of []example) string {
	if v.rules.Name == nil {
		return ""
	}
	var named []string
	for _, e := range of {
		if name := v.rules.Name(e.key); name != "" {
			named = append(named, fmt.Sprintf("%s (%s)", name, moment(e.synced.time())))
		}
	}
	if len(named) == 0 {
		return ""
	}
	return "; " + words + ": " + strings.Join(named, ", ")
}

func (v *verdict) unknown() {
	n, asked := v.counts.States[Unknown], v.counts.Asked()
	var names []string
	for _, w := range v.watched {
		if w.state == Unknown {
			names = append(names, w.Name)
		}
	}
	switch {
	case len(names) > 0:
		v.find(syncUnknown, "not known when these watched mailboxes last synchronised: %s", several(names))
	case !v.counts.Known():
		v.unevaluated = append(v.unevaluated, syncUnknown)
	case many(n, asked, unknownFloor):
		v.find(syncUnknown, "not known when %d of %d mailboxes last synchronised (%s)", n, asked, percent(n, asked))
	case v.unsure:
		v.unevaluated = append(v.unevaluated, syncUnknown)
	}
}

// watchList judges each watched mailbox; one that could not be asked leaves its
// reasons open, unless another is found.
func (v *verdict) watchList() {
	found := map[*check.Reason][]string{}
	open := map[*check.Reason]bool{}
	for _, w := range v.watched {
		stale := watchedStale
		if w.Severity == check.Critical {
			stale = watchedStaleCritical
		}
		switch w.state {
		case Stale, Failing, Inactive:
			found[stale] = append(found[stale], fmt.Sprintf("%s is %s, last synchronised %s (stale_after %s)", w.Name, w.state, moment(w.success), span(w.StaleAfter)))
		case NotProvisioned:
			found[watchedNotProvisioned] = append(found[watchedNotProvisioned], w.Name)
		case Cloud:
			found[watchedInCloud] = append(found[watchedInCloud], w.Name)
		case Unchecked, Error:
			open[stale], open[watchedNotProvisioned], open[watchedInCloud] = true, true, true
		}
	}
	for _, r := range []*check.Reason{watchedStaleCritical, watchedStale, watchedNotProvisioned, watchedInCloud} {
		switch {
		case len(found[r]) > 0:
			v.find(r, "%s", several(found[r]))
		case open[r]:
			v.unevaluated = append(v.unevaluated, r)
		}
	}
}

func (v *verdict) behind() {
	if v.halted {
		v.unevaluated = append(v.unevaluated, sweepBehind)
		return
	}
	if n := v.counts.Behind; n >= behindFloor && float64(n) >= behindShare*float64(v.counts.Mailboxes) {
		v.find(sweepBehind, "%d of %d mailboxes should have been asked long ago, the first %s ago", n, v.counts.Mailboxes, span(v.counts.Lag))
	}
}

// several joins names, the first few of them in full.
func several(names []string) string {
	if len(names) > namedInDetail {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:namedInDetail], ", "), len(names)-namedInDetail)
	}
	return strings.Join(names, ", ")
}

func percent(n, of int) string { return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(max(of, 1))) }

// movedShare measures an hour of samples.
func movedShare(h Hour) (float64, bool) {
	return float64(h.Moved) / float64(max(h.Asked, 1)), h.Asked >= hourLookedAt
}
