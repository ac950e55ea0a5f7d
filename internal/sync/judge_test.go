package sync

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/sync/plan"
)

// healthy is an observation in which nothing is wrong.
func healthy() observation {
	return observation{rules: Rules{Share: 0.25, Floor: 10}, movement: plan.Movement{Asked: 60, Moved: 36, Expected: 36, Known: true},
		counts:   plan.Counts{Mailboxes: 1000, Active: 900, States: map[plan.State]int{plan.Fresh: 860, plan.Stale: 40, plan.Inactive: 50, plan.NotProvisioned: 50}, Newest: monday},
		extremes: extremes{longest: map[plan.State][]example{}}}
}

func TestVerdictsOnAFleet(t *testing.T) {
	all := []string{"sync_stopped", "sync_failing", "sync_stale", "sync_unknown", "sweep_behind"}
	for name, c := range map[string]struct {
		change func(*observation)
		found  []string
		open   []string
	}{
		"a healthy fleet":                           {func(*observation) {}, nil, nil},
		"a quarter is stale":                        {func(o *observation) { o.counts.States[plan.Stale] = 225 }, []string{"sync_stale"}, nil},
		"not quite a quarter":                       {func(o *observation) { o.counts.States[plan.Stale] = 224 }, nil, nil},
		"stale and failing add up":                  {func(o *observation) { o.counts.States[plan.Stale], o.counts.States[plan.Failing] = 150, 75 }, []string{"sync_stale"}, nil},
		"a quarter fails":                           {func(o *observation) { o.counts.States[plan.Stale], o.counts.States[plan.Failing] = 0, 225 }, []string{"sync_failing"}, nil},
		"a quarter fails, and a few more are stale": {func(o *observation) { o.counts.States[plan.Stale], o.counts.States[plan.Failing] = 224, 225 }, []string{"sync_failing"}, nil},
		"a quarter fails, and another is stale":     {func(o *observation) { o.counts.States[plan.Stale], o.counts.States[plan.Failing] = 225, 225 }, []string{"sync_failing", "sync_stale"}, nil},
		"a small fleet's floor": {func(o *observation) {
			o.counts = plan.Counts{Mailboxes: 20, Active: 20, States: map[plan.State]int{plan.Fresh: 11, plan.Stale: 9}}
		}, nil, nil},
		"a small fleet over it": {func(o *observation) {
			o.counts = plan.Counts{Mailboxes: 20, Active: 20, States: map[plan.State]int{plan.Fresh: 10, plan.Stale: 10}}
		}, []string{"sync_stale"}, nil},
		"another share as set":       {func(o *observation) { o.rules.Share = 0.04 }, []string{"sync_stale"}, nil},
		"inactive ones do not count": {func(o *observation) { o.counts.States[plan.Inactive], o.counts.Active = 800, 150 }, []string{"sync_stale"}, nil},
		"what was fresh when hmad fell behind is no reason": {func(o *observation) {
			o.counts.States = map[plan.State]int{plan.Fresh: 460, plan.Stale: 40, plan.Unchecked: 400, plan.Inactive: 100}
		}, nil, nil},
		"most of it not known": {func(o *observation) {
			o.counts.States, o.counts.Active = map[plan.State]int{plan.Unchecked: 600, plan.Stale: 400}, 400
		}, nil, []string{"sync_failing", "sync_stale", "sync_unknown"}},
		"nothing known": {func(o *observation) {
			o.counts.States, o.counts.Active, o.movement.Asked = map[plan.State]int{plan.Unchecked: 1000}, 0, 0
		}, nil, all},
		"a fifth is unknown":      {func(o *observation) { o.counts.States[plan.Unknown], o.counts.States[plan.Fresh] = 200, 660 }, nil, nil},
		"over a fifth is unknown": {func(o *observation) { o.counts.States[plan.Unknown], o.counts.States[plan.Fresh] = 201, 659 }, []string{"sync_unknown"}, nil},
		"all is unknown, which is no stop": {func(o *observation) {
			o.counts.States, o.counts.Active, o.movement.Asked, o.movement.Moved = map[plan.State]int{plan.Unknown: 1000}, 0, 0, 0
		}, []string{"sync_unknown"}, []string{"sync_stopped", "sync_failing", "sync_stale"}},
		"a few unknown in a small fleet": {func(o *observation) {
			o.counts = plan.Counts{Mailboxes: 25, Active: 6, States: map[plan.State]int{plan.Unknown: 19, plan.Fresh: 6}}
		}, nil, nil},
		"no sample moves where many do":                 {func(o *observation) { o.movement.Moved = 0 }, []string{"sync_stopped"}, nil},
		"a few stragglers in a stop":                    {func(o *observation) { o.movement.Moved = 3 }, []string{"sync_stopped"}, nil},
		"more than a few":                               {func(o *observation) { o.movement.Moved = 4 }, nil, nil},
		"no sample moves in a quiet hour":               {func(o *observation) { o.movement.Moved, o.movement.Expected = 0, 6 }, nil, []string{"sync_stopped"}},
		"one sample moves in a quiet hour":              {func(o *observation) { o.movement.Moved, o.movement.Expected = 1, 6 }, nil, nil},
		"an hour that is not known":                     {func(o *observation) { o.movement.Moved, o.movement.Known = 0, false }, nil, []string{"sync_stopped"}},
		"too few samples":                               {func(o *observation) { o.movement.Moved, o.movement.Asked = 0, 49 }, nil, []string{"sync_stopped"}},
		"a fleet too small for a stop":                  {func(o *observation) { o.movement.Moved, o.counts.Active, o.counts.States[plan.Stale] = 0, 99, 0 }, nil, nil},
		"a tenth far behind":                            {func(o *observation) { o.counts.Behind = 100 }, []string{"sweep_behind"}, nil},
		"a fleet of which the inventory was never read": {func(o *observation) { o.partial = true }, nil, []string{"sync_failing", "sync_stale", "sync_unknown"}},
		"behind because nobody can be asked":            {func(o *observation) { o.counts.Behind, o.halted = 100, true }, nil, []string{"sweep_behind"}},
		"fewer than a tenth far behind":                 {func(o *observation) { o.counts.Behind = 99 }, nil, nil},
		"a watched one of which nothing is known": {func(o *observation) { o.watched = []seenWatched{{state: plan.Unchecked}} }, nil,
			[]string{"sync_unknown", "watched_mailbox_stale", "watched_mailbox_not_provisioned", "watched_mailbox_in_cloud"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy()
			c.change(&o)
			r := fleetJudged(t, o)
			assert.Empty(t, cmp.Diff(c.found, reasons(r)))
			assert.Empty(t, cmp.Diff(c.open, open(r)))
		})
	}
}

func TestWhyAFleetIsNotJudged(t *testing.T) {
	watch := func(states ...plan.State) func(*observation) {
		return func(o *observation) {
			for _, s := range states {
				o.watched = append(o.watched, seenWatched{state: s})
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*observation)
		reason *check.Reason
		want   string // empty: it is judged
		ends   bool   // what was found before ends
	}{
		"a stop of a small fleet": {func(o *observation) { o.counts.Active, o.counts.States[plan.Stale] = 99, 0 }, syncStopped,
			"fewer than 100 mailboxes synchronise", true},
		"of a fleet of which little is known": {func(o *observation) {
			o.counts.Active, o.counts.States = 40, map[plan.State]int{plan.Fresh: 40, plan.Unchecked: 960}
		}, syncStopped, "only 40 of 1000 mailboxes are known yet", false},
		"of one that may be larger": {func(o *observation) { o.counts.Active, o.counts.States[plan.Stale], o.partial = 99, 0, true }, syncStopped,
			"mailboxes may be missing: the tenant's inventory was never read completely", false},
		"of one whose last syncs are not known": {func(o *observation) {
			o.counts.Active, o.counts.States = 90, map[plan.State]int{plan.Fresh: 90, plan.Unknown: 910}
		},
			syncStopped, "fewer than 100 mailboxes are known to synchronise, and of 910 it is not known", false},
		"with few samples": {func(o *observation) { o.movement.Asked = 49 }, syncStopped,
			"only 49 mailboxes of the rotating sample were asked within the last hour; a stop is judged from 50 on", false},
		"at an hour that is not known": {func(o *observation) { o.movement.Known = false }, syncStopped,
			"it is not known yet how many mailboxes usually synchronise at this hour", false},
		"in a quiet hour": {func(o *observation) { o.movement.Moved, o.movement.Expected = 0, 6 }, syncStopped,
			"at this hour so few mailboxes usually synchronise that a stop cannot be seen", false},
		"a share of nothing": {func(o *observation) { o.counts = plan.Counts{} }, syncStale, "the fleet has no mailbox yet", false},
		"of little": {func(o *observation) { o.counts.States = map[plan.State]int{plan.Fresh: 40, plan.Unchecked: 960} }, syncFailing,
			"only 40 of 1000 mailboxes are known yet", false},
		"where many could not be asked": {func(o *observation) { o.counts.States[plan.Error], o.counts.States[plan.Fresh] = 201, 659 }, syncStale,
			"201 of 1000 mailboxes could not be asked", false},
		"where nobody synchronises": {func(o *observation) { o.counts.States, o.counts.Active = map[plan.State]int{plan.Unknown: 1000}, 0 }, syncFailing,
			"no mailbox is known to synchronise", false},
		"unknown ones of little": {func(o *observation) { o.counts.States[plan.Unchecked] = 700 }, syncUnknown,
			"only 300 of 1000 mailboxes are known yet", false},
		"a sweep that has not begun": {func(o *observation) { o.counts.States = map[plan.State]int{plan.Unchecked: 1000} }, sweepBehind,
			"nothing is known of any mailbox yet", false},
		"a sweep that nobody answers": {func(o *observation) { o.counts.States = map[plan.State]int{plan.Unchecked: 990, plan.Error: 10} }, sweepBehind,
			"nothing is known of any mailbox yet", false},
		"a sweep that pauses":          {func(o *observation) { o.halted = true }, sweepBehind, "the sweep pauses because mailboxes cannot be asked", false},
		"no watch list":                {func(*observation) {}, watchedInCloud, "no mailbox is watched", true},
		"a watch list without a grave": {watch(plan.Fresh), watchedStaleCritical, "no mailbox is watched with severity critical", true},
		"a watch list of grave ones": {func(o *observation) {
			o.watched = []seenWatched{{entry: Watched{Severity: check.Critical}, state: plan.Fresh}}
		}, watchedStale,
			"no mailbox is watched with severity warning", true},
		"a watch list that is well":       {watch(plan.Fresh, plan.Cloud, plan.NotProvisioned), watchedStale, "", false},
		"one that has not answered":       {watch(plan.Fresh, plan.Error), watchedStale, "nothing is known of 1 of 2 watched mailboxes", false},
		"nor is it in the cloud for sure": {watch(plan.Fresh, plan.Unchecked), watchedInCloud, "nothing is known of 1 of 2 watched mailboxes", false},
		"nor unknown":                     {watch(plan.Error), syncUnknown, "nothing is known of 1 of 1 watched mailboxes", false},
		"one whose last sync is not known": {watch(plan.Fresh, plan.Unknown), watchedStale,
			"not known when a watched mailbox last synchronised, see sync_unknown", false},
		"which is provisioned all the same":     {watch(plan.Fresh, plan.Unknown), watchedNotProvisioned, "", false},
		"one is found where another is missing": {watch(plan.Stale, plan.Error), watchedStale, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy()
			c.change(&o)
			r := fleetJudged(t, o)
			assert.Equal(t, c.want, whyNot(r, c.reason))
			assert.Equal(t, c.want == "" || c.ends, !slices.Contains(open(r), c.reason.Name))
		})
	}
}

func TestAnEmptyFleetClearsNothing(t *testing.T) {
	r := fleetJudged(t, observation{})
	assert.Empty(t, r.Findings)
	assert.Equal(t, mailboxReasons, r.Unevaluated())
}

func TestDetailsNameAFewMailboxes(t *testing.T) {
	o := healthy()
	for i, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		o.watched = append(o.watched, seenWatched{entry: Watched{Name: name, StaleAfter: 4 * time.Hour}, state: plan.Stale, success: monday.Add(-time.Duration(i) * day)})
	}
	r := fleetJudged(t, o)
	require.Equal(t, []string{"watched_mailbox_stale"}, reasons(r))
	f := r.Findings[0]
	assert.Equal(t, []string{"j", "i", "h", "g", "f"}, f.About, "the longest silent first")
	assert.Contains(t, f.Detail, "j is stale, last synchronised 2026-11-14 10:00 UTC (stale_after 4 h)")
	assert.Contains(t, f.Detail, "and 2 more")
	assert.NotContains(t, f.Detail, "b is stale")
}

func TestFindingsNameTheMailboxesOfTheWatchList(t *testing.T) {
	for name, c := range map[string]struct {
		named  string // by the label mode
		state  plan.State
		reason *check.Reason
		about  []string
		detail string
	}{
		"stale":                         {"jane", plan.Stale, watchedStale, []string{"jane"}, "jane is stale"},
		"not provisioned":               {"jane", plan.NotProvisioned, watchedNotProvisioned, []string{"jane"}, "jane"},
		"in the cloud":                  {"jane", plan.Cloud, watchedInCloud, []string{"jane"}, "jane"},
		"unknown":                       {"jane", plan.Unknown, syncUnknown, []string{"jane"}, "synchronised: jane"},
		"stale, names hidden":           {"", plan.Stale, watchedStale, nil, "a watched mailbox is stale"},
		"not provisioned, names hidden": {"", plan.NotProvisioned, watchedNotProvisioned, nil, "a watched mailbox"},
		"unknown, names hidden":         {"", plan.Unknown, syncUnknown, nil, "synchronised: a watched mailbox"},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy()
			o.watched = []seenWatched{{entry: Watched{Key: "jane@contoso.com", Name: c.named}, state: c.state}}
			r := fleetJudged(t, o)
			require.Equal(t, []string{c.reason.Name}, reasons(r))
			assert.Equal(t, c.about, r.Findings[0].About)
			assert.Contains(t, r.Findings[0].Detail, c.detail)
		})
	}
}

func TestEveryReasonHelps(t *testing.T) {
	for _, d := range []*check.Def{MailboxSync, OnPremSync} {
		for _, r := range d.Reasons {
			assert.NotEmpty(t, r.Summary, r.Name)
			assert.NotEmpty(t, r.Fix, r.Name)
		}
	}
}
