package state

import (
	"fmt"
	"os"
	"testing"

	"github.com/hmad/hmad/internal/check"
)

// manyChecks gives a Store with n checks and a full history each.
func manyChecks(path string, n int) (*Store, []check.ID) {
	s := openWith(path, options(), settings{every: 1 << 62, open: os.OpenFile})
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
	return s, all
}

// typical makes a result as large as those of activesync are.
func typical(id check.ID, n int) check.Result {
	r := run(id, n)
	for range 8 {
		r.Report.Samples = append(r.Report.Samples, check.Sample{Metric: notAfter, Value: 1.9e9, Labels: []string{"mail.contoso.com"}})
	}
	for range 15 {
		r.Report.Notes = append(r.Report.Notes, check.Notes("X-FEServer: a header line of the raw answer, as long as they are")...)
	}
	return r
}

func BenchmarkRecord(b *testing.B) {
	s, all := manyChecks("", 10000)
	r := typical(all[0], 0)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		r.Target = all[n%len(all)].Target
		s.Record(r)
	}
}

func BenchmarkStatuses(b *testing.B) {
	s, _ := manyChecks("", 10000)
	b.ReportAllocs()
	for b.Loop() {
		s.Statuses()
	}
}

// BenchmarkFlush writes what 10,000 five-minute checks give in five seconds.
func BenchmarkFlush(b *testing.B) {
	const batch = 10000 * 5 / 300
	path := statePath(b)
	s, all := manyChecks(path, 10000)
	defer s.Close()
	w := &writer{store: s, path: path, file: s.writer.file}
	if err := w.flush(); err != nil {
		b.Fatal(err)
	}
	before := written(b)
	for n := 0; b.Loop(); n++ {
		for i := range batch {
			s.Record(typical(all[(n*batch+i)%len(all)], n))
		}
		if err := w.flush(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(written(b)-before)/float64(b.N), "written-B/op")
}

// BenchmarkOpen reads the file of 1,000 checks.
func BenchmarkOpen(b *testing.B) {
	path := statePath(b)
	s, _ := manyChecks(path, 1000)
	_ = s.Close()
	for b.Loop() {
		_ = Open(path, options()).Close()
	}
}

// written gives the bytes that this process has given to write calls.
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
