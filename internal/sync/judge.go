package sync

import (
	"fmt"
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
	Name       string // by the label mode; empty: it is not named
	StaleAfter time.Duration
	Severity   check.Severity
}

// Judge fills a verdict of MailboxSync by what is known of the planner's fleet.
func Judge(v *check.Verdict, p *plan.Planner, now time.Time, r Rules) {
	judge(v, observe(p, now, r))
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
	unread   unreadDates
	halted   bool // the sweep pauses for an error, which is the run's error too
}

// judge mentions every reason of mailbox_sync.
func judge(v *check.Verdict, o observation) {
	o.judgeStopped(v)
	o.judgeShare(v, syncFailing, "fail", plan.Failing)
	if v.Found(syncFailing) { // one fault shows one reason: the failing ones have theirs
		o.judgeShare(v, syncStale, "are stale", plan.Stale)
	} else {
		o.judgeShare(v, syncStale, "are stale or failing", plan.Stale, plan.Failing)
	}
	o.judgeUnknown(v)
	o.judgeWatched(v)
	o.judgeBehind(v)
}

// unseen returns why so little is known of the fleet that it cannot be judged;
// empty: enough is.
func (o observation) unseen() string {
	switch c := o.counts; {
	case c.Mailboxes == 0:
		return "the fleet has no mailbox yet"
	case !c.Known():
		return fmt.Sprintf("only %d of %d mailboxes are known yet", c.Asked(), c.Mailboxes)
	default:
		return ""
	}
}

// unsure returns why the fleet may be worse than what is known of it; empty: it is
// not.
func (o observation) unsure() string {
	if o.partial {
		return "mailboxes may be missing: the tenant's inventory was never read completely"
	}
	return doubt(o.counts)
}

// judgeStopped judges sync_stopped: hardly any sample moved, at an hour at which
// many usually do. In a quiet hour the few that move show that there is no stop,
// but none shows nothing.
func (o observation) judgeStopped(v *check.Verdict) {
	s := o.movement
	switch {
	case o.counts.Active < stopActive:
		o.leaveSmall(v)
	case s.Asked < plan.SamplesFloor:
		v.Open(fmt.Sprintf("only %d mailboxes of the rotating sample were asked within the last hour; a stop is judged from %d "+
			"on", s.Asked, plan.SamplesFloor), syncStopped)
	case !s.Known:
		v.Open("it is not known yet how many mailboxes usually synchronise at this hour", syncStopped)
	case float64(s.Moved) > stopShare*s.Expected:
		v.Clear(syncStopped)
	case !s.Enough():
		v.Open("at this hour so few mailboxes usually synchronise that a stop cannot be seen", syncStopped)
	default:
		v.Find(syncStopped, o.names(o.extremes.newest),
			"of %d mailboxes asked in rotation, %d had synchronised in the %s before; at this hour %.0f usually have; the newest sync known: %s%s",
			s.Asked, s.Moved, check.Span(plan.MovedWithin), s.Expected, check.Moment(o.counts.Newest), o.naming("the last to synchronise", o.extremes.newest))
	}
}

// leaveSmall says why sync_stopped is not judged where few mailboxes are active.
func (o observation) leaveSmall(v *check.Verdict) {
	c := o.counts
	switch {
	case o.unseen() != "":
		v.Open(o.unseen(), syncStopped)
	case o.unsure() != "":
		v.Open(o.unsure(), syncStopped)
	case c.Active+c.States[plan.Unknown] >= stopActive:
		v.Open(fmt.Sprintf("fewer than %d mailboxes are known to synchronise, and of %d it is not known", stopActive, c.States[plan.Unknown]), syncStopped)
	default:
		v.NotApplicable(fmt.Sprintf("fewer than %d mailboxes synchronise", stopActive), syncStopped)
	}
}

// judgeShare judges the share of the active mailboxes that are in these states. A
// mailbox that was fresh when last asked counts as active, however long ago that
// was: hmad's own lag must not make a share larger.
func (o observation) judgeShare(v *check.Verdict, r *check.Reason, words string, in ...plan.State) {
	n, active := 0, o.counts.Active
	var longest []example
	for _, s := range in {
		n += o.counts.States[s]
		for _, e := range o.extremes.longest[s] {
			longest = keep(longest, e, earlier)
		}
	}
	switch {
	case o.unseen() != "":
		v.Open(o.unseen(), r)
	case n >= o.rules.Floor && float64(n) >= o.rules.Share*float64(active):
		v.Find(r, o.names(longest), "%d of %d active mailboxes %s (%s); the newest sync known: %s%s",
			n, active, words, percent(n, active), check.Moment(o.counts.Newest), o.naming("longest without a sync", longest))
	case o.unsure() != "":
		v.Open(o.unsure(), r)
	case active == 0:
		v.Open("no mailbox is known to synchronise", r)
	default:
		v.Clear(r)
	}
}

// name returns a mailbox's name; empty where the label mode hides names.
func (o observation) name(e example) string {
	if o.rules.Name == nil {
		return ""
	}
	return o.rules.Name(e.key)
}

// names returns the names of examples, for what a finding is about.
func (o observation) names(of []example) (names []string) {
	for _, e := range of {
		names = append(names, o.name(e))
	}
	return names
}

// naming returns the end of a detail that names examples; empty where the label
// mode hides names.
func (o observation) naming(words string, of []example) string {
	var named []string
	for _, e := range of {
		if name := o.name(e); name != "" {
			named = append(named, fmt.Sprintf("%s (%s)", name, check.Moment(e.synced)))
		}
	}
	if len(named) == 0 {
		return ""
	}
	return "; " + words + ": " + strings.Join(named, ", ")
}

// judgeUnknown judges sync_unknown: the last sync of many mailboxes is not known,
// or that of a watched one.
func (o observation) judgeUnknown(v *check.Verdict) {
	n, asked := o.counts.States[plan.Unknown], o.counts.Asked()
	var about, watched []string
	for _, w := range o.watched {
		if w.state == plan.Unknown {
			about, watched = append(about, w.entry.Name), append(watched, w.entry.called())
		}
	}
	switch {
	case len(watched) > 0:
		v.Find(syncUnknown, about, "not known when these watched mailboxes last synchronised: %s%s", check.List(watched), o.unread.after())
	case o.unseen() != "":
		v.Open(o.unseen(), syncUnknown)
	case many(n, asked, unknownFloor):
		v.Find(syncUnknown, o.names(o.extremes.longest[plan.Unknown]), "not known when %d of %d mailboxes last synchronised "+
			"(%s)%s", n, asked, percent(n, asked), o.unread.after())
	case o.unsure() != "":
		v.Open(o.unsure(), syncUnknown)
	case o.unheard() > 0:
		v.Open(o.unheardWords(), syncUnknown)
	default:
		v.Clear(syncUnknown)
	}
}

// judgeBehind judges sweep_behind: hmad asks mailboxes much later than planned.
func (o observation) judgeBehind(v *check.Verdict) {
	switch c := o.counts; {
	case o.halted:
		v.Open("the sweep pauses because mailboxes cannot be asked", sweepBehind)
	case c.Behind >= behindFloor && float64(c.Behind) >= behindShare*float64(c.Mailboxes):
		v.Find(sweepBehind, nil, "%d of %d mailboxes should have been asked long ago, the first %s ago", c.Behind, c.Mailboxes, check.Span(c.Lag))
	case c.Asked() == 0:
		v.Open("nothing is known of any mailbox yet", sweepBehind)
	default:
		v.Clear(sweepBehind)
	}
}

func percent(n, of int) string { return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(max(of, 1))) }
