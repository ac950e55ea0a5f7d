package exporter

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

// staleAfter is how long a verdict or a run's values are shown as current:
// three gaps of the schedule, at least 15 minutes.
func staleAfter(maxGap time.Duration) time.Duration { return max(3*maxGap, 15*time.Minute) }

// factSamples returns when each kind of fact last changed.
func factSamples(facts []state.Fact) []check.Sample {
	newest := map[string]time.Time{}
	for _, f := range facts {
		if f.Changed.After(newest[f.Fact.Name]) {
			newest[f.Fact.Name] = f.Changed
		}
	}
	var out []check.Sample
	for name, t := range newest {
		out = append(out, check.Sample{Metric: check.FactChanged, Value: unix(t), Labels: []string{name}})
	}
	return out
}

// maxSubjects is how many subjects of a reason are exported.
const maxSubjects = 5

// commonSamples derives the common families of one check. Success and findings
// are those of the last decided run. Once that is too old to speak for the
// present, success and the findings that were not there are withdrawn (a good
// verdict must not come from missing data) and those that were there stay.
func commonSamples(st state.Status, reasons []*check.Reason, now time.Time) []check.Sample {
	var out []check.Sample
	add := func(m *check.Metric, v float64, labels ...string) {
		out = append(out, check.Sample{Metric: m, Value: v, Labels: labels})
	}
	at := func(m *check.Metric, t time.Time) {
		if !t.IsZero() {
			add(m, unix(t))
		}
	}
	at(check.NextRun, st.Next)
	at(check.LastSuccess, st.LastSuccess)
	if st.MaxGap > 0 {
		add(check.MaxGap, st.MaxGap.Seconds())
	}
	if !st.Last.Start.IsZero() {
		at(check.LastRun, st.Last.Start)
		add(check.Decided, truth(st.Last.Outcome().Decided()))
	}
	out = append(out, factSamples(st.Facts)...)
	if st.Decided == nil {
		return out
	}
	at(check.LastDecided, st.Decided.Start)
	fresh := now.Sub(st.Decided.Start) <= staleAfter(st.MaxGap)
	if fresh {
		add(check.Success, truth(st.Decided.Outcome().Good()))
	}
	out = append(out, findingSamples(st.Decided.Report, reasons, fresh)...)
	return append(out, standingSamples(st)...)
}

// findingSamples returns hmad_finding for every reason that the report judged,
// and hmad_finding_accepted. Without zeros only what was found is given.
func findingSamples(r check.Report, reasons []*check.Reason, zeros bool) []check.Sample {
	var out []check.Sample
	standing, accepted := map[string]bool{}, map[string]bool{}
	for _, f := range r.Findings {
		if f.Accepted {
			accepted[f.Reason.Name] = true
		} else {
			standing[f.Reason.Name] = true
		}
	}
	for _, reason := range withFound(reasons, r.Findings) {
		labels := []string{reason.Name, string(reason.Severity)}
		switch {
		case standing[reason.Name]:
			out = append(out, check.Sample{Metric: check.FindingFound, Value: 1, Labels: labels})
		case zeros && (accepted[reason.Name] || !slices.ContainsFunc(r.Unevaluated(), named(reason.Name))):
			out = append(out, check.Sample{Metric: check.FindingFound, Value: 0, Labels: labels})
		}
		if accepted[reason.Name] {
			out = append(out, check.Sample{Metric: check.FindingAccepted, Value: 1, Labels: labels[:1]})
		}
	}
	return out
}

// standingSamples returns hmad_finding_about and hmad_finding_since of what
// stands and is not accepted. Several findings of one reason share its ranks.
func standingSamples(st state.Status) []check.Sample {
	var out []check.Sample
	subjects := map[string][]string{} // by reason
	for _, f := range st.Decided.Report.Findings {
		if f.Accepted {
			continue
		}
		reason := f.Reason.Name
		if _, seen := subjects[reason]; !seen {
			subjects[reason] = nil
			out = append(out, check.Sample{Metric: check.FindingSince, Value: unix(st.FoundSince[reason]), Labels: []string{reason}})
		}
		for _, subject := range f.About {
			if all := subjects[reason]; len(all) < maxSubjects && !slices.Contains(all, subject) {
				subjects[reason] = append(all, subject)
				out = append(out, check.Sample{Metric: check.FindingAbout, Value: float64(len(all) + 1), Labels: []string{reason, subject}})
			}
		}
	}
	return out
}

// withFound returns the declared reasons and, after them, what was found without
// being declared: a finding is never lost.
func withFound(reasons []*check.Reason, found []check.Finding) []*check.Reason {
	all := slices.Clone(reasons)
	for _, f := range found {
		if !slices.ContainsFunc(all, named(f.Reason.Name)) {
			all = append(all, f.Reason)
		}
	}
	return all
}

func named(name string) func(*check.Reason) bool {
	return func(r *check.Reason) bool { return r.Name == name }
}

// lastSamples returns the values of the last run, and of no other: a value that
// the last run could not see is absent, not old.
func lastSamples(st state.Status, now time.Time) []check.Sample {
	if now.Sub(st.Last.Start) > staleAfter(st.MaxGap) {
		return nil
	}
	return st.Last.Report.Samples
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// collector makes series from a snapshot of the Store at every scrape, so that
// no series of a removed check stays and none freezes.
type collector struct {
	source   Source
	defs     map[string]*check.Def
	families map[string]*family
	tables   *tables
	causes   check.Causes
	hold     func(check, reason string) time.Duration
	own      func() []check.Sample
	now      func() time.Time
}

func newCollector(o Options, own func() []check.Sample) *collector {
	c := &collector{source: o.Store, defs: map[string]*check.Def{}, families: map[string]*family{}, causes: check.CausesOf(o.Defs),
		hold: o.Hold, own: own, now: o.Now}
	c.declare(false, check.Common...)
	c.declare(false, Own...)
	for _, d := range o.Defs {
		c.defs[d.Name] = d
		c.declare(true, d.Metrics...)
	}
	c.tables = &tables{source: o.Store, families: c.families, now: o.Now, sheet: &sheet{}}
	return c
}

// declare makes a family known; the first declaration of a name is the one
// that counts.
func (c *collector) declare(sampled bool, metrics ...*check.Metric) {
	for _, m := range metrics {
		if c.families[m.Name] == nil {
			c.families[m.Name] = newFamily(m, sampled)
		}
	}
}

// collect adds every series of the checks, and the daemon's own.
func (c *collector) collect(to *assembly) {
	e := emitter{families: c.families, to: to, seen: map[string]bool{}}
	e.dropped, e.tabled = c.tables.dropped()
	now, statuses := c.now(), c.source.Statuses()
	implied := impliedSamples(statuses, c.causes, c.hold, now)
	for _, st := range statuses {
		var reasons []*check.Reason
		if def := c.defs[st.ID.Check]; def != nil {
			reasons = def.Reasons
		}
		clear(e.seen) // series of two checks differ in check or target
		for _, s := range commonSamples(st, reasons, now) {
			e.emit(st.ID, s)
		}
		for _, s := range implied[st.ID] {
			e.emit(st.ID, s)
		}
		for _, s := range lastSamples(st, now) {
			e.emitSampled(st.ID, s)
		}
	}
	clear(e.seen)
	for _, s := range c.own() {
		e.emit(check.ID{}, s)
	}
	e.emitDropped()
}

// emitter hands the series of one scrape on; one that is not as declared or
// comes twice is left out and counted.
type emitter struct {
	families map[string]*family
	to       *assembly
	seen     map[string]bool // series of one check
	dropped  map[string]int
	tabled   map[string]bool // families that tables show
}

// emitSampled emits a check's own sample, which must not pretend to be a family
// of another kind or be of one that tables show.
func (e *emitter) emitSampled(id check.ID, s check.Sample) {
	if f := e.families[s.Metric.Name]; f == nil || !f.sampled || e.tabled[s.Metric.Name] {
		e.dropped[s.Metric.Name]++
		return
	}
	e.emit(id, s)
}

func (e *emitter) emit(id check.ID, s check.Sample) {
	f := e.families[s.Metric.Name]
	if f == nil || !f.fits(s.Metric, s.Labels) {
		e.dropped[s.Metric.Name]++
		return
	}
	values := labelValues(s.Metric, id, s.Labels)
	key := s.Metric.Name + "\xff" + strings.Join(values, "\xff")
	if e.seen[key] {
		e.dropped[s.Metric.Name]++
		return
	}
	e.seen[key] = true
	e.to.add(f, values, s.Value)
}

// emitDropped says what is not shown: 0 for every family that checks sample.
func (e *emitter) emitDropped() {
	for name, f := range e.families {
		if f.sampled && e.dropped[name] == 0 {
			e.dropped[name] = 0
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.dropped)) {
		e.emit(check.ID{}, check.Sample{Metric: SeriesDropped, Value: float64(e.dropped[name]), Labels: []string{name}})
	}
}
