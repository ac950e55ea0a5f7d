package catalog

import (
	"fmt"
	"html"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/state"
)

// What each alert names is what the page names, in the same order: every reason
// stands, the daemon's own families go into a real Prometheus, and its template
// makes the text. A finding that names nothing has no such sentence.
func TestAlertsNameTheSubjectsOfThePage(t *testing.T) {
	o := everythingStands()
	page, metrics := shown(t, o, "/"), shown(t, o, "/metrics")
	var file strings.Builder
	file.WriteString("rule_files: [rules.yaml]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n")
	for _, s := range scraped(metrics) {
		fmt.Fprintf(&file, "      - {series: %s, values: %s}\n", yamlText(t, s.Name), yamlText(t, s.Values))
	}
	file.WriteString("    alert_rule_test:\n")
	for _, d := range Defs() {
		for i, r := range d.Reasons {
			names := namedOnPage(t, page, d, r)
			assert.Equal(t, i != 0, len(names) > 0, "%s.%s on the page: %v", d.Name, r.Name, names)
			fmt.Fprintf(&file, "      - {alertname: %s, eval_time: 100m, exp_alerts: [%s]}\n", AlertName(d.Name, r.Name), expectedAlert(t, d, r, names))
		}
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(Rules(1)), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.test.yaml"), []byte(file.String()), 0o600))
	tool(t, "promtool", "test", "rules", filepath.Join(dir, "rules.test.yaml"))
}

// everythingStands is a daemon that has found every reason, each check's at a
// target of its own: the first without names, the others with hostile ones.
func everythingStands() exporter.Options {
	now := time.Unix(90, 0)
	store := state.Open("", state.Options{Now: func() time.Time { return now }})
	var checks []*check.Check
	for _, d := range Defs() {
		checks = append(checks, &check.Check{Def: d, Target: "of-" + d.Name, Vantage: testVantage})
		var found []check.Finding
		for i, r := range d.Reasons {
			f := check.Finding{Reason: r, Detail: "seen"}
			if i != 0 {
				f.About = []string{"z-" + r.Name, `EX02 "a\b"`, "{{ .Value }}", "<b>ü</b>", "a"}
			}
			found = append(found, f)
		}
		store.Record(check.Result{Check: d.Name, Target: "of-" + d.Name, Start: time.Unix(60, 0), Took: time.Second, Report: check.Report{Findings: found}})
	}
	return exporter.Options{Store: store, Defs: Defs(), Now: func() time.Time { return now }, Checks: func() []*check.Check { return checks }}
}

func shown(t *testing.T, o exporter.Options, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	exporter.New(o).Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	require.Equal(t, 200, w.Code)
	return w.Body.String()
}

// scraped returns the series of findings as Prometheus stores them, for two hours.
func scraped(metrics string) []testSeries {
	var out []testSeries
	for line := range strings.Lines(metrics) {
		name, labels, ok := strings.Cut(strings.TrimSpace(line), "{")
		if end := strings.LastIndex(labels, "} "); ok && (strings.HasPrefix(name, "hmad_finding") || name == "hmad_target_info") {
			out = append(out, testSeries{fmt.Sprintf("%s{job=%q,instance=%q,%s}", name, "hmad", testInstance, labels[:end]), repeated(labels[end+2:], 120)})
		}
	}
	return out
}

// namedOnPage returns what the page says that a finding concerns.
func namedOnPage(t *testing.T, page string, d *check.Def, r *check.Reason) []string {
	t.Helper()
	_, card, ok := strings.Cut(page, `id="of-`+d.Name+"-"+d.Name+`"`)
	require.True(t, ok, d.Name)
	card, _, _ = strings.Cut(card, "</article>")
	_, finding, ok := strings.Cut(card, "<code>"+r.Name+"</code>")
	require.True(t, ok, r.Name)
	finding, _, _ = strings.Cut(finding, "</section>")
	m := regexp.MustCompile(`<p class="about">It concerns: (.*)</p>`).FindStringSubmatch(finding)
	if m == nil {
		return nil
	}
	return strings.Split(html.UnescapeString(m[1]), ", ")
}

// expectedAlert is the alert that names these, as promtool's tests write it.
func expectedAlert(t *testing.T, d *check.Def, r *check.Reason, names []string) string {
	labels := map[string]string{"job": "hmad", "instance": testInstance, "check": d.Name, "target": "of-" + d.Name, "reason": r.Name, "severity": string(r.Severity),
		"vantage": testVantage}
	sentence := ""
	if len(names) > 0 {
		sentence = " It concerns, worst first: " + strings.Join(names, ", ") + "."
	}
	text := expectedDescription(d, r, labels["target"], sentence, "", false)
	annotations := map[string]string{"summary": r.Summary, "description": text, "fix": r.Fix, "runbook_url": RunbookURL(d.Name, r.Name)}
	return "{exp_labels: " + yamlMap(t, labels) + ", exp_annotations: " + yamlMap(t, annotations) + "}"
}

func yamlMap(t *testing.T, m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+": "+yamlText(t, m[k]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func yamlText(t *testing.T, s string) string {
	text, err := quote(s)
	require.NoError(t, err)
	return text
}
