package main

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/audit"
	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/probes"
	"github.com/hmad/hmad/internal/sync"
)

// limits are where the colour of a panel's figures changes because an alert
// begins there: a reason by its full name, or one about hmad itself.
var limits = map[string][]struct {
	series       string // whose limit it is, where not all have it
	at           float64
	under, above string
	alert        string
}{
	"Overview / Findings and gaps": {
		{"critical", 1, "green", "red", "activesync.bearer_missing"},
		{"warnings", 1, "green", "orange", "activesync.certificate_expiring"},
		{"undecided", 1, "green", "purple", "HmadCheckUndecided"},
	},
	"Overview / Good runs in the range shown": {{"", .99, "orange", "green", "HmadServiceLevelMissed"}},
	"Overview / Certificates: time left": {
		{"Time left", probes.ExpiringSoon.Seconds(), "red", "orange", "activesync.certificate_expiring_soon"},
		{"Time left", probes.Expiring.Seconds(), "orange", "green", "activesync.certificate_expiring"},
	},
	"Mailbox sync / Stale or failing":    {{"", defaults().Sync.StaleShare / 100, "orange", "red", "mailbox_sync.sync_stale"}},
	"Mailbox sync / Refused by Exchange": {{"", sync.RefusedShare, "orange", "red", "onprem_sync.cloud_sync_refused"}},
	"EvoSTS metadata / Time left to copy it": {
		{"", 0, "orange", "text", "evosts_metadata.metadata_stale"},
		{"", (defaults().Metadata.Window - defaults().Metadata.PageAfter).Seconds(), "red", "orange", "evosts_metadata.metadata_long_stale"},
	},
	"EvoSTS metadata / Last good run of the refresh job": {
		{"", defaults().Metadata.OverdueAfter.Seconds(), "green", "orange", "metadata_refresh.refresh_overdue"}},
	"EvoSTS metadata / Exchange's own signing certificates: time left": {
		{"", audit.RenewBefore.Seconds(), "orange", "green", "configuration.auth_certificate_expiring"}},
	"EvoSTS metadata / Age of the table of Exchange builds": {
		{"", audit.MaxTableAge.Seconds(), "green", "orange", "configuration.build_table_old"}},
	"hmad itself / Answers Prometheus":          {{"jump1:9749", 1, "red", "green", "HmadDown"}},
	"hmad itself / Config in force":             {{"jump1:9749", 1, "orange", "green", "HmadReloadFailed"}},
	"hmad itself / State":                       {{"jump1:9749", 1, "orange", "green", "HmadStateNotKept"}},
	"hmad itself / Left out":                    {{"jump1:9749 series", 1, "green", "orange", "HmadSeriesDropped"}},
	"Mailbox sync / Left out":                   {{"jump1:9749 series", 1, "green", "orange", "HmadSeriesDropped"}},
	"hmad itself / Overdue":                     {{"", 600, "green", "orange", "HmadCheckLate"}},
	"hmad itself / Intervals without a verdict": {{"", 3, "green", "purple", "HmadCheckUndecided"}},
	"hmad itself / Clock":                       {{"", probes.MaxClockOffset.Seconds(), "green", "orange", "vantage.clock_skew"}},
	"hmad itself / Credentials: time left": {
		{"", 3 * day, "red", "orange", "HmadCredentialExpiringSoon"},
		{"", 30 * day, "orange", "green", "HmadCredentialExpiring"},
	},
}

// Colours change where alerts begin; red is nowhere else.
func TestColoursChangeWhereAlertsBegin(t *testing.T) {
	seen := 0
	for _, b := range readBoards(t) {
		for _, p := range b.graphs() {
			where, pages := strings.TrimPrefix(b.Title, "hmad / ")+" / "+p.Title, false
			for _, l := range limits[where] {
				step := 1e-6 * (1 + math.Abs(l.at))
				if l.at == 1 {
					step = 1 // a truth, or a count
				}
				assert.Equal(t, l.under, p.color(t, l.series, l.at-step), "%s, under %v", where, l.at)
				assert.Equal(t, l.above, p.color(t, l.series, l.at), "%s, from %v", where, l.at)
				pages = pages || l.under == "red" || l.above == "red"
			}
			if limits[where] != nil {
				seen++
			}
			assert.True(t, pages || !p.hasRedStep(t), "%s is red somewhere, and no alert that pages says the same", where)
		}
	}
	assert.Len(t, limits, seen, "limits of panels that are not there")
}

// Red is for alerts that page, and for no others.
func TestColoursFollowSeverities(t *testing.T) {
	rules, err := prometheusRules()
	require.NoError(t, err)
	alerts := map[string]rule{}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			alerts[r.Alert] = r
		}
	}
	for where, all := range limits {
		for _, l := range all {
			name := l.alert
			checkName, reason, ofReason := strings.Cut(l.alert, ".")
			if ofReason {
				name = catalog.AlertName(checkName, reason)
			}
			require.Contains(t, alerts, name, where)
			pages := alerts[name].Labels["severity"] == string(check.Critical)
			assert.Equal(t, pages, l.under == "red" || l.above == "red", "%s at %v: %s", where, l.at, name)
			if !ofReason && l.at != 1 {
				assert.Contains(t, alerts[name].Expr, strconv.FormatFloat(l.at, 'f', -1, 64), "%s: %s begins elsewhere", where, name)
			}
		}
	}
}
