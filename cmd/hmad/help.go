package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/hmad/hmad"
	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/metadata"
	runs "github.com/hmad/hmad/internal/run"
)

// version is set by the linker.
var version = "dev"

func (c *cli) version(context.Context) int {
	fmt.Fprintf(c.stdout, "hmad %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitOK
}

func (c *cli) configExample(context.Context) int {
	fmt.Fprint(c.stdout, string(hmad.ExampleConfig))
	return exitOK
}

// path is the config file that a config command means.
func (c *cli) path() string {
	if c.file != "" {
		return c.file
	}
	return c.configFile
}

func (c *cli) configShow(context.Context) int {
	file, err := config.Load(c.path())
	if err != nil {
		return c.fail(exitUndecided, err)
	}
	text, err := file.Show()
	if err != nil {
		return c.fail(exitUndecided, err)
	}
	fmt.Fprint(c.stdout, string(text))
	return exitOK
}

// configCheck builds every check, as run would, and prints their next runs.
func (c *cli) configCheck(context.Context) int {
	_, checks, err := buildChecks(c.path(), trial(defaultStorage)) // of which nothing is read
	if err != nil {
		return c.fail(exitUndecided, err)
	}
	for _, ch := range checks {
		next, err := nextRuns(ch, now(), 5)
		if err != nil {
			return c.fail(exitUndecided, err)
		}
		fmt.Fprintf(c.stdout, "%s of %s, %s: %s UTC\n", ch.Name, ch.Target, ch.Schedule, strings.Join(next, ", "))
	}
	fmt.Fprintf(c.stdout, "%s is in order: %d checks\n", c.path(), len(checks))
	return exitOK
}

// nextRuns gives the times of a check's next n runs, phase included.
func nextRuns(c *check.Check, from time.Time, n int) ([]string, error) {
	schedule, _, err := runs.Of(c)
	if err != nil {
		return nil, err
	}
	var times []string
	for range n {
		from = schedule.Next(from)
		times = append(times, from.UTC().Format(time.DateTime))
	}
	return times, nil
}

// explain prints the reasons that the argument names: one by its full or
// short name, or all of a check, or all.
func (c *cli) explain(ctx context.Context) int {
	found := false
	for _, d := range catalog.Defs() {
		here := c.explainCheck(d)
		if here && c.reason != "" {
			c.timeline(ctx, d)
		}
		found = found || here
	}
	if !found {
		return c.fail(exitUndecided, fmt.Errorf("got reason %q, want one that `hmad explain` lists", c.reason))
	}
	return exitOK
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
		if c.reason == "" || c.reason == d.Name || c.reason == r.Name || c.reason == full {
			fmt.Fprintf(c.stdout, "%s (%s)\n  means:  %s\n  fix:    %s\n\n", full, r.Severity, r.Summary, r.Fix)
			found = true
		}
	}
	return found
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
