package state

import (
	"fmt"
	"os"
	"testing"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// idleWriter returns a Store and a writer that writes when it is told to.
func idleWriter(path string) (*Store, *writer) {
	s := Open("", options())
	return s, &writer{store: s, path: path, settings: settings{open: os.OpenFile}}
}

// flush writes what is new.
func flush(b *testing.B, w *writer) {
	b.Helper()
	w.turn()
	if h := w.store.Health(); !h.OK || h.Problem != "" {
		b.Fatal(h)
	}
}

// manyChecks returns s n checks with a full history each.
func manyChecks(s *Store, n int) []check.ID {
	all := make([]check.ID, n)
	for i := range all {
		all[i] = check.ID{Check: "activesync", Target: fmt.Sprintf("target-%05d", i)}
	}
	s.Keep(all)
	for i := range lastRuns {
		for _, id := range all {
			s.Record(typical(id, i))
		}
	}
	return all
}

// typical makes a result as large as those of activesync are.
func typical(id check.ID, n int) check.Result {
	r := run(id, n)
	for range 8 {
		r.Report.Samples = append(r.Report.Samples, check.Sample{Metric: notAfter, Value: 1.9e9, Labels: []string{"mail.contoso.com"}})
	}
	for range 15 {
		r.Report.Notes = append(r.Report.Notes, checktest.Seen("X-FEServer: a header line of the raw answer, as long as they are")...)
	}
	return r
}

func BenchmarkRecord(b *testing.B) {
	s := Open("", options())
	all := manyChecks(s, 10000)
	r := typical(all[0], 0)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		r.Target = all[n%len(all)].Target
		s.Record(r)
	}
}

func BenchmarkStatuses(b *testing.B) {
	s := Open("", options())
	manyChecks(s, 10000)
	b.ReportAllocs()
	for b.Loop() {
		s.Statuses()
	}
}

// BenchmarkFlush writes what 10,000 five-minute checks give in five seconds.
func BenchmarkFlush(b *testing.B) {
	const batch = 10000 * 5 / 300
	s, w := idleWriter(statePath(b))
	defer w.detach()
	all := manyChecks(s, 10000)
	flush(b, w)
	before := written(b)
	for n := 0; b.Loop(); n++ {
		for i := range batch {
			s.Record(typical(all[(n*batch+i)%len(all)], n))
		}
		flush(b, w)
	}
	b.ReportMetric(float64(written(b)-before)/float64(b.N), "written-B/op")
}

// BenchmarkOpen reads the file of 1,000 checks.
func BenchmarkOpen(b *testing.B) {
	path := statePath(b)
	s, w := idleWriter(path)
	manyChecks(s, 1000)
	flush(b, w)
	w.detach()
	for b.Loop() {
		_ = Open(path, options()).Close()
	}
}

// written returns the bytes that this process has given to write calls.
func written(b *testing.B) int {
	content, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Skip(err)
	}
	var rchar, wchar int
	if _, err := fmt.Sscanf(string(content), "rchar: %d\nwchar: %d", &rchar, &wchar); err != nil {
		b.Fatal(err)
	}
	return wchar
}
