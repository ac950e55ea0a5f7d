package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/state"
)

func TestRulesPrintsWhatShips(t *testing.T) {
	shipped, err := os.ReadFile("../../deploy/prometheus/hmad.rules.yaml")
	require.NoError(t, err)
	p := start(t, "rules")
	<-p.exited
	assert.Equal(t, exitOK, p.stop())
	assert.Equal(t, string(shipped), p.stdout.String())
}

func TestRulesForATrial(t *testing.T) {
	p := start(t, "rules", "--scale=0.1")
	<-p.exited
	assert.Equal(t, exitOK, p.stop())
	assert.Contains(t, p.stdout.String(), "hmad_finding{check=\"activesync\",reason=\"bearer_missing\"}[1m]")
	assert.Contains(t, p.stdout.String(), "hmad_finding_since_timestamp_seconds{check=\"activesync\",reason=\"bearer_missing\"} >= bool 42)[1m18s:3s]")
}

// A site's own base leads every alert to an entry that the daemon's page of
// runbooks has, and to a dashboard.
func TestRulesWithTheLinksOfASite(t *testing.T) {
	p := start(t, "rules", "--runbook-url=https://hmad.contoso.com/runbook", "--dashboard-url=https://grafana.contoso.com/")
	<-p.exited
	require.Equal(t, exitOK, p.stop())
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Annotations map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(p.stdout.String()), &file))
	book := httptest.NewRecorder()
	exporter.New(exporter.Options{Store: state.Open("", state.Options{}), Defs: catalog.Defs(), Alerts: ownAlerts()}).Handler().
		ServeHTTP(book, httptest.NewRequest(http.MethodGet, "/runbook", nil))
	n := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			n++
			entry, ok := strings.CutPrefix(r.Annotations["runbook_url"], "https://hmad.contoso.com/runbook#")
			assert.True(t, ok, r.Annotations["runbook_url"])
			assert.Contains(t, book.Body.String(), `id="`+entry+`"`, r.Alert)
			assert.Contains(t, r.Annotations["dashboard_url"], "https://grafana.contoso.com/d/{{", r.Alert)
		}
	}
	assert.Greater(t, n, 100)
}

func TestRulesRefusesLinksThatAreNone(t *testing.T) {
	for name, link := range map[string]string{
		"no scheme": "hmad.contoso.com", "another scheme": "ftp://hmad.contoso.com", "a password": "https://jo:hunter2@hmad.contoso.com", "a query": "https://hmad.contoso.com/?a=hunter2",
		"a fragment": "https://hmad.contoso.com/#hunter2", "no host": "https:///runbook", "too long": "https://hmad.contoso.com/" + strings.Repeat("a", 200),
	} {
		for _, flag := range []string{"--runbook-url", "--dashboard-url"} {
			t.Run(name+" as "+flag, func(t *testing.T) {
				p := start(t, "rules", flag+"="+link)
				<-p.exited
				assert.Equal(t, exitUndecided, p.stop())
				assert.Contains(t, p.stderr.String(), "hmad: "+flag+": got ")
				assert.NotContains(t, p.stderr.String(), "hunter2")
				assert.Empty(t, p.stdout.String())
			})
		}
	}
}

func TestRulesRefusesAScaleThatIsNone(t *testing.T) {
	for _, scale := range []string{"0", "-1", "2", "NaN", "soon"} {
		p := start(t, "rules", "--scale="+scale)
		<-p.exited
		assert.Equal(t, exitUndecided, p.stop(), scale)
		assert.Contains(t, p.stderr.String(), "hmad: ", scale)
		assert.Empty(t, p.stdout.String(), scale)
	}
}

func TestRulesPrintsTheInhibitions(t *testing.T) {
	p := start(t, "rules", "--format=alertmanager")
	<-p.exited
	assert.Equal(t, exitOK, p.stop())
	assert.Equal(t, catalog.Inhibitions, p.stdout.String())
}

// The operator's object holds the same rules, and a job of another name stands
// wherever the shipped one does.
func TestRulesForTheOperatorAndAnotherJob(t *testing.T) {
	print := func(flags ...string) string {
		p := start(t, append([]string{"rules"}, flags...)...)
		<-p.exited
		require.Equal(t, exitOK, p.stop())
		return p.stdout.String()
	}
	var object struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name string }
		Spec       map[string]any
	}
	var shipped map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(print("--format=operator")), &object))
	require.NoError(t, yaml.Unmarshal([]byte(print()), &shipped))
	assert.Equal(t, []string{"monitoring.coreos.com/v1", "PrometheusRule", "hmad"}, []string{object.APIVersion, object.Kind, object.Metadata.Name})
	assert.Equal(t, shipped, object.Spec)
	other := print(`--job=mail "prod"`)
	assert.NotContains(t, other, `job="hmad"`)
	assert.Contains(t, other, `up{job="mail \"prod\""}`)
}
