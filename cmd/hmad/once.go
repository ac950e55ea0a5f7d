package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/near"
	runs "github.com/hmad/hmad/internal/run"
)

// runOnce is the command check: it never opens the daemon's state, so its
// memory is empty.
func (c *cli) runOnce(ctx context.Context) int {
	b, err := buildChecks(c.configFile, trial(c.storagePath))
	checks := b.Checks
	if err == nil {
		checks, err = c.chosen(checks)
	}
	if err != nil {
		return c.fail(exitUndecided, err)
	}
	results := c.runAll(ctx, checks, b.file.ConfirmAfter)
	if ctx.Err() != nil {
		return c.fail(exitUndecided, fmt.Errorf("interrupted"))
	}
	if err := c.print(results); err != nil {
		return c.fail(exitUndecided, err)
	}
	return exitCode(results)
}

// chosen picks the checks that the command line names; none named is all.
func (c *cli) chosen(checks []*check.Check) ([]*check.Check, error) {
	for _, name := range c.checks {
		if catalog.Find(name) == nil {
			return nil, fmt.Errorf("got check %q, want one of %s%s", name, strings.Join(catalog.Names(), ", "), near.Hint(name, catalog.Names()))
		}
	}
	var chosen []*check.Check
	known := false
	for _, ch := range checks {
		known = known || c.target == ch.Target
		if (c.target == "" || c.target == ch.Target) && (len(c.checks) == 0 || slices.Contains(c.checks, ch.Name)) {
			chosen = append(chosen, ch)
		}
	}
	switch {
	case c.target != "" && !known:
		return nil, fmt.Errorf("--target: got %q, which %s does not have%s", c.target, c.configFile, near.Hint(c.target, targetNames(checks)))
	case len(chosen) == 0:
		return nil, fmt.Errorf("no check to run: %s switches off what was asked for, or leaves out its inputs", c.configFile)
	}
	return chosen, nil
}

// targetNames returns the target of each check.
func targetNames(checks []*check.Check) []string {
	names := make([]string, len(checks))
	for i, ch := range checks {
		names[i] = ch.Target
	}
	return names
}

// runAll runs the checks side by side and returns their results in order.
// Standard error shows how far it is.
func (c *cli) runAll(ctx context.Context, checks []*check.Check, confirmAfter time.Duration) []check.Result {
	results := make([]check.Result, len(checks))
	runner := &runs.Runner{Now: now, ConfirmAfter: confirmAfter, Log: zap.NewNop()}
	shown := newProgress(c.stderr, len(checks))
	var group errgroup.Group
	group.SetLimit(maxRuns)
	for i, ch := range checks {
		group.Go(func() error {
			shown.begin(ch.ID())
			results[i], _ = runner.Run(ctx, ch)
			shown.end(results[i])
			return nil
		})
	}
	_ = group.Wait() // no run returns an error here: it is in the run's result
	return results
}

func (c *cli) print(results []check.Result) error {
	if c.output == "json" {
		return printJSON(c.stdout, exporter.Document(results))
	}
	return newPrinter(c.stdout, c.verbose).results(results)
}

// exitCode is that of monitoring plugins: 2 any failed, else 3 any undecided,
// else 1 any warned, else 0. Skipped does not count, but all skipped is 3.
func exitCode(results []check.Result) int {
	seen := map[check.Outcome]bool{}
	for _, r := range results {
		seen[r.Outcome()] = true
	}
	switch {
	case seen[check.Failed]:
		return exitFailed
	case seen[check.Undecided]:
		return exitUndecided
	case seen[check.Warned]:
		return exitWarned
	case seen[check.Passed]:
		return exitOK
	default:
		return exitUndecided
	}
}
