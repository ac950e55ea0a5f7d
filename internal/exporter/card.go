package exporter

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

// overdueAfter is how late a run may be before the page calls it overdue: runs
// wait for one another and for their confirming attempts.
const overdueAfter = time.Minute

// maxCommands bounds how many commands to repeat by hand a card shows.
const maxCommands = 200

// card shows one check of a target.
type card struct {
	look
	Check, Target, Anchor string
	Doc                   []segment
	Schedule              string
	Since, Ran, Next      *moment
	Overdue               bool
	Took                  string
	MayPost               bool

	Error    *failure
	Earlier  *earlier // the last verdict, where the last run came to none
	Findings []finding
	Unjudged []unjudged

	Phases   []phases
	Numbers  []measured
	Repeat   []string // commands that repeat the questions by hand
	Timeline string
	Notes    string
	Runs     []run // newest first
	Marks    []run // the same, oldest first
	Tally    string
}

type failure struct{ Class, Meaning, Look, Message string }

// unjudged is a reason that the run did not judge, and why.
type unjudged struct{ Reason, Why string }

type earlier struct {
	look
	At *moment
}

type finding struct {
	Severity, Reason, Detail string
	About                    string // what it concerns, worst first
	Summary, Fix             []segment
	Since                    *moment
	Accepted, Carried        bool
	Until, Note              string // of the waiver
	Runbook                  string // its address; empty: none
	Causes                   string // its place on the page of runbooks; empty: none
}

func newCard(f facts, st state.Status) card {
	c := card{
		look: notRun, Check: line(st.ID.Check), Target: line(st.ID.Target), Anchor: anchor(st.ID),
		MayPost: f.mayPost,
		Next:    momentOf(st.Next, f.now), Overdue: !st.Next.IsZero() && f.now.Sub(st.Next) > overdueAfter,
	}
	if def := f.defs[st.ID.Check]; def != nil {
		c.Doc = prose(def.Doc)
	}
	if chk := f.checks[st.ID]; chk != nil {
		c.Schedule = chk.Schedule
	}
	if st.Last.Start.IsZero() {
		return c
	}
	c.look, c.Took = lookOf(st.Last.Outcome()), check.Span(st.Last.Took)
	c.Since, c.Ran = momentOf(st.Since, f.now), momentOf(st.Last.Start, f.now)
	verdict := st.Last
	if st.Last.Err != nil {
		c.Error = newFailure(st.Last)
	}
	if !st.Last.Outcome().Decided() && st.Decided != nil {
		verdict = *st.Decided
		c.Earlier = &earlier{lookOf(verdict.Outcome()), momentOf(verdict.Start, f.now)}
	}
	c.Findings = findings(f, st, verdict)
	for _, u := range verdict.Report.Unjudged {
		c.Unjudged = append(c.Unjudged, unjudged{line(u.Reason.Name), line(u.Why)})
	}
	c.Phases, c.Numbers = newPhases(st.Last.Report.Samples), numbers(st.Last.Report.Samples, f.now)
	c.setNotes(st.Last.Report)
	c.Runs, c.Tally = runs(st.History, f.now)
	c.Marks = slices.Clone(c.Runs)
	slices.Reverse(c.Marks)
	return c
}

func newFailure(r check.Result) *failure {
	f := &failure{Class: line(errorClass(r)), Meaning: "what it needs from another check is missing", Message: line(r.Err.Error())}
	if !errors.Is(r.Err, check.ErrSkipped) {
		class := check.ClassOf(r.Err)
		f.Meaning, f.Look = class.Means, class.Look
	}
	return f
}

// findings returns those that stand, worst first, then the accepted.
func findings(f facts, st state.Status, r check.Result) []finding {
	var out []finding
	for _, x := range r.Report.Findings {
		v := finding{
			Severity: string(x.Reason.Severity), Reason: line(x.Reason.Name), Detail: check.Block(x.Detail, maxText), About: line(strings.Join(x.About, ", ")),
			Summary: prose(x.Reason.Summary), Fix: prose(x.Reason.Fix),
			Since: momentOf(st.FoundSince[x.Reason.Name], f.now), Accepted: x.Accepted, Carried: x.Carried,
		}
		if x.Reason.Runbook != nil {
			v.Causes = "runbook#" + line(st.ID.Check) + "." + line(x.Reason.Name)
		}
		if f.runbook != nil {
			v.Runbook = f.runbook(st.ID.Check, x.Reason.Name)
		}
		if chk := f.checks[st.ID]; chk != nil && x.Accepted {
			v.Until, v.Note = waiver(chk, x.Reason.Name, r)
		}
		out = append(out, v)
	}
	slices.SortStableFunc(out, func(a, b finding) int { return rank(a) - rank(b) })
	return out
}

func rank(f finding) int {
	switch {
	case f.Accepted:
		return 2
	case f.Severity == string(check.Warning):
		return 1
	default:
		return 0
	}
}

// waiver finds the waiver that accepted a reason when the run began.
func waiver(c *check.Check, reason string, r check.Result) (until, note string) {
	for _, w := range c.Accept {
		if w.Covers(reason, r.Start) {
			return w.Until.Format("2006-01-02"), check.Block(w.Note, maxText)
		}
	}
	return "", ""
}

// setNotes parts what a run noted by kind: commands that repeat a question,
// each once (a confirming attempt asks the same again), the timeline, and what
// was seen.
func (c *card) setNotes(r check.Report) {
	for _, command := range r.Texts(check.Repeat) {
		if text := check.Block(command, maxNotes); !slices.Contains(c.Repeat, text) && len(c.Repeat) < maxCommands {
			c.Repeat = append(c.Repeat, text)
		}
	}
	c.Timeline = joinedNotes(r.Texts(check.Timeline))
	c.Notes = joinedNotes(r.Texts(check.Attempt, check.Seen))
}

// joinedNotes joins notes, up to the bound of a page's text.
func joinedNotes(notes []string) string {
	var b strings.Builder
	for _, n := range notes {
		if b.Len() > maxNotes {
			b.WriteString("…\n")
			break
		}
		b.WriteString(check.Block(strings.ReplaceAll(n, "\r\n", "\n"), maxNotes) + "\n")
	}
	return b.String()
}
