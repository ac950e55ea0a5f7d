package exporter

import (
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

var contoso = check.ID{Check: "activesync", Target: "contoso"}

// gathererOf gathers a Meter's counters and histograms, and checks them.
func gathererOf(t *testing.T, m *Meter) prometheus.Gatherer {
	t.Helper()
	histograms := prometheus.NewPedanticRegistry()
	require.NoError(t, histograms.Register(m))
	return prometheus.Gatherers{histograms, prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		counters := newAssembly()
		m.collect(counters)
		return counters.all(), nil
	})}
}

// gathered returns the families of a Meter by name.
func gathered(t *testing.T, m *Meter) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := gathererOf(t, m).Gather()
	require.NoError(t, err)
	byName := map[string]*dto.MetricFamily{}
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}

func TestMeterStartsKnownSeriesAtZero(t *testing.T) {
	m := NewMeter(nil)
	m.Keep([]check.ID{contoso})
	got := gathered(t, m)
	assert.Len(t, got[check.Runs.Name].Metric, len(check.Outcomes))
	assert.Len(t, got[check.Errors.Name].Metric, len(check.Classes))
	assert.Len(t, got[check.Missed.Name].Metric, 3)
	for _, f := range []string{check.Runs.Name, check.Errors.Name, check.Missed.Name} {
		for _, s := range got[f].Metric {
			assert.Zero(t, s.Counter.GetValue())
		}
	}
	require.Len(t, got[check.Duration.Name].Metric, 1)
	assert.Zero(t, got[check.Duration.Name].Metric[0].Histogram.GetSampleCount())
}

func TestMeterCounts(t *testing.T) {
	m := NewMeter([]*check.Metric{requests, notAfter, check.Runs})
	m.Keep([]check.ID{contoso})
	m.For(contoso).Add(check.Runs, 1, "failed")
	m.For(contoso).Add(check.Runs, 2, "failed")
	m.For(contoso).Add(requests, 1, "429")
	require.NoError(t, testutil.GatherAndCompare(gathererOf(t, m), strings.NewReader(`
# HELP hmad_exchange_online_requests_total Requests to Exchange Online by status code.
# TYPE hmad_exchange_online_requests_total counter
hmad_exchange_online_requests_total{check="activesync",code="429",target="contoso"} 1
# HELP hmad_check_runs_total Runs by outcome: passed, warned, failed, undecided, skipped.
# TYPE hmad_check_runs_total counter
hmad_check_runs_total{check="activesync",outcome="failed",target="contoso"} 3
hmad_check_runs_total{check="activesync",outcome="passed",target="contoso"} 0
hmad_check_runs_total{check="activesync",outcome="skipped",target="contoso"} 0
hmad_check_runs_total{check="activesync",outcome="undecided",target="contoso"} 0
hmad_check_runs_total{check="activesync",outcome="warned",target="contoso"} 0
`), requests.Name, check.Runs.Name))
}

func TestMeterHistogramsAreClassicAndNative(t *testing.T) {
	m := NewMeter(nil)
	m.For(contoso).Observe(check.Duration, 0.3)
	h := gathered(t, m)[check.Duration.Name].Metric[0].Histogram
	assert.Len(t, h.Bucket, len(check.Duration.Buckets))
	assert.Equal(t, int32(3), h.GetSchema(), "factor 1.1")
	assert.NotEmpty(t, h.PositiveSpan)
}

func TestMeterForgetsRemovedChecks(t *testing.T) {
	other := check.ID{Check: "activesync", Target: "fabrikam"}
	m := NewMeter(nil)
	m.Keep([]check.ID{contoso, other})
	m.For(contoso).Add(check.Runs, 1, "passed")
	m.Keep([]check.ID{other})
	m.For(contoso).Add(check.Runs, 1, "passed") // a run in flight ends late
	m.For(contoso).Observe(check.Duration, 1)
	for name, f := range gathered(t, m) {
		for _, s := range f.Metric {
			for _, l := range s.Label {
				assert.NotEqual(t, "contoso", l.GetValue(), name)
			}
		}
	}
	m.Keep([]check.ID{contoso})
	m.For(contoso).Add(check.Runs, 1, "passed")
	assert.Equal(t, 1.0, passed(m), "a check that comes back counts again")
}

// passed returns how many good runs of contoso's activesync were counted.
func passed(m *Meter) float64 {
	return m.tallyOf(contoso).counter(m.families[check.Runs.Name], []string{"passed"}).value
}

func TestMeterRejectsWhatIsNotAsDeclared(t *testing.T) {
	for name, use := range map[string]func(check.Meter){
		"an undeclared counter":   func(m check.Meter) { m.Add(requests, 1, "200") },
		"an undeclared histogram": func(m check.Meter) { m.Observe(notAfter, 1) },
		"too few labels":          func(m check.Meter) { m.Add(check.Runs, 1) },
		"too many labels":         func(m check.Meter) { m.Observe(check.Duration, 1, "x") },
		"a negative count":        func(m check.Meter) { m.Add(check.Runs, -1, "passed") },
		"NaN":                     func(m check.Meter) { m.Add(check.Runs, math.NaN(), "passed") },
		"NaN observed":            func(m check.Meter) { m.Observe(check.Duration, math.NaN()) },
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMeter(nil)
			use(m.For(contoso))
			assert.Equal(t, 1.0, m.rejected)
		})
	}
}

func TestMeterMakesLabelsFit(t *testing.T) {
	m := NewMeter([]*check.Metric{requests})
	m.For(contoso).Add(requests, 1, "\xff"+strings.Repeat("x", 1000))
	require.Contains(t, gathered(t, m), requests.Name)
	assert.Zero(t, m.rejected)
}

func TestMeterIsSafeForConcurrentUse(t *testing.T) {
	m := NewMeter(nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				m.For(contoso).Add(check.Runs, 1, "passed")
				m.Keep([]check.ID{contoso})
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 800.0, passed(m))
}
