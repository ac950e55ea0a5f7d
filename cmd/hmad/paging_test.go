//go:build e2e

package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
)

var updateTables = flag.Bool("update", false, "rewrite the tables in docs")

// scenario is a fault, or several at once, and what must come of it.
type scenario struct {
	name   string
	faults []string
	reason string // as the table has it
	fired  []string
	told   []string      // of those that fired: the others are inhibited
	to     string        // the receiver
	after  string        // an alert that may follow: hmad recovers by minutes that no scale shortens, and the demo is spent
	stands time.Duration // how long after the page the fault still stands, beside a run of every check
}

// record is what came of a trial.
type record struct {
	scenario
	target     string
	begin, end time.Time
	all        []notification
	err        error
}

// rest is how long a demo rests after it is mended. Alertmanager looks every
// 30 s for groups to forget; the next fault must be the first of its group, as
// it is in earnest.
const rest = 31 * time.Second

// maxDemos bounds the demos of a kind that run at once: each takes about 35 MB,
// and one with mailboxes a thirtieth of a core.
const maxDemos = 30

// A real Prometheus and a real Alertmanager, with the rules and the config that
// ship, watch demos: every fault of the lab, switched on while all runs, fires
// its alert and no other, is told once and told again when it is mended. A demo
// without a fault is watched for the whole time.
func TestEveryFaultPagesOnce(t *testing.T) {
	program := buildHmad(t)
	healthy := startDemos(t, program, 0, 1)
	plain, whole := kinds(append(combinations(), scenariosOf(t, (&estate{control: healthy[0].control}).faults(t))...))
	wholeDemos := startDemos(t, program, 1, min(maxDemos, (len(whole)+1)/2))
	plainDemos := startDemos(t, program, 1+len(wholeDemos), min(maxDemos, (len(plain)+1)/2), "--lab.mailboxes=0")
	box := newInbox(t)
	prometheus := startPrometheus(t, program, startAlertmanager(t, trialScale, box), slices.Concat(healthy, wholeDemos, plainDemos))

	began := time.Now()
	var records, others []record
	var group sync.WaitGroup
	group.Go(func() { records = tryAll(t.Context(), plainDemos, plain, box) })
	group.Go(func() { others = tryAll(t.Context(), wholeDemos, whole, box) })
	group.Wait()
	records = append(records, others...)
	for _, r := range records {
		t.Run(r.name, func(t *testing.T) { r.judge(t, prometheus) })
	}
	t.Run("a healthy demo for the whole time", func(t *testing.T) {
		assert.Empty(t, texts(box.of(healthy[0].target, began), began))
		assert.Empty(t, fired(t, prometheus, healthy[0].target, began, time.Now()))
		assert.Empty(t, texts(box.of("hmad", began), began), "of hmad itself")
		assert.Empty(t, fired(t, prometheus, "hmad", began, time.Now()), "of hmad itself")
	})
	if !t.Failed() {
		t.Run("what people read", func(t *testing.T) { readable(t, records) })
		t.Logf("%d scenarios in %s, a healthy demo beside them; nothing else was told\n%s", len(records), time.Since(began).Round(time.Second), table(records))
		keepTable(t, records)
	}
}

// kinds parts the scenarios: those of what a probe meets on its way, which have
// nothing in common with the times of synchronisation, are tried with demos
// that do without an Exchange Online, whose fleet costs time to ask.
func kinds(all []scenario) (plain, whole []scenario) {
	for _, c := range all {
		if check, _, _ := strings.Cut(c.reason, "."); check == "activesync" || check == "autodiscover" || check == "tls_offload" {
			plain = append(plain, c)
		} else {
			whole = append(whole, c)
		}
	}
	slices.SortStableFunc(whole, func(a, b scenario) int { return cmp.Compare(rank(a), rank(b)) })
	return plain, whole
}

// rank puts what takes longest first.
func rank(c scenario) int {
	switch {
	case c.after != "":
		return 0
	case strings.Contains(c.reason, "sync."):
		return 1
	default:
		return 2
	}
}

// combinations are several faults at once: what explains another hides it, what
// does not stands beside it in one notification.
func combinations() []scenario {
	alerts := catalog.AlertName
	return []scenario{
		{name: "the way out closed, and so nothing to be told of ActiveSync", reason: "vantage.vantage_offline",
			faults: []string{"vantage.vantage_offline", "activesync.connect_failed"},
			fired:  []string{alerts("vantage", "vantage_offline"), "HmadWayOutClosed", "HmadCheckUndecided"},
			told:   []string{alerts("vantage", "vantage_offline")}, to: "tickets", stands: forTrial(45 * time.Minute)},
		{name: "a critical finding beside a warning of the same check", reason: "activesync.bearer_missing, activesync.certificate_expiring",
			faults: []string{"activesync.certificate_expiring", "activesync.bearer_missing"},
			fired:  []string{alerts("activesync", "bearer_missing"), alerts("activesync", "certificate_expiring")},
			told:   []string{alerts("activesync", "bearer_missing")}, to: "pager"},
		{name: "AutoDiscover and ActiveSync both down", reason: "autodiscover.connect_failed, activesync.connect_failed",
			faults: []string{"autodiscover.connect_failed", "activesync.connect_failed"},
			fired:  []string{alerts("activesync", "connect_failed"), alerts("autodiscover", "connect_failed")},
			told:   []string{alerts("activesync", "connect_failed"), alerts("autodiscover", "connect_failed")}, to: "pager"},
	}
}

// scenariosOf makes a scenario of every fault of the lab.
func scenariosOf(t *testing.T, faults []labFault) []scenario {
	t.Helper()
	var scenarios []scenario
	for _, f := range faults {
		if def, reason := leadsTo(f); reason != nil {
			scenarios = append(scenarios, scenarioOf(f.Name, def, reason))
		} else {
			scenarios = append(scenarios, ofOwnSide(t, f))
		}
	}
	return scenarios
}

// ofOwnSide makes a scenario of a fault that leads to no finding: it is told
// that hmad cannot tell, or nothing.
func ofOwnSide(t *testing.T, f labFault) scenario {
	t.Helper()
	c := scenario{name: f.Name, faults: []string{f.Name}, reason: "mailbox_sync: nothing", stands: forTrial(40 * time.Minute)}
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
	if alert == catalog.AlertName("vantage", "vantage_offline") {
		c.fired = append(c.fired, "HmadWayOutClosed") // the demo looks from outside
	}
	return c
}

// tryAll tries everything, each demo one trial after the other. Those of
// tls_offload come first: its alerts fire only where activesync has told nothing
// lately.
func tryAll(ctx context.Context, demos []demo, scenarios []scenario, box *inbox) []record {
	queue := make(chan int, len(scenarios))
	for _, first := range []bool{true, false} {
		for i, c := range scenarios {
			if strings.HasPrefix(c.reason, "tls_offload.") == first {
				queue <- i
			}
		}
	}
	close(queue)
	records := make([]record, len(scenarios))
	var group sync.WaitGroup
	for n, d := range demos {
		group.Go(func() {
			_ = pause(ctx, forTrial(5*time.Minute)*time.Duration(n)/time.Duration(len(demos))) // a context that ended ends the trials too
			for i := range queue {
				if records[i] = d.try(ctx, scenarios[i], box); scenarios[i].after != "" {
					return
				}
			}
		})
	}
	group.Wait()
	return records
}

// try switches the faults on until they are told, and off until that is told.
func (d demo) try(ctx context.Context, c scenario, box *inbox) record {
	r := record{scenario: c, target: d.target}
	if len(c.faults) > 1 {
		r.err = d.betweenRuns(ctx) // they begin at one moment: no run sees one alone
	}
	told := func(status string) func() error {
		return func() error {
			if len(c.told) == 0 {
				return nil
			}
			return box.await(ctx, d.target, r.begin, status)
		}
	}
	steps := []func() error{
		func() error { return r.err },
		func() error { return d.switchAll(http.MethodPut, c.faults) },
		told("firing"),
		func() error { return pause(ctx, c.stands) },
		func() error { return d.betweenRuns(ctx) },
		func() error { return d.switchAll(http.MethodDelete, c.faults) },
		told("resolved"),
		func() error { return pause(ctx, rest) }, // nothing more may be told
	}
	if c.after != "" { // what follows may stand for long
		steps = append(steps[:6], func() error { return box.awaitMended(ctx, d.target, r.begin, c.told[0]) })
	}
	r.begin = time.Now()
	for _, step := range steps {
		if r.err = step(); r.err != nil {
			_ = d.switchAll(http.MethodDelete, c.faults) // for the next trial; this one has failed
			break
		}
	}
	r.end, r.all = time.Now(), box.of(d.target, r.begin)
	return r
}

// judge compares what came of a trial with what must.
func (r record) judge(t *testing.T, prometheus string) {
	assert.NoError(t, r.err)
	may := func(name string) bool { return name == r.after }
	assert.ElementsMatch(t, r.fired, slices.DeleteFunc(fired(t, prometheus, r.target, r.begin, r.end), may), "alerts that fired")
	if len(r.told) == 0 {
		assert.Empty(t, texts(r.all, r.begin))
		return
	}
	told := []string{}
	pages := 0
	for _, n := range r.all {
		assert.Equal(t, r.to, n.Receiver)
		before := len(told)
		for _, name := range n.firing() {
			if !slices.Contains(told, name) && !may(name) {
				told = append(told, name)
			}
		}
		if len(told) > before {
			pages++
		}
	}
	assert.ElementsMatch(t, r.told, told, "alerts that were told")
	assert.Equal(t, 1, pages, "notifications that told something new: %s", texts(r.all, r.begin))
	if assert.NotEmpty(t, r.all) && r.after == "" {
		assert.Equal(t, "resolved", r.all[len(r.all)-1].Status)
	}
}

// readable renders the page of one trial as the shipped template has it.
func readable(t *testing.T, records []record) {
	i := slices.IndexFunc(records, func(r record) bool { return r.name == "activesync.bearer_missing" })
	require.GreaterOrEqual(t, i, 0)
	_, reason := findReason("activesync.bearer_missing")
	data := write(t, t.TempDir(), "data.json", string(records[i].all[0].raw))
	for template, want := range map[string][]string{
		"hmad.subject": {"CRITICAL " + records[i].target + ": activesync.bearer_missing"},
		"hmad.text":    {reason.Summary, reason.Fix, "checks.md#activesyncbearer_missing", "silences/new?filter="},
	} {
		out, err := exec.CommandContext(t.Context(), "amtool", "template", "render", "--template.glob=../../deploy/alertmanager/*.tmpl",
			"--template.data="+data, `--template.text={{ template "`+template+`" . }}`).CombinedOutput()
		require.NoError(t, err, string(out))
		for _, w := range want {
			assert.Contains(t, string(out), w)
		}
		t.Logf("%s:\n%s", template, out)
	}
}

const tableFile = "../../docs/paging-table.md"

const tableHead = `<!-- Written by the end-to-end test: go test -tags e2e ./cmd/hmad -run TestEveryFaultPagesOnce -update -->

# From fault to page

A real Prometheus and a real Alertmanager, with the rules and the config that ship, watched demos; each fault of the lab was switched on while all ran. Every fault fired the alerts of its row and no other, was told once, as a page or a ticket, and told again when it was mended. A demo without a fault was watched for the whole time, and nothing was told of it. Faults that lead to no finding are there too: of some nothing may be told, of others that hmad cannot tell. Where the tenant throttles, ` + "`sweep_behind`" + ` may follow: hmad climbs back by minutes that no scale shortens.

The trial ran at a thirtieth: the demo looks every 10 seconds instead of every 5 minutes, and the durations of rules and routes are scaled alike (` + "`hmad rules --scale`" + `). The last column is the measured time, thirty times longer: that of a check that looks every 5 minutes, as all of a demo look at one pace. It depends on where in the schedule a fault begins, by up to 5 minutes. With default schedules ` + "`evosts_metadata`" + ` and ` + "`metadata_refresh`" + ` may take 10 minutes more, ` + "`tls_offload`" + ` and ` + "`configuration`" + ` 55; [alerting.md](alerting.md#how-soon-it-tells) says how long each takes at most. Alerts in parentheses fired and were inhibited.

| fault | reason | alerts that fired | told as | seconds in the trial | minutes in earnest |
|---|---|---|---|---|---|
`

// measured are the columns that differ from run to run.
var measured = regexp.MustCompile(`(?m) \d+ \| \d+ \|$`) // not those of rows of which nothing is told

// table writes a row for every trial.
func table(records []record) string {
	var b strings.Builder
	b.WriteString(tableHead)
	for _, r := range records {
		var alerts []string
		for _, a := range slices.Sorted(slices.Values(r.fired)) {
			if !slices.Contains(r.told, a) {
				a = "(" + a + ")"
			}
			alerts = append(alerts, a)
		}
		if len(r.told) == 0 {
			fmt.Fprintf(&b, "| %s | %s | none | nothing | | |\n", r.name, r.reason)
			continue
		}
		took := r.all[0].at.Sub(r.begin)
		as := map[string]string{"pager": "page", "tickets": "ticket"}[r.to]
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %.0f | %.0f |\n", r.name, r.reason, strings.Join(alerts, ", "), as, took.Seconds(), inEarnest(took).Minutes())
	}
	return b.String()
}

// keepTable holds the table in docs to what came of the scenarios, but for the
// times, or rewrites it.
func keepTable(t *testing.T, records []record) {
	if *updateTables {
		require.NoError(t, os.WriteFile(tableFile, []byte(table(records)), 0o644))
	}
	kept, err := os.ReadFile(tableFile)
	require.NoError(t, err)
	assert.Equal(t, measured.ReplaceAllString(table(records), ""), measured.ReplaceAllString(string(kept), ""),
		"docs/paging-table.md is behind: run this test with -update")
}
