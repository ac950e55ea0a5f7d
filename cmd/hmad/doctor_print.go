package main

import "strings"

// stepsOf is what the doctor found out about this host or about a target.
type stepsOf struct {
	Of    string `json:"of"`
	Steps []step `json:"steps"`
}

// leastDetail is the least width of the doctor's third column; where it would be
// narrower the column begins in a line of its own.
const leastDetail = 30

// diagnosis prints what the doctor found out.
func (c *cli) diagnosis(all []stepsOf) error {
	if c.output == "json" {
		return printJSON(c.stdout, all)
	}
	p := newPrinter(c.stdout, false)
	for _, of := range all {
		p.line("%s", of.Of)
		p.steps(of.Steps)
	}
	return p.err
}

// steps prints a table of three columns: status, what was tried, and how it went.
func (p *printer) steps(steps []step) {
	status, what := 0, 0
	for _, s := range steps {
		status, what = max(status, letters(s.Status)), max(what, letters(s.What))
	}
	indent := 2 + status + 2 + what + 2
	beside := p.width-indent >= leastDetail
	if !beside {
		indent = 2 + status + 2
	}
	for _, s := range steps {
		first := "  " + padded(s.Status, status) + padded(s.What, what)
		if !beside {
			p.line("%s", strings.TrimRight(first, " "))
			first = strings.Repeat(" ", indent)
		}
		p.text(first, s.Detail, indent)
		if s.Advice != "" {
			p.text(strings.Repeat(" ", indent)+"→ ", s.Advice, indent+2)
		}
	}
}

// padded returns s with blanks up to width, and two more.
func padded(s string, width int) string { return s + strings.Repeat(" ", width-letters(s)+2) }
