package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// printer writes text for people: in colour on a terminal alone, and no wider
// than it, but for commands, which are there to be copied.
type printer struct {
	w       io.Writer
	width   int // letters in a line
	colour  bool
	verbose bool // every note, not only the command that repeats the request
	err     error
}

func newPrinter(w io.Writer, verbose bool) *printer {
	return &printer{w: w, width: columns(w), colour: colours(w), verbose: verbose}
}

// marks are an outcome's sign and colour.
var marks = map[check.Outcome]struct{ sign, colour string }{
	check.Passed:    {"✓", "32"},
	check.Warned:    {"!", "33"},
	check.Failed:    {"✗", "31"},
	check.Undecided: {"?", "35"},
	check.Skipped:   {"-", "90"},
}

func (p *printer) results(results []check.Result) error {
	for i, r := range results {
		if i > 0 && r.Outcome() != check.Passed {
			p.line("")
		}
		p.result(r)
	}
	return p.err
}

func (p *printer) result(r check.Result) {
	outcome := r.Outcome()
	mark := marks[outcome]
	p.line("%s %s of %s: %s in %.2f s", p.paint(mark.colour, mark.sign), p.paint("1", r.Check), r.Target,
		p.paint(mark.colour, string(outcome)), r.Took.Seconds())
	if r.Err != nil {
		p.field("could not tell", r.Err.Error())
	}
	for _, f := range r.Report.Findings {
		p.finding(f)
	}
	p.unjudged(r.Report.Unjudged, outcome)
	p.notes(r.Report, outcome)
}

// unjudged lists the reasons that a decided run did not judge, and why. Of an
// undecided run the error says it.
func (p *printer) unjudged(reasons []check.Unjudged, outcome check.Outcome) {
	if !p.verbose && outcome != check.Passed && outcome != check.Warned {
		return
	}
	var order []string
	names := map[string][]string{}
	for _, u := range reasons {
		if names[u.Why] == nil {
			order = append(order, u.Why)
		}
		names[u.Why] = append(names[u.Why], u.Reason.Name)
	}
	for _, why := range order {
		p.field("not judged", strings.Join(names[why], ", ")+": "+why)
	}
}

func (p *printer) finding(f check.Finding) {
	severity := string(f.Reason.Severity)
	if f.Accepted {
		severity = "accepted"
	}
	if f.Carried {
		severity += ", not judged by this run"
	}
	p.text("  "+p.paint("1", f.Reason.Name)+" ("+severity+"): ", f.Detail, 4)
	if len(f.About) > 0 {
		p.field("about", strings.Join(f.About, ", "))
	}
	p.field("means", f.Reason.Summary)
	p.field("fix", f.Reason.Fix)
}

// notes prints the timeline and the first command that repeats the run by
// hand; with verbose every note.
func (p *printer) notes(r check.Report, outcome check.Outcome) {
	for _, n := range r.Notes {
		switch {
		case p.verbose:
			p.note(n)
		case n.Kind == check.Timeline:
			p.line("    %s", n.Text)
		}
	}
	commands := r.Texts(check.Repeat)
	if p.verbose || outcome == check.Passed || len(commands) == 0 {
		return
	}
	p.line("    %-7s %s", "repeat:", commands[0])
	if n := len(commands) - 1; n > 0 {
		p.field("", fmt.Sprintf("(%d more with --verbose)", n))
	}
}

// note prints a note as it is where it is there to be copied or has columns.
func (p *printer) note(n check.Note) {
	if n.Kind == check.Repeat || n.Kind == check.Timeline {
		p.line("  %s", p.paint("90", n.Text))
		return
	}
	p.line("%s", p.paint("90", wrap("  ", n.Text, 4, p.width)))
}

// field prints a named text, its further lines under the first.
func (p *printer) field(name, text string) {
	if name != "" {
		name += ":"
	}
	p.text(fmt.Sprintf("    %-7s ", name), text, 12)
}

// text prints a text after a prefix, its further lines with indent blanks.
func (p *printer) text(prefix, text string, indent int) {
	p.line("%s", wrap(prefix, text, indent, p.width))
}

// printJSON writes v for programs, and for people who read it all the same.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func (p *printer) paint(colour, s string) string {
	if !p.colour {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}
