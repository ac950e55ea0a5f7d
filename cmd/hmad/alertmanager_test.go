package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
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
		"instance": "jump1:9749", "job": "hmad", "vantage": "internal"}
}

// impliedBeside is the alert that hides another one.
func impliedBeside(a alert) alert {
	return alert{"alertname": catalog.ImpliedAlert, "severity": "none", "target": a["target"], "vantage": a["vantage"], "check": a["check"], "reason": a["reason"]}
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
		return alert{"alertname": name, "check": check, "reason": reason, "severity": severity, "instance": "jump1:9749", "job": "hmad", "vantage": "internal"}
	}
	for _, c := range []string{"vantage", "autodiscover", "activesync", "evosts_metadata", "metadata_refresh", "configuration", "onprem_sync", "onprem_report", "mailbox_sync"} {
		all = append(all, own("HmadCheckUndecided", c, "undecided", "warning"), own("HmadCheckLate", c, "late", "warning"))
	}
	all = append(all, own("HmadServiceLevelMissed", "activesync", "service_level_missed", "warning"),
		own("HmadReloadFailed", "hmad", "reload_failed", "warning"),
		own("HmadCredentialExpiringSoon", "hmad", "credential_expiring_soon", "critical"))
	slices.SortFunc(all, func(a, b alert) int { return strings.Compare(a.String(), b.String()) })
	return slices.CompactFunc(all, func(a, b alert) bool { return a.String() == b.String() })
}

func (a alert) String() string { return a["check"] + "." + a["reason"] }

// with returns the alert with other labels, pairs of name and value.
func (a alert) with(pairs ...string) alert {
	b := maps.Clone(a)
	for i := 0; i < len(pairs); i += 2 {
		b[pairs[i]] = pairs[i+1]
	}
	return b
}

// A real Alertmanager with the shipped config hides what HmadImplied names, and
// what a dead hmad told, and nothing else: that alerts stand beside each other
// hides none of them.
func TestInhibitions(t *testing.T) {
	am := startAlertmanager(t, 1, newInbox(t))
	want := map[string]bool{}
	var posted []alert
	stands := func(a alert, hidden bool) {
		posted = append(posted, a)
		want[a.where()] = hidden
	}
	for _, a := range allAlerts() {
		effect := a.with("target", "explained")
		posted = append(posted, impliedBeside(effect))
		stands(effect, true)
		stands(effect.with("instance", "jump2:9749"), true)
		stands(effect.with("vantage", "external", "instance", "jump3:9749"), false)
		stands(a.with("target", "all together"), false)
	}
	connect := alertOf("activesync", "connect_failed", check.Critical).with("target", "one dead, one alive")
	stands(alert{"alertname": "HmadDown", "check": "hmad", "reason": "down", "severity": "critical", "instance": "jump4:9749", "target": "hmad"}, false)
	stands(connect.with("instance", "jump4:9749"), true)
	stands(connect.with("instance", "jump5:9749"), false)
	// A job that Prometheus does not know of has no instance: it hides nothing.
	stands(alert{"alertname": "HmadDown", "check": "hmad", "reason": "down", "severity": "critical", "target": "hmad"}, false)
	stands(alert{"alertname": "HmadServiceLevelMissed", "check": "activesync", "reason": "service_level_missed", "severity": "warning",
		"target": "all together", "vantage": "internal"}, false)
	hold(t, am, posted...)
	require.Greater(t, len(want), 400)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		got := map[string]bool{}
		for _, s := range statuses(t, am) {
			got[s.Labels.where()] = len(s.Status.InhibitedBy) > 0
		}
		assert.Empty(c, differences(want, got))
	}, waitLimit, time.Second)
}

// where names an alert among all: its target, what it says, and who sees it.
func (a alert) where() string {
	return strings.Join([]string{a["target"], a["vantage"], a.String(), a["instance"]}, "/")
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

// The script for one's own pager reaches whom criticals page, named as a test,
// through the routes that ship, and is mended by itself.
func TestPage(t *testing.T) {
	box := newInbox(t)
	am := startAlertmanager(t, 1.0/600, box)
	cmd := exec.CommandContext(t.Context(), "../../deploy/alertmanager/test-page.sh")
	cmd.Env = append(cmd.Environ(), "ALERTMANAGER_URL=http://"+am)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, box.await(t.Context(), "TEST", time.Time{}, "firing"))
	told := box.of("TEST", time.Time{})
	require.NotEmpty(t, told)
	assert.Equal(t, "pager", told[0].Receiver)
	all := statuses(t, am)
	require.Len(t, all, 1)
	assert.Equal(t, alert{"alertname": "HmadTest", "severity": "critical", "target": "TEST", "check": "hmad", "reason": "test"}, all[0].Labels)
}
