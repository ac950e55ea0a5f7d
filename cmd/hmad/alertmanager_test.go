package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
)

// alert is an alert's labels.
type alert map[string]string

func alertOf(check, reason string, severity check.Severity) alert {
	return alert{"alertname": catalog.AlertName(check, reason), "check": check, "reason": reason, "severity": string(severity),
		"instance": "jump1:9749", "job": "hmad"}
}

// hold posts alerts that go on firing.
func hold(t *testing.T, alertmanager string, alerts ...alert) {
	t.Helper()
	post(t, alertmanager, time.Now().Add(time.Hour), alerts...)
}

// post posts alerts that end at a time.
func post(t *testing.T, alertmanager string, end time.Time, alerts ...alert) {
	t.Helper()
	type posted struct {
		Labels alert     `json:"labels"`
		EndsAt time.Time `json:"endsAt"`
	}
	var body []posted
	for _, a := range alerts {
		body = append(body, posted{a, end})
	}
	text, err := json.Marshal(body)
	require.NoError(t, err)
	req, err := http.NewRequest(http.MethodPost, "http://"+alertmanager+"/api/v2/alerts", bytes.NewReader(text))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	_, err = fetch(req)
	require.NoError(t, err)
}

// status is what Alertmanager makes of an alert.
type status struct {
	Labels alert
	Status struct{ InhibitedBy, SilencedBy []string }
}

func statuses(t *testing.T, alertmanager string) []status {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+alertmanager+"/api/v2/alerts", nil)
	require.NoError(t, err)
	body, err := fetch(req)
	require.NoError(t, err)
	var all []status
	require.NoError(t, json.Unmarshal(body, &all))
	return all
}

// allAlerts are those of every reason, of the design's reasons to come, and of
// hmad itself; but HmadDown, which hides whatever its hmad told.
func allAlerts() []alert {
	all := []alert{
		alertOf("mailbox_sync", "sync_stale", check.Critical), alertOf("mailbox_sync", "sync_failing", check.Critical),
		alertOf("mailbox_sync", "watched_mailbox_stale", check.Warning), alertOf("mailbox_sync", "sweep_behind", check.Warning),
		alertOf("onprem_sync", "cloud_sync_refused", check.Critical), alertOf("onprem_sync", "onprem_leg_stale", check.Warning),
		alertOf("tls_offload", "tls_offloaded", check.Critical), alertOf("tls_offload", "connect_failed", check.Critical),
		alertOf("evosts_metadata", "metadata_long_stale", check.Critical), alertOf("evosts_metadata", "metadata_stale", check.Warning),
		alertOf("onprem_report", "report_late", check.Warning), alertOf("onprem_report", "report_missing", check.Warning),
		alertOf("onprem_report", "report_invalid", check.Warning),
	}
	for _, d := range catalog.Defs() {
		for _, r := range d.Reasons {
			all = append(all, alertOf(d.Name, r.Name, r.Severity))
		}
	}
	own := func(name, check, reason, severity string) alert {
		return alert{"alertname": name, "check": check, "reason": reason, "severity": severity, "instance": "jump1:9749", "job": "hmad"}
	}
	for _, c := range []string{"vantage", "autodiscover", "activesync", "evosts_metadata", "metadata_refresh", "configuration", "onprem_sync", "onprem_report", "mailbox_sync"} {
		all = append(all, own("HmadCheckUndecided", c, "undecided", "warning"), own("HmadCheckLate", c, "late", "warning"))
	}
	all = append(all, own("HmadWayOutClosed", "vantage", "way_out_closed", "none"), own("HmadServiceLevelMissed", "activesync", "service_level_missed", "warning"),
		own("HmadReloadFailed", "hmad", "reload_failed", "warning"),
		own("HmadCredentialExpiringSoon", "hmad", "credential_expiring_soon", "critical"))
	slices.SortFunc(all, func(a, b alert) int { return strings.Compare(a.String(), b.String()) })
	return slices.CompactFunc(all, func(a, b alert) bool { return a.String() == b.String() })
}

func (a alert) String() string { return a["check"] + "." + a["reason"] }

func (a alert) is(label string, values ...string) bool { return slices.Contains(values, a[label]) }

var (
	transportReasons = []string{"dns_failed", "connect_failed", "tls_failed", "certificate_untrusted", "certificate_chain_incomplete",
		"certificate_name_mismatch", "certificate_expired", "certificate_expiring_soon", "certificate_expiring", "timeout", "response_invalid"}
	endpoints = []string{"autodiscover", "activesync", "tls_offload"}
	syncing   = regexp.MustCompile(`^(cloud_)?sync_`)
)

// hides is the list of inhibitions in docs/alerting.md: says whether a, of the
// same target and the same hmad, hides b.
func (a alert) hides(b alert) bool {
	critical := a.is("severity", "critical") && !a.is("check", "hmad")
	down := a.is("check", endpoints...) && !a.is("reason", "certificate_expiring_soon", "mailbox_oauth_off", "forged_token_accepted")
	undecided := b.is("reason", "undecided")
	switch {
	case a.is("reason", "way_out_closed") && b.is("check", endpoints...) && (undecided || b.is("reason", transportReasons...)),
		a.is("reason", "vantage_offline") && undecided && b.is("check", "evosts_metadata", "configuration", "mailbox_sync"),
		a.is("reason", "report_late", "report_missing") && undecided && b.is("check", "evosts_metadata", "metadata_refresh", "configuration", "onprem_sync"),
		a.is("reason", "tokens_refused") && b.is("reason", "metadata_long_stale", "signing_key_missing", "cloud_sync_refused"),
		a.is("reason", "sync_failing", "sync_stopped", "cloud_sync_refused", "cloud_sync_stopped") && b.is("reason", "sync_stale"),
		critical && a["check"] == b["check"] && b.is("severity", "warning") && !undecided && !b.is("reason", "late"),
		critical && down && syncing.MatchString(b["reason"]),
		critical && b.is("reason", "service_level_missed"):
		return true
	}
	return false
}

// A real Alertmanager with the shipped config hides what the design says and
// nothing else: each of these sources stands beside every alert there is, each
// pair with a target of its own.
func TestInhibitions(t *testing.T) {
	am := startAlertmanager(t, 1, newInbox(t))
	var sources []alert
	for _, a := range allAlerts() {
		if slices.Contains([]string{"vantage.way_out_closed", "vantage.vantage_offline", "autodiscover.blocked", "autodiscover.certificate_expiring",
			"activesync.certificate_expiring_soon", "activesync.mailbox_oauth_off", "tls_offload.forged_token_accepted", "metadata_refresh.tokens_refused",
			"mailbox_sync.sync_stopped", "mailbox_sync.watched_mailbox_stale_critical",
			"activesync.bearer_missing", "activesync.tenant_mismatch", "tls_offload.tls_offloaded", "evosts_metadata.metadata_long_stale",
			"mailbox_sync.sync_failing", "onprem_sync.cloud_sync_refused", "onprem_report.report_late", "onprem_report.report_missing",
			"onprem_report.report_invalid", "activesync.undecided", "hmad.credential_expiring_soon"}, a.String()) {
			sources = append(sources, a)
		}
	}
	require.Len(t, sources, 21)
	want := map[string]bool{}
	var posted []alert
	of := func(a alert, target, instance string) alert {
		b := alert{"target": target}
		for k, v := range a {
			b[k] = v
		}
		if instance != "" {
			b["instance"] = instance
		}
		return b
	}
	for _, a := range sources {
		for _, b := range allAlerts() {
			if a.String() == b.String() {
				continue
			}
			target := fmt.Sprintf("%s beside %s", b, a)
			posted = append(posted, of(a, target, ""), of(b, target, ""))
			want[target+"/"+b.String()] = a.hides(b)
			want[target+"/"+a.String()] = b.hides(a)
		}
	}
	// Another hmad, inside, sees what is true; and another target is not meant.
	connect := alertOf("activesync", "connect_failed", check.Critical)
	closed := alert{"alertname": "HmadWayOutClosed", "check": "vantage", "reason": "way_out_closed", "severity": "none", "instance": "jump1:9749"}
	posted = append(posted, of(closed, "two daemons", ""), of(connect, "two daemons", "jump2:9749"), of(closed, "one target", ""), of(connect, "another target", ""))
	// What a dead hmad told is hidden, and not what the other of a pair sees.
	down := alert{"alertname": "HmadDown", "check": "hmad", "reason": "down", "severity": "critical", "instance": "jump3:9749"}
	posted = append(posted, of(down, "hmad", ""), of(connect, "one dead, one alive", "jump3:9749"), of(alertOf("activesync", "blocked", check.Critical), "one dead, one alive", ""))
	want["hmad/hmad.down"], want["one dead, one alive/activesync.connect_failed"], want["one dead, one alive/activesync.blocked"] = false, true, false
	for _, name := range []string{"two daemons/vantage.way_out_closed", "two daemons/activesync.connect_failed",
		"one target/vantage.way_out_closed", "another target/activesync.connect_failed"} {
		want[name] = false
	}
	hold(t, am, posted...)
	require.Greater(t, len(want), 2000)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		got := map[string]bool{}
		for _, s := range statuses(t, am) {
			got[s.Labels["target"]+"/"+s.Labels.String()] = len(s.Status.InhibitedBy) > 0
		}
		assert.Empty(c, differences(want, got))
	}, waitLimit, time.Second)
}

// differences lists the alerts that are hidden and should not be, and the
// other way round; the first of them.
func differences(want, got map[string]bool) []string {
	var all []string
	for name, hidden := range want {
		if is, ok := got[name]; !ok || is != hidden {
			all = append(all, fmt.Sprintf("%s: want hidden %t, got %t (there: %t)", name, hidden, is, ok))
		}
	}
	slices.Sort(all)
	return all[:min(len(all), 20)]
}

// Quiet days mute the share of stale mailboxes and nothing else; maintenance
// mutes everything; what stands is told once the interval is over.
func TestQuietDaysAndMaintenance(t *testing.T) {
	stale, failing := alertOf("mailbox_sync", "sync_stale", check.Critical), alertOf("mailbox_sync", "sync_failing", check.Critical)
	expiring := alertOf("activesync", "certificate_expiring", check.Warning)
	stale["target"], failing["target"], expiring["target"] = "stale", "failing", "expiring"
	for name, c := range map[string]struct{ now, told, held []string }{
		"any other day": {nil, []string{"stale", "failing", "expiring"}, nil},
		"a quiet day":   {[]string{"quiet-days"}, []string{"failing", "expiring"}, []string{"stale"}},
	} {
		t.Run(name, func(t *testing.T) {
			box := newInbox(t)
			hold(t, startAlertmanager(t, 1.0/600, box, c.now...), stale, failing, expiring)
			for _, target := range c.told {
				require.NoError(t, box.await(t.Context(), target, time.Time{}, "firing"))
			}
			require.NoError(t, pause(t.Context(), time.Second)) // two group intervals
			for _, target := range c.held {
				assert.Empty(t, box.of(target, time.Time{}))
			}
		})
	}
	t.Run("maintenance", func(t *testing.T) {
		box := newInbox(t)
		am := startAlertmanager(t, 1.0/600, box, "maintenance")
		hold(t, am, stale, failing, expiring)
		require.Len(t, statuses(t, am), 3)
		require.NoError(t, pause(t.Context(), 3*time.Second)) // six group intervals
		for _, target := range []string{"stale", "failing", "expiring"} {
			assert.Empty(t, box.of(target, time.Time{}))
		}
	})
}

// The script for a patch night silences one target, and hmad's alerts alone.
func TestPatchNight(t *testing.T) {
	am := startAlertmanager(t, 1, newInbox(t))
	other, foreign := alertOf("activesync", "blocked", check.Critical), alert{"alertname": "NodeDown", "target": "contoso"}
	mine := alertOf("activesync", "blocked", check.Critical)
	mine["target"], other["target"] = "contoso", "fabrikam"
	hold(t, am, mine, other, foreign)
	cmd := exec.CommandContext(t.Context(), "../../deploy/alertmanager/patch-night.sh", "contoso", "2h", "CU15 on EX01")
	cmd.Env = append(cmd.Environ(), "ALERTMANAGER_URL=http://"+am)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	id := strings.TrimSpace(string(out))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		for _, s := range statuses(t, am) {
			want := []string{}
			if s.Labels["target"] == "contoso" && s.Labels["alertname"] != "NodeDown" {
				want = []string{id}
			}
			assert.Equal(c, want, s.Status.SilencedBy, s.Labels)
		}
	}, waitLimit, waitTick)
	out, err = exec.CommandContext(t.Context(), "amtool", "silence", "query", "--alertmanager.url=http://"+am, "-o", "json").Output()
	require.NoError(t, err)
	var silences []struct {
		Comment          string
		StartsAt, EndsAt time.Time
	}
	require.NoError(t, json.Unmarshal(out, &silences))
	require.Len(t, silences, 1)
	assert.Equal(t, "CU15 on EX01", silences[0].Comment)
	assert.Equal(t, 2*time.Hour, silences[0].EndsAt.Sub(silences[0].StartsAt).Round(time.Minute))
	_, err = exec.CommandContext(t.Context(), "../../deploy/alertmanager/patch-night.sh").Output()
	assert.ErrorContains(t, err, "exit status 2")
}
