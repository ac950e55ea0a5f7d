package exporter

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

// refreshEvery is how often the page loads itself anew, for a screen on a wall,
// when it is asked for by /?refresh=on. By default it does not: a reload shuts
// what a reader has opened and moves what he is reading.
const refreshEvery = 30

// facts are all that the page is made of.
type facts struct {
	statuses []state.Status
	health   state.Health
	reload   reload
	defs     map[string]*check.Def
	ordered  []*check.Def // the same, as the catalog has them
	causes   check.Causes
	hold     func(check, reason string) time.Duration
	checks   map[check.ID]*check.Check
	runbook  func(check, reason string) string // nil: there is none
	now      time.Time
	mayPost  bool
	refresh  bool
	version  string
}

// page is what the template shows. Every text in it that came from elsewhere
// has gone through line or block; the template escapes for HTML.
type page struct {
	Overall, Class, Icon string
	Now                  *moment
	Version              string
	Refresh              int // seconds; 0: never
	RefreshEvery         int
	MayPost              bool
	WhyNot               string
	Banners              []banner
	Counts               []count
	Targets              []target
}

type banner struct{ Title, Text string }

type count struct {
	look
	N int
}

type target struct {
	Name, Anchor string
	Chain        chain
	Causes       []cause
	Changes      []change
	Cards        []card
}

// newPage lays the facts out for people.
func newPage(f facts) page {
	p := page{
		Now: momentOf(f.now, f.now), Version: line(f.version), RefreshEvery: refreshEvery,
		MayPost: f.mayPost, WhyNot: mayNotPost, Banners: banners(f),
	}
	if f.refresh {
		p.Refresh = refreshEvery
	}
	var outcomes []check.Outcome
	for _, st := range worstFirst(f.statuses) {
		outcomes = append(outcomes, outcomeOf(st))
		if n := len(p.Targets); n == 0 || p.Targets[n-1].Name != line(st.ID.Target) {
			p.Targets = append(p.Targets, target{Name: line(st.ID.Target), Anchor: anchor(check.ID{Target: st.ID.Target})})
		}
		t := &p.Targets[len(p.Targets)-1]
		t.Cards = append(t.Cards, newCard(f, st))
	}
	own := map[string][]state.Status{} // of each target, in the Store's order
	for _, st := range f.statuses {
		name := line(st.ID.Target)
		own[name] = append(own[name], st)
	}
	for i := range p.Targets {
		p.Targets[i].overview(f, own[p.Targets[i].Name])
	}
	p.Overall, p.Class, p.Icon = overall(outcomes)
	p.Counts = counts(outcomes)
	return p
}

// overview fills what stands above the cards of the target whose checks these are.
func (t *target) overview(f facts, own []state.Status) {
	t.Chain, t.Causes, t.Changes = newChain(f.ordered, own), causes(f, own), changes(own, f.now)
}

// urgency is the order of outcomes within a target.
var urgency = []check.Outcome{check.Failed, check.Undecided, check.Warned, "", check.Skipped, check.Passed}

// worstFirst orders each target's checks by what needs a look first; the order
// of the rest stays.
func worstFirst(statuses []state.Status) []state.Status {
	statuses = slices.Clone(statuses)
	slices.SortStableFunc(statuses, func(a, b state.Status) int {
		return cmp.Or(strings.Compare(a.ID.Target, b.ID.Target),
			slices.Index(urgency, outcomeOf(a))-slices.Index(urgency, outcomeOf(b)))
	})
	return statuses
}

// outcomeOf returns the present outcome, "" before the first run.
func outcomeOf(st state.Status) check.Outcome {
	if st.Last.Start.IsZero() {
		return ""
	}
	return st.Last.Outcome()
}

// counts returns how many checks have each outcome, worst first, without zeros.
func counts(outcomes []check.Outcome) []count {
	n := map[check.Outcome]int{}
	for _, o := range outcomes {
		n[o]++
	}
	var out []count
	for _, o := range []check.Outcome{check.Failed, check.Undecided, check.Warned, check.Passed, check.Skipped, ""} {
		if n[o] > 0 {
			out = append(out, count{lookOf(o), n[o]})
		}
	}
	return out
}

// banners report problems of hmad itself.
func banners(f facts) []banner {
	var out []banner
	if !f.health.OK {
		text := "Checks continue. After a restart their results may be lost."
		if f.health.Problem != "" {
			text = line(f.health.Problem) + ". " + text
		}
		out = append(out, banner{"Results are not kept on disk", text})
	}
	if f.health.SetAside != "" {
		out = append(out, banner{"The state file could not be used",
			"It was set aside as " + line(f.health.SetAside) + " and a new one was started. Earlier history is missing here."})
	}
	if f.health.Damaged > 0 {
		out = append(out, banner{"The state file was damaged",
			fmt.Sprintf("%d of its lines are lost, with the results, ages or mailboxes that they held. All others are kept.", f.health.Damaged)})
	}
	if f.reload.err != nil {
		out = append(out, banner{"The last reload was refused",
			"The previous config stays in force. " + momentOf(f.reload.at, f.now).UTC + ":\n" + check.Block(f.reload.err.Error(), maxText)})
	}
	return out
}

// page answers GET /.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	f := facts{
		statuses: s.Store.Statuses(), health: s.Store.Health(), reload: s.lastReload(),
		defs: map[string]*check.Def{}, ordered: s.Defs, causes: check.CausesOf(s.Defs), hold: s.Hold, checks: map[check.ID]*check.Check{},
		runbook: s.Runbook, now: s.Now(), mayPost: s.postsAllowed(r), refresh: r.FormValue("refresh") == "on", version: s.Version,
	}
	for _, d := range s.Defs {
		f.defs[d.Name] = d
	}
	if s.Checks != nil {
		for _, c := range s.Checks() {
			f.checks[c.ID()] = c
		}
	}
	var buf bytes.Buffer
	if err := pageTemplate.Execute(&buf, newPage(f)); err != nil {
		answer(w, http.StatusInternalServerError, "the page cannot be shown: "+line(err.Error()))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(buf.Bytes())
}
