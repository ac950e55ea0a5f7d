package sync

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"

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
	everyOther := []string{"sync_stopped", "sync_failing", "sync_stale", "sync_unknown"}
	for name, c := range map[string]struct {
		change      func(*observation)
		found       []string
		unevaluated []string
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
		}, nil, everyOther},
		"a fifth is unknown":      {func(o *observation) { o.counts.States[plan.Unknown], o.counts.States[plan.Fresh] = 200, 660 }, nil, nil},
		"over a fifth is unknown": {func(o *observation) { o.counts.States[plan.Unknown], o.counts.States[plan.Fresh] = 201, 659 }, []string{"sync_unknown"}, nil},
		"all is unknown, which is no stop": {func(o *observation) {
			o.counts.States, o.counts.Active, o.movement.Asked, o.movement.Moved = map[plan.State]int{plan.Unknown: 1000}, 0, 0, 0
		}, []string{"sync_unknown"}, nil},
		"a few unknown in a small fleet": {func(o *observation) {
			o.counts = plan.Counts{Mailboxes: 25, Active: 6, States: map[plan.State]int{plan.Unknown: 19, plan.Fresh: 6}}
		}, nil, nil},
		"no sample moves where many do":                 {func(o *observation) { o.movement.Moved = 0 }, []string{"sync_stopped"}, nil},
		"a few stragglers in a stop":                    {func(o *observation) { o.movement.Moved = 3 }, []string{"sync_stopped"}, nil},
		"more than a few":                               {func(o *observation) { o.movement.Moved = 4 }, nil, nil},
		"no sample moves in a quiet hour":               {func(o *observation) { o.movement.Moved, o.movement.Expected = 0, 6 }, nil, nil},
		"an hour that is not known":                     {func(o *observation) { o.movement.Moved, o.movement.Known = 0, false }, nil, []string{"sync_stopped"}},
		"too few samples":                               {func(o *observation) { o.movement.Moved, o.movement.Asked = 0, 49 }, nil, []string{"sync_stopped"}},
		"a fleet too small for a stop":                  {func(o *observation) { o.movement.Moved, o.counts.Active, o.counts.States[plan.Stale] = 0, 99, 0 }, nil, nil},
		"a tenth far behind":                            {func(o *observation) { o.counts.Behind = 100 }, []string{"sweep_behind"}, nil},
		"a fleet of which the inventory was never read": {func(o *observation) { o.partial = true }, nil, []string{"sync_failing", "sync_stale", "sync_unknown"}},
		"behind because nobody can be asked":            {func(o *observation) { o.counts.Behind, o.halted = 100, true }, nil, []string{"sweep_behind"}},
		"fewer than a tenth far behind":                 {func(o *observation) { o.counts.Behind = 99 }, nil, nil},
		"a watched one of which nothing is known": {func(o *observation) { o.watched = []seenWatched{{state: plan.Unchecked}} }, nil,
			[]string{"watched_mailbox_stale", "watched_mailbox_not_provisioned", "watched_mailbox_in_cloud"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy()
			c.change(&o)
			found, unevaluated := judge(o)
			assert.Empty(t, cmp.Diff(c.found, reasons(check.Report{Findings: found})))
			var open []string
			for _, r := range unevaluated {
				open = append(open, r.Name)
			}
			assert.Empty(t, cmp.Diff(c.unevaluated, open))
		})
	}
}

func TestDetailsNameAFewMailboxes(t *testing.T) {
	o := healthy()
	for i, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		o.watched = append(o.watched, seenWatched{entry: Watched{Name: name, StaleAfter: 4 * time.Hour}, state: plan.Stale, success: monday.Add(-time.Duration(i) * day)})
	}
	found, _ := judge(o)
	assert.Equal(t, []string{"watched_mailbox_stale"}, reasons(check.Report{Findings: found}))
	assert.Contains(t, found[0].Detail, "a is stale, last synchronised 2026-11-23 10:00 UTC (stale_after 4 h)")
	assert.Contains(t, found[0].Detail, "and 2 more")
	assert.NotContains(t, found[0].Detail, "i is stale")
}

func TestEveryReasonHelps(t *testing.T) {
	for _, d := range []*check.Def{MailboxSync, OnPremSync} {
		for _, r := range d.Reasons {
			assert.NotEmpty(t, r.Summary, r.Name)
			assert.NotEmpty(t, r.Fix, r.Name)
		}
	}
}
