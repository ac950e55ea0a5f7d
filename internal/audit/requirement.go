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
	show   string              // the command that shows it, of the {tenant}; empty where there is none
	judge  func(estate) answer // pure

	ofServers bool // each server's own report tells of it: one that is silent leaves it open, which onprem_report tells
}

// state is what a judgement came to.
type state int

const (
	unjudged state = iota // a defect: nobody judged it
	isMet
	isUnmet
	isOpen  // not judged this time
	isNever // cannot arise here
)

func (s state) String() string {
	return [...]string{"not judged", "ok", "found", "not evaluated", "not applicable"}[s]
}

// answer is the judgement of a requirement.
type answer struct {
	state state
	seen  string   // the value seen, or why nothing can be said
	about []string // of an unmet one: names of what does not meet it
	err   error    // of an open one: what could not be read, with its class; nil where nothing failed
}

func met(format string, args ...any) answer {
	return answer{state: isMet, seen: fmt.Sprintf(format, args...)}
}

func unmet(about []string, format string, args ...any) answer {
	return answer{state: isUnmet, about: about, seen: fmt.Sprintf(format, args...)}
}

// open leaves a requirement unjudged because something could not be read.
func open(err error) answer { return answer{state: isOpen, seen: err.Error(), err: err} }

// moot leaves a requirement unjudged although all could be read.
func moot(format string, args ...any) answer {
	return answer{state: isOpen, seen: fmt.Sprintf(format, args...)}
}

// never leaves a requirement unjudged because it cannot arise here.
func never(format string, args ...any) answer {
	return answer{state: isNever, seen: fmt.Sprintf(format, args...)}
}

// judgeAll fills the verdict with every requirement, each by its own reason.
// Where there is no report at all, that is the run's error.
func judgeAll(v *check.Verdict, all []requirement, e estate) {
	if err := e.Err(); err != nil {
		v.Undecided(err)
	}
	for _, r := range all {
		a := r.answer(e)
		v.Note("%s", r.line(a, nameWidth(all)))
		r.tell(v, a)
	}
	v.Repeat(commands(all, e.tenant)...)
}

// tell records the answer. One that is open needs something that should
// be there is an error: such a run must not pass. What onprem_report tells of is
// an error only where a critical requirement of the organisation needs it, for it may last (a right
// that the collector lacks, a server that is out of order), and a run with an
// error renews no warning.
func (r requirement) tell(v *check.Verdict, a answer) {
	switch {
	case a.state == isUnmet:
		v.Find(r.reason, a.about, "%s; must be: %s", check.Clean(a.seen, maxSeen), r.wanted)
	case a.state == isMet:
		v.Clear(r.reason)
	case a.state == isNever:
		v.NotApplicable(a.seen, r.reason)
	case a.err != nil && (r.reason.Severity == check.Critical && !r.ofServers || !told(a.err)):
		v.Undecided(a.err, r.reason)
	case a.state == isOpen:
		v.Open(a.seen, r.reason)
	}
}

// answer judges the requirement. Where it is open needs any report, the
// answer says what of a report it needs.
func (r requirement) answer(e estate) answer {
	a := r.judge(e)
	if a.err != nil && len(r.reads) > 0 && e.Err() != nil {
		return moot("no report; needs its %s", strings.Join(r.reads, " and "))
	}
	return a
}

// line is the requirement's note, in columns.
func (r requirement) line(a answer, width int) string {
	return fmt.Sprintf("%-14s  %-*s  %s (must be: %s)", a.state, width, r.name, check.Clean(a.seen, maxSeen), r.wanted)
}

func nameWidth(all []requirement) int {
	width := 0
	for _, r := range all {
		width = max(width, len(r.name))
	}
	return width
}

// commands returns what shows all this by hand, in the Exchange Management Shell.
func commands(all []requirement, tenant string) []string {
	var lines []string
	for _, r := range all {
		if line := strings.ReplaceAll(r.show, "{tenant}", tenant); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// reasonsOf returns the reasons of the table, in its order.
func reasonsOf(all []requirement) []*check.Reason {
	var reasons []*check.Reason
	for _, r := range all {
		reasons = append(reasons, r.reason)
	}
	return reasons
}
