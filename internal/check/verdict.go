package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// MaxDetail bounds in bytes a finding's detail and the text that says why a
// reason was not judged.
const MaxDetail = 600

// Bounds of what else a verdict keeps of others' texts, in bytes and in number.
const (
	maxError   = 1000
	maxSubject = 200
	maxAbout   = 5
	maxFact    = 200
	maxFacts   = 64
	maxNote    = 8 << 10
)

// Verdict collects what one run of a check concludes. It begins with every
// reason of its Def open; a reason that the run mentions in no way makes the
// run undecided. So a check that compared nothing can never pass.
//
// A reason may be mentioned more than once. What says more about the estate
// wins: Find, then Undecided, Open, NotApplicable, Clear. Only Find and Clear
// export a value. A Verdict is not safe for concurrent use.
type Verdict struct {
	def      *Def
	judged   map[*Reason]judgement
	findings []Finding
	errs     []error // in the order of the calls; the first one's class is the run's
	whole    bool    // an error concerns the whole run
	why      error   // the first such error
	report   Report  // samples, facts and notes
}

// state is what a run says of one reason, weakest first.
type state int

const (
	unmentioned state = iota
	cleared
	notApplicable
	left // open
	undecided
	found
)

// judgement is a reason's state and why it was not judged.
type judgement struct {
	state
	why  string
	ends bool // see Unjudged.Ends
}

// Judge returns a new Verdict in which every reason of d is open.
func (d *Def) Judge() *Verdict { return &Verdict{def: d, judged: map[*Reason]judgement{}} }

// Blank returns a new Verdict of the same Def in which every reason is open, for
// one of several Parts.
func (v *Verdict) Blank() *Verdict { return v.def.Judge() }

// Find records a finding. The names in about are what it concerns (hosts,
// addresses, servers, mailboxes by label mode), worst first; five are kept. The
// detail says what was seen and what was wanted; it may quote what came from
// outside, and is cleaned and cut.
func (v *Verdict) Find(r *Reason, about []string, format string, args ...any) {
	if !v.mark(judgement{state: found}, r) {
		return
	}
	v.findings = append(v.findings, Finding{Reason: r, About: subjects(about), Detail: Clean(fmt.Sprintf(format, args...), MaxDetail)})
}

// Clear records that the run looked, and that the reasons do not hold.
func (v *Verdict) Clear(reasons ...*Reason) { v.mark(judgement{state: cleared}, reasons...) }

// NotApplicable records that the reasons cannot arise here. The text in why
// names the setting or the fact: "no members configured".
func (v *Verdict) NotApplicable(why string, reasons ...*Reason) {
	v.mark(judgement{state: notApplicable, why: Clean(why, MaxDetail), ends: true}, reasons...)
}

// Open records that the reasons were not judged this time although nothing
// failed, or that another check reports it. The run stays decided.
func (v *Verdict) Open(why string, reasons ...*Reason) {
	v.mark(judgement{state: left, why: Clean(why, MaxDetail)}, reasons...)
}

// Stop records a finding behind which nothing can be seen: the reasons after
// it in the Def's order stay open.
func (v *Verdict) Stop(r *Reason, about []string, format string, args ...any) {
	v.Find(r, about, format, args...)
	v.Open("the run ended at "+r.Name, After(v.def.Reasons, r)...)
}

// Undecided records that the run could not look. Without reasons that concerns
// the whole run. The error has a Class (see Errorf); one without is of class
// other.
func (v *Verdict) Undecided(err error, reasons ...*Reason) {
	if err == nil {
		err = Errorf(Internal, "%s could not judge and does not say why", v.def.Name)
	}
	v.errs = append(v.errs, err)
	if len(reasons) == 0 {
		v.blame(err)
	}
	v.mark(judgement{state: undecided, why: Clean(err.Error(), MaxDetail)}, reasons...)
}

// Skip records that the run did not take place needs what another check
// gives.
func (v *Verdict) Skip(format string, args ...any) { v.Undecided(Skip(format, args...)) }

// Retract takes findings of these reasons back and leaves the reasons
// undecided, for the cause turned out to be on hmad's own side. A note keeps
// what was found.
func (v *Verdict) Retract(err error, reasons ...*Reason) {
	for _, f := range v.take(reasons) {
		v.Note("taken back: %s: %s", f.Reason.Name, f.Detail)
	}
	v.Undecided(err, reasons...)
}

// Supersede takes findings of these reasons back because the finding by tells
// of them. Where an earlier run found them, that ends too.
func (v *Verdict) Supersede(by *Reason, reasons ...*Reason) {
	v.take(reasons)
	v.mark(judgement{state: left, why: "reported by " + by.Name, ends: true}, reasons...)
}

// take removes the findings of the reasons, and all that was said of them.
func (v *Verdict) take(reasons []*Reason) (taken []Finding) {
	v.findings = slices.DeleteFunc(v.findings, func(f Finding) bool {
		if !slices.Contains(reasons, f.Reason) {
			return false
		}
		taken = append(taken, f)
		return true
	})
	for _, r := range reasons {
		delete(v.judged, r)
	}
	return taken
}

// mark sets the state of the reasons unless they have a stronger one. It reports
// whether the Def declares them all; one that it does not declare is a defect
// of the check and makes the run undecided.
func (v *Verdict) mark(j judgement, reasons ...*Reason) bool {
	for _, r := range reasons {
		if !slices.Contains(v.def.Reasons, r) {
			v.defect("names the reason %s, which it does not declare", r.name())
			return false
		}
		if j.state > v.judged[r].state {
			v.judged[r] = j
		}
	}
	return true
}

func (r *Reason) name() string {
	if r == nil {
		return "nil"
	}
	return r.Name
}

// defect makes the run undecided for a programming error.
func (v *Verdict) defect(format string, args ...any) {
	err := Errorf(Internal, "a defect of hmad: %s %s", v.def.Name, fmt.Sprintf(format, args...))
	v.errs = append(v.errs, err)
	v.blame(err)
}

// blame notes an error that concerns the whole run.
func (v *Verdict) blame(err error) {
	v.whole = true
	if v.why == nil {
		v.why = err
	}
}

// Found reports whether any of the reasons was found.
func (v *Verdict) Found(reasons ...*Reason) bool {
	return slices.ContainsFunc(reasons, func(r *Reason) bool { return v.judged[r].state == found })
}

// Failed reports whether a critical reason was found.
func (v *Verdict) Failed() bool {
	return slices.ContainsFunc(v.findings, func(f Finding) bool { return f.Reason.Severity == Critical })
}

// Findings returns what was found so far, in the order of the calls.
func (v *Verdict) Findings() []Finding { return slices.Clone(v.findings) }

// Sample records a gauge's value; labels are the values of m.Labels in order.
func (v *Verdict) Sample(m *Metric, value float64, labels ...string) {
	v.Samples(Sample{m, value, labels})
}

// Samples records the values of gauges that the Def declares.
func (v *Verdict) Samples(samples ...Sample) {
	for _, s := range samples {
		if fault := v.def.misfit(s); fault != "" {
			v.defect("%s", fault)
			continue
		}
		v.report.Samples = append(v.report.Samples, s)
	}
}

// misfit says what keeps a sample from being one of d's gauges; "" where it is one.
func (d *Def) misfit(s Sample) string {
	m := s.Metric
	switch {
	case m == nil:
		return "samples no metric"
	case m != Phase && !slices.Contains(d.Metrics, m):
		return "samples the metric " + m.Name + ", which it does not declare"
	case m.Kind != Gauge:
		return "samples " + m.Name + ", which is no gauge"
	case len(s.Labels) != len(m.Labels):
		return fmt.Sprintf("samples %s with %d label values, wants %d", m.Name, len(s.Labels), len(m.Labels))
	}
	return ""
}

// Fact records what a person compares when something broke. The subject says
// whose it is (a host, an address, a server) and may be empty. At most 64 facts
// are kept of a run, each value cut to 200 bytes.
func (v *Verdict) Fact(f *Fact, subject, value string) {
	if !slices.Contains(v.def.Facts, f) {
		v.defect("records a fact that it does not declare")
		return
	}
	if len(v.report.Facts) < maxFacts {
		v.report.Facts = append(v.report.Facts, Observed{f, Clean(subject, maxSubject), Clean(value, maxFact)})
	}
}

// Note records what a person may want to read of the run.
func (v *Verdict) Note(format string, args ...any) { v.note(Seen, fmt.Sprintf(format, args...)) }

// Repeat records a command that repeats a question of the run by hand.
func (v *Verdict) Repeat(commands ...string) { v.note(Repeat, commands...) }

// Timeline records a line of a table in fixed pitch that shows what happened
// when.
func (v *Verdict) Timeline(lines ...string) { v.note(Timeline, lines...) }

// Keep records notes of another verdict.
func (v *Verdict) Keep(notes ...Note) { v.report.Notes = append(v.report.Notes, notes...) }

func (v *Verdict) note(kind NoteKind, texts ...string) {
	for _, text := range texts {
		v.report.Notes = append(v.report.Notes, Note{kind, Block(text, maxNote)})
	}
}

// Report closes the verdict: findings and unjudged reasons in the Def's order,
// and the error that leaves the run undecided, nil when there is none. A reason
// that nobody judged is an error of class internal.
func (v *Verdict) Report() (Report, error) {
	why := v.silence()
	out := v.report
	order := func(a, b Finding) int {
		return slices.Index(v.def.Reasons, a.Reason) - slices.Index(v.def.Reasons, b.Reason)
	}
	out.Findings = append(out.Findings, v.findings...)
	slices.SortStableFunc(out.Findings, order)
	for _, r := range v.def.Reasons {
		switch j := v.judged[r]; j.state {
		case found, cleared:
		case unmentioned:
			out.Unjudged = append(out.Unjudged, Unjudged{Reason: r, Why: why})
		default:
			out.Unjudged = append(out.Unjudged, Unjudged{r, j.why, j.ends})
		}
	}
	return out, Joined(v.errs...)
}

// silence returns why reasons stand unmentioned: an error of the whole run, or
// else a defect, which it makes one.
func (v *Verdict) silence() (why string) {
	if !v.whole {
		var silent []string
		for _, r := range v.def.Reasons {
			if v.judged[r].state == unmentioned {
				silent = append(silent, r.Name)
			}
		}
		if len(silent) == 0 {
			return ""
		}
		v.defect("did not judge %s", List(silent))
	}
	return Clean(v.why.Error(), MaxDetail)
}

// subjects bounds the names that a finding is about.
func subjects(about []string) []string {
	var out []string
	for _, name := range about {
		name = Clean(strings.TrimSpace(name), maxSubject)
		if name != "" && len(out) < maxAbout && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// Look makes one run of a check that this Def built, without a runner, and
// returns its report and error.
func (d *Def) Look(ctx context.Context, run func(context.Context, *Verdict)) (Report, error) {
	v := d.Judge()
	run(ctx, v)
	return v.Report()
}
