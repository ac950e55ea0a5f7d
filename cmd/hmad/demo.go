package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/lab"
	"github.com/hmad/hmad/internal/state"
)

// runLab is the command lab.
func (c *cli) runLab(ctx context.Context) int {
	err := c.withLab(func(l *lab.Lab, config string) error {
		fmt.Fprintf(c.stdout, "%s\n# This config:  %s\n# Faults:       curl %s/faults\n", l.Config(), config, l.Facts().Control)
		<-ctx.Done()
		return nil
	})
	if err != nil {
		return c.fail(exitError, err)
	}
	return exitOK
}

// runDemo is the command demo: the daemon with a lab as its only target.
func (c *cli) runDemo(ctx context.Context) int {
	err := c.withLab(func(l *lab.Lab, config string) error {
		for _, fault := range c.breaks {
			if err := l.Set(fault, true); err != nil {
				return fmt.Errorf("--break: %w", err)
			}
		}
		c.lab = l
		c.configFile, c.storagePath = config, filepath.Join(filepath.Dir(config), "state")
		return c.serve(ctx, func(ctx context.Context, d *daemon, s *site) { c.present(ctx, d, s, l) })
	})
	if err != nil {
		return c.fail(exitError, err)
	}
	return exitOK
}

// withLab runs use beside a lab, with a config for it in a folder that is gone
// afterwards.
func (c *cli) withLab(use func(l *lab.Lab, config string) error) error {
	dir, err := os.MkdirTemp("", "hmad-lab-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := lab.Start(lab.Options{Dir: dir, Control: c.labAddress, Target: c.target, Push: c.labPush, Now: now,
		Online: lab.Online{Mailboxes: c.mailboxes}})
	if err != nil {
		return err
	}
	defer l.Close()
	config := filepath.Join(dir, "hmad.yaml")
	if err := os.WriteFile(config, l.Config(), 0o600); err != nil {
		return err
	}
	return use(l, config)
}

// present prints the first result of every check, and what to do next.
func (c *cli) present(ctx context.Context, d *daemon, s *site, l *lab.Lab) {
	results := firstResults(ctx, d.store)
	if results == nil {
		return
	}
	if err := newPrinter(c.stdout, false).results(results); err != nil {
		c.complain(err)
	}
	scheme := "http://"
	if *s.flags.WebConfigFile != "" {
		scheme = "https://" // or http with passwords alone: the log says which
	}
	facts := l.Facts()
	page, control := scheme+reachable(s.main[0].Addr().String()), facts.Control
	fmt.Fprintf(c.stdout, `
Status page      %s/
Metrics          %s/metrics
%sBreak something  curl -X PUT %s/faults/activesync.bearer_missing
Mend it          curl -X DELETE %s/faults/activesync.bearer_missing
All faults       curl %s/faults
Stop with Ctrl-C.
`, page, page, oneMailbox(facts.Watched, page), control, control, control)
}

// oneMailbox is the line that asks of one of the lab's mailboxes; empty where it
// has none.
func oneMailbox(watched []string, page string) string {
	if len(watched) == 0 {
		return ""
	}
	return fmt.Sprintf("One mailbox      hmad mailbox %s --web.url=%s\n", watched[len(watched)-1], page)
}

// firstResults waits until every check has run once; nil when ctx ended first.
func firstResults(ctx context.Context, store *state.Store) []check.Result {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if results := lastResults(store); results != nil {
			return results
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// lastResults gives every check's last result; nil while one has none.
func lastResults(store *state.Store) []check.Result {
	var results []check.Result
	for _, s := range store.Statuses() {
		if s.Last.Start.IsZero() {
			return nil
		}
		results = append(results, s.Last)
	}
	return results
}
