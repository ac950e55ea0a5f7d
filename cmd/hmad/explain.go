package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/metadata"
	"github.com/hmad/hmad/internal/near"
)

// explain prints what the argument names: a reason by its full or short name or
// by its alert, all of a check, an alert about hmad itself, a class of error; or
// every reason.
func (c *cli) explain(ctx context.Context) int {
	found := false
	for _, d := range catalog.Defs() {
		here := c.explainCheck(d)
		if here && c.reason != "" {
			c.timeline(ctx, d)
		}
		found = found || here
	}
	found = c.explainAlert() || found
	found = c.explainClass() || found
	if !found {
		return c.fail(exitUndecided, fmt.Errorf("got reason %q, want one that `hmad explain` lists, an alert or a class of error; did you mean %s?",
			c.reason, strings.Join(near.Names(c.reason, explained(), 3), ", ")))
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
		names = append(names, a.Name)
	}
	for _, class := range check.Classes {
		names = append(names, string(class))
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
			c.entry(full, string(r.Severity), r.Summary, r.Fix, catalog.RunbookURL(d.Name, r.Name))
			found = true
		}
	}
	return found
}

// entry prints what there is to know of a reason, or of an alert about hmad.
func (c *cli) entry(name, severity, means, fix, more string) {
	fmt.Fprintf(c.stdout, "%s (%s)\n  means:  %s\n  fix:    %s\n  more:   %s\n\n", name, severity, means, fix, more)
}

// explainAlert prints the alert about hmad itself that the argument names.
func (c *cli) explainAlert() (found bool) {
	for _, a := range catalog.OwnAlerts() {
		if c.reason == a.Name {
			c.entry(a.Name, a.Severity, a.Summary, a.Fix, a.Runbook)
			found = true
		}
	}
	return found
}

// explainClass prints the class of error that the argument names: why a check
// could not tell.
func (c *cli) explainClass() bool {
	class := check.Class(c.reason)
	if !slices.Contains(check.Classes, class) {
		return false
	}
	fmt.Fprintf(c.stdout, "%s (a class of error: a check cannot tell)\n  means:  %s\n  more:   %s\n\n", class, catalog.ClassDoc(class), catalog.UndecidedRunbook)
	return true
}

// timeline prints the certificates' timeline as the running daemon has it, for
// the checks that draw one.
func (c *cli) timeline(ctx context.Context, d *check.Def) {
	if d != metadata.EvoSTSMetadata && d != metadata.MetadataRefresh {
		return
	}
	var doc struct {
		Results []struct {
			Check, Target string
			Notes         []string
		}
	}
	if err := c.asking.get(ctx, "/api/v1/results", &doc); err != nil {
		fmt.Fprintf(c.stdout, "The timeline of now: `hmad check %s`, or the status page (%s).\n", d.Name, err)
		return
	}
	for _, r := range doc.Results {
		if r.Check != d.Name {
			continue
		}
		fmt.Fprintf(c.stdout, "%s of %s, as the daemon has it\n", r.Check, r.Target)
		for _, n := range r.Notes {
			if line, ok := strings.CutPrefix(n, metadata.TimelinePrefix); ok {
				fmt.Fprintf(c.stdout, "  %s\n", line)
			}
		}
	}
}
