package sync

import (
	"math"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/sync/plan"
)

// The families of single mailboxes: one row each in the Store's table.
var (
	MailboxSuccess = &check.Metric{Name: "hmad_mailbox_last_success_sync_timestamp_seconds", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Unix time at which a phone last synchronised with the mailbox's part in the cloud, as Exchange Online said when it was last asked (the leg phone to cloud)."}
	MailboxAttempt = &check.Metric{Name: "hmad_mailbox_last_sync_attempt_timestamp_seconds", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Unix time of that phone's last attempt to synchronise, successful or not."}
	MailboxChecked = &check.Metric{Name: "hmad_mailbox_checked_timestamp_seconds", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Unix time at which Exchange Online last answered about the mailbox."}
	MailboxDevices = &check.Metric{Name: "hmad_mailbox_devices", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Partnerships of Outlook for iOS and Android with the mailbox, old ones too."}
	mailboxFamilies = []*check.Metric{MailboxSuccess, MailboxAttempt, MailboxChecked, MailboxDevices}
)

// autoAll is up to how many mailboxes export auto shows all.
const autoAll = 5000

// gauges shows mailboxes in the Store's table, within the cap.
type gauges struct {
	table  check.Table
	names  names
	export string
	rows   int                 // at most
	shown  map[string]struct{} // mailboxes that have a row
	swept  bool
}

func newGauges(table check.Table, s config.Sync) *gauges {
	return &gauges{table: table, names: names{mode: s.MailboxLabel}, export: s.Export, rows: s.MaxSeries / len(mailboxFamilies), shown: map[string]struct{}{}}
}

// update shows the news of a mailbox that is shown.
func (g *gauges) update(m plan.Mailbox) {
	if _, ok := g.shown[m.Key]; ok {
		g.set(m)
	}
}

func (g *gauges) set(m plan.Mailbox) {
	devices := math.NaN()
	if !m.Checked.IsZero() {
		devices = float64(m.Devices)
	}
	g.table.Set(g.names.of(m.Key), momentValue(m.Success), momentValue(m.Attempt), momentValue(m.Checked), devices)
}

// momentValue returns a moment as a series has it; never, or a date that Exchange
// writes for it, is no series.
func momentValue(t time.Time) float64 {
	if t.Unix() <= 0 {
		return math.NaN()
	}
	return float64(t.Unix())
}

// show gives a mailbox its row.
func (g *gauges) show(m plan.Mailbox) {
	g.shown[m.Key] = struct{}{}
	g.set(m)
}

// hide takes a mailbox out of the table.
func (g *gauges) hide(key string) {
	if _, ok := g.shown[key]; ok {
		delete(g.shown, key)
		g.table.Delete(g.names.of(key))
	}
}

// The ranks of mailboxes for the table, those to be shown first at first.
const (
	rankWatched = iota
	rankFailing
	rankStale
	rankOther
	ranks
)

func rankOf(m plan.Mailbox) int {
	switch {
	case m.Watched:
		return rankWatched
	case m.Last == plan.Failing:
		return rankFailing
	case m.Last == plan.Stale:
		return rankStale
	default:
		return rankOther
	}
}

// choose shows the mailboxes that are to be shown, as many as the cap allows,
// and takes the others out.
func (g *gauges) choose(p *plan.Planner, now time.Time) {
	if g.names.mode == config.LabelNone {
		g.table.Keep(func(string) bool { return false })
		return
	}
	last := rankStale
	if g.export == config.ExportAll || g.export == config.ExportAuto && p.Len() <= autoAll {
		last = rankOther
	}
	left, dropped := g.rows, 0
	for rank := range ranks {
		for m := range p.All(now) {
			switch {
			case rankOf(m) != rank:
			case rank > last:
				g.hide(m.Key)
			case left == 0:
				g.hide(m.Key)
				dropped++
			default:
				left--
				g.show(m)
			}
		}
	}
	g.table.Dropped(dropped)
	g.sweepOnce()
}

// sweepOnce removes what an earlier build of the check has left.
func (g *gauges) sweepOnce() {
	if g.swept {
		return
	}
	g.swept = true
	names := make(map[string]bool, len(g.shown))
	for key := range g.shown {
		names[g.names.of(key)] = true
	}
	g.table.Keep(func(name string) bool { return names[name] })
}
