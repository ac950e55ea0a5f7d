package main

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
)

// causeScale is that of these tests: a group waits a second for what belongs to
// it, which a busy machine keeps.
const causeScale = 1.0 / 60

// toldByThen is several group intervals: what is told at all is told by then.
const toldByThen = 15 * time.Second

// critical returns a reason's alert of a target.
func critical(target, full string) alert {
	def, reason := findReason(full)
	a := alertOf(def.Name, reason.Name, reason.Severity)
	a["target"] = target
	return a
}

func criticals(target string, full []string) []alert {
	var all []alert
	for _, name := range full {
		all = append(all, critical(target, name))
	}
	return all
}

// explainedBy returns, for each finding that another of them explains by the
// catalog's table, the alert that hides it.
func explainedBy(target string, full []string) []alert {
	var stand []check.Stands
	began := now()
	for _, name := range full {
		def, reason := findReason(name)
		stand = append(stand, check.Stands{Check: def.Name, Reason: reason.Name, Severity: reason.Severity, Since: began})
	}
	var all []alert
	for effect, by := range check.CausesOf(catalog.Defs()).Explain(stand) {
		if by != "" {
			all = append(all, impliedBeside(critical(target, effect)))
		}
	}
	return all
}

// news lists what each notification of a target told as firing that the one
// before had not.
func news(told []notification) [][]string {
	var all [][]string
	before := map[string]bool{}
	for _, n := range told {
		now, fresh := map[string]bool{}, []string(nil)
		for _, a := range n.Alerts {
			if a.Status == "firing" {
				name := a.Labels["check"] + "." + a.Labels["reason"]
				now[name] = true
				if !before[name] {
					fresh = append(fresh, name)
				}
			}
		}
		before = now
		if fresh != nil {
			all = append(all, fresh)
		}
	}
	return all
}

// Several checks see one cause, at one moment or one after the other: a real
// Alertmanager with the shipped config tells it once. (What tls_offload sees of
// an outage does not even fire: deploy/prometheus/tests/together.test.yaml.)
func TestOneCauseIsToldOnce(t *testing.T) {
	box := newInbox(t)
	am := startAlertmanager(t, causeScale, box)
	cases := map[string]struct {
		first, late []string
		told        [][]string
	}{
		"a load balancer is down": {
			first: []string{"autodiscover.connect_failed", "activesync.connect_failed"},
			late:  []string{"onprem_sync.cloud_sync_stopped", "mailbox_sync.sync_failing", "mailbox_sync.sync_stale"},
			told:  [][]string{{"activesync.connect_failed", "autodiscover.connect_failed"}}},
		"TLS is offloaded": {
			first: []string{"activesync.tls_offloaded"}, late: []string{"onprem_sync.cloud_sync_refused"},
			told: [][]string{{"activesync.tls_offloaded"}}},
		"TLS is offloaded, as tls_offload alone sees": {
			first: []string{"tls_offload.tls_offloaded"}, late: []string{"onprem_sync.cloud_sync_refused"},
			told: [][]string{{"tls_offload.tls_offloaded"}}},
		"the certificates of Entra are stale": {
			first: []string{"metadata_refresh.tokens_refused", "evosts_metadata.metadata_long_stale", "onprem_sync.cloud_sync_refused"},
			late:  []string{"evosts_metadata.signing_key_missing"},
			told:  [][]string{{"evosts_metadata.metadata_long_stale"}, {"evosts_metadata.signing_key_missing"}}},
		"phones fail and grow stale": {
			first: []string{"mailbox_sync.sync_failing", "mailbox_sync.sync_stale"},
			told:  [][]string{{"mailbox_sync.sync_failing"}}},
		"phones stop and grow stale": {
			first: []string{"mailbox_sync.sync_stopped"}, late: []string{"mailbox_sync.sync_stale"},
			told: [][]string{{"mailbox_sync.sync_stopped"}}},
		// What is not yet the case, or concerns nobody's phone, hides nothing.
		"phones stop while a certificate is about to expire": {
			first: []string{"activesync.certificate_expiring_soon"}, late: []string{"mailbox_sync.sync_stopped"},
			told: [][]string{{"activesync.certificate_expiring_soon"}, {"mailbox_sync.sync_stopped"}}},
		"phones stop while the probe mailbox has no OAuth": {
			first: []string{"activesync.mailbox_oauth_off"}, late: []string{"mailbox_sync.sync_stopped"},
			told: [][]string{{"activesync.mailbox_oauth_off"}, {"mailbox_sync.sync_stopped"}}},
		"phones stop while one front end rewrites the host": {
			first: []string{"tls_offload.host_rewritten", "mailbox_sync.sync_failing"},
			told:  [][]string{{"mailbox_sync.sync_failing", "tls_offload.host_rewritten"}}},
		"phones stop while AutoDiscover lacks the URL": {
			first: []string{"autodiscover.url_missing", "mailbox_sync.sync_stopped"},
			told:  [][]string{{"autodiscover.url_missing", "mailbox_sync.sync_stopped"}}},
		"the way out is closed and the endpoint is down": {
			first: []string{"activesync.connect_failed", "mailbox_sync.sync_stopped", "onprem_sync.cloud_sync_stopped"},
			late:  []string{"vantage.vantage_offline"},
			told:  [][]string{{"activesync.connect_failed"}, {"vantage.vantage_offline"}}},
		// Seen the other way round, the cause is told in a second notification of
		// the same group.
		"a consequence that is seen before its cause": {
			first: []string{"onprem_sync.cloud_sync_refused"}, late: []string{"metadata_refresh.tokens_refused"},
			told: [][]string{{"onprem_sync.cloud_sync_refused"}, {"metadata_refresh.tokens_refused"}}},
	}
	for name, c := range cases {
		hold(t, am, append(explainedBy(name, c.first), criticals(name, c.first)...)...)
	}
	for name, c := range cases {
		require.NoError(t, box.await(t.Context(), name, time.Time{}, "firing"))
		if c.late != nil {
			hold(t, am, append(explainedBy(name, slices.Concat(c.first, c.late)), criticals(name, c.late)...)...)
		}
	}
	require.NoError(t, pause(t.Context(), toldByThen))
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			told := box.of(name, time.Time{})
			assert.Equal(t, c.told, news(told), texts(told, time.Time{}))
		})
	}
}

// A consequence that outlasts its cause is told when the cause is mended.
func TestAConsequenceThatOutlastsItsCause(t *testing.T) {
	t.Parallel()
	box := newInbox(t)
	am := startAlertmanager(t, causeScale, box)
	cause, consequence := critical("contoso", "activesync.connect_failed"), critical("contoso", "onprem_sync.cloud_sync_stopped")
	hold(t, am, cause, impliedBeside(consequence), consequence)
	require.NoError(t, box.await(t.Context(), "contoso", time.Time{}, "firing"))
	post(t, am, time.Now(), cause, impliedBeside(consequence))
	require.NoError(t, pause(t.Context(), toldByThen))
	assert.Equal(t, [][]string{{"activesync.connect_failed"}, {"onprem_sync.cloud_sync_stopped"}}, news(box.of("contoso", time.Time{})))
}

// While a hmad is down, nothing of what it found is told as mended; what
// another hmad found is.
func TestNothingIsMendedWhileHmadIsDown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		down   alert
		mended []string // targets of which that is told
	}{
		"one hmad does not answer": {alert{"instance": "jump1:9749"}, []string{"fabrikam"}},
		"the job has vanished":     {alert{}, []string{"contoso", "fabrikam"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := newInbox(t)
			am := startAlertmanager(t, causeScale, box)
			dead, other := critical("contoso", "activesync.connect_failed"), critical("fabrikam", "activesync.connect_failed")
			other["instance"] = "jump2:9749"
			maps.Copy(c.down, alert{"alertname": "HmadDown", "job": "hmad", "target": "hmad", "check": "hmad", "reason": "down",
				"severity": string(check.Critical)})
			hold(t, am, dead, other)
			for _, target := range []string{"contoso", "fabrikam"} {
				require.NoError(t, box.await(t.Context(), target, time.Time{}, "firing"))
			}
			hold(t, am, c.down)
			require.NoError(t, box.await(t.Context(), "hmad", time.Time{}, "firing"))
			post(t, am, time.Now(), dead, other)
			for _, target := range c.mended {
				require.NoError(t, box.await(t.Context(), target, time.Time{}, "resolved"))
			}
			require.NoError(t, pause(t.Context(), toldByThen))
			for _, target := range []string{"contoso", "fabrikam"} {
				for _, n := range box.of(target, time.Time{}) {
					assert.True(t, n.Status == "firing" || slices.Contains(c.mended, target), "%s is told as mended", target)
				}
			}
		})
	}
}
