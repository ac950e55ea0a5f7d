package run

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// BenchmarkDispatcher is the price of dispatching one run (heap, schedule,
// deadline, two goroutines, stamping) among 10,000 five-minute checks that do
// nothing themselves. Its clocks are its own: they stand at the next planned
// run as soon as the one before has ended.
func BenchmarkDispatcher(b *testing.B) {
	now, begun := at("2026-11-22 10:00:00"), at("2026-11-22 10:00:00")
	d := NewDispatcher(&Runner{Now: func() time.Time { return now }}, 1000)
	d.uptime = func() time.Duration { return now.Sub(begun) }
	var runs atomic.Int64
	var checks []*check.Check
	for i := range 10_000 {
		c := checkOf(func(ctx context.Context, v *check.Verdict) {
			runs.Add(1)
			good(ctx, v)
		})
		c.Target = fmt.Sprintf("target-%d", i)
		checks = append(checks, c)
	}
	if err := d.Set(checks); err != nil {
		b.Fatal(err)
	}
	d.begin(b.Context())

	b.ReportAllocs()
	for b.Loop() {
		for started := false; !started; {
			now = now.Add(d.step())
			d.mu.Lock()
			started = d.inFlight > 0
			d.mu.Unlock()
		}
		d.working.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(runs.Load()), "ns/run")
}
