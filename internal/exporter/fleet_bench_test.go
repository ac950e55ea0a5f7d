package exporter

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

// fleetDef has four families, as the product has: a mailbox's last success,
// attempt and answer, and the number of its devices.
var fleetDef = &check.Def{Name: syncDef.Name, Metrics: append(syncDef.Metrics[:3:3],
	&check.Metric{Name: "hmad_mailbox_devices", Kind: check.Gauge, Help: "Partnerships.", Labels: []string{"mailbox"}})}

// wire counts what an answer puts on the wire.
type wire struct {
	header http.Header
	bytes  int
}

func (w *wire) Header() http.Header         { return w.header }
func (w *wire) WriteHeader(int)             {}
func (w *wire) Write(p []byte) (int, error) { w.bytes += len(p); return len(p), nil }

// exposition is one way to keep the series of a fleet and to show them: a
// table of the Store, or what anybody would write with client_golang.
type exposition struct {
	name string
	make func() (set func(mailbox string, values ...float64), metrics http.Handler)
}

var expositions = []exposition{
	{"Table", func() (func(string, ...float64), http.Handler) {
		store := state.Open("", state.Options{})
		table := store.Table(syncID)(fleetDef.Metrics...)
		return table.Set, New(Options{Store: store, Defs: []*check.Def{fleetDef}}).Handler()
	}},
	{"GaugeVec", func() (func(string, ...float64), http.Handler) {
		registry := prometheus.NewRegistry()
		vecs := make([]*prometheus.GaugeVec, len(fleetDef.Metrics))
		for i, m := range fleetDef.Metrics {
			vecs[i] = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, labelNames(m))
			registry.MustRegister(vecs[i])
		}
		set := func(mailbox string, values ...float64) {
			for i, v := range values {
				vecs[i].WithLabelValues(syncID.Check, syncID.Target, mailbox).Set(v)
			}
		}
		return set, promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
	}},
}

// BenchmarkScrapeOfFleet scrapes the gauges of a fleet: 20,000 series, which is
// the default cap, and the 400,000 of 100,000 mailboxes. A hundred mailboxes
// have changed since the scrape before. held-MB is what stays in memory: the
// values and what the next scrape needs.
func BenchmarkScrapeOfFleet(b *testing.B) {
	for _, series := range []int{20000, 400000} {
		for _, e := range expositions {
			before := heap()
			set, metrics := e.make()
			mailboxes := series / len(fleetDef.Metrics)
			for n := range mailboxes {
				set(address(n), 1.7e9+float64(n), 1.7e9+float64(n), 1.7e9, float64(n%4))
			}
			metrics.ServeHTTP(&wire{header: http.Header{}}, httptest.NewRequest("GET", "/metrics", nil))
			held := (heap() - before) / 1e6
			for _, format := range []string{"text", "openmetrics"} {
				for _, encoding := range []string{"identity", "gzip"} {
					b.Run(fmt.Sprintf("%d/%s/%s/%s", series, format, encoding, e.name), func(b *testing.B) {
						scrapes(b, set, metrics, mailboxes, format, encoding)
						b.ReportMetric(held, "held-MB")
					})
				}
			}
			runtime.KeepAlive(metrics)
		}
	}
}

// scrapes measures the scrapes of one client.
func scrapes(b *testing.B, set func(string, ...float64), metrics http.Handler, mailboxes int, format, encoding string) {
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", map[string]string{"text": "text/plain", "openmetrics": "application/openmetrics-text"}[format])
	r.Header.Set("Accept-Encoding", encoding)
	w := &wire{}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		for i := range 100 {
			set(address((100*n+i)%mailboxes), 1.7e9, 1.7e9+float64(n), 1.7e9, 1)
		}
		w = &wire{header: http.Header{}}
		metrics.ServeHTTP(w, r)
	}
	b.ReportMetric(float64(w.bytes)/1e6, "wire-MB")
}

func address(n int) string { return fmt.Sprintf("given.surname%05d@contoso.com", n) }

// heap returns the bytes in use.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
