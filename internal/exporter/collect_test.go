package exporter

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/state"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// shown renders samples as "family{labels} value", without the prefix.
func shown(samples []check.Sample) []string {
	out := []string{}
	for _, s := range samples {
		out = append(out, fmt.Sprintf("%s%v %g", strings.TrimPrefix(s.Metric.Name, "hmad_"), s.Labels, s.Value))
	}
	return out
}

// only keeps the families that the withdrawal rules are about.
func only(lines []string) []string {
	out := []string{}
	for _, l := range lines {
		if strings.HasPrefix(l, "check_success") || strings.HasPrefix(l, "finding[") || strings.HasPrefix(l, "finding_accepted") || strings.HasPrefix(l, "check_decided") {
			out = append(out, l)
		}
	}
	return out
}

func TestVerdictsOverTime(t *testing.T) {
	reasons := []*check.Reason{dnsFailed, expiring, bearerMissing}
	undecided := func(at time.Time) check.Result {
		return check.Result{Start: at, Err: check.Errorf(check.Resolver, "no answer")}
	}
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	bearer, accepted := check.Finding{Reason: bearerMissing}, check.Finding{Reason: expiring, Accepted: true}
	for name, c := range map[string]struct {
		runs []check.Result
		gap  time.Duration // 5 min unless given
		want []string
	}{
		"nothing before the first run": {want: []string{}},
		"undecided from the start has no verdict": {runs: []check.Result{undecided(ago(time.Minute))},
			want: []string{"check_decided[] 0"}},
		"passed": {runs: []check.Result{passedAt(ago(time.Minute))},
			want: []string{"check_decided[] 1", "check_success[] 1", "finding[dns_failed critical] 0", "finding[certificate_expiring warning] 0", "finding[bearer_missing critical] 0"}},
		"warned is success": {runs: []check.Result{foundAt(ago(time.Minute), check.Finding{Reason: expiring})},
			want: []string{"check_decided[] 1", "check_success[] 1", "finding[dns_failed critical] 0", "finding[certificate_expiring warning] 1", "finding[bearer_missing critical] 0"}},
		"failed": {runs: []check.Result{foundAt(ago(time.Minute), bearer)},
			want: []string{"check_decided[] 1", "check_success[] 0", "finding[dns_failed critical] 0", "finding[certificate_expiring warning] 0", "finding[bearer_missing critical] 1"}},
		"undecided keeps the last verdict": {runs: []check.Result{foundAt(ago(10*time.Minute), bearer, accepted), undecided(ago(5 * time.Minute)), undecided(ago(0))},
			want: []string{"check_decided[] 0", "check_success[] 0", "finding[dns_failed critical] 0", "finding[certificate_expiring warning] 0", "finding_accepted[certificate_expiring] 1", "finding[bearer_missing critical] 1"}},
		"skipped is no verdict either": {runs: []check.Result{passedAt(ago(10 * time.Minute)), {Start: ago(time.Minute), Err: check.Skip("no URL")}},
			want: []string{"check_decided[] 0", "check_success[] 1", "finding[dns_failed critical] 0", "finding[certificate_expiring warning] 0", "finding[bearer_missing critical] 0"}},
		"three gaps to the second still count": {runs: []check.Result{passedAt(ago(15 * time.Minute)), undecided(ago(0))},
			want: []string{"check_decided[] 0", "check_success[] 1", "finding[dns_failed critical] 0", "finding[certificate_expiring warning] 0", "finding[bearer_missing critical] 0"}},
		"then success and zeros are withdrawn and the ones stay": {runs: []check.Result{foundAt(ago(15*time.Minute+time.Second), bearer, accepted), undecided(ago(0))},
			want: []string{"check_decided[] 0", "finding_accepted[certificate_expiring] 1", "finding[bearer_missing critical] 1"}},
		"a fast schedule has 15 minutes all the same": {gap: time.Minute, runs: []check.Result{passedAt(ago(14 * time.Minute)), undecided(ago(0))},
			want: []string{"check_decided[] 0", "check_success[] 1", "finding[dns_failed critical] 0", "finding[certificate_expiring warning] 0", "finding[bearer_missing critical] 0"}},
		"a slow one has three of its gaps": {gap: time.Hour, runs: []check.Result{passedAt(ago(179 * time.Minute)), undecided(ago(0))},
			want: []string{"check_decided[] 0", "check_success[] 1", "finding[dns_failed critical] 0", "finding[certificate_expiring warning] 0", "finding[bearer_missing critical] 0"}},
		"and no more": {gap: time.Hour, runs: []check.Result{passedAt(ago(181 * time.Minute)), undecided(ago(0))},
			want: []string{"check_decided[] 0"}},
		"a dispatcher that stands still withdraws too": {runs: []check.Result{passedAt(ago(time.Hour))},
			want: []string{"check_decided[] 1"}},
		"a new verdict brings all back": {runs: []check.Result{passedAt(ago(9 * time.Hour)), undecided(ago(5 * time.Minute)), passedAt(ago(0))},
			want: []string{"check_decided[] 1", "check_success[] 1", "finding[dns_failed critical] 0", "finding[certificate_expiring warning] 0", "finding[bearer_missing critical] 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := state.Status{ID: contoso}
			if len(c.runs) > 0 {
				st = told(contoso, c.runs...)
			}
			st.MaxGap = c.gap
			if c.gap == 0 {
				st.MaxGap = 5 * time.Minute
			}
			assert.Empty(t, cmp.Diff(c.want, only(shown(commonSamples(st, reasons, noon)))))
		})
	}
}

func TestFindingSamples(t *testing.T) {
	reasons := []*check.Reason{dnsFailed, expiring}
	for name, c := range map[string]struct {
		report check.Report
		want   []string
	}{
		"an unevaluated reason is absent, not 0": {check.Report{Unjudged: checktest.Unjudged(expiring)}, []string{"finding[dns_failed critical] 0"}},
		"found outweighs unevaluated": {check.Report{Findings: []check.Finding{{Reason: expiring}}, Unjudged: checktest.Unjudged(expiring, dnsFailed)},
			[]string{"finding[certificate_expiring warning] 1"}},
		"accepted": {check.Report{Findings: []check.Finding{{Reason: expiring, Accepted: true}}},
			[]string{"finding[dns_failed critical] 0", "finding[certificate_expiring warning] 0", "finding_accepted[certificate_expiring] 1"}},
		"one accepted, one not": {check.Report{Findings: []check.Finding{{Reason: expiring, Accepted: true}, {Reason: expiring}}},
			[]string{"finding[dns_failed critical] 0", "finding[certificate_expiring warning] 1", "finding_accepted[certificate_expiring] 1"}},
		"the same twice is one series": {check.Report{Findings: []check.Finding{{Reason: dnsFailed}, {Reason: dnsFailed}}},
			[]string{"finding[dns_failed critical] 1", "finding[certificate_expiring warning] 0"}},
		"an undeclared finding is not lost": {check.Report{Findings: []check.Finding{{Reason: bearerMissing}}},
			[]string{"finding[dns_failed critical] 0", "finding[certificate_expiring warning] 0", "finding[bearer_missing critical] 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, shown(findingSamples(c.report, reasons, true)))
		})
	}
}

func TestWhatAFindingConcernsIsExportedWhileItStands(t *testing.T) {
	ten := noon.Add(-10 * time.Minute)
	for name, c := range map[string]struct {
		findings []check.Finding
		want     []string
	}{
		"nothing stands":              {nil, nil},
		"a finding that names nobody": {[]check.Finding{{Reason: dnsFailed}}, []string{"finding_since_timestamp_seconds[dns_failed] SINCE"}},
		"two findings of one reason share the ranks": {[]check.Finding{{Reason: dnsFailed, About: []string{"a", "b"}}, {Reason: dnsFailed, About: []string{"b", "c"}}},
			[]string{"finding_since_timestamp_seconds[dns_failed] SINCE", "finding_about[dns_failed a] 1", "finding_about[dns_failed b] 2", "finding_about[dns_failed c] 3"}},
		"accepted": {[]check.Finding{{Reason: dnsFailed, About: []string{"a"}, Accepted: true}}, nil},
		"carried":  {[]check.Finding{{Reason: dnsFailed, About: []string{"a"}, Carried: true}}, []string{"finding_since_timestamp_seconds[dns_failed] SINCE", "finding_about[dns_failed a] 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := told(contoso, foundAt(ten, c.findings...), foundAt(noon, c.findings...))
			want := []string{}
			for _, w := range c.want {
				want = append(want, strings.ReplaceAll(w, "SINCE", fmt.Sprintf("%g", float64(ten.Unix()))))
			}
			assert.Equal(t, want, shown(standingSamples(st)))
		})
	}
}

func TestWhatIsImpliedIsExportedByTarget(t *testing.T) {
	cause := &check.Def{Name: "activesync", Reasons: []*check.Reason{dnsFailed}, Implies: []check.Implication{{Causes: []*check.Reason{dnsFailed}, Effects: []string{"autodiscover.undecided"}}}}
	statuses := []state.Status{
		told(contoso, foundAt(noon, check.Finding{Reason: dnsFailed})),
		told(check.ID{Check: "autodiscover", Target: "contoso"}, check.Result{Start: noon, Err: errors.New("x")}),
		told(check.ID{Check: "autodiscover", Target: "fabrikam"}, check.Result{Start: noon, Err: errors.New("x")}),
		{ID: check.ID{Check: "vantage", Target: "contoso"}},
	}
	got := impliedSamples(statuses, check.CausesOf([]*check.Def{cause}), func(string, string) time.Duration { return 0 }, noon)
	assert.ElementsMatch(t, []string{"implied[service_level_missed activesync.dns_failed] 1", "implied[dns_failed ] 0"}, shown(got[contoso]))
	assert.ElementsMatch(t, []string{"implied[service_level_missed ] 0", "implied[undecided activesync.dns_failed] 1"}, shown(got[check.ID{Check: "autodiscover", Target: "contoso"}]))
	assert.ElementsMatch(t, []string{"implied[service_level_missed ] 0", "implied[undecided ] 0"}, shown(got[check.ID{Check: "autodiscover", Target: "fabrikam"}]))
	assert.Empty(t, got[check.ID{Check: "vantage", Target: "contoso"}], "a check that has not run")
}

func TestTimestamps(t *testing.T) {
	st := told(contoso, passedAt(noon.Add(-10*time.Minute)), check.Result{Start: noon.Add(-5 * time.Minute), Err: errors.New("x")})
	got := shown(commonSamples(st, nil, noon))
	assert.Contains(t, got, fmt.Sprintf("check_last_run_timestamp_seconds[] %g", float64(noon.Unix()-300)))
	assert.Contains(t, got, fmt.Sprintf("check_last_decided_timestamp_seconds[] %g", float64(noon.Unix()-600)))
	assert.Contains(t, got, fmt.Sprintf("check_last_success_timestamp_seconds[] %g", float64(noon.Unix()-600)))
	assert.Contains(t, got, fmt.Sprintf("check_next_run_timestamp_seconds[] %g", float64(noon.Unix()+180)))
	assert.Contains(t, got, "check_schedule_max_gap_seconds[] 300")
}

func TestSamplesAreThoseOfTheLastRunAlone(t *testing.T) {
	with := passedAt(noon.Add(-10 * time.Minute))
	with.Report.Samples = []check.Sample{{Metric: offered, Value: 1, Labels: []string{"bearer"}}}
	assert.Len(t, lastSamples(told(contoso, with), noon), 1)
	assert.Empty(t, lastSamples(told(contoso, with, passedAt(noon)), noon), "a value that the last run did not see is gone")
	assert.Empty(t, lastSamples(told(contoso, with), noon.Add(time.Hour)), "so is one that no run has renewed")
}

// scrape returns what a server shows of hmad's own.
func scrape(t *testing.T, o Options) string {
	t.Helper()
	w := httptest.NewRecorder()
	New(o).Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	var b strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, "hmad_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func small() Options {
	o := estateOptions()
	o.Meter.Keep([]check.ID{contoso})
	o.Meter.For(contoso).Add(check.Runs, 2, "failed")
	o.Meter.For(contoso).Observe(check.Duration, 0.12)
	all := estate()
	o.Store = snapshot{append(all[1:3:3], all[3]), healthy}
	return o
}

func TestMetricsGolden(t *testing.T) {
	const golden = "testdata/metrics.txt"
	got := scrape(t, small())
	got = strings.NewReplacer(runtime.Version(), "GOVERSION", buildLabels("", "")[1], "REVISION").Replace(got)
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(string(want), got), "go test ./internal/exporter -update rewrites it")
}

func TestMetricsAreLintedClean(t *testing.T) {
	problems, err := testutil.GatherAndLint(everything(New(small())))
	require.NoError(t, err)
	assert.Empty(t, problems)
}

func TestOwnFamiliesAreDeclaredAndShown(t *testing.T) {
	text := scrape(t, small())
	for _, m := range Own {
		assert.Contains(t, text, fmt.Sprintf("# TYPE %s %s\n", m.Name, m.Kind))
	}
}

func TestOneBadSeriesCostsItselfAlone(t *testing.T) {
	undeclared := &check.Metric{Name: "hmad_undeclared", Kind: check.Gauge}
	good := check.Sample{Metric: offered, Value: 1, Labels: []string{"basic"}}
	for name, c := range map[string]struct {
		bad    check.Sample
		family string
	}{
		"given twice":                        {good, offered.Name},
		"alike once cut":                     {check.Sample{Metric: offered, Labels: []string{strings.Repeat("x", 256) + "b"}}, offered.Name},
		"too few labels":                     {check.Sample{Metric: offered}, offered.Name},
		"too many labels":                    {check.Sample{Metric: offered, Labels: []string{"a", "b"}}, offered.Name},
		"undeclared":                         {check.Sample{Metric: undeclared}, undeclared.Name},
		"a counter as a value":               {check.Sample{Metric: requests, Labels: []string{"200"}}, requests.Name},
		"a common family":                    {check.Sample{Metric: check.NextRun}, check.NextRun.Name},
		"another metric of a declared name":  {check.Sample{Metric: &check.Metric{Name: offered.Name, NoTarget: true}, Labels: []string{"x"}}, offered.Name},
		"one of the daemon's, from a check":  {check.Sample{Metric: BuildInfo, Labels: []string{"a", "b", "c"}}, BuildInfo.Name},
		"an undeclared name no one can show": {check.Sample{Metric: &check.Metric{Name: "not a name\xff"}}, `not a name\xff`},
	} {
		t.Run(name, func(t *testing.T) {
			r := passedAt(noon)
			r.Report.Samples = []check.Sample{good, {Metric: offered, Labels: []string{strings.Repeat("x", 300)}}, c.bad}
			o := estateOptions()
			o.Store = snapshot{[]state.Status{told(contoso, r)}, healthy}
			text := scrape(t, o)
			assert.Contains(t, text, `hmad_challenge_scheme_offered{check="activesync",scheme="basic",target="contoso"} 1`)
			assert.Contains(t, text, `hmad_check_success{check="activesync",target="contoso"} 1`)
			assert.Contains(t, text, fmt.Sprintf(`hmad_series_dropped{family="%s"} 1`, strings.ReplaceAll(c.family, `\`, `\\`)))
			_, err := everything(New(o)).Gather()
			assert.NoError(t, err)
		})
	}
}

func TestHostileLabelsAreMadeFit(t *testing.T) {
	r := passedAt(noon)
	r.Report.Samples = []check.Sample{{Metric: offered, Value: 1, Labels: []string{"\xffa\n\x1b[31m\u202e\""}}}
	o := estateOptions()
	o.Store = snapshot{[]state.Status{told(contoso, r)}, healthy}
	assert.Contains(t, scrape(t, o), `scheme="\\xffa\\n\\x1b[31m\\u202e\""`)
}

// collision is a collector that tells of a series twice.
type collision struct{ desc *prometheus.Desc }

func (collision) Describe(chan<- *prometheus.Desc) {}
func (c collision) Collect(ch chan<- prometheus.Metric) {
	for range 2 {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, 1)
	}
}

func TestAScrapeSurvivesWhatTheRegistryRefuses(t *testing.T) {
	s := New(small())
	s.registry.MustRegister(collision{prometheus.NewDesc("other_value", "Another collector's.", nil, nil)})
	w := httptest.NewRecorder()
	handler := s.Handler()
	for range 2 { // the error counter is gathered beside what it counts
		w = httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	}
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Contains(t, w.Body.String(), "hmad_check_success")
	assert.Contains(t, w.Body.String(), `promhttp_metric_handler_errors_total{cause="gathering"} 1`)
}

func TestStateAndReloadMetrics(t *testing.T) {
	o := small()
	o.Store = snapshot{nil, state.Health{OK: false, Problem: "disk full", WriteErrors: 7}}
	s := New(o)
	s.Now = func() time.Time { return noon.Add(time.Hour) }
	s.Reloaded(errors.New("config.yaml:3: unknown key"))
	got := shown(s.ownSamples())
	assert.Contains(t, got, "state_healthy[] 0")
	assert.Contains(t, got, "state_write_errors_total[] 7")
	assert.Contains(t, got, "config_last_reload_successful[] 0")
	assert.Contains(t, got, fmt.Sprintf("config_last_reload_success_timestamp_seconds[] %g", float64(noon.Unix())), "the config in force is still the first")
	assert.NotContains(t, strings.Join(got, "\n"), "state_last_write")
	s.Reloaded(nil)
	got = shown(s.ownSamples())
	assert.Contains(t, got, "config_last_reload_successful[] 1")
	assert.Contains(t, got, fmt.Sprintf("config_last_reload_success_timestamp_seconds[] %g", float64(noon.Unix()+3600)))
}
