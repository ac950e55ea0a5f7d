package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync/plan"
)

func TestWhatCannotBeToldOfAFleet(t *testing.T) {
	failure := check.Errorf(check.Permission, "no role")
	for name, c := range map[string]struct {
		counts plan.Counts
		watch  []plan.State
		want   string // empty: it can
		class  *check.Class
		open   []*check.Reason
	}{
		"a healthy fleet": {healthy().counts, nil, "", nil, nil},
		"nearly all could not be asked": {plan.Counts{Mailboxes: 1000, Active: 50, States: map[plan.State]int{plan.Fresh: 50, plan.Error: 950}}, nil,
			"950 of 1000 mailboxes could not be asked; the last failure: no role", check.Permission, fleetReasons},
		"over a fifth could not": {plan.Counts{Mailboxes: 1000, Active: 799, States: map[plan.State]int{plan.Fresh: 799, plan.Error: 201}}, nil,
			"201 of 1000 mailboxes could not be asked; the last failure: no role", check.Permission, fleetReasonsButStopped},
		"a fifth could not": {plan.Counts{Mailboxes: 1000, Active: 800, States: map[plan.State]int{plan.Fresh: 800, plan.Error: 200}}, nil, "", nil, nil},
		"most of a small fleet could not": {plan.Counts{Mailboxes: 5, Active: 2, States: map[plan.State]int{plan.Fresh: 2, plan.Error: 3}}, nil,
			"3 of 5 mailboxes could not be asked; the last failure: no role", check.Permission, fleetReasons},
		"half of a small fleet could not": {plan.Counts{Mailboxes: 38, Active: 19, States: map[plan.State]int{plan.Fresh: 19, plan.Error: 19}}, nil,
			"19 of 38 mailboxes could not be asked; the last failure: no role", check.Permission, fleetReasons},
		"three of a small fleet could not": {plan.Counts{Mailboxes: 14, Active: 11, States: map[plan.State]int{plan.Fresh: 11, plan.Error: 3}}, nil,
			"3 of 14 mailboxes could not be asked; the last failure: no role", check.Permission, fleetReasons},
		"two of a small fleet could not": {plan.Counts{Mailboxes: 5, Active: 3, States: map[plan.State]int{plan.Fresh: 3, plan.Error: 2}}, nil, "", nil, nil},
		"most of a small fleet counts no more": {plan.Counts{Mailboxes: 25, Active: 6, Lost: 19, States: map[plan.State]int{plan.Fresh: 6, plan.NotProvisioned: 19}}, nil,
			"19 mailboxes that synchronised in the last 28 days no longer count: silent for over 14 days, or without a phone or a mailbox in Exchange Online; 6 others count", check.Other, fleetReasons},
		"over a fifth stale, as many not asked": {plan.Counts{Mailboxes: 1000, Active: 750, States: map[plan.State]int{plan.Fresh: 500, plan.Stale: 250, plan.Error: 250}}, nil,
			"250 of 1000 mailboxes could not be asked; the last failure: no role", check.Permission, []*check.Reason{syncFailing, syncUnknown}},
		"none is provisioned": {plan.Counts{Mailboxes: 1000, States: map[plan.State]int{plan.NotProvisioned: 1000}}, nil,
			"none of the 1000 mailboxes that were asked synchronises: 0 inactive, 1000 not provisioned, 0 of the cloud", check.Other, fleetReasons},
		"all are inactive": {plan.Counts{Mailboxes: 1000, States: map[plan.State]int{plan.Inactive: 1000}}, nil,
			"none of the 1000 mailboxes that were asked synchronises: 1000 inactive, 0 not provisioned, 0 of the cloud", check.Other, fleetReasons},
		"many synchronised lately and count no more": {plan.Counts{Mailboxes: 1000, Active: 790, Lost: 210, States: map[plan.State]int{plan.Fresh: 790, plan.NotProvisioned: 210}}, nil,
			"210 mailboxes that synchronised in the last 28 days no longer count: silent for over 14 days, or without a phone or a mailbox in Exchange Online; 790 others count", check.Other, fleetReasonsButStopped},
		"a few of them": {plan.Counts{Mailboxes: 1000, Active: 810, Lost: 190, States: map[plan.State]int{plan.Fresh: 810, plan.NotProvisioned: 190}}, nil, "", nil, nil},
		"nothing asked yet": {plan.Counts{Mailboxes: 1000, States: map[plan.State]int{plan.Unchecked: 1000}}, nil,
			"nothing is known yet of 1000 mailboxes: `hmad run` asks them in turn, `hmad check` only those of sync.watch", check.State, append(fleetReasons, sweepBehind)},
		"little asked yet": {plan.Counts{Mailboxes: 1000, Active: 3, States: map[plan.State]int{plan.Unchecked: 997, plan.Fresh: 3}}, nil, "", nil, fleetReasons},
		"a watched one could not be asked": {plan.Counts{Mailboxes: 1000, Active: 999, States: map[plan.State]int{plan.Fresh: 999, plan.Error: 1}}, []plan.State{plan.Fresh, plan.Error},
			"1 of 2 watched mailboxes could not be asked; the last failure: no role", check.Permission, []*check.Reason{syncUnknown, watchedStale, watchedNotProvisioned, watchedInCloud}},
		"watched ones alone, none provisioned": {plan.Counts{Mailboxes: 1, States: map[plan.State]int{plan.NotProvisioned: 1}}, []plan.State{plan.NotProvisioned}, "", nil, fleetReasons},
	} {
		t.Run(name, func(t *testing.T) {
			o := healthy()
			o.counts = c.counts
			for _, s := range c.watch {
				o.watched = append(o.watched, seenWatched{state: s})
			}
			err := o.undecided(failure)
			if c.want == "" {
				assert.NoError(t, err)
			} else {
				require.EqualError(t, err, c.want)
				assert.Equal(t, c.class, check.ClassOf(err))
			}
			assert.ElementsMatch(t, namesOf(c.open), open(fleetJudged(t, o)))
		})
	}
	t.Run("the cause was an earlier process's", func(t *testing.T) {
		o := observation{counts: plan.Counts{Mailboxes: 10, States: map[plan.State]int{plan.Error: 10}}}
		err := o.undecided(nil)
		assert.EqualError(t, err, "10 of 10 mailboxes could not be asked")
		assert.Equal(t, check.State, check.ClassOf(err))
	})
}

const lostFleet = 30

var (
	fleetReasonsButStopped = []*check.Reason{syncFailing, syncStale, syncUnknown}
	fleetReasons           = append([]*check.Reason{syncStopped}, fleetReasonsButStopped...)
)

// A fleet of which good answers came once, and then others, or none.
func TestAFleetThatIsLostIsNotWell(t *testing.T) {
	unknown := errors.New("an exception nobody knows")
	for name, c := range map[string]struct {
		after time.Duration
		set   func(*office)
		want  string
	}{
		"empty answers": {30 * time.Hour, func(o *office) {
			for _, a := range addresses(lostFleet) {
				o.rows[a], o.rows[guidOf(a)] = []powershell.Row{}, nil
			}
		}, "no longer count"},
		"not found": {30 * time.Hour, func(o *office) {
			o.fail = func(q question) error {
				if q.cmdlet == getDevices {
					return &online.CmdletError{Cmdlet: q.cmdlet, Kind: online.NotFound}
				}
				return nil
			}
		}, "no longer count"},
		"three in four that nobody can ask": {60 * time.Hour, func(o *office) {
			o.fail = func(q question) error {
				if i := slices.IndexFunc(addresses(lostFleet), func(a string) bool { return guidOf(a) == q.who }); i%4 != 0 {
					return unknown
				}
				return nil
			}
		}, "an exception nobody knows"},
		"an outage that grows old": {15 * day, func(o *office) { o.stop = time.Now() }, "no longer count"},
		"and older":                {29 * day, func(o *office) { o.stop = time.Now() }, "none of the 30 mailboxes that were asked synchronises"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOffice(t, config.Sync{Mailboxes: addresses(lostFleet)})
				o.sweepFor(time.Hour)
				r, err := o.runNow()
				require.NoError(t, err)
				require.Equal(t, lostFleet+0.0, valueOf(r, Mailboxes, "fresh"))
				c.set(o)
				o.sweepFor(c.after)
				r, err = o.runNow()
				require.ErrorContains(t, err, c.want)
				assert.Contains(t, open(r), "sync_stale", "what was found of it stands")
			})
		})
	}
}

// hmad check has no Background: of a fleet without a watch list it knows nothing.
func TestARunThatAsksNobodyCannotTell(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(lostFleet)})
		o.fail = func(question) error { return fmt.Errorf("%w", context.DeadlineExceeded) }
		_, err := o.runNow()
		require.ErrorContains(t, err, "nothing is known yet of 30 mailboxes")
		assert.Zero(t, o.calls())
	})
}

// That phones synchronised once is remembered, and not shown as if they still
// did.
func TestAMailboxWithoutPhonesShowsNoSync(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
		_, err := o.runNow()
		require.NoError(t, err)
		require.Equal(t, 0, int(valueOf(mustRun(t, o), SyncedWithin, "15m"))-1)
		o.rows[guidOf("jane@contoso.com")] = nil
		r := mustRun(t, o)
		assert.Zero(t, valueOf(r, SyncedWithin, "168h"))
		assert.Equal(t, -1.0, valueOf(r, NewestSync), "absent")
		assert.NotEqual(t, o.store.rows["jane@contoso.com"][0], o.store.rows["jane@contoso.com"][0], "no number")
		again := newOfficeOn(t, o.hmad.settings, o.store)
		assert.Equal(t, 1, again.hmad.sweep.plan.Count(time.Now()).Lost)
	})
}

// namesOf returns the names of reasons.
func namesOf(rs []*check.Reason) (all []string) {
	for _, r := range rs {
		all = append(all, r.Name)
	}
	return all
}

func mustRun(t *testing.T, o *office) check.Report {
	t.Helper()
	r, err := o.runNow()
	require.NoError(t, err)
	return r
}
