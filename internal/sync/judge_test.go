package sync

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

// healthy is an observation in which nothing is wrong.
func healthy() observation {
	return observation{rules: Rules{Share: 0.25, Floor: 10}, pulse: samples{asked: 60, moved: 36, expected: 36, known: true},
		counts: Counts{Mailboxes: 1000, Active: 900, States: map[State]int{Fresh: 860, Stale: 40, Inactive: 50, NotProvisioned: 50}, Newest: monday}}
}

func TestVerdictsOnAFleet(t *testing.T) {
	everyOther := []string{"sync_stopped", "sync_failing", "sync_stale", "sync_unknown"}
	for name, c := range map[string]struct {
		change      func(*observation)
		found       []string
		unevaluated []string
	}{
		"a healthy fleet":                           {func(*observation) {}, nil, nil},
		"a quarter is stale":                        {func(o *observation) { o.counts.States[Stale] = 225 }, []string{"sync_stale"}, nil},
		"not quite a quarter":                       {func(o *observation) { o.counts.States[Stale] = 224 }, nil, nil},
		"stale and failing add up":                  {func(o *observation) { o.counts.States[Stale], o.counts.States[Failing] = 150, 75 }, []string{"sync_stale"}, nil},
		"a quarter fails":                           {func(o *observation) { o.counts.States[Stale], o.counts.States[Failing] = 0, 225 }, []string{"sync_failing"}, nil},
		"a quarter fails, and a few more are stale": {func(o *observation) { o.counts.States[Stale], o.counts.States[Failing] = 224, 225 }, []string{"sync_failing"}, nil},
		"a quarter fails, and another is stale":     {func(o *observation) { o.counts.States[Stale], o.counts.States[Failing] = 225, 225 }, []string{"sync_failing", "sync_stale"}, nil},
		"a small fleet's floor": {func(o *observation) {
			o.counts = Counts{Mailboxes: 20, Active: 20, States: map[State]int{Fresh: 11, Stale: 9}}
		}, nil, nil},
		"a small fleet over it": {func(o *observation) {
			o.counts = Counts{Mailboxes: 20, Active: 20, States: map[State]int{Fresh: 10, Stale: 10}}
		}, []string{"sync_stale"}, nil},
		"another share as set":       {func(o *observation) { o.rules.Share = 0.04 }, []string{"sync_stale"}, nil},
		"inactive ones do not count": {func(o *observation) { o.counts.States[Inactive], o.counts.Active = 800, 150 }, []string{"sync_stale"}, nil},
		"what was fresh when hmad fell behind is no reason": {func(o *observation) {
			o.counts.States = map[State]int{Fresh: 460, Stale: 40, Unchecked: 400, Inactive: 100}
		}, nil, nil},
		"most of it not known": {func(o *observation) {
			o.counts.States, o.counts.Active = map[State]int{Unchecked: 600, Stale: 400}, 400
		}, nil, []string{"sync_failing", "sync_stale", "sync_unknown"}},
		"nothing known": {func(o *observation) {
			o.counts.States, o.counts.Active, o.pulse.asked = map[State]int{Unchecked: 1000}, 0, 0
		}, nil, everyOther},
		"a fifth is unknown":      {func(o *observation) { o.counts.States[Unknown], o.counts.States[Fresh] = 200, 660 }, nil, nil},
		"over a fifth is unknown": {func(o *observation) { o.counts.States[Unknown], o.counts.States[Fresh] = 201, 659 }, []string{"sync_unknown"}, nil},
		"all is unknown, which is no stop": {func(o *observation) {
			o.counts.States, o.counts.Active, o.pulse.asked, o.pulse.moved = map[State]int{Unknown: 1000}, 0, 0, 0
		}, []string{"sync_unknown"}, nil},
		"a few unknown in a small fleet": {func(o *observation) {
			o.counts = Counts{Mailboxes: 25, Active: 6, States: map[State]int{Unknown: 19, Fresh: 6}}
		}, nil, nil},
		"no sample moves where many do":                 {func(o *observation) { o.pulse.moved = 0 }, []string{"sync_stopped"}, nil},
		"a few stragglers in a stop":                    {func(o *observation) { o.pulse.moved = 3 }, []string{"sync_stopped"}, nil},
		"more than a few":                               {func(o *observation) { o.pulse.moved = 4 }, nil, nil},
		"no sample moves in a quiet hour":               {func(o *observation) { o.pulse.moved, o.pulse.expected = 0, 6 }, nil, nil},
		"an hour that is not known":                     {func(o *observation) { o.pulse.moved, o.pulse.known = 0, false }, nil, []string{"sync_stopped"}},
		"too few samples":                               {func(o *observation) { o.pulse.moved, o.pulse.asked = 0, 49 }, nil, []string{"sync_stopped"}},
		"a fleet too small for a stop":                  {func(o *observation) { o.pulse.moved, o.counts.Active, o.counts.States[Stale] = 0, 99, 0 }, nil, nil},
		"a tenth far behind":                            {func(o *observation) { o.counts.Behind = 100 }, []string{"sweep_behind"}, nil},
		"a fleet of which the inventory was never read": {func(o *observation) { o.partial = true }, nil, []string{"sync_failing", "sync_stale", "sync_unknown"}},
		"behind because nobody can be asked":            {func(o *observation) { o.counts.Behind, o.halted = 100, true }, nil, []string{"sweep_behind"}},
		"fewer than a tenth far behind":                 {func(o *observation) { o.counts.Behind = 99 }, nil, nil},
		"a watched one of which nothing is known": {func(o *observation) { o.watched = []watched{{state: Unchecked}} }, nil,
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
	for i, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		o.watched = append(o.watched, watched{Watched: Watched{Name: name, StaleAfter: 4 * time.Hour}, state: Stale, success: monday.Add(-time.Duration(i) * day)})
	}
	found, _ := judge(o)
	assert.Equal(t, []string{"watched_mailbox_stale"}, reasons(check.Report{Findings: found}))
	assert.Contains(t, found[0].Detail, "a is stale, last synchronised 2026-11-23 10:00Z (stale_after 4h)")
	assert.Contains(t, found[0].Detail, "and 2 more")
	assert.NotContains(t, found[0].Detail, "g is stale")
}

func TestEveryReasonHelps(t *testing.T) {
	for _, d := range []*check.Def{MailboxSync, OnPremSync} {
		for _, r := range d.Reasons {
			assert.NotEmpty(t, r.Summary, r.Name)
			assert.NotEmpty(t, r.Fix, r.Name)
		}
	}
}
