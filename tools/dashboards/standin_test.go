package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exchange"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/state"
)

// asked are values of labels that queries ask for by name. Other labels have
// the value example.
var asked = map[string][]string{
	"set":    {"published", "stored", "missing", "extra"},
	"state":  {"fresh", "stale", "failing", "inactive", "unknown", "not_provisioned", "cloud", "error", "unchecked"},
	"age":    {"15m", "1h", "4h", "12h", "24h", "72h", "168h"},
	"status": {"200", "401"},
	"code":   {"200", "429"},
	"family": {"hmad_mailbox_devices"},
}

// target is that of the stand-in.
const target = "fabrikam"

// standInAddress serves metrics through the exporter as if every check ran:
// each declared family has a value for each known label, counters and
// histograms grow with every scrape, and of each check a critical and a
// warning finding stand.
func standInAddress(t *testing.T) string {
	t.Helper()
	store := state.Open("", state.Options{Defs: catalog.Defs(), Now: time.Now})
	meter := exporter.NewMeter(families())
	for _, d := range catalog.Defs() {
		store.Record(check.Result{Check: d.Name, Target: target, Start: time.Now().Add(-time.Minute)})
		store.Record(check.Result{Check: d.Name, Target: target, Start: time.Now(), Report: check.Report{Findings: oneOfEach(d), Samples: gauges(d)}})
		store.Planned(check.ID{Check: d.Name, Target: target}, time.Now().Add(time.Minute), 5*time.Minute)
	}
	metrics := exporter.New(exporter.Options{Store: store, Meter: meter, Defs: catalog.Defs(), Version: "stand-in"}).Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, d := range catalog.Defs() {
			count(meter.For(check.ID{Check: d.Name, Target: target}), slices.Concat(d.Metrics, []*check.Metric{exchange.Pushes}))
		}
		metrics.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { _ = store.Close() })
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func gauges(d *check.Def) []check.Sample {
	var out []check.Sample
	for _, m := range d.Metrics {
		if m.Kind != check.Gauge {
			continue
		}
		for _, labels := range combinations(m.Labels) {
			out = append(out, check.Sample{Metric: m, Value: plausible(m.Name), Labels: labels})
		}
	}
	return out
}

func count(meter check.Meter, metrics []*check.Metric) {
	for _, m := range metrics {
		for _, labels := range combinations(m.Labels) {
			switch m.Kind {
			case check.Counter:
				meter.Add(m, 1, labels...)
			case check.Histogram:
				meter.Observe(m, 1, labels...)
			}
		}
	}
}

// oneOfEach finds the check's first reason of each severity.
func oneOfEach(d *check.Def) []check.Finding {
	var out []check.Finding
	for _, s := range []check.Severity{check.Critical, check.Warning} {
		for _, r := range d.Reasons {
			if r.Severity == s {
				out = append(out, check.Finding{Reason: r})
				break
			}
		}
	}
	return out
}

// combinations gives every combination of the labels' values.
func combinations(labels []string) [][]string {
	all := [][]string{nil}
	for _, l := range labels {
		values := asked[l]
		if values == nil {
			values = []string{"example"}
		}
		var next [][]string
		for _, before := range all {
			for _, v := range values {
				next = append(next, append(before[:len(before):len(before)], v))
			}
		}
		all = next
	}
	return all
}

// plausible gives a time an hour ago, or to come, or 1.
func plausible(name string) float64 {
	switch {
	case strings.Contains(name, "not_after") || strings.Contains(name, "deadline"):
		return float64(time.Now().Add(time.Hour).Unix())
	case strings.HasSuffix(name, "_timestamp_seconds"):
		return float64(time.Now().Add(-time.Hour).Unix())
	default:
		return 1
	}
}
