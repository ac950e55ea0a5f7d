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
	runs "github.com/hmad/hmad/internal/run"
)

// version and revision are set by the linker.
var version, revision = "dev", ""

func (c *cli) version(context.Context) int {
	fmt.Fprintln(c.stdout, versionLine())
	return exitOK
}

// versionLine says what this program is and what built it.
func versionLine() string {
	of := ""
	if revision != "" {
		of = "revision " + revision + ", "
	}
	return fmt.Sprintf("hmad %s (%s%s, %s/%s)", version, of, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func (c *cli) configExample(context.Context) int {
	fmt.Fprint(c.stdout, string(hmad.ExampleConfig))
	return exitOK
}

func (c *cli) configSchema(context.Context) int {
	text, err := catalog.Schema()
	if err != nil {
		return c.fail(exitUndecided, err)
	}
	fmt.Fprintln(c.stdout, string(text))
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

// configCheck builds every check, as run would, and prints their next runs. What
// may come after the start is a warning.
func (c *cli) configCheck(context.Context) int {
	b, err := buildChecks(c.path(), trial(defaultStorage)) // its folder is not read
	for _, e := range b.later {
		c.complain(fmt.Errorf("warning: %w", e))
	}
	if err == nil {
		err = listenable(b.file)
	}
	if err != nil {
		return c.fail(exitUndecided, err)
	}
	for _, e := range b.Doubts {
		c.complain(fmt.Errorf("warning: %w", e))
	}
	targets := map[string]*config.Target{}
	for i := range b.file.Targets {
		targets[b.file.Targets[i].Name] = &b.file.Targets[i]
	}
	var schedules runs.Schedules
	for _, ch := range b.Checks {
		next, err := nextRuns(&schedules, ch, now(), 5)
		if err != nil {
			return c.fail(exitUndecided, err)
		}
		fmt.Fprintf(c.stdout, "%s of %s, %s: %s UTC\n", ch.Name, ch.Target, ch.Schedule, strings.Join(next, ", "))
		if ch.Sends != nil {
			fmt.Fprintf(c.stdout, "%s of %s sends %s\n", ch.Name, ch.Target, ch.Sends(*targets[ch.Target]))
		}
	}
	fmt.Fprintf(c.stdout, "%s is in order: %d checks%s\n", c.path(), len(b.Checks), readAs(b.count()))
	return exitOK
}

// readAs says who has read the files that a config names: run may be another user.
func readAs(files int) string {
	if files == 0 {
		return ""
	}
	return fmt.Sprintf("; its files were read as user %s (files: %d)", config.User(), files)
}

// nextRuns returns the times of a check's next n runs, phase included.
func nextRuns(s *runs.Schedules, c *check.Check, from time.Time, n int) ([]string, error) {
	schedule, _, err := s.Of(c)
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
