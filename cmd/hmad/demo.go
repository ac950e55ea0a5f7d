package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/lab"
	"github.com/hmad/hmad/internal/state"
)

// runLab is the command lab.
func (c *cli) runLab(ctx context.Context) int {
	err := c.withLabs(func(config string) error {
		fmt.Fprintf(c.stdout, "%s\n# This config:  %s\n", lab.Config(c.labs...), config)
		for _, l := range c.labs {
			fmt.Fprintf(c.stdout, "# Faults:       curl %s/faults\n", l.Facts().Control)
		}
		<-ctx.Done()
		return nil
	})
	if err != nil {
		return c.fail(exitError, err)
	}
	return exitOK
}

// runDemo is the command demo: the daemon with labs as its only targets.
func (c *cli) runDemo(ctx context.Context) int {
	err := c.withLabs(func(config string) error {
		if err := c.breakLabs(); err != nil {
			return err
		}
		c.configFile, c.storagePath = config, filepath.Join(filepath.Dir(config), "state")
		return c.serve(ctx, c.present)
	})
	if err != nil {
		return c.fail(exitError, err)
	}
	return exitOK
}

// breakLabs switches the faults of --break on in every lab.
func (c *cli) breakLabs() error {
	for _, l := range c.labs {
		for _, fault := range c.breaks {
			if err := l.Set(fault, true); err != nil {
				return fmt.Errorf("--break: %w", err)
			}
		}
	}
	return nil
}

// withLabs runs use beside the labs, with a config for them in a folder that is
// gone afterwards.
func (c *cli) withLabs(use func(config string) error) error {
	dir, err := os.MkdirTemp("", "hmad-lab-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	defer func() {
		for _, l := range c.labs {
			_ = l.Close() // nothing of it is kept
		}
	}()
	for i, target := range c.labTargets {
		l, err := lab.Start(lab.Options{Dir: filepath.Join(dir, strconv.Itoa(i)), Control: portAfter(c.labAddress, i), Target: target, Push: c.labPush,
			Every: c.labEvery, Now: now, Online: lab.Online{Mailboxes: c.mailboxes}})
		if err != nil {
			return err
		}
		c.labs = append(c.labs, l)
	}
	config := filepath.Join(dir, "hmad.yaml")
	if err := os.WriteFile(config, lab.Config(c.labs...), 0o600); err != nil {
		return err
	}
	return use(config)
}

// portAfter returns the address whose port is n higher; the same address where
// its port is 0, any free one, or no number.
func portAfter(address string, n int) string {
	host, text, err := net.SplitHostPort(address)
	port, _ := strconv.Atoi(text) // 0 where it is no number
	if err != nil || port == 0 {
		return address
	}
	return net.JoinHostPort(host, strconv.Itoa(port+n))
}

// present prints the first result of every check, and what to do next.
func (c *cli) present(ctx context.Context, d *daemon, s *site) {
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
	page := scheme + reachable(s.main[0].Addr().String())
	fmt.Fprintf(c.stdout, "\nStatus page      %s/\nMetrics          %s/metrics\n", page, page)
	for _, l := range c.labs {
		c.presentLab(l.Facts(), page)
	}
	fmt.Fprintln(c.stdout, "Stop with Ctrl-C.")
}

// presentLab prints what to do with one of the labs.
func (c *cli) presentLab(f lab.Facts, page string) {
	if len(c.labs) > 1 {
		fmt.Fprintf(c.stdout, "\nTarget           %s\n", f.Target)
	} else {
		fmt.Fprint(c.stdout, oneMailbox(f.Watched, page))
	}
	fmt.Fprintf(c.stdout, `Break something  curl -X PUT %s/faults/activesync.bearer_missing
Fix it           curl -X DELETE %s/faults/activesync.bearer_missing
All faults       curl %s/faults
`, f.Control, f.Control, f.Control)
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

// lastResults returns every check's last result; nil while one has none.
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
