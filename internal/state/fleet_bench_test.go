package state

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// mailboxes is the size of the fleets that are measured.
const mailboxes = 100000

var mailbox = fleetID{"contoso", "mailboxes"}

func mailboxAt(n int) string { return fmt.Sprintf("given.surname%05d@contoso.com", n) }

// record makes one like a mailbox's: four bytes that change, five moments, of
// which the last is zero, and a GUID.
func record(n, version int) []byte {
	random := rand.New(rand.NewPCG(uint64(n), uint64(version)))
	b := make([]byte, 0, 40)
	for range 5 {
		b = binary.BigEndian.AppendUint32(b, random.Uint32())
	}
	b = append(b, 0, 0, 0, 0)
	for range 2 {
		b = binary.BigEndian.AppendUint64(b, random.Uint64())
	}
	return b
}

// manyMailboxes returns a fleet whose file is at path, and what writes it.
func manyMailboxes(path string, size int) (check.Fleet, *writer) {
	s, w := idleWriter(path)
	fleet := s.Fleet(mailbox.target)(mailbox.name)
	for n := range size {
		fleet.Put(mailboxAt(n), record(n, 0))
	}
	return fleet, w
}

// BenchmarkFleetFirstWrite writes 100,000 records that are all new.
func BenchmarkFleetFirstWrite(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		path := statePath(b)
		_, w := manyMailboxes(path, mailboxes)
		before := written(b)
		b.StartTimer()
		flush(b, w)
		b.ReportMetric(float64(written(b)-before)/1e6, "written-MB")
		b.ReportMetric(fileSize(b, path), "file-MB")
	}
}

// dayOf is what a target tells its Store in a day beside answers of mailboxes: a
// result or a value of so many bytes every so many minutes, as with the lab's three
// front ends.
var dayOf = []struct {
	name         string
	every, bytes int
	value        bool
}{
	{name: "activesync", every: 5, bytes: 9000},
	{name: "autodiscover", every: 5, bytes: 2000},
	{name: "configuration", every: 60, bytes: 5500},
	{name: "evosts_metadata", every: 15, bytes: 1600},
	{name: "mailbox_sync", every: 5, bytes: 2000},
	{name: "metadata_refresh", every: 15, bytes: 1100},
	{name: "onprem_report", every: 5, bytes: 1000},
	{name: "onprem_sync", every: 5, bytes: 700},
	{name: "tls_offload", every: 60, bytes: 2200},
	{name: "vantage", every: 5, bytes: 1600},
	{name: "exchange_builds", every: 5, bytes: 250, value: true},
	{name: "evosts_metadata.ledger", every: 15, bytes: 1200, value: true},
	{name: "onprem_hours.1", every: 5, bytes: 400, value: true},
	{name: "sync_hours.1", every: 5, bytes: 400, value: true},
	{name: "sync_pulse.1", every: 5, bytes: 500, value: true},
	{name: "sync_pulse.2", every: 5, bytes: 500, value: true},
	{name: "tls_offload", every: 60, bytes: 2100, value: true},
}

// tellMinute tells s what comes in a minute: that, and 1.3 answers per mailbox
// and day.
func tellMinute(s *Store, minute, size int, random *rand.Rand) {
	for _, d := range dayOf {
		if minute%d.every != 0 {
			continue
		}
		if d.value {
			s.Memory(mailbox.target).Put(d.name, fmt.Sprint(minute, strings.Repeat("x", d.bytes)))
			continue
		}
		r := run(check.ID{Check: d.name, Target: mailbox.target}, minute)
		r.Report.Notes = checktest.Seen(strings.Repeat("x", d.bytes))
		s.Record(r)
	}
	answers := size * 13 / 10
	for n := answers * minute / 1440; n < answers*(minute+1)/1440; n++ {
		member := random.IntN(size)
		s.Fleet(mailbox.target)(mailbox.name).Put(mailboxAt(member), record(member, minute))
	}
}

// BenchmarkDay writes a week of a target, a batch every ten minutes, and tells
// of a day and of the file at its largest. More batches write as much.
func BenchmarkDay(b *testing.B) {
	const days, minutes, batch = 7, 1440, 10
	for _, size := range []int{0, mailboxes} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				path := statePath(b)
				_, w := manyMailboxes(path, size)
				flush(b, w)
				largest, before, random := 0.0, written(b), rand.New(rand.NewPCG(1, 2))
				for minute := range days * minutes {
					tellMinute(w.store, minute, size, random)
					if minute%batch == 0 {
						flush(b, w)
						largest = max(largest, fileSize(b, path))
					}
				}
				b.ReportMetric(float64(written(b)-before)/1e6/days, "written-MB/day")
				b.ReportMetric(largest, "file-MB")
				w.detach()
			}
		})
	}
}

// BenchmarkFleetOpen opens the file of 100,000 records, when it is at its
// largest.
func BenchmarkFleetOpen(b *testing.B) {
	path := statePath(b)
	fleet, w := manyMailboxes(path, mailboxes)
	flush(b, w)
	for n := 0; !w.store.whole; n++ {
		fleet.Put(mailboxAt(n%mailboxes), record(n, 1))
		if n%10000 == 0 {
			flush(b, w)
		}
	}
	w.detach()
	size, before := fileSize(b, path), heap()
	var s *Store
	for b.Loop() {
		s = Open(path, options())
		b.StopTimer()
		b.ReportMetric(size, "file-MB")
		b.ReportMetric((heap()-before)/1e6, "held-MB")
		_ = s.Close()
		s = nil
		b.StartTimer()
	}
}

func BenchmarkFleetEach(b *testing.B) {
	fleet, _ := manyMailboxes(statePath(b), mailboxes)
	b.ReportAllocs()
	for b.Loop() {
		fleet.Each(func(string, []byte) {})
	}
}

func BenchmarkFleetPut(b *testing.B) {
	fleet, w := manyMailboxes(statePath(b), mailboxes)
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

// heap returns the bytes in use.
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
