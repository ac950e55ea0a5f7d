//go:build e2e

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// errEnded is in the error of a trial whose daemon is gone.
var errEnded = errors.New("hmad has ended")

// round is a try of scenarios at one pace: daemons, a real Prometheus and a real
// Alertmanager with the rules and the config that ship.
type round struct {
	t          *testing.T
	pace       pace
	box        *inbox
	prometheus string
	server     *process // Prometheus, at that address
	serve      []string // its arguments
	groups     groups
	daemons    []*demoDaemon
}

// record is what came of a trial.
type record struct {
	scenario
	pace       pace
	target     string
	begin, end time.Time
	all        []notification
	changes    []span // in which no check may run
	err        error
}

// startRound starts what is needed to try the scenarios, one process after the
// other.
func startRound(t *testing.T, program string, p pace, todo []scenario) *round {
	t.Helper()
	r := &round{t: t, pace: p, box: newInbox(t)}
	var addresses []string
	first := 0
	for _, c := range crews(todo) {
		w := startDemoDaemon(t, program, p, c, first)
		r.daemons = append(r.daemons, w)
		addresses = append(addresses, strconv.Quote(w.address))
		first += c.targets
	}
	alertmanager := startAlertmanager(t, float64(p), r.box)
	ctx, cancel := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { r.groups.watch(ctx, alertmanager) })
	t.Cleanup(func() { cancel(); watch.Wait() })
	r.startPrometheus(program, alertmanager, addresses)
	t.Logf("pace %s: %d targets of %d daemons", p, first, len(r.daemons))
	return r
}

// startPrometheus starts one that scrapes the daemons, and itself, with the rules
// that `hmad rules` prints for a trial.
func (r *round) startPrometheus(program, alertmanager string, daemons []string) {
	rules, err := exec.CommandContext(r.t.Context(), program, "rules", "--scale="+strconv.FormatFloat(float64(r.pace), 'f', -1, 64)).Output()
	require.NoError(r.t, err)
	dir := r.t.TempDir()
	write(r.t, dir, "hmad.rules.yaml", string(rules))
	r.prometheus = freeAddress(r.t)
	every := inPromQL(r.pace.of(scrapeEvery))
	config := write(r.t, dir, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: %s, scrape_timeout: %s, evaluation_interval: %s}
rule_files: [hmad.rules.yaml]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
  - job_name: hmad
    static_configs: [{targets: [%s]}]
  - job_name: prometheus
    static_configs: [{targets: [%q]}]
`, every, every, every, alertmanager, strings.Join(daemons, ", "), r.prometheus))
	r.serve = []string{"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "tsdb"), "--web.listen-address=" + r.prometheus,
		"--rules.alert.resend-delay=" + inPromQL(r.pace.of(time.Minute)), "--log.level=warn"}
	r.restartPrometheus()
}

// restartPrometheus ends Prometheus, where it runs, and starts it with what it had
// stored.
func (r *round) restartPrometheus() {
	if r.server != nil {
		r.server.stop()
	}
	path, err := exec.LookPath("prometheus")
	require.NoError(r.t, err, "prometheus is not installed: scripts/test-deps installs it")
	r.server = startProgram(r.t, path, r.serve...)
	awaitListener(r.t, r.prometheus)
}

// sees reports whether Prometheus sees that every check of every target of a
// daemon has come to a good verdict.
func (r *round) sees(w *demoDaemon) bool {
	from := fmt.Sprintf(`{instance=%q}`, w.address)
	good, err := r.value("count(count by (target) (hmad_check_success"+from+" == 1))", time.Now())
	if err != nil || int(good) != len(w.labs) {
		return false
	}
	bad, err := r.value(fmt.Sprintf("count(hmad_check_success%s == 0 or hmad_check_decided%s == 0 or hmad_finding%s == 1)", from, from, from), time.Now())
	return err == nil && bad == 0
}

// well lists the targets that are watched without a fault.
func (r *round) well() []string {
	var names []string
	for _, w := range r.daemons {
		if name := w.well(); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// ready waits until Prometheus sees every target well, and reports whether the
// machine keeps the pace while nothing is tried: once of three times, as starting
// all this is work too.
func (r *round) ready() bool {
	if why := r.awaitWell(); why != "" {
		r.t.Logf("pace %s is too fast for this machine now: %s", r.pace, why)
		return false
	}
	for range 3 {
		from, why := time.Now(), ""
		require.NoError(r.t, pause(r.t.Context(), 2*r.pace.every()))
		for _, w := range r.daemons {
			why = cmp.Or(why, r.strained(w, from))
		}
		if why == "" {
			return true
		}
		r.t.Logf("pace %s is too fast for this machine now: %s", r.pace, why)
	}
	return false
}

// awaitWell waits until Prometheus sees every target well. The text says why the
// machine is too slow for that at this pace, empty: it is not.
func (r *round) awaitWell() string {
	for _, w := range r.daemons {
		from := time.Now()
		if err := w.until(r.t.Context(), w.labs[0].name, func() bool { return r.sees(w) }); err != nil {
			why := r.strained(w, from)
			require.NotEmpty(r.t, why, "Prometheus does not see every target of %s well: %s", w.address, err)
			return why
		}
	}
	return ""
}

// strained is strain from a moment until now, which must be known.
func (r *round) strained(w *demoDaemon, from time.Time) string {
	why, err := r.strain(w, from, time.Now())
	require.NoError(r.t, err)
	return why
}

// tryAll tries the scenarios, each target one after the other, and watches the
// targets without a fault meanwhile. What the machine did not keep the pace of is
// tried again, and left when that happens twice in a row.
func (r *round) tryAll() (done, well []record, left []scenario) {
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	var mu sync.Mutex
	var tries, watches sync.WaitGroup
	keep := func(to *[]record) func(record) {
		return func(one record) {
			mu.Lock()
			defer mu.Unlock()
			*to = append(*to, one)
		}
	}
	for _, w := range r.daemons {
		for i, l := range w.labs {
			if l.name == w.well() {
				watches.Go(func() { r.watchWell(ctx, w, keep(&well)) })
				continue
			}
			tries.Go(func() {
				_ = pause(ctx, r.pace.every()*time.Duration(i)/time.Duration(len(w.labs))) // a context that ended ends the trials too
				r.tryFrom(ctx, w, l, keep(&done))
			})
		}
	}
	tries.Wait()
	cancel()
	watches.Wait()
	for _, w := range r.daemons {
		for c, ok := w.queue.take(); ok; c, ok = w.queue.take() {
			left = append(left, c)
		}
	}
	return done, well, left
}

// tryFrom tries what a daemon's queue holds at one of its targets.
func (r *round) tryFrom(ctx context.Context, w *demoDaemon, l labTarget, keep func(record)) {
	for slow := 0; slow < 2; {
		c, ok := w.queue.take()
		if !ok {
			return
		}
		one, why := r.try(ctx, w, l, c)
		if why == "" {
			slow = 0
			keep(one)
			r.t.Logf("%s at %s: %s", c.name, l.name, one.outcome())
		} else {
			slow++
			w.queue.giveBack(c)
			r.t.Logf("%s at %s: to be tried again, the machine did not keep the pace (%s)", c.name, l.name, why)
		}
		if c.after != "" {
			return
		}
	}
}

// outcome is one line for whoever watches the trial.
func (one record) outcome() string {
	took := one.end.Sub(one.begin).Round(time.Second)
	switch {
	case one.err != nil:
		return one.err.Error()
	case len(one.all) == 0:
		return fmt.Sprintf("nothing was told in %s", took)
	default:
		return fmt.Sprintf("told after %s, over after %s", one.all[0].at.Sub(one.begin).Round(time.Second), took)
	}
}

// watchWell writes down what is told of a target without a fault, in pieces of
// time of which each is kept if the machine kept the pace.
func (r *round) watchWell(ctx context.Context, w *demoDaemon, keep func(record)) {
	for ctx.Err() == nil {
		one := record{pace: r.pace, target: w.well(), begin: time.Now()}
		_ = pause(ctx, r.pace.of(time.Hour)) // cut short when all else is done
		one.end = time.Now()
		why, err := r.strain(w, one.begin, one.end)
		if err == nil && why != "" {
			continue
		}
		one.err = err
		one.all = append(r.box.of(one.target, one.begin), r.box.of("hmad", one.begin)...)
		keep(one)
	}
}

// try switches the faults on until they are told, and off until that is told. The
// text says why the trial is void, empty: it is not.
func (r *round) try(ctx context.Context, w *demoDaemon, l labTarget, c scenario) (one record, void string) {
	one = record{scenario: c, pace: r.pace, target: l.name, begin: time.Now()}
	steps := r.steps(ctx, w, l, &one)
	for _, s := range steps {
		if err := s.do(); err != nil {
			one.err = fmt.Errorf("%s: %w", s.what, err)
			_ = l.switchAll(http.MethodDelete, c.faults) // for the next trial; this one has failed
			break
		}
	}
	one.end, one.all = time.Now(), r.box.of(l.name, one.begin)
	if errors.Is(one.err, errEnded) {
		return one, ""
	}
	void, err := r.strain(w, one.begin, one.end)
	if err != nil {
		one.err = errors.Join(one.err, err)
	}
	torn := func(change span) bool { return w.ran(l.name, change.start, change.end) }
	if void == "" && slices.ContainsFunc(one.changes, torn) {
		void = "a run saw the faults half switched"
	}
	return one, void
}

// trialStep is one of a trial's.
type trialStep struct {
	what string
	do   func() error
}

// steps lists what a trial does.
func (r *round) steps(ctx context.Context, w *demoDaemon, l labTarget, one *record) []trialStep {
	c := one.scenario
	told := func(status string) func() error {
		return func() error {
			if len(c.told) == 0 {
				return nil
			}
			return w.until(ctx, l.name, func() bool { return r.box.has(l.name, one.begin, status) })
		}
	}
	steps := []trialStep{
		{"switching the faults on", func() error { one.begin = time.Now(); return r.switched(l, http.MethodPut, one) }},
		{"waiting until that is told", told("firing")},
		{"having the fault stand", func() error { return pause(ctx, r.pace.of(c.stands)) }},
		{"waiting for a time between two runs", func() error { return w.betweenRuns(ctx, l.name, one.begin) }},
		{"switching the faults off", func() error { return r.switched(l, http.MethodDelete, one) }},
		{"waiting until the end is told", told("resolved")},
		{"seeing that nothing more is told", func() error { return r.rest(ctx) }},
	}
	if len(c.faults) > 1 { // they begin at one moment: no run sees one alone
		steps = append([]trialStep{{"waiting for a time between two runs", func() error { return w.betweenRuns(ctx, l.name, time.Time{}) }}}, steps...)
	}
	if c.after != "" { // what follows may stand for long
		mended := func() bool { return r.box.mended(l.name, one.begin, c.told[0]) }
		steps = append(steps[:5], trialStep{"waiting until the end is told", func() error { return w.until(ctx, l.name, mended) }})
	}
	return steps
}

// switched switches the faults and notes when: a run at that moment saw half of
// them, of one fault as well where it is mended.
func (r *round) switched(l labTarget, method string, one *record) error {
	from := now()
	err := l.switchAll(method, one.faults)
	if method == http.MethodDelete || len(one.faults) > 1 {
		one.changes = append(one.changes, span{from, now()})
	}
	return err
}
