package catalog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

const alertmanagerFile = "../../deploy/alertmanager/alertmanager.example.yml"

func TestAmtoolTakesTheExample(t *testing.T) {
	assert.Contains(t, tool(t, "amtool", "check-config", alertmanagerFile), "SUCCESS")
}

func TestRoutes(t *testing.T) {
	for name, c := range map[string]struct{ labels, receiver string }{
		"a critical finding":         {"alertname=HmadActivesyncBearerMissing severity=critical check=activesync reason=bearer_missing target=contoso", "pager"},
		"a warning":                  {"alertname=HmadActivesyncCertificateExpiring severity=warning check=activesync reason=certificate_expiring target=contoso", "tickets"},
		"stale sync":                 {"alertname=HmadMailboxSyncSyncStale severity=critical check=mailbox_sync reason=sync_stale target=contoso", "pager"},
		"failing sync":               {"alertname=HmadMailboxSyncSyncFailing severity=critical check=mailbox_sync reason=sync_failing target=contoso", "pager"},
		"hmad down":                  {"alertname=HmadDown severity=critical check=hmad reason=down target=hmad", "pager"},
		"a check undecided":          {"alertname=HmadCheckUndecided severity=warning check=activesync reason=undecided target=contoso", "tickets"},
		"the service level":          {"alertname=HmadServiceLevelMissed severity=warning check=activesync target=contoso", "tickets"},
		"what inhibitions are for":   {"alertname=HmadImplied severity=none check=activesync reason=undecided target=contoso vantage=inside", "nobody"},
		"the dead man's switch":      {"alertname=HmadWatchdog severity=none check=hmad reason=watchdog target=hmad", "heartbeat"},
		"nobody sees phones":         {"alertname=HmadNoVerdict severity=critical check=hmad reason=no_verdict target=contoso vantage=external", "pager"},
		"half of a pair":             {"alertname=HmadRedundancyLost severity=warning check=hmad reason=redundancy_lost target=hmad", "tickets"},
		"a test of the pager":        {"alertname=HmadTest severity=critical check=hmad reason=test target=TEST", "pager"},
		"somebody else's":            {"alertname=NodeDown severity=critical", "tickets"},
		"somebody else's stale sync": {"alertname=SyncStale severity=critical reason=sync_stale", "tickets"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"config", "routes", "test", "--config.file=" + alertmanagerFile, "--verify.receivers=" + c.receiver}
			tool(t, "amtool", append(args, strings.Fields(c.labels)...)...)
		})
	}
}

// Every alert that there is has a route: critical pages, nothing falls through.
func TestEveryAlertHasItsReceiver(t *testing.T) {
	receivers := map[string]string{"critical": "pager", "warning": "tickets", "none": "nobody"}
	seen := map[string]bool{}
	for _, r := range rulesOf(t, 1) {
		severity := r.Labels["severity"]
		if r.Alert == "" || seen[severity] || r.Alert == "HmadWatchdog" {
			continue // routes go by severity
		}
		seen[severity] = true
		tool(t, "amtool", "config", "routes", "test", "--config.file="+alertmanagerFile, "--verify.receivers="+receivers[severity],
			"alertname="+r.Alert, "severity="+severity, "target=contoso")
	}
	assert.Len(t, seen, 3)
}

// example is what tests read of the example.
type example struct {
	Route        route
	InhibitRules []struct {
		Source []string `yaml:"source_matchers"`
		Target []string `yaml:"target_matchers"`
	} `yaml:"inhibit_rules"`
}

type route struct {
	Matchers []string
	GroupBy  []string `yaml:"group_by"`
	Mute     []string `yaml:"mute_time_intervals"`
	Routes   []route
}

func readExample(t *testing.T) example {
	t.Helper()
	data, err := os.ReadFile(alertmanagerFile)
	require.NoError(t, err)
	var e example
	require.NoError(t, yaml.Unmarshal(data, &e))
	return e
}

// A renamed check or reason must not leave an inhibition behind that never
// matches.
func TestTheExampleNamesOnlyWhatExists(t *testing.T) {
	known := append(Names(), itself)
	for _, d := range Defs() {
		for _, r := range d.Reasons {
			known = append(known, r.Name)
		}
	}
	for _, r := range rulesOf(t, 1) {
		known = append(known, r.Labels["reason"], r.Labels["check"])
	}
	e := readExample(t)
	var matchers []string
	var walk func(route)
	walk = func(r route) {
		matchers = append(matchers, r.Matchers...)
		for _, sub := range r.Routes {
			walk(sub)
		}
	}
	walk(e.Route)
	for _, i := range e.InhibitRules {
		matchers = append(append(matchers, i.Source...), i.Target...)
	}
	named := 0
	for _, m := range matchers {
		label, quoted, _ := strings.Cut(m, `"`)
		if !strings.HasPrefix(label, "check") && !strings.HasPrefix(label, "reason") {
			continue
		}
		for name := range strings.SplitSeq(strings.TrimSuffix(quoted, `"`), "|") {
			assert.Contains(t, known, name, m)
			named++
		}
	}
	assert.Positive(t, named)
}

// The example has the inhibitions that the command prints, and no others: a
// hidden alert that nothing explains is told by nobody.
func TestTheExampleHasTheInhibitions(t *testing.T) {
	data, err := os.ReadFile(alertmanagerFile)
	require.NoError(t, err)
	assert.Contains(t, string(data), "\n"+Inhibitions)
	assert.Len(t, readExample(t).InhibitRules, 2)
}

// Quiet days are for the share of stale mailboxes and for nothing else.
func TestQuietDaysMuteOneRoute(t *testing.T) {
	quiet, maintained := 0, 0
	hmad := readExample(t).Route.Routes[0]
	assert.Equal(t, []string{"target"}, hmad.GroupBy)
	for _, r := range hmad.Routes {
		if slices.Contains(r.Mute, "quiet-days") {
			quiet++
			assert.Equal(t, []string{`reason="sync_stale"`}, r.Matchers)
		}
		if slices.Contains(r.Mute, "maintenance") {
			maintained++
		}
	}
	assert.Equal(t, 1, quiet)
	assert.Equal(t, 3, maintained, "every route to people")
}

// A pair of daemons sees a finding that one of them saw mended, and one that
// both saw mended.
const threeFindings = `{"receiver":"pager","status":"firing","externalURL":"http://alertmanager.contoso.com:9093",
"groupLabels":{"target":"contoso"},"commonLabels":{"target":"contoso","severity":"critical"},"commonAnnotations":{},
"alerts":[
 {"status":"firing","labels":{"instance":"jump1:9749","target":"contoso","check":"activesync","reason":"bearer_missing","severity":"critical"},
  "annotations":{"summary":"S.","description":"D.","fix":"F <&> \"G\".","runbook_url":"https://example.test/#a"},"startsAt":"2026-11-22T09:15:00+01:00"},
 {"status":"firing","labels":{"instance":"jump1:9749","target":"contoso","check":"autodiscover","reason":"blocked","severity":"critical"},
  "annotations":{"summary":"S2.","description":"D2.","fix":"F2.","runbook_url":"https://example.test/#b","dashboard_url":"https://grafana.test/d/x"},"startsAt":"2026-11-22T09:15:00+01:00"},
 {"status":"firing","labels":{"instance":"jump2:9749","target":"contoso","check":"activesync","reason":"bearer_missing","severity":"critical"},
  "annotations":{"summary":"S.","description":"D of the other.","fix":"F.","runbook_url":"https://example.test/#a"},"startsAt":"2026-11-22T09:15:00+01:00"},
 {"status":"resolved","labels":{"instance":"jump2:9749","target":"contoso","check":"autodiscover","reason":"blocked","severity":"critical"},
  "annotations":{},"startsAt":"2026-11-22T08:00:00Z","endsAt":"2026-11-22T08:20:00Z"},
 {"status":"resolved","labels":{"instance":"jump1:9749","target":"contoso","check":"autodiscover","reason":"timeout","severity":"critical"},
  "annotations":{},"startsAt":"2026-11-21T22:00:00Z","endsAt":"2026-11-22T08:30:00Z"},
 {"status":"resolved","labels":{"instance":"jump2:9749","target":"contoso","check":"autodiscover","reason":"timeout","severity":"critical"},
  "annotations":{},"startsAt":"2026-11-21T22:00:00Z","endsAt":"2026-11-22T08:30:00Z"}]}`

func TestWhatPeopleRead(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data.json")
	render := func(template, json string) string {
		require.NoError(t, os.WriteFile(data, []byte(json), 0o600))
		return tool(t, "amtool", "template", "render", "--template.glob=../../deploy/alertmanager/*.tmpl", "--template.data="+data,
			"--template.text={{ template \""+template+"\" . }}")
	}
	allMended := strings.ReplaceAll(threeFindings, `"firing"`, `"resolved"`)
	for name, c := range map[string]struct{ data, subject string }{
		"some mended": {threeFindings, "CRITICAL contoso: activesync.bearer_missing, autodiscover.blocked; mended: autodiscover.timeout"},
		"all mended":  {allMended, "MENDED contoso: activesync.bearer_missing, autodiscover.blocked, autodiscover.timeout"},
		"none mended": {strings.ReplaceAll(threeFindings, `"resolved"`, `"firing"`), "CRITICAL contoso: activesync.bearer_missing, autodiscover.blocked, autodiscover.timeout"},
		"what is about hmad itself names each daemon": {strings.NewReplacer(`"activesync"`, `"hmad"`, `"bearer_missing"`, `"reload_failed"`).Replace(threeFindings),
			"CRITICAL contoso: hmad.reload_failed at jump1:9749, autodiscover.blocked, hmad.reload_failed at jump2:9749; mended: autodiscover.timeout"},
		"so does what a daemon cannot tell": {strings.ReplaceAll(threeFindings, `"timeout"`, `"undecided"`),
			"CRITICAL contoso: activesync.bearer_missing, autodiscover.blocked; mended: autodiscover.undecided at jump1:9749, autodiscover.undecided at jump2:9749"},
		"severities that differ": {strings.Replace(threeFindings, `"contoso","severity":"critical"},"common`, `"contoso"},"common`, 1),
			"ALERT contoso: activesync.bearer_missing, autodiscover.blocked; mended: autodiscover.timeout"},
	} {
		assert.Equal(t, c.subject, strings.TrimSuffix(render("hmad.subject", c.data), "\n"), name)
	}
	assert.Equal(t, `CRITICAL  activesync.bearer_missing of contoso, since 2026-11-22 08:15 UTC

What it means:
  S.
What was seen:
  D.
How to fix it:
  F <&> "G".
Runbook:
  https://example.test/#a
Seen too by hmad at:
  jump2:9749

CRITICAL  autodiscover.blocked of contoso, since 2026-11-22 08:15 UTC

What it means:
  S2.
What was seen:
  D2.
How to fix it:
  F2.
Runbook:
  https://example.test/#b
Dashboard:
  https://grafana.test/d/x

MENDED  autodiscover.blocked of contoso, from 2026-11-22 08:00 UTC to 2026-11-22 08:20 UTC, as hmad at jump2:9749 saw it

MENDED  autodiscover.timeout of contoso, from 2026-11-21 22:00 UTC to 2026-11-22 08:30 UTC, as hmad at jump1:9749 saw it

MENDED  autodiscover.timeout of contoso, from 2026-11-21 22:00 UTC to 2026-11-22 08:30 UTC, as hmad at jump2:9749 saw it

Silence this target: http://alertmanager.contoso.com:9093/#/silences/new?filter=%7Btarget%3D%22contoso%22%7D
`, strings.TrimSuffix(render("hmad.text", threeFindings), "\n")+"\n")
}

func TestScriptsAreClean(t *testing.T) {
	assert.Empty(t, tool(t, "shellcheck", "../../deploy/alertmanager/patch-night.sh", "../../deploy/alertmanager/test-page.sh"))
}
