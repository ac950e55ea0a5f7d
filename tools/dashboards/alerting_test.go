package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	templates "text/template/parse"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// grafanaRules returns the committed rules that Grafana evaluates.
func grafanaRules(t *testing.T) map[string]provisionedRule {
	t.Helper()
	var f provisioned
	readYAML(t, "deploy/grafana/provisioning/alerting/hmad.yaml", &f)
	out := map[string]provisionedRule{}
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			assert.NotContains(t, out, r.Title, "twice")
			out[r.Title] = r
		}
	}
	return out
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(data, into))
}

func TestGrafanaHasTheAlertsOfPrometheus(t *testing.T) {
	var shipped ruleFile
	readYAML(t, "deploy/prometheus/hmad.rules.yaml", &shipped)
	ours, uids := grafanaRules(t), map[string]bool{}
	recorded := map[string]string{}
	for _, g := range shipped.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				expr := r.Expr
				for name, of := range recorded {
					expr = strings.ReplaceAll(expr, name, "("+of+")")
				}
				recorded[r.Record] = expr
			}
			if r.Alert == "" || r.Labels["severity"] == "none" {
				continue
			}
			our, ok := ours[r.Alert]
			if !assert.True(t, ok, "%s: run `make generate`", r.Alert) {
				continue
			}
			delete(ours, r.Alert)
			assert.Equal(t, r.Labels, our.Labels, r.Alert)
			assert.Equal(t, r.Annotations["runbook_url"], our.Annotations["runbook_url"], r.Alert)
			assert.Equal(t, orZero(r.For), our.For, r.Alert)
			assert.Equal(t, r.KeepFiringFor, our.KeepFiringFor, r.Alert)
			assert.Equal(t, whole(t, r.Expr, recorded), whole(t, our.query()+" "+our.comparisons(), nil), r.Alert)
			assert.Regexp(t, `^[A-Za-z0-9-]{1,40}$`, our.UID, r.Alert)
			assert.False(t, uids[our.UID], "%s: the uid is taken", r.Alert)
			uids[our.UID] = true
			assert.NotZero(t, our.PanelID, r.Alert)
		}
	}
	assert.Empty(t, slices.Collect(maps.Keys(ours)), "alerts that Prometheus does not have")
}

// query returns query A of a rule, and condition its condition B.
func (r provisionedRule) query() string     { return r.Data[0].Model["expr"].(string) }
func (r provisionedRule) condition() string { return r.Data[1].Model["expression"].(string) }

// comparisons returns the condition as PromQL has it behind an expression.
func (r provisionedRule) comparisons() string {
	if r.condition() == whatever {
		return ""
	}
	return strings.NewReplacer("$A ", "", "&& ", "").Replace(r.condition())
}

// whole returns an expression in one way of writing, with recorded ones put in
// the place of their names.
func whole(t *testing.T, expr string, recorded map[string]string) string {
	for name, of := range recorded {
		expr = strings.ReplaceAll(expr, name, "("+of+")")
	}
	e, err := parse(expr)
	require.NoError(t, err, expr)
	return e.String()
}

func TestComparisonsAreConditions(t *testing.T) {
	for name, c := range map[string]struct{ expr, query, condition string }{
		"a comparison with a number":  {"x{a=\"b\"} == 1", "x{a=\"b\"}", "$A == 1"},
		"two of them":                 {"x - time()\n< 30\n>= 3", "x - time()", "$A < 30 && $A >= 3"},
		"none":                        {"absent(x)", "absent(x)", whatever},
		"within something else":       {"x == 0 or absent(x)", "x == 0 or absent(x)", whatever},
		"with another series":         {"x > y", "x > y", whatever},
		"one that does not filter":    {"x > bool 1", "x > bool 1", whatever},
		"of a number below zero":      {"x < -1", "x", "$A < -1"},
		"around one that is not ours": {"(x > y) == 1", "(x > y)", "$A == 1"},
	} {
		t.Run(name, func(t *testing.T) {
			query, condition, err := split(c.expr)
			require.NoError(t, err)
			assert.Equal(t, c.query, query)
			assert.Equal(t, c.condition, condition)
		})
	}
}

// An alert whose condition is a comparison goes on having a series when nothing
// is wrong, so that Grafana waits for keepFiringFor. docs/dashboards.md names
// those that have none.
func TestWhatIsMendedKeepsItsSeries(t *testing.T) {
	var others []string
	doc := readDoc(t, "dashboards.md")
	for name, r := range grafanaRules(t) {
		if r.condition() == whatever {
			others = append(others, name)
			assert.Contains(t, doc, "*"+name+"*")
		}
	}
	assert.ElementsMatch(t, []string{"HmadDown", "HmadCheckUndecided", "HmadServiceLevelMissed", "HmadUnstable", "HmadRedundancyLost", "HmadNoVerdict",
		"HmadFlapping", "HmadCheckLate", "HmadSourceLinesRejected", "HmadStateSetAside", "HmadBudgetThrottled"}, others)
}

// An outage from 5m to 35m that activesync tells of contoso, and tls_offload
// alone of fabrikam; what tls_offload found at 17m stands until 77m. Of these
// expressions no Prometheus evaluates alerts: nothing but findings is there.
func TestGrafanaTellsAnOutageOnce(t *testing.T) {
	r := grafanaRules(t)["HmadTlsOffloadConnectFailed"]
	var file strings.Builder
	file.WriteString("tests:\n  - interval: 1m\n    input_series:\n")
	for _, target := range []string{"contoso", "fabrikam"} {
		fmt.Fprintf(&file, "      - {series: 'hmad_target_info{job=\"hmad\",instance=\"jump1:9749\",target=%q,vantage=\"internal\"}', values: 1+0x120}\n", target)
	}
	for _, s := range []struct{ check, target, values, since string }{
		{"activesync", "contoso", "0+0x4 1+0x29 0+0x90", "_x5 240+0x29 stale"}, {"tls_offload", "contoso", "0+0x16 1+0x59 0+0x50", "_x17 960+0x59 stale"},
		{"activesync", "fabrikam", "0+0x120", "_"}, {"tls_offload", "fabrikam", "0+0x16 1+0x59 0+0x50", "_x17 960+0x59 stale"},
	} {
		for family, values := range map[string]string{"hmad_finding": s.values, "hmad_finding_since_timestamp_seconds": s.since} {
			fmt.Fprintf(&file, "      - {series: '%s{job=\"hmad\",instance=\"jump1:9749\",check=%q,target=%q,reason=\"connect_failed\"}', values: '%s'}\n",
				family, s.check, s.target, values)
		}
	}
	file.WriteString("    promql_expr_test:\n")
	for at, told := range map[string]string{"10m": "[]", "23m": "[]", "25m": "[{labels: '{target=\"fabrikam\"}', value: 1}]", "76m": "[{labels: '{target=\"fabrikam\"}', value: 1}]", "80m": "[]"} {
		fmt.Fprintf(&file, "      - {expr: %q, eval_time: %s, exp_samples: %s}\n", "count by (target) ("+r.query()+" "+r.comparisons()+")", at, told)
	}
	testRules(t, file.String())
}

func TestGrafanasExpressionsNameOnlyWhatIsDeclared(t *testing.T) {
	known := exposed()
	for name, r := range grafanaRules(t) {
		for _, family := range selectedFamilies(t, r.query()) {
			assert.Contains(t, known, family, "%s: a recording rule, or nobody's family", name)
			assert.False(t, strings.HasPrefix(family, "ALERTS"), "%s: Prometheus writes %s, and only of rules of its own", name, family)
		}
		for k, v := range r.Labels {
			assert.NotContains(t, v, "$", "%s: Grafana would read the label %s as a variable of its environment", name, k)
		}
	}
}

// The functions of Grafana's templates (its documentation, «Annotation and
// label template reference») that hmad's annotations may use; query is none.
var grafanaFunctions = template.FuncMap{"humanizeDuration": noFunction, "humanizePercentage": noFunction,
	"humanize": noFunction, "humanizeTimestamp": noFunction, "reReplaceAll": noFunction, "printf": noFunction, "lt": noFunction}

func noFunction(any) string { return "" }

var bracedVariable = regexp.MustCompile(`\$\{`)

func TestGrafanasAnnotationsAreTemplatesThatItKnows(t *testing.T) {
	for name, r := range grafanaRules(t) {
		for _, text := range r.Annotations {
			assert.False(t, bracedVariable.MatchString(text), "%s: Grafana would read %q as a variable of its environment", name, text)
			assert.NotRegexp(t, `\$value\b`, text, name)
			_, err := templates.Parse(name, "{{ $labels := . }}{{ $values := . }}"+text, "", "", grafanaFunctions)
			assert.NoError(t, err, name)
		}
	}
}

func TestTemplatesForGrafana(t *testing.T) {
	for name, c := range map[string]struct{ prometheus, grafana string }{
		"a plain text stays":                {"Set-OrganizationConfig -X $true", "Set-OrganizationConfig -X $true"},
		"labels stay":                       {"at {{ $labels.instance }}", "at {{$labels.instance}}"},
		"the value is the one of query A":   {"{{ $value | humanizeDuration }}", "{{$values.A.Value | humanizeDuration}}"},
		"queries, which it has not, go":     {"Look.{{ with printf `x{instance=%q}` $labels.instance | query }} {{ . }}{{ end }} So.", "Look. So."},
		"what nothing found says stays":     {"It is {{ with printf `x` | query }}there{{ else }}at {{ $labels.host }}{{ end }}.", "It is at {{$labels.host}}."},
		"a brace is no variable of its own": {"${HOME}", "$ {HOME}"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := grafanasTemplate(c.prometheus)
			require.NoError(t, err)
			assert.Equal(t, c.grafana, got)
		})
	}
}

func TestProvisioningFilesFitTogether(t *testing.T) {
	var sources struct {
		Datasources []struct {
			UID      string
			JSONData struct {
				TimeInterval string `yaml:"timeInterval"`
			} `yaml:"jsonData"`
		}
	}
	readYAML(t, "deploy/grafana/provisioning/datasources/hmad.yaml", &sources)
	require.Len(t, sources.Datasources, 1)
	for name, r := range grafanaRules(t) {
		assert.Equal(t, sources.Datasources[0].UID, r.Data[0].DatasourceUID, name)
	}
	var scrape struct {
		Configs []struct {
			Interval string `yaml:"scrape_interval"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "deploy/prometheus/scrape.example.yml", &scrape)
	require.Len(t, scrape.Configs, 1)
	assert.Equal(t, scrape.Configs[0].Interval, sources.Datasources[0].JSONData.TimeInterval)
	var dashboards struct {
		Providers []struct{ Options struct{ Path string } }
	}
	readYAML(t, "deploy/grafana/provisioning/dashboards/hmad.yaml", &dashboards)
	require.Len(t, dashboards.Providers, 1)
	assert.True(t, strings.HasSuffix(dashboards.Providers[0].Options.Path, "/hmad/grafana/dashboards"), "where the packages put them")
}
