package sync

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync/plan"
)

// Whoever reads that phones are stale or fail reads of which, as the label mode
// has it: those silent for longest.
func TestAFindingOnTheFleetNamesTheWorst(t *testing.T) {
	for mode, name := range map[string]string{config.LabelAddress: `user\d+@contoso\.com`, config.LabelHash: `[0-9a-f]{24}`, config.LabelNone: ""} {
		t.Run(mode, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOffice(t, config.Sync{MailboxLabel: mode, Mailboxes: addresses(20)})
				for i, a := range addresses(12) {
					o.lag[a] = 25*time.Hour + time.Duration(i)*time.Hour
				}
				o.sweepFor(2 * time.Minute)
				r := mustRun(t, o)
				detail := detailOf(t, r, syncStale)
				named := regexp.MustCompile(`(\S+) \(\d{4}-`).FindAllStringSubmatch(detail, -1)
				if mode == config.LabelNone {
					assert.Empty(t, named)
					assert.NotContains(t, detail, "longest without a sync")
					assert.Empty(t, r.Findings[0].About)
					return
				}
				require.Len(t, r.Findings[0].About, 5)
				require.Len(t, named, 5, detail)
				for i, n := range named {
					assert.Regexp(t, `^`+name+`$`, n[1])
					assert.Equal(t, o.hmad.sweep.gauges.names.Of(addresses(12)[11-i]), n[1], "the longest silent first, called as in its series")
					assert.Equal(t, n[1], r.Findings[0].About[i])
				}
			})
		})
	}
}

func TestWhatFailsIsNamedToo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(30)})
		for i, a := range addresses(10) {
			o.lag[a] = 100*time.Hour + time.Duration(i)*time.Hour // stale, and for longer
		}
		for i, a := range addresses(20)[10:] {
			success := time.Now().Add(-time.Duration(i+3) * time.Hour)
			o.rows[guidOf(a)] = []powershell.Row{phone(guidOf(a), success, time.Now())}
		}
		o.sweepFor(2 * time.Minute)
		r := mustRun(t, o)
		failing, stale := detailOf(t, r, syncFailing), detailOf(t, r, syncStale)
		assert.Contains(t, failing, "; longest without a sync: user19@contoso.com (")
		assert.NotContains(t, failing, "user9@", "which does not fail")
		assert.Contains(t, stale, "; longest without a sync: user9@contoso.com (")
		assert.NotContains(t, stale, "user19@", "which has a finding of its own")
	})
}

// In the finding that takes both together the worst are of both.
func TestStaleAndFailingAreNamedTogether(t *testing.T) {
	o := healthy()
	o.counts.States[plan.Stale], o.counts.States[plan.Failing] = 150, 75
	o.rules.Name = strings.ToUpper
	o.extremes.longest[plan.Stale] = []example{{"a", time.Time{}}, {"c", time.Unix(300, 0)}, {"e", time.Unix(500, 0)}, {"f", time.Unix(600, 0)}}
	o.extremes.longest[plan.Failing] = []example{{"b", time.Unix(200, 0)}, {"d", time.Unix(400, 0)}, {"g", time.Unix(700, 0)}}
	r := fleetJudged(t, o)
	assert.Regexp(t, `; longest without a sync: A \(unknown\), B \(.*\), C \(.*\), D \(.*\), E \([^,]*\)$`, detailOf(t, r, syncStale))
	assert.Equal(t, []string{"A", "B", "C", "D", "E"}, r.Findings[0].About)
}

func TestAStopNamesWhoSynchronisedLast(t *testing.T) {
	o := healthy()
	o.movement.Moved = 0
	o.rules.Name = strings.ToUpper
	o.extremes.newest = []example{{"a", monday}, {"b", monday.Add(-time.Minute)}}
	r := fleetJudged(t, o)
	assert.Equal(t, []string{"A", "B"}, r.Findings[0].About)
	assert.Contains(t, detailOf(t, r, syncStopped), "; the last to synchronise: A (2026-11-23 10:00 UTC), B (2026-11-23 09:59 UTC)")
}

func TestTheNewestOfAFleet(t *testing.T) {
	p := plan.New(plan.Settings{StaleAfter: time.Hour, Budget: budget.New(100, 1)})
	ago := func(minutes int) time.Time { return monday.Add(-time.Duration(minutes) * time.Minute) }
	hear := func(key string, a plan.Answer) {
		p.Add(monday, key)
		p.Urge(key)
		ask, ok, _ := p.Next(monday)
		require.True(t, ok)
		require.Equal(t, key, ask.Key)
		p.Settle(monday, ask, a)
	}
	for i, key := range []string{"e", "d", "c", "b", "h"} {
		hear(key, plan.Answer{State: plan.Fresh, Success: ago(10 * (i + 1))})
	}
	hear("a", plan.Answer{State: plan.Fresh, Success: ago(10)})
	hear("f", plan.Answer{State: plan.Unknown})
	hear("g", plan.Answer{State: plan.Fresh, Success: ago(0)})
	hear("g", plan.Answer{State: plan.NotProvisioned}) // a sync that was is none of a phone that there is
	assert.Equal(t, []example{{"a", ago(10)}, {"e", ago(10)}, {"d", ago(20)}, {"c", ago(30)}, {"b", ago(40)}}, extremesOf(p, monday).newest)
}

// detailOf returns the detail of a finding that must be there.
func detailOf(t *testing.T, r check.Report, reason *check.Reason) string {
	t.Helper()
	for _, f := range r.Findings {
		if f.Reason == reason {
			return f.Detail
		}
	}
	require.Contains(t, reasons(r), reason.Name)
	return ""
}
