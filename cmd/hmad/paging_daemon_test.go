//go:build e2e

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// demoDaemon is an `hmad demo` in a process of its own, with several targets. Its
// runs are written down.
type demoDaemon struct {
	*process
	crew
	address string
	labs    []labTarget
	pace    pace

	mu   sync.Mutex
	runs map[string]map[string][]span // by target and check
}

// labTarget is a target and the control port of its lab.
type labTarget struct{ name, control string }

// span is the time that a run took.
type span struct{ start, end time.Time }

func (s span) took() time.Duration { return s.end.Sub(s.start) }

// startDemoDaemon starts a daemon and waits until it has run every check of every
// target. Its targets are numbered from first on.
func startDemoDaemon(t *testing.T, program string, p pace, c crew, first int) *demoDaemon {
	t.Helper()
	args := []string{"demo", "--web.listen-address=127.0.0.1:0", "--lab.listen-address=127.0.0.1:0", "--log.level=error",
		"--lab.every=" + p.every().String(), "--lab.mailboxes=" + strconv.Itoa(c.mailboxes)}
	w := &demoDaemon{crew: c, pace: p, runs: map[string]map[string][]span{}}
	for i := range c.targets {
		name := fmt.Sprintf("contoso-%02d", first+i)
		args = append(args, "--target="+name)
		w.labs = append(w.labs, labTarget{name: name})
		w.runs[name] = map[string][]span{}
	}
	w.process = startProgram(t, program, args...)
	said := w.await(t, w.stdout, `(?s).*Stop with Ctrl-C`)[0]
	w.address = regexp.MustCompile(`Status page +http://(\S+)/\n`).FindStringSubmatch(said)[1]
	controls := regexp.MustCompile(`All faults +curl (\S+)/faults\n`).FindAllStringSubmatch(said, -1)
	require.Len(t, controls, c.targets)
	for i, m := range controls {
		w.labs[i].control = m[1]
	}
	w.watch(t)
	return w
}

// startProgram runs a program until the test ends.
func startProgram(t *testing.T, path string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{stdout: newOutput(), stderr: newOutput(), cancel: cancel, exited: make(chan struct{})}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	require.NoError(t, cmd.Start())
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // it is stopped
		p.code = cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s %v said:\n%s%s", path, args, p.stdout, p.stderr)
		}
	})
	return p
}

// well is the target that is watched without a fault; empty: the daemon has none.
func (w *demoDaemon) well() string {
	if len(w.labs) == 1 {
		return ""
	}
	return w.labs[0].name
}

// watch writes the runs down until the test ends.
func (w *demoDaemon) watch(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		for pause(ctx, w.pace.every()/20) == nil {
			_ = w.note() // it may be too busy to answer; whether it still runs is seen by its runs
		}
	})
	t.Cleanup(func() { cancel(); group.Wait() })
}

// note writes down the latest run of every check.
func (w *demoDaemon) note() error {
	req, err := http.NewRequest(http.MethodGet, "http://"+w.address+"/api/v1/results", nil)
	if err != nil {
		return err
	}
	body, err := fetch(req)
	if err != nil {
		return err
	}
	var answer struct {
		Results []struct {
			Check, Target string
			Start         time.Time
			Duration      float64 `json:"duration_seconds"`
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range answer.Results {
		of := w.runs[r.Target]
		if all := of[r.Check]; len(all) == 0 || all[len(all)-1].start.Before(r.Start) {
			of[r.Check] = append(all, span{r.Start, r.Start.Add(time.Duration(r.Duration * float64(time.Second)))})
		}
	}
	return nil
}

// runsSince counts the runs that each check of a target has begun and ended since
// a moment: those of the check with the fewest. The text names that check.
func (w *demoDaemon) runsSince(target string, since time.Time) (fewest int, of string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fewest = -1
	for check, all := range w.runs[target] {
		n := 0
		for ; n < len(all) && !all[len(all)-1-n].start.Before(since); n++ {
		}
		if fewest < 0 || n < fewest {
			fewest, of = n, check
		}
	}
	return max(fewest, 0), of
}

// ran reports whether a check of the target ran in a time.
func (w *demoDaemon) ran(target string, from, to time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, all := range w.runs[target] {
		for _, r := range all {
			if r.start.Before(to) && r.end.After(from) {
				return true
			}
		}
	}
	return false
}

const (
	// enough runs of every check are many times what anything that is told takes.
	enough = 60
	// patience is how long nothing may go on at all.
	patience = time.Hour
	// waitLimit is that of single waits, as in the tests that are no trials.
	waitLimit = patience
)

// until waits for what must come while the target's checks run. No time bounds
// that: it fails when enough of their runs have passed, or when there are no more
// runs.
func (w *demoDaemon) until(ctx context.Context, target string, reached func() bool) error {
	since, seen, moved := now(), 0, time.Now()
	for !reached() {
		select {
		case <-w.exited:
			return fmt.Errorf("%w: %s", errEnded, w.stderr)
		default:
		}
		n, check := w.runsSince(target, since)
		if n > seen {
			seen, moved = n, time.Now()
		}
		switch {
		case n >= enough:
			return fmt.Errorf("not within %d runs of every check", n)
		case time.Since(moved) > patience:
			return fmt.Errorf("check %s has not run for %s", check, patience)
		}
		if err := pause(ctx, waitTick); err != nil {
			return err
		}
	}
	return nil
}

// betweenRuns waits for a time between two runs of a target, after every check has
// run since a moment. Nothing is switched under the hands of a run, which would see
// half of it.
func (w *demoDaemon) betweenRuns(ctx context.Context, target string, since time.Time) error {
	return w.until(ctx, target, func() bool {
		n, _ := w.runsSince(target, since)
		return n > 0 && w.quiet(target)
	})
}

// quiet reports whether no check of a target runs, nor soon will.
func (w *demoDaemon) quiet(target string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	soon := now().Add(w.pace.every() / 5)
	for _, all := range w.runs[target] {
		if len(all) == 0 || all[len(all)-1].start.Add(w.pace.every()).Before(soon) {
			return false
		}
	}
	return true
}

// switchAll switches faults of a lab: PUT on, DELETE off.
func (l labTarget) switchAll(method string, faults []string) error {
	for _, f := range faults {
		req, err := http.NewRequest(method, l.control+"/faults/"+f, nil)
		if err != nil {
			return err
		}
		if _, err := fetch(req); err != nil {
			return err
		}
	}
	return nil
}
