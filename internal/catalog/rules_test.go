package catalog

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
	hmadsync "github.com/hmad/hmad/internal/sync"
)

const (
	rulesFile = "../../deploy/prometheus/hmad.rules.yaml"
	testFiles = "../../deploy/prometheus/tests/*.test.yaml"
)

// tool runs a program that scripts/test-deps installs; it must succeed.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	require.NoError(t, err, "%s is not installed: scripts/test-deps installs it", name)
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	require.NoError(t, err, "%s %s\n%s", name, strings.Join(args, " "), out)
	return string(out)
}

// rulesOf reads what Rules renders.
func rulesOf(t *testing.T, factor float64) []rule {
	t.Helper()
	var file ruleFile
	require.NoError(t, yaml.Unmarshal([]byte(Rules(factor)), &file))
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

func TestPromtoolTakesTheRules(t *testing.T) {
	assert.Contains(t, tool(t, "promtool", "check", "rules", "--lint-fatal", rulesFile), "SUCCESS")
	for name, factor := range map[string]float64{"as a trial has them": 1.0 / 60, "as short as they get": 1e-7} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "rules.yaml")
			require.NoError(t, os.WriteFile(file, []byte(Rules(factor)), 0o600))
			tool(t, "promtool", "check", "rules", "--lint-fatal", file)
		})
	}
}

func TestPromtoolTakesTheScrapeExample(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"scrape.example.yml", "hmad.rules.yaml"} {
		data, err := os.ReadFile("../../deploy/prometheus/" + name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	for _, name := range []string{"hmad-ca.pem", "hmad-password"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	assert.Contains(t, tool(t, "promtool", "check", "config", filepath.Join(dir, "scrape.example.yml")), "SUCCESS")
}

func TestEveryAlertDoesAsItsUnitTestsSay(t *testing.T) {
	files, err := filepath.Glob(testFiles)
	require.NoError(t, err)
	assert.NotContains(t, tool(t, "promtool", append([]string{"test", "rules"}, files...)...), "FAILED")
}

// Every alert has unit tests in which it fires, and in which it does not.
func TestEveryAlertHasUnitTests(t *testing.T) {
	type tests struct{ firing, silent int }
	seen := map[string]tests{}
	files, err := filepath.Glob(testFiles)
	require.NoError(t, err)
	for _, name := range files {
		var file struct {
			Tests []struct {
				Alerts []struct {
					Alertname string `yaml:"alertname"`
					Expected  []any  `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		if filepath.Base(name) == "reasons.test.yaml" {
			data = []byte(RuleTests(Defs())) // the file may be behind the code, which another test tells
		}
		require.NoError(t, yaml.Unmarshal(data, &file))
		for _, test := range file.Tests {
			for _, a := range test.Alerts {
				s := seen[a.Alertname]
				if len(a.Expected) > 0 {
					s.firing++
				} else {
					s.silent++
				}
				seen[a.Alertname] = s
			}
		}
	}
	for _, r := range rulesOf(t, 1) {
		if r.Alert != "" {
			assert.GreaterOrEqual(t, seen[r.Alert].firing, 1, r.Alert)
			assert.True(t, seen[r.Alert].silent > 0 || r.Alert == "HmadWatchdog", "%s: it is never silent", r.Alert)
		}
		delete(seen, r.Alert)
	}
	assert.Empty(t, seen, "tests of alerts that do not exist")
}

func TestEveryReasonHasItsAlert(t *testing.T) {
	alerts := map[string]rule{}
	for _, r := range rulesOf(t, 1) {
		if r.Alert != "" {
			assert.NotContains(t, alerts, r.Alert, "twice")
			alerts[r.Alert] = r
		}
	}
	for _, d := range Defs() {
		for _, reason := range d.Reasons {
			a, ok := alerts[AlertName(d.Name, reason.Name)]
			require.True(t, ok, "%s.%s", d.Name, reason.Name)
			assert.Equal(t, string(reason.Severity), a.Labels["severity"], a.Alert)
			assert.Contains(t, a.Expr, `check="`+d.Name+`",reason="`+reason.Name+`"`)
		}
	}
}

var camelCase = regexp.MustCompile(`^Hmad([A-Z][a-z0-9]*)+$`)

// What a person is paged with must be there: a sentence, who, what to do, and a
// link that leads somewhere.
func TestFormOfAlerts(t *testing.T) {
	headings := headingsOf(t)
	for _, r := range rulesOf(t, 1) {
		if r.Alert == "" {
			assert.Regexp(t, `^[a-z_]+:hmad_[a-z_]+:[a-z]+_[a-z0-9_]+$`, r.Record, "level:metric:operations")
			continue
		}
		assert.Regexp(t, camelCase, r.Alert)
		assert.Contains(t, []string{"critical", "warning", "none"}, r.Labels["severity"], r.Alert)
		for _, name := range []string{"summary", "description", "fix", "runbook_url"} {
			assert.NotEmpty(t, r.Annotations[name], "%s: %s", r.Alert, name)
		}
		assert.NotContains(t, r.Annotations["summary"], "{{", "%s: a summary is the same for all", r.Alert)
		assert.Regexp(t, `\.$`, r.Annotations["summary"], r.Alert)
		page, heading, ok := strings.Cut(strings.TrimPrefix(r.Annotations["runbook_url"], docsURL), "#")
		assert.True(t, ok && slices.Contains(headings[page], heading), "%s leads nowhere: %s", r.Alert, r.Annotations["runbook_url"])
	}
}

// headingsOf returns the anchors of the documents, by file.
func headingsOf(t *testing.T) map[string][]string {
	all := map[string][]string{}
	alerting, err := os.ReadFile("../../docs/alerting.md")
	require.NoError(t, err)
	for name, text := range map[string]string{"checks.md": ChecksDoc(), "alerting.md": string(alerting)} {
		for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
			all[name] = append(all[name], anchor(m[1]))
		}
	}
	return all
}

func TestAnchorsAreGitHubs(t *testing.T) {
	for heading, want := range map[string]string{
		"activesync.bearer_missing": "activesyncbearer_missing",
		"HmadDown":                  "hmaddown",
		"How `keep` is chosen":      "how-keep-is-chosen",
		"Who, and when?":            "who-and-when",
	} {
		assert.Equal(t, want, anchor(heading))
	}
}

var (
	selector = regexp.MustCompile(`((?:[a-z_]+:)?hmad_[a-z0-9_]+(?::[a-z0-9_]+)?)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|=)\s*(?:"([^"]*)"|%(?:\[\d\])?q)`)
	grouping = regexp.MustCompile(`(?:by|on) \(([a-z_, ]+)\)`)
)

// A renamed metric, label, check, reason or outcome must not leave a rule
// behind that never fires.
func TestRulesNameOnlyWhatIsDeclared(t *testing.T) {
	declared := declaredFamilies()
	all := rulesOf(t, 1)
	for _, r := range all {
		if r.Record != "" {
			declared[r.Record] = []string{"check", "target", "vantage"}
		}
	}
	for _, r := range all {
		for _, text := range []string{r.Expr, r.Annotations["description"]} {
			for _, problem := range undeclared(text, declared) {
				assert.Fail(t, problem, "%s%s: %s", r.Alert, r.Record, text)
			}
		}
	}
}

func declaredFamilies() map[string][]string {
	declared := map[string][]string{}
	for _, m := range slices.Concat(Metrics(), exporter.Own) {
		labels := append([]string{"job", "instance"}, m.Labels...)
		if !m.NoTarget {
			labels = append(labels, "check", "target")
		}
		declared[m.Name] = labels
	}
	return declared
}

// undeclared lists what an expression names that does not exist.
func undeclared(text string, declared map[string][]string) []string {
	var problems []string
	for _, m := range selector.FindAllStringSubmatch(text, -1) {
		labels, ok := declared[m[1]]
		if !ok {
			problems = append(problems, "no family "+m[1])
		}
		values := map[string]string{}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			values[l[1]] = l[2]
			if !slices.Contains(labels, l[1]) {
				problems = append(problems, m[1]+" has no label "+l[1])
			}
		}
		if r := values["reason"]; r != "" {
			if d := Find(values["check"]); d == nil || d.Reason(r) == nil {
				problems = append(problems, "no reason "+values["check"]+"."+r)
			}
		}
		for o := range strings.SplitSeq(values["outcome"], "|") {
			if o != "" && !slices.Contains(check.Outcomes, check.Outcome(o)) {
				problems = append(problems, "no outcome "+o)
			}
		}
	}
	for _, m := range grouping.FindAllStringSubmatch(text, -1) {
		for label := range strings.SplitSeq(m[1], ", ") {
			if !slices.Contains([]string{"job", "instance", "check", "target", "credential", "subject", "vantage", "reason"}, label) {
				problems = append(problems, "grouped by "+label)
			}
		}
	}
	return problems
}

func TestWhatIsNotDeclaredIsSeen(t *testing.T) {
	for text, want := range map[string]string{
		`hmad_findings == 1`:                                                    "no family hmad_findings",
		`hmad_finding{chek="activesync"} == 1`:                                  "hmad_finding has no label chek",
		`hmad_finding{check="activesync",reason="bearer_mising"} == 1`:          "no reason activesync.bearer_mising",
		`increase(hmad_check_runs_total{outcome=~"passed|good"}[1h])`:           "no outcome good",
		`sum by (tenant) (hmad_check_success)`:                                  "grouped by tenant",
		`sum by (check, target) (hmad_check_runs_total{outcome=~"passed"}) > 0`: "",
	} {
		assert.Equal(t, want, strings.Join(undeclared(text, declaredFamilies()), "; "), text)
	}
}

// All durations of a trial are shorter alike; the calendar is not.
func TestScale(t *testing.T) {
	whole, scaled := rulesOf(t, 1), rulesOf(t, 0.1)
	require.Len(t, scaled, len(whole))
	for i, r := range whole {
		for _, pair := range [][2]string{{r.For, scaled[i].For}, {r.KeepFiringFor, scaled[i].KeepFiringFor}} {
			assert.Equal(t, duration(t, pair[0])/10, duration(t, pair[1]), r.Alert)
		}
		assert.Equal(t, strings.Contains(r.Expr, "["), r.Expr != scaled[i].Expr, "%s: %s", r.Alert, scaled[i].Expr)
		if strings.Contains(r.Expr, "credential") {
			assert.Equal(t, strings.ReplaceAll(r.Expr, "[3m]", "[18s]"), scaled[i].Expr, "the calendar is not scaled")
		}
	}
}

func duration(t *testing.T, text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := model.ParseDuration(text)
	require.NoError(t, err)
	return time.Duration(d)
}

// An alert of a check that counts mailboxes gives the counts and names those that
// the finding names; Prometheus itself fills in the template here.
func TestAlertsOfAFleetCountAndName(t *testing.T) {
	def := &check.Def{Name: "mailbox_sync", Every: "*/5 * * * *",
		Metrics: []*check.Metric{hmadsync.Mailboxes, hmadsync.MailboxSuccess},
		Reasons: []*check.Reason{{Name: "sync_stale", Severity: check.Critical, For: 30 * time.Minute, Summary: "Mail is stale.", Fix: "Set {{ it }} right: `$x`."}}}
	dir := t.TempDir()
	text, err := yaml.Marshal(ruleFile{[]ruleGroup{{"fleet", "30s", append([]rule{scale(1).recordedVantage()}, scale(1).reasonAlerts([]*check.Def{def})...)}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hmad.rules.yaml"), text, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "tests"), 0o700))
	tests := RuleTests([]*check.Def{def})
	assert.Contains(t, tests, "It concerns, worst first: EX02, sync_stale. Mailboxes by state: stale 12.")
	file := filepath.Join(dir, "tests", "reasons.test.yaml")
	require.NoError(t, os.WriteFile(file, []byte(tests), 0o600))
	tool(t, "promtool", "test", "rules", file)
}

// Alerts name the command that looks again, but for those that only the
// daemon's history explains.
func TestWhichAlertsNameNoCommand(t *testing.T) {
	var without []string
	for _, d := range Defs() {
		for _, r := range d.Reasons {
			if !strings.Contains(scale(1).description(d, r), lookAgain) {
				without = append(without, r.Name)
			}
		}
	}
	assert.ElementsMatch(t, []string{"sync_stopped", "sync_failing", "sync_stale", "sync_unknown", "sweep_behind", "cloud_sync_stopped"}, without)
}
