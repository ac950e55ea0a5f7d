package check

import (
	"slices"
	"time"
)

// Finding is a verdict on the customer's estate.
type Finding struct {
	Reason   *Reason
	About    []string // names of what it concerns, worst first; five at most
	Detail   string   // what was seen and what was wanted, for this run
	Accepted bool     // a waiver of the config covers it: shown, not alerted
	Carried  bool     // an earlier run found it, and this one did not judge it
}

// Unjudged is a reason that a run did not judge, and why in words for people.
type Unjudged struct {
	Reason *Reason
	Why    string
	Ends   bool // what an earlier run found ends: it cannot arise here, or another finding of this run reports it
}

// Fact is a kind of fact that a check records: what a person compares when
// something broke.
type Fact struct {
	Name string // snake case: "certificate"
	Doc  string // in a few words, for people
}

// Observed is one fact as a run saw it.
type Observed struct {
	Fact    *Fact
	Subject string // whose it is: a host, an address, a server; may be empty
	Value   string // for people and for comparison
}

// NoteKind is the closed set of what notes are for.
type NoteKind string

// The kinds of note.
const (
	Seen     NoteKind = "seen"     // what was seen on the way
	Repeat   NoteKind = "repeat"   // a command that repeats a question by hand
	Timeline NoteKind = "timeline" // a line of a table, in fixed pitch
	Attempt  NoteKind = "attempt"  // what one of two attempts found
)

// Note is a line for page, JSON and CLI; never a label.
type Note struct {
	Kind NoteKind
	Text string
}

// Report is what one run saw. A check makes it by a Verdict.
type Report struct {
	Findings []Finding  // in the order of the Def's reasons
	Unjudged []Unjudged // reasons that this run did not judge: absent, never 0
	Samples  []Sample
	Facts    []Observed
	Notes    []Note
}

// Unevaluated returns the reasons that the run did not judge.
func (r Report) Unevaluated() []*Reason {
	var out []*Reason
	for _, u := range r.Unjudged {
		out = append(out, u.Reason)
	}
	return out
}

// Texts returns the notes of the given kinds, of all kinds where none is given.
func (r Report) Texts(kinds ...NoteKind) []string {
	var out []string
	for _, n := range r.Notes {
		if len(kinds) == 0 || slices.Contains(kinds, n.Kind) {
			out = append(out, n.Text)
		}
	}
	return out
}

// Carry returns the report with those standing findings of earlier runs that
// this run did not judge: nothing is told as mended because nobody looked. None
// is accepted: the waivers of then may have ended.
func (r Report) Carry(standing []Finding) Report {
	out := r
	for _, f := range standing {
		at := slices.IndexFunc(r.Unjudged, func(u Unjudged) bool { return u.Reason == f.Reason })
		if at < 0 || r.Unjudged[at].Ends {
			continue
		}
		f.Carried, f.Accepted = true, false
		out.Findings = append(slices.Clip(out.Findings), f)
	}
	return out
}

// Result is a Report, stamped.
type Result struct {
	Check, Target string
	Start         time.Time
	Took          time.Duration
	Report        Report
	Err           error
}

// ID returns the check that this result is of.
func (r Result) ID() ID { return ID{r.Check, r.Target} }
