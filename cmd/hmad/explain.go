package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/near"
)

// explain prints what the argument names: a reason by its full or short name or
// by its alert, all of a check, an alert about hmad itself by its name or reason,
// a class of error, a metric; or every reason.
func (c *cli) explain(ctx context.Context) int {
	found := false
	for _, d := range catalog.Defs() {
		here := c.explainCheck(d)
		if here && c.reason != "" {
			c.last(ctx, d)
		}
		found = found || here
	}
	found = c.explainAlert() || found
	found = c.explainClass() || found
	found = c.explainMetric() || found
	if !found {
		return c.fail(exitUndecided, fmt.Errorf("got reason %q, want one that `hmad explain` lists, an alert or a class of error%s",
			c.reason, near.Hint(c.reason, explained())))
	}
	return exitOK
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

// explainCheck prints what of the check the argument names, and says whether
// it names anything of it.
func (c *cli) explainCheck(d *check.Def) (found bool) {
	if c.reason == "" || c.reason == d.Name {
		fmt.Fprintf(c.stdout, "%s\n  %s\n\n", d.Name, d.Doc)
		found = true
	}
	for _, r := range d.Reasons {
		full := d.Name + "." + r.Name
		if slices.Contains([]string{"", d.Name, r.Name, full, catalog.AlertName(d.Name, r.Name)}, c.reason) {
			c.entry(full, string(r.Severity), r.Summary, r.Fix, r.Runbook, catalog.RunbookURL(d.Name, r.Name))
			found = true
		}
	}
	return found
}

// entry prints what there is to know of a reason, or of an alert about hmad,
// which has no runbook of this form.
func (c *cli) entry(name, severity, means, fix string, book *check.Runbook, more string) {
	fmt.Fprintf(c.stdout, "%s (%s)\n  means:  %s\n", name, severity, means)
	if book != nil {
		for i, cause := range book.Causes {
			fmt.Fprintf(c.stdout, "  cause %d: %s\n", i+1, cause)
		}
		fmt.Fprintf(c.stdout, "  verify: %s\n  who:    %s\n", book.Verify, strings.Join(book.Who(), "; "))
	}
	fmt.Fprintf(c.stdout, "  fix:    %s\n", fix)
	if book != nil {
		fmt.Fprintf(c.stdout, "  mended: %s\n  source: %s\n", book.Mended, book.Source)
	}
	fmt.Fprintf(c.stdout, "  more:   %s\n\n", more)
}

// explainAlert prints the alert about hmad itself that the argument names.
func (c *cli) explainAlert() (found bool) {
	for _, a := range catalog.OwnAlerts() {
		if c.reason == a.Name || c.reason != "" && c.reason == a.Reason || ofOwn(c.reason, a.Reason) {
			c.entry(a.Name, a.Severity, a.Summary, a.Fix, nil, a.Runbook)
			found = true
		}
	}
	return found
}

// ofOwn reports whether name is the reason of an alert about hmad itself, with
// a check before it as subjects show it: mailbox_sync.undecided, hmad.reload_failed.
func ofOwn(name, reason string) bool {
	of, rest, dotted := strings.Cut(name, ".")
	return dotted && rest == reason && (of == "hmad" || catalog.Find(of) != nil)
}

// explainMetric prints the metric that the argument names.
func (c *cli) explainMetric() bool {
	for _, m := range append(catalog.Metrics(), exporter.Own...) {
		if m.Name == c.reason {
			fmt.Fprintf(c.stdout, "%s (a metric: %s)\n  means:  %s\n\n", m.Name, m.Kind, m.Help)
			return true
		}
	}
	return false
}

// explainClass prints the class of error that the argument names: why a check
// could not tell.
func (c *cli) explainClass() bool {
	for _, class := range check.Classes {
		if class.Name == c.reason {
			fmt.Fprintf(c.stdout, "%s (a class of error: a check cannot tell)\n  means:  %s\n  look:   %s\n  more:   %s\n\n", class, class.Means, class.Look, catalog.UndecidedRunbook)
			return true
		}
	}
	return false
}

// last prints the timeline and the commands to repeat by hand of the check's
// last runs, as the running daemon knows them.
func (c *cli) last(ctx context.Context, d *check.Def) {
	var doc struct {
		Results []struct {
			Check, Target    string
			Timeline, Repeat []string
		}
	}
	if err := c.asking.get(ctx, "/api/v1/results", &doc); err != nil {
		fmt.Fprintf(c.stdout, "To see it now, with the commands that repeat it: `hmad check %s`, or the status page (%s).\n", d.Name, err)
		return
	}
	for _, r := range doc.Results {
		if r.Check != d.Name || len(r.Timeline)+len(r.Repeat) == 0 {
			continue
		}
		fmt.Fprintf(c.stdout, "%s of %s, as the daemon saw it last\n", r.Check, r.Target)
		for _, line := range r.Timeline {
			fmt.Fprintf(c.stdout, "  %s\n", line)
		}
		for _, command := range r.Repeat {
			fmt.Fprintf(c.stdout, "  repeat: %s\n", command)
		}
		fmt.Fprintln(c.stdout)
	}
}
