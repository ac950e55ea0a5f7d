package run

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hmad/hmad/internal/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a wall clock that a test can set; synctest only lets time pass.
type clock struct{ offset atomic.Int64 }

func (c *clock) Now() time.Time       { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) jump(d time.Duration) { c.offset.Add(int64(d)) }

// book is a Store that keeps everything.
type book struct {
	mu      sync.Mutex
	results map[check.ID][]check.Result
	next    map[check.ID]time.Time
	maxGap  map[check.ID]time.Duration
}

func newBook() *book {
	return &book{results: map[check.ID][]check.Result{}, next: map[check.ID]time.Time{}, maxGap: map[check.ID]time.Duration{}}
}

func (b *book) Record(r check.Result) (before check.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rs := b.results[r.ID()]; len(rs) > 0 {
		before = rs[len(rs)-1].Outcome()
	}
	b.results[r.ID()] = append(b.results[r.ID()], r)
	return before
}

func (b *book) Standing(id check.ID) []check.Finding {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range slices.Backward(b.results[id]) {
		if r.Outcome().Decided() {
			return r.Report.Findings
		}
	}
	return nil
}

func (b *book) Planned(id check.ID, next time.Time, maxGap time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next[id], b.maxGap[id] = next, maxGap
}

func (b *book) of(c *check.Check) []check.Result {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]check.Result(nil), b.results[c.ID()]...)
}

func (b *book) starts(c *check.Check) (starts []time.Time) {
	for _, r := range b.of(c) {
		starts = append(starts, r.Start)
	}
	return starts
}

func (b *book) due(c *check.Check) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next[c.ID()]
}

// meters counts for all checks.
type meters struct {
	mu     sync.Mutex
	counts map[series]float64
	seen   map[series]int // observations
}

type series struct {
	id     check.ID
	metric *check.Metric
	label  string
}

func newMeters() *meters { return &meters{counts: map[series]float64{}, seen: map[series]int{}} }

func (m *meters) For(id check.ID) check.Meter { return meter{m, id} }

func (m *meters) count(c *check.Check, metric *check.Metric, label string) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[series{c.ID(), metric, label}]
}

type meter struct {
	*meters
	id check.ID
}

func (m meter) Add(metric *check.Metric, v float64, labels ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[series{m.id, metric, labels[0]}] += v
}

func (m meter) Observe(metric *check.Metric, _ float64, _ ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen[series{m.id, metric, ""}]++
}

// bench is a runner with all around it in view.
type bench struct {
	*Runner
	clock  *clock
	book   *book
	meters *meters
	logs   *observer.ObservedLogs
}

func newBench() *bench {
	core, logs := observer.New(zapcore.InfoLevel)
	b := &bench{clock: &clock{}, book: newBook(), meters: newMeters(), logs: logs}
	b.Runner = &Runner{Book: b.book, MeterFor: b.meters.For, Now: b.clock.Now, ConfirmAfter: 5 * time.Second, Log: zap.New(core)}
	return b
}

// serve runs a dispatcher with the checks until the test, in its bubble, ends.
func (b *bench) serve(t *testing.T, maxRuns int, checks ...*check.Check) (d *Dispatcher, stop func()) {
	t.Helper()
	d = NewDispatcher(b.Runner, maxRuns)
	if err := d.Set(checks); err != nil {
		t.Fatal(err)
	}
	return d, b.start(t, d)
}

// start serves, and gives a function that ends it and waits for its return.
func (b *bench) start(t *testing.T, d *Dispatcher) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// pass lets virtual time pass until everything that it brings has happened.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// The vocabulary of the check under test.
var (
	refused = &check.Reason{Name: "connect_failed", Severity: check.Critical, Confirm: true}
	slow    = &check.Reason{Name: "timeout", Severity: check.Critical, Confirm: true}
	expired = &check.Reason{Name: "certificate_expired", Severity: check.Critical}
	old     = &check.Reason{Name: "build_old", Severity: check.Warning}
	lasting = &check.Metric{Name: "hmad_test_seconds", Kind: check.Gauge, Labels: []string{"host"}}

	vocabulary = []*check.Reason{refused, slow, expired, old}
)

type runFunc = func(context.Context, *check.Verdict)

// checkOf returns a check of contoso, every five minutes with a deadline of 30 s.
func checkOf(run runFunc) *check.Check {
	return &check.Check{
		Def: &check.Def{Name: "activesync",
			Reasons: vocabulary, Metrics: []*check.Metric{lasting}},
		Parts:  check.Parts{Run: run},
		Target: "contoso", Schedule: "*/5 * * * *", Timeout: 30 * time.Second,
	}
}

// good finds nothing.
func good(_ context.Context, v *check.Verdict) { v.Clear(vocabulary...) }

// taking returns a run that takes d, or until its context ends.
func taking(d time.Duration) runFunc {
	return func(ctx context.Context, v *check.Verdict) {
		select {
		case <-time.After(d):
			good(ctx, v)
		case <-ctx.Done():
			v.Undecided(ctx.Err())
		}
	}
}

// finding returns a run that finds the reasons.
func finding(reasons ...*check.Reason) runFunc {
	return func(ctx context.Context, v *check.Verdict) {
		good(ctx, v)
		for _, reason := range reasons {
			v.Find(reason, nil, "seen")
		}
	}
}

// inTurn returns a run that does as each of the functions says, one after the
// other, and then as the last.
func inTurn(runs ...runFunc) runFunc {
	n := 0
	return func(ctx context.Context, v *check.Verdict) {
		run := runs[min(n, len(runs)-1)]
		n++
		run(ctx, v)
	}
}

const day = 24 * time.Hour

func at(s string) time.Time {
	t, err := time.Parse(time.DateTime, s)
	if err != nil {
		panic(err)
	}
	return t
}
