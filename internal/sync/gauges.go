package sync

import (
	"math"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/sync/plan"
)

// The families of single mailboxes: a mailbox has one row in the Store's table.
var (
	MailboxSuccess = &check.Metric{Name: "hmad_mailbox_last_success_sync_timestamp_seconds", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Unix time at which a phone last synchronised with the mailbox's part in the cloud, according to Exchange Online's last answer (the " +
			"leg phone to cloud)."}
	MailboxAttempt = &check.Metric{Name: "hmad_mailbox_last_sync_attempt_timestamp_seconds", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Unix time of that phone's last attempt to synchronise, successful or not."}
	MailboxChecked = &check.Metric{Name: "hmad_mailbox_checked_timestamp_seconds", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Unix time at which Exchange Online last answered about the mailbox."}
	MailboxDevices = &check.Metric{Name: "hmad_mailbox_devices", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Partnerships of Outlook for iOS and Android with the mailbox, old ones included."}
	mailboxFamilies = []*check.Metric{MailboxSuccess, MailboxAttempt, MailboxChecked, MailboxDevices}
)

// autoAll is the size of a fleet up to which export auto shows all mailboxes.
const autoAll = 5000

// gauges shows mailboxes in the Store's table, up to sync.max_series.
type gauges struct {
	table  check.Table
	names  check.MailboxNames
	export string
	rows   int                 // at most
	shown  map[string]struct{} // mailboxes that have a row
	clean  bool                // rows of an earlier build are gone
}

func newGauges(table check.Table, s config.Sync) *gauges {
	return &gauges{table: table, names: check.MailboxNames{Mode: s.MailboxLabel}, export: s.Export, rows: s.MaxSeries / len(mailboxFamilies), shown: map[string]struct{}{}}
}

// update brings the row of a mailbox up to date, if it has one.
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
	g.table.Set(g.names.Of(m.Key), momentValue(m.Success), momentValue(m.Attempt), momentValue(m.Checked), devices)
}

// momentValue returns a moment as a series' value; NaN, which is no series, for
// the zero time and for dates before 1970.
func momentValue(t time.Time) float64 {
	if t.Unix() <= 0 {
		return math.NaN()
	}
	return float64(t.Unix())
}

// show makes a mailbox's row.
func (g *gauges) show(m plan.Mailbox) {
	g.shown[m.Key] = struct{}{}
	g.set(m)
}

// hide removes a mailbox's row, if it has one.
func (g *gauges) hide(key string) {
	if _, ok := g.shown[key]; ok {
		delete(g.shown, key)
		g.table.Delete(g.names.Of(key))
	}
}

// The ranks of mailboxes in the table. Lower ranks are shown first.
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

// choose shows the mailboxes of the ranks that sync.export selects, as many as
// there may be rows, and hides the others.
func (g *gauges) choose(p *plan.Planner, now time.Time) {
	if g.names.Mode == config.LabelNone {
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
	g.dropForeign()
}

// dropForeign removes, once, the rows that an earlier build of the check left.
func (g *gauges) dropForeign() {
	if g.clean {
		return
	}
	g.clean = true
	names := make(map[string]bool, len(g.shown))
	for key := range g.shown {
		names[g.names.Of(key)] = true
	}
	g.table.Keep(func(name string) bool { return names[name] })
}
