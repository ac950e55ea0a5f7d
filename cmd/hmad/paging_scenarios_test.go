//go:build e2e

package main

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/lab"
)

// scenario is a fault, or several at once, and what must come of it.
type scenario struct {
	name   string
	faults []string
	reason string // as the table has it
	fired  []string
	told   []string      // of those that fired: the others are inhibited
	to     string        // the receiver
	apart  bool          // each alert is told by itself: the critical ones as a page, the warnings as a ticket
	after  string        // an alert that may follow: hmad recovers by minutes that no pace shortens, and the target is spent
	stands time.Duration // in earnest: how long after the page the fault still stands, beside a run of every check
}

// kind is what a scenario needs of its target and of its daemon.
type kind int

const (
	onTheWay  kind = iota // of what a probe meets on its way, which has nothing in common with the times of synchronisation
	ofFleet               // of the times of synchronisation
	ofSetting             // of all else
	alone                 // of several faults, whose end takes long, or whose answers are huge: a daemon of its own
)

func (c scenario) kind() kind {
	switch check, _, _ := strings.Cut(c.reason, "."); {
	case len(c.faults) > 1 || c.after != "" || c.huge():
		return alone
	case strings.Contains(c.reason, "_sync"):
		return ofFleet
	case check == "activesync" || check == "autodiscover" || check == "tls_offload":
		return onTheWay
	default:
		return ofSetting
	}
}

// huge reports whether answers of Exchange Online are that big.
func (c scenario) huge() bool {
	return slices.Contains([]string{"million_rows.exchange_online", "deep_json.exchange_online"}, c.name)
}

// mailboxes is the size of the fleet that a scenario needs: over a hundred, or
// sync_stopped says nothing of it. Each costs time to ask.
func (c scenario) mailboxes() int {
	switch {
	case c.huge():
		return 20
	case strings.Contains(c.reason, "_sync"):
		return fleetSize
	case c.kind() == ofSetting || strings.Contains(c.reason, "vantage"):
		return 20
	default:
		return 0
	}
}

// rank is the order in which scenarios are tried, and in which the table has
// them: what takes longest comes first. So do those of tls_offload, whose alerts
// fire only where activesync has told nothing lately.
func (c scenario) rank() int {
	switch {
	case strings.HasPrefix(c.reason, "tls_offload."), c.after != "":
		return 0
	case strings.Contains(c.reason, "sync."):
		return 1
	default:
		return 2
	}
}

// scenarios lists what is tried: combinations of faults, and every fault of the
// lab.
func scenarios(t *testing.T) []scenario {
	t.Helper()
	l, err := lab.Start(lab.Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Now: now, Online: lab.Online{Mailboxes: fleetSize}})
	require.NoError(t, err)
	defer l.Close()
	all := combinations()
	for _, f := range l.Faults() {
		if def, reason := leadsTo(labFault(f)); reason != nil {
			all = append(all, scenarioOf(f.Name, def, reason))
		} else {
			all = append(all, ofOwnSide(t, f))
		}
	}
	return all
}

// inTable puts scenarios into the order of the table in docs.
func inTable(a, b scenario) int {
	place := func(c scenario) int {
		if k := (scenario{reason: c.reason}).kind(); k == onTheWay {
			return -1
		}
		return c.rank()
	}
	return cmp.Compare(place(a), place(b))
}

// combinations are several faults at once: what explains another hides it, what
// does not stands beside it in one notification.
func combinations() []scenario {
	alerts := catalog.AlertName
	return []scenario{
		{name: "the way out closed, and so nothing to be told of ActiveSync", reason: "vantage.vantage_offline",
			faults: []string{"vantage.vantage_offline", "activesync.connect_failed"},
			fired:  []string{alerts("vantage", "vantage_offline"), "HmadCheckUndecided"},
			told:   []string{alerts("vantage", "vantage_offline")}, to: "tickets", stands: 45 * time.Minute},
		{name: "a critical finding beside a warning of the same check", reason: "activesync.bearer_missing, activesync.certificate_expiring",
			faults: []string{"activesync.certificate_expiring", "activesync.bearer_missing"},
			fired:  []string{alerts("activesync", "bearer_missing"), alerts("activesync", "certificate_expiring")},
			told:   []string{alerts("activesync", "bearer_missing"), alerts("activesync", "certificate_expiring")}, to: "pager", apart: true},
		{name: "AutoDiscover and ActiveSync both down", reason: "autodiscover.connect_failed, activesync.connect_failed",
			faults: []string{"autodiscover.connect_failed", "activesync.connect_failed"},
			fired:  []string{alerts("activesync", "connect_failed"), alerts("autodiscover", "connect_failed")},
			told:   []string{alerts("activesync", "connect_failed"), alerts("autodiscover", "connect_failed")}, to: "pager"},
	}
}

// ofOwnSide makes a scenario of a fault that leads to no finding: it is told
// that hmad cannot tell, or nothing.
func ofOwnSide(t *testing.T, f lab.Switch) scenario {
	t.Helper()
	c := scenario{name: f.Name, faults: []string{f.Name}, reason: "mailbox_sync: nothing", stands: 40 * time.Minute}
	switch {
	case strings.Contains(f.Doc, "(undecided, class throttled)"):
		c.reason, c.fired, c.to, c.stands = "mailbox_sync: undecided", []string{"HmadCheckUndecided"}, "tickets", 0
		c.after = catalog.AlertName("mailbox_sync", "sweep_behind")
	case strings.Contains(f.Doc, "(undecided"):
		c.reason, c.fired, c.to, c.stands = "mailbox_sync: undecided", []string{"HmadCheckUndecided"}, "tickets", 0
	default:
		require.Contains(t, f.Doc, "nothing is found", "%s: what must come of it?", f.Name)
	}
	c.told = c.fired
	return c
}

func scenarioOf(fault string, def *check.Def, reason *check.Reason) scenario {
	alert := catalog.AlertName(def.Name, reason.Name)
	c := scenario{name: fault, faults: []string{fault}, reason: def.Name + "." + reason.Name, fired: []string{alert}, told: []string{alert}, to: "pager"}
	if reason.Severity == check.Warning {
		c.to = "tickets"
	}
	return c
}

// crew is a daemon with targets of one kind, which take their scenarios from one
// queue. The first target takes none, unless the crew has no other: it is watched
// as it stands.
type crew struct {
	mailboxes, targets int
	queue              *queue
}

// most are the targets of one daemon that try scenarios at once.
const most = 9

// crews shares the scenarios out among daemons: at most four for single faults,
// and one for each of those that are tried alone.
func crews(todo []scenario) []crew {
	byKind := map[kind][]scenario{}
	for _, c := range todo {
		byKind[c.kind()] = append(byKind[c.kind()], c)
	}
	var all []crew
	share := func(k kind, daemons, mailboxes int) {
		q := newQueue(byKind[k])
		for n := len(byKind[k]); daemons > 0; daemons-- {
			all = append(all, crew{mailboxes, 1 + min(most, (n+daemons-1)/daemons), q})
		}
	}
	share(onTheWay, 2, 0)
	if len(byKind[ofSetting]) > 0 {
		share(ofSetting, 1, 20)
	}
	if len(byKind[ofFleet]) > 0 {
		share(ofFleet, 1, fleetSize)
	}
	for _, c := range byKind[alone] {
		all = append(all, crew{c.mailboxes(), 1, newQueue([]scenario{c})})
	}
	return all
}

// queue holds the scenarios that are still to be tried.
type queue struct{ c chan scenario }

func newQueue(all []scenario) *queue {
	slices.SortStableFunc(all, func(a, b scenario) int { return cmp.Compare(a.rank(), b.rank()) })
	q := &queue{make(chan scenario, len(all))}
	for _, c := range all {
		q.c <- c
	}
	return q
}

// take returns the next scenario; false: there is none.
func (q *queue) take() (scenario, bool) {
	select {
	case c := <-q.c:
		return c, true
	default:
		return scenario{}, false
	}
}

// giveBack has a scenario tried again, after all others.
func (q *queue) giveBack(c scenario) { q.c <- c }
