package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/near"
)

// explanation is what there is to know of a name.
type explanation struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"`
	Severity string   `json:"severity,omitempty"`
	Type     string   `json:"type,omitempty"` // of a metric
	Means    string   `json:"means"`
	Causes   []string `json:"causes,omitempty"`
	Verify   string   `json:"verify,omitempty"`
	Who      []string `json:"who,omitempty"`
	Fix      string   `json:"fix,omitempty"`
	Mended   string   `json:"mended,omitempty"`
	Look     string   `json:"look,omitempty"`
	Source   string   `json:"source,omitempty"`
	More     string   `json:"more,omitempty"`

	names []string // by which it is asked for
}

// explain prints what the argument names: a reason by its full or short name or
// by its alert, all of a check, an alert about hmad itself by its name or reason,
// a class of error, a metric; without one an index of all but the metrics.
func (c *cli) explain(ctx context.Context) int {
	found := c.asked(slices.Concat(ofChecks(), ofAlerts(), ofClasses(), ofMetrics()))
	if len(found) == 0 {
		return c.fail(exitUndecided, fmt.Errorf("got reason %q, want one that `hmad explain` lists, an alert or a class of error%s",
			c.reason, near.Hint(c.reason, explained())))
	}
	p := newPrinter(c.stdout, true)
	switch {
	case c.output == "json":
		if err := printJSON(c.stdout, found); err != nil {
			return c.fail(exitUndecided, err)
		}
	case c.reason == "":
		p.index(found)
	default:
		for _, e := range found {
			p.explanation(e)
		}
		c.lastRuns(ctx, found, p)
	}
	return exitOK
}

// asked returns those that the argument names; without one all but the metrics.
func (c *cli) asked(all []explanation) []explanation {
	return slices.DeleteFunc(all, func(e explanation) bool {
		if c.reason == "" {
			return e.Kind == "metric"
		}
		return !slices.Contains(e.names, c.reason)
	})
}

// explained lists every name that explain takes.
func explained() []string {
	names := catalog.Names()
	for _, d := range catalog.Defs() {
		for _, r := range d.Reasons {
			names = append(names, d.Name+"."+r.Name, r.Name, catalog.AlertName(d.Name, r.Name))
		}
	}
	for _, a := range catalog.OwnAlerts() {
		names = append(names, a.Name, a.Reason)
	}
	for _, class := range check.Classes {
		names = append(names, class.Name)
	}
	return names
}

// ofChecks explains every check and reason.
func ofChecks() (all []explanation) {
	for _, d := range catalog.Defs() {
		all = append(all, explanation{Name: d.Name, Kind: "check", Means: d.Doc, names: []string{d.Name}})
		for _, r := range d.Reasons {
			book := cmp.Or(r.Runbook, &check.Runbook{})
			full := d.Name + "." + r.Name
			all = append(all, explanation{Name: full, Kind: "reason", Severity: string(r.Severity), Means: r.Summary, Causes: book.Causes,
				Verify: book.Verify, Who: book.Who(), Fix: r.Fix, Mended: book.Mended, Source: book.Source, More: catalog.RunbookURL(d.Name, r.Name),
				names: []string{d.Name, r.Name, full, catalog.AlertName(d.Name, r.Name)}})
		}
	}
	return all
}

// ofAlerts explains the alerts about hmad itself.
func ofAlerts() (all []explanation) {
	for _, a := range catalog.OwnAlerts() {
		names := []string{a.Name, a.Reason, "hmad." + a.Reason}
		for _, of := range catalog.Names() {
			names = append(names, of+"."+a.Reason) // as subjects show it: mailbox_sync.undecided
		}
		all = append(all, explanation{Name: a.Name, Kind: "alert", Severity: a.Severity, Means: a.Summary, Fix: a.Fix, More: a.Runbook, names: names})
	}
	return all
}

// ofClasses explains the classes of error: why a check could not tell.
func ofClasses() (all []explanation) {
	for _, class := range check.Classes {
		all = append(all, explanation{Name: class.Name, Kind: "class of error", Means: class.Means, Look: class.Look, More: catalog.UndecidedRunbook,
			names: []string{class.Name}})
	}
	return all
}

// ofMetrics explains the metrics.
func ofMetrics() (all []explanation) {
	for _, m := range append(catalog.Metrics(), exporter.Own...) {
		all = append(all, explanation{Name: m.Name, Kind: "metric", Type: string(m.Kind), Means: m.Help, names: []string{m.Name}})
	}
	return all
}

// index prints a line for each.
func (p *printer) index(all []explanation) {
	longest := 0
	for _, e := range all {
		longest = max(longest, len(e.Name))
	}
	for _, e := range all {
		p.line("%s", cut(fmt.Sprintf("%-*s  %-8s  %s", longest, e.Name, cmp.Or(e.Severity, e.Kind), e.Means), p.width))
	}
}

// explanation prints all that there is to know of a name.
func (p *printer) explanation(e explanation) {
	kind := cmp.Or(e.Severity, e.Kind)
	if e.Type != "" {
		kind = "a metric: " + e.Type
	}
	p.line("%s (%s)", p.paint("1", e.Name), kind)
	for _, f := range []struct{ name, text string }{
		{"means", e.Means}, {"causes", numbered(e.Causes)}, {"verify", e.Verify}, {"who", strings.Join(e.Who, "; ")}, {"fix", e.Fix},
		{"mended", e.Mended}, {"look", e.Look}, {"source", e.Source}, {"more", e.More},
	} {
		if f.text != "" {
			p.field(f.name, f.text)
		}
	}
	p.line("")
}

// numbered returns a line for each cause.
func numbered(causes []string) string {
	lines := make([]string, len(causes))
	for i, cause := range causes {
		lines[i] = fmt.Sprintf("%d. %s", i+1, cause)
	}
	return strings.Join(lines, "\n")
}

// lastRuns prints the timeline and the commands to repeat by hand of the checks
// among what was found.
func (c *cli) lastRuns(ctx context.Context, found []explanation, p *printer) {
	for _, d := range catalog.Defs() {
		if slices.ContainsFunc(found, func(e explanation) bool { return e.Name == d.Name || strings.HasPrefix(e.Name, d.Name+".") }) {
			c.last(ctx, d, p)
		}
	}
}

// last prints the timeline and the commands to repeat by hand of the check's
// last runs, as the running daemon knows them.
func (c *cli) last(ctx context.Context, d *check.Def, p *printer) {
	var doc struct {
		Results []struct {
			Check, Target    string
			Timeline, Repeat []string
		}
	}
	if err := c.asking.get(ctx, "/api/v1/results", &doc); err != nil {
		p.text("", fmt.Sprintf("To see it now, with the commands that repeat it: `hmad check %s`, or the status page (%s).", d.Name, err), 0)
		return
	}
	for _, r := range doc.Results {
		if r.Check != d.Name || len(r.Timeline)+len(r.Repeat) == 0 {
			continue
		}
		p.line("%s of %s, as the daemon saw it last", r.Check, r.Target)
		for _, line := range r.Timeline {
			p.line("  %s", line)
		}
		for _, command := range r.Repeat {
			p.line("  repeat: %s", command)
		}
		p.line("")
	}
}
