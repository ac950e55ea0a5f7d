package exporter

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

// thousand is a fleet of 1,000 checks with as many reasons as the largest of
// the real ones.
func thousand() Options {
	def := &check.Def{Name: "activesync", Metrics: activesyncDef.Metrics}
	for i := range 28 {
		def.Reasons = append(def.Reasons, &check.Reason{Name: fmt.Sprintf("reason_%02d", i), Severity: check.Critical})
	}
	o := estateOptions()
	o.Defs = []*check.Def{def}
	var all []state.Status
	var ids []check.ID
	for i := range 1000 {
		id := check.ID{Check: "activesync", Target: fmt.Sprintf("target-%04d", i)}
		r := passedAt(noon.Add(-time.Minute))
		r.Report.Samples = append(phaseSamples("mail.contoso.com", "", 1, 2, 3, 4, 1),
			check.Sample{Metric: notAfter, Value: 2e9, Labels: []string{"mail.contoso.com", ""}})
		all, ids = append(all, told(id, r)), append(ids, id)
	}
	o.Meter.Keep(ids)
	o.Store = snapshot{all, healthy}
	return o
}

// discard is a ResponseWriter that keeps nothing.
type discard struct {
	io.Writer
	header http.Header
}

func (d discard) Header() http.Header { return d.header }
func (discard) WriteHeader(int)       {}

func benchmark(b *testing.B, path string) {
	h := New(thousand()).Handler()
	r := httptest.NewRequest("GET", path, nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(discard{io.Discard, http.Header{}}, r)
	}
}

func BenchmarkScrapeOf1000Checks(b *testing.B) { benchmark(b, "/metrics") }
func BenchmarkPageOf1000Checks(b *testing.B)   { benchmark(b, "/") }

// BenchmarkMeterForgets is a reload that removes half of 10,000 checks.
func BenchmarkMeterForgets(b *testing.B) {
	var ids []check.ID
	for i := range 10_000 {
		ids = append(ids, check.ID{Check: "activesync", Target: fmt.Sprintf("target-%04d", i)})
	}
	for b.Loop() {
		b.StopTimer()
		m := NewMeter(nil)
		m.Keep(ids)
		b.StartTimer()
		m.Keep(ids[:len(ids)/2])
	}
}
