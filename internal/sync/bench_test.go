package sync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/sync/plan"
)

// settled returns a fleet that has been asked once, and its mailboxes.
func settled(n int) (p *plan.Planner, keys []string) {
	p, keys = plan.New(plan.Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1000, 4)}), addresses(n)
	p.Adopt(monday, plan.FromInventory, keys, true)
	for asked, now := 0, monday; asked < n; {
		a, ok, at := p.Next(now)
		if !ok {
			now = at
			continue
		}
		p.Settle(now, a, plan.Answer{State: plan.Fresh, Success: now.Add(-time.Minute), Attempt: now.Add(-time.Minute), Devices: 1})
		asked++
	}
	return p, keys
}

// What a run of the check costs at size.
func BenchmarkJudge(b *testing.B) {
	p, _ := settled(100_000)
	b.ReportAllocs()
	for b.Loop() {
		Judge(MailboxSync.Judge(), p, monday.Add(time.Hour), Rules{Share: 0.25, Floor: 10})
	}
}

// What a start waits for before the daemon answers: 100,000 records taken up,
// and all of them shown.
func BenchmarkBegin(b *testing.B) {
	st := newStore()
	p, keys := settled(100_000)
	for _, key := range keys {
		st.records[key] = p.Record(key)
	}
	b.ReportAllocs()
	for b.Loop() {
		o := newOfficeOn(b, config.Sync{Inventory: true, Export: config.ExportAll, MaxSeries: 1 << 20}, st)
		require.Len(b, o.store.rows, 100_000)
	}
}
