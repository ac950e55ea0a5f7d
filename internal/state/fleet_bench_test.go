package state

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"github.com/hmad/hmad/internal/check"
)

// mailboxes is the size of the fleets that are measured.
const mailboxes = 100000

var mailbox = fleetID{"contoso", "mailboxes"}

func mailboxAt(n int) string { return fmt.Sprintf("given.surname%05d@contoso.com", n) }

// record makes one of 60 bytes, as large as a mailbox's.
func record(n, version int) []byte {
	b := make([]byte, 60)
	binary.BigEndian.PutUint64(b, uint64(n))
	binary.BigEndian.PutUint64(b[8:], uint64(version))
	return b
}

// manyMailboxes gives a Store with a fleet, and what writes when told to.
func manyMailboxes(b *testing.B, path string) (check.Fleet, *writer) {
	s := openWith(path, options(), settings{every: 1 << 62, open: os.OpenFile})
	b.Cleanup(func() { _ = s.Close() })
	fleet := s.Fleet(mailbox.target)(mailbox.name)
	for n := range mailboxes {
		fleet.Put(mailboxAt(n), record(n, 0))
	}
	return fleet, &writer{store: s, path: path, file: s.writer.file}
}

// BenchmarkFleetFirstWrite writes 100,000 records that are all new.
func BenchmarkFleetFirstWrite(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		path := statePath(b)
		_, w := manyMailboxes(b, path)
		before := written(b)
		b.StartTimer()
		flush(b, w)
		b.ReportMetric(float64(written(b)-before)/1e6, "written-MB")
		b.ReportMetric(fileSize(b, path), "file-MB")
	}
}

// BenchmarkFleetDay changes 130,000 of 100,000 records at random in the batches
// of five seconds that make a day, and tells of a day. An op is one batch.
func BenchmarkFleetDay(b *testing.B) {
	const batches, changes = 86400 / 5, 130000
	path := statePath(b)
	fleet, w := manyMailboxes(b, path)
	flush(b, w)
	random := rand.New(rand.NewPCG(1, 2))
	before, done, n := written(b), 0, 0
	for b.Loop() {
		for n++; done < n*changes/batches; done++ {
			member := random.IntN(mailboxes)
			fleet.Put(mailboxAt(member), record(member, n))
		}
		flush(b, w)
	}
	b.ReportMetric(float64(written(b)-before)/float64(n)*batches/1e9, "written-GB/day")
	b.ReportMetric(fileSize(b, path), "file-MB")
}

// BenchmarkFleetOpen opens the file of 100,000 records.
func BenchmarkFleetOpen(b *testing.B) {
	path := statePath(b)
	_, w := manyMailboxes(b, path)
	flush(b, w)
	_ = w.store.Close()
	before := heap()
	var s *Store
	for b.Loop() {
		s = Open(path, options())
		b.StopTimer()
		b.ReportMetric((heap()-before)/1e6, "held-MB")
		_ = s.Close()
		s = nil
		b.StartTimer()
	}
}

func BenchmarkFleetEach(b *testing.B) {
	fleet, _ := manyMailboxes(b, statePath(b))
	b.ReportAllocs()
	for b.Loop() {
		fleet.Each(func(string, []byte) {})
	}
}

func BenchmarkFleetPut(b *testing.B) {
	fleet, w := manyMailboxes(b, statePath(b))
	flush(b, w)
	members := make([]string, mailboxes)
	for n := range members {
		members[n] = mailboxAt(n)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		fleet.Put(members[n%mailboxes], record(n%mailboxes, n+1))
	}
}

// BenchmarkTable tells what 100,000 rows of four gauges hold and what reading
// them costs, in order, with and without a new row since the last time.
func BenchmarkTable(b *testing.B) {
	before := heap()
	t := Open("", options()).Table(activesync)(&check.Metric{Name: "a"}, &check.Metric{Name: "b"}, &check.Metric{Name: "c"}, &check.Metric{Name: "d"}).(*Table)
	for n := range mailboxes {
		t.Set(mailboxAt(n), 1, 2, 3, 4)
	}
	held := (heap() - before) / 1e6
	for name, rows := range map[string]int{"Same": 0, "OneNew": 1} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				for range rows {
					t.Delete(mailboxAt(n % mailboxes))
					t.Set(mailboxAt(n%mailboxes), 1, 2, 3, 4)
				}
				t.Each(func(string, []float64) {})
			}
			b.ReportMetric(held, "held-MB")
		})
	}
}

func flush(b *testing.B, w *writer) {
	b.Helper()
	if err := w.flush(); err != nil {
		b.Fatal(err)
	}
}

// heap gives the bytes in use.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func fileSize(b *testing.B, path string) float64 {
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Size()) / 1e6
}
