package sync

import (
	"math"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
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
	rows   int // at most
	swept  bool
}

func newGauges(table check.Table, s config.Sync) *gauges {
	return &gauges{table: table, names: names{mode: s.MailboxLabel}, export: s.Export, rows: s.MaxSeries / len(mailboxFamilies)}
}

// update shows the news of a mailbox that is shown.
func (g *gauges) update(p *Planner, key string) {
	if m := &p.all[p.index[key]]; m.shown {
		g.set(m)
	}
}

func (g *gauges) set(m *mailbox) {
	devices := math.NaN()
	if m.checked != 0 {
		devices = float64(m.devices)
	}
	g.table.Set(g.names.of(m.key), m.synced().gauge(), m.attempt.gauge(), m.checked.gauge(), devices)
}

// gauge gives a moment as a value; never is no series.
func (s seconds) gauge() float64 {
	if s == 0 {
		return math.NaN()
	}
	return float64(s)
}

// hide takes a mailbox out of the table.
func (g *gauges) hide(m *mailbox) {
	if m.shown {
		m.shown = false
		g.table.Delete(g.names.of(m.key))
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

func rankOf(m *mailbox) int {
	switch {
	case m.watched:
		return rankWatched
	case m.state == Failing:
		return rankFailing
	case m.state == Stale:
		return rankStale
	default:
		return rankOther
	}
}

// choose shows the mailboxes that are to be shown, as many as the cap allows,
// and takes the others out.
func (g *gauges) choose(p *Planner) {
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
		for i := range p.all {
			m := &p.all[i]
			switch {
			case m.key == "" || rankOf(m) != rank:
			case rank > last || m.gone:
				g.hide(m)
			case left == 0:
				g.hide(m)
				dropped++
			default:
				left--
				m.shown = true
				g.set(m)
			}
		}
	}
	g.table.Dropped(dropped)
	g.sweepOnce(p)
}

// sweepOnce removes what an earlier build of the check has left.
func (g *gauges) sweepOnce(p *Planner) {
	if g.swept {
		return
	}
	g.swept = true
	shown := map[string]bool{}
	for i := range p.all {
		if p.all[i].shown {
			shown[g.names.of(p.all[i].key)] = true
		}
	}
	g.table.Keep(func(name string) bool { return shown[name] })
}
