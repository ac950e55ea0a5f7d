package plan

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/budget"
)

// settled returns a fleet that has been asked once, over the first day.
func settled(n int) *Planner {
	p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1000, 4)}, n)
	drive(p, monday, monday.Add(time.Duration(n)*time.Millisecond+time.Minute), syncedAgo(time.Minute))
	return p
}

// One decision of the planner, with its answer.
func BenchmarkDecision(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, now := settled(n), monday.Add(25*time.Hour)
			answer := syncedAgo(time.Minute)
			b.ReportAllocs()
			for b.Loop() {
				a, ok, at := p.Next(now)
				if !ok {
					now = at
					continue
				}
				p.Settle(now, a, answer(now, a))
			}
		})
	}
}

// 100,000 mailboxes, addresses and index included.
func TestAFleetIsSmallInMemory(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1000, 4)}, 100_000)
	each := float64(heap()-before) / 100_000
	t.Logf("%.0f bytes per mailbox", each)
	assert.Less(t, each, 200.0)
	runtime.KeepAlive(p)
}
