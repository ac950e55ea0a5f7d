package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// requirement is one thing that the guide asks for.
type requirement struct {
	name   string              // for people, a few words
	reason *check.Reason       // the finding when it is not met
	reads  []string            // the report's sections without which it cannot be judged
	wanted string              // what must be so
	show   string              // the command that shows it; empty where there is none
	judge  func(estate) answer // pure
}

// state is what a judgement came to. The zero state is open: what nobody
// judged is not known.
type state int

const (
	isOpen state = iota // could not be judged
	isMet
	isUnmet
)

func (s state) String() string {
	switch s {
	case isMet:
		return "ok"
	case isUnmet:
		return "found"
	default:
		return "not evaluated"
	}
}

// answer is the judgement of a requirement.
type answer struct {
	state state
	seen  string // the value seen, or why nothing can be said
	err   error  // of an open answer: what could not be read, with its class; nil where nothing failed
}

func met(format string, args ...any) answer {
	return answer{state: isMet, seen: fmt.Sprintf(format, args...)}
}

func unmet(format string, args ...any) answer {
	return answer{state: isUnmet, seen: fmt.Sprintf(format, args...)}
}

// open leaves a requirement unjudged because something could not be read.
func open(err error) answer { return answer{seen: err.Error(), err: err} }

// moot leaves a requirement unjudged although all could be read.
func moot(format string, args ...any) answer { return answer{seen: fmt.Sprintf(format, args...)} }

// judgeAll judges every requirement. Where one stays open for want of
// something that should be there, the error says how many do and why: such a run
// must not pass. What onprem_report tells of is an error only where a critical
// requirement needs it, for it may last (a right that the collector lacks, a
// server that is out of order), and a run with an error renews no warning.
func judgeAll(all []requirement, e estate) (check.Report, error) {
	report := check.Report{Notes: check.Notes(e.notes()...)}
	var errs []error
	for _, r := range all {
		a := r.answer(e)
		report.Notes = append(report.Notes, check.Notes(r.line(a, nameWidth(all)))...)
		switch a.state {
		case isUnmet:
			report.Findings = append(report.Findings, check.Finding{Reason: r.reason, Detail: r.detail(a)})
		case isOpen:
			report.Unjudged = append(report.Unjudged, check.Unjudged{Reason: r.reason, Why: a.seen})
			if a.err != nil && (r.reason.Severity == check.Critical || !told(a.err)) {
				errs = append(errs, a.err)
			}
		}
	}
	report.Notes = append(report.Notes, check.Notes(commands(all)...)...)
	if err := e.Err(); err != nil {
		return report, err
	}
	return report, notJudged(errs)
}

// notJudged sums up why requirements are open. Its class is that of the first.
func notJudged(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	var why []string
	for _, err := range errs {
		if !slices.Contains(why, err.Error()) {
			why = append(why, err.Error())
		}
	}
	return check.Errorf(check.ClassOf(errs[0]), "requirements that cannot be judged: %d: %s", len(errs), check.Clean(list(why), maxError))
}

// answer judges the requirement, unless there is nothing to judge it by.
func (r requirement) answer(e estate) answer {
	if e.Err() != nil && len(r.reads) > 0 {
		return open(fmt.Errorf("no report; needs its %s", strings.Join(r.reads, " and ")))
	}
	return r.judge(e)
}

// detail says what was seen and what was wanted.
func (r requirement) detail(a answer) string {
	return check.Clean(a.seen, maxSeen) + "; must be: " + r.wanted
}

// line is the requirement's note, in columns.
func (r requirement) line(a answer, width int) string {
	return fmt.Sprintf("%-13s  %-*s  %s (must be: %s)", a.state, width, r.name, check.Clean(a.seen, maxSeen), r.wanted)
}

func nameWidth(all []requirement) int {
	width := 0
	for _, r := range all {
		width = max(width, len(r.name))
	}
	return width
}

// commands are the notes that say how to see all this by hand.
func commands(all []requirement) []string {
	notes := []string{"To see it by hand, in the Exchange Management Shell:"}
	for _, r := range all {
		if line := "  " + r.show; r.show != "" && !slices.Contains(notes, line) {
			notes = append(notes, line)
		}
	}
	return notes
}

// reasonsOf gives the reasons of the table, in its order.
func reasonsOf(all []requirement) []*check.Reason {
	var reasons []*check.Reason
	for _, r := range all {
		reasons = append(reasons, r.reason)
	}
	return reasons
}

// maxListed is how many of many things a text names.
const maxListed = 8

// list joins words for people, naming the first few of many.
func list(words []string) string {
	if n := len(words) - maxListed; n > 0 {
		return fmt.Sprintf("%s, and %d more", strings.Join(words[:maxListed], ", "), n)
	}
	return strings.Join(words, ", ")
}
