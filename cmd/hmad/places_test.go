package main

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
)

// promise is what a text says of something that must then stand beside it; the
// same text stands in alerts, which have no detail, and in a runbook, which has no
// result. unfilled is what a template or a format has left open.
var (
	promise  = regexp.MustCompile(`(?i)\b(in|of|from|by|see) the (detail|notes)\b|\bthe detail (names|shows|says|has|tells)\b|\bof this result\b|\b(named|listed|shown) (above|below|here)\b|\bbeside (it|them)\b`)
	unfilled = regexp.MustCompile(`<no value>|%!|<error`)
)

// Every text of every reason stands whole in every place where people read it, and
// promises nothing that this place lacks.
func TestNoTextPromisesWhatIsNotBesideIt(t *testing.T) {
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			read := squeezed(place)
			assert.Empty(t, promise.FindString(read))
			assert.Empty(t, unfilled.FindString(read))
			for _, d := range catalog.Defs() {
				for _, r := range d.Reasons {
					for _, text := range []string{r.Summary, r.Fix} {
						assert.True(t, strings.Contains(read, squeezed(text)), "%s.%s: %s", d.Name, r.Name, text)
					}
				}
			}
		})
	}
}

func TestPromisesAreSeen(t *testing.T) {
	for text, promises := range map[string]bool{
		"See the error in the detail.": true, "The detail names it.": true, "with the curl command of this result": true, "before the day that stands beside them": true,
		"on the servers concerned": false, "The details are on the status page": false, "that `hmad check vantage` names": false,
	} {
		assert.Equal(t, promises, promise.MatchString(text), text)
	}
}

// squeezed is a text without marks of code, and with one blank where there are more.
func squeezed(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "`", "")), " ")
}

// places returns what people read while every reason stands, by where.
func places(t *testing.T) map[string]string {
	t.Helper()
	store := everyReason(t)
	server := exporter.New(exporter.Options{Store: store, Defs: catalog.Defs(), Runbook: catalog.RunbookURL, Alerts: ownAlerts()}).Handler()
	var results []check.Result
	for _, st := range store.Statuses() {
		results = append(results, st.Last)
	}
	var once bytes.Buffer
	require.NoError(t, newPrinter(&once, true).results(results))
	docs, err := os.ReadFile("../../docs/checks.md")
	require.NoError(t, err)
	return map[string]string{
		"page": visibleText(server, "/"), "page of runbooks": visibleText(server, "/runbook"), "hmad check": once.String(), "hmad explain": explainedAll(t),
		"mail": mail(t, "../../deploy/prometheus/tests/reasons.test.yaml"), "Grafana": ofGrafana(t), "docs": string(docs),
	}
}

// visibleText is what a reader sees of a page.
func visibleText(server http.Handler, path string) string {
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(w.Body.String(), ""))
}

func explainedAll(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, name := range catalog.Names() {
		code := run(t.Context(), []string{"explain", name, "--web.url=http://127.0.0.1:1"}, &all, &all)
		require.Equal(t, exitOK, code, all.String())
	}
	return all.String()
}

// mail is the text of a notification of every reason: the annotations are those
// that promtool has seen Prometheus make in the rules' unit tests.
func mail(t *testing.T, tests string) string {
	t.Helper()
	var file struct {
		Tests []struct {
			Alerts []struct {
				Expected []struct {
					Labels      map[string]string `yaml:"exp_labels"`
					Annotations map[string]string `yaml:"exp_annotations"`
				} `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, tests, &file)
	var alerts []map[string]any
	for _, test := range file.Tests {
		for _, a := range test.Alerts {
			for _, e := range a.Expected {
				alerts = append(alerts, map[string]any{"status": "firing", "labels": e.Labels, "annotations": e.Annotations, "startsAt": "2026-11-22T09:15:00Z"})
			}
		}
	}
	text, err := json.Marshal(map[string]any{"status": "firing", "groupLabels": map[string]string{"target": "contoso"}, "alerts": alerts})
	require.NoError(t, err)
	data := filepath.Join(t.TempDir(), "data.json")
	require.NoError(t, os.WriteFile(data, text, 0o600))
	out, err := exec.CommandContext(t.Context(), "amtool", "template", "render", "--template.glob=../../deploy/alertmanager/*.tmpl", "--template.data="+data,
		`--template.text={{ template "hmad.text" . }}`).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// ofGrafana is what Grafana's own alerts say.
func ofGrafana(t *testing.T) string {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct{ Annotations map[string]string }
		}
	}
	readYAML(t, "../../deploy/grafana/provisioning/alerting/hmad.yaml", &file)
	var texts []string
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			for _, text := range r.Annotations {
				texts = append(texts, text)
			}
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, "\n")
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(data, into))
}
