package main

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/lab"
	hmadsync "github.com/hmad/hmad/internal/sync"
)

// forwardClock is the wall clock, put forward by whoever cannot wait.
type forwardClock struct{ ahead atomic.Int64 }

func (c *forwardClock) now() time.Time { return now().Add(time.Duration(c.ahead.Load())) }

// syncLab is a lab with an Exchange Online, and the clock that it goes by.
type syncLab struct {
	*lab.Lab
	clock *forwardClock
}

// fleetSize is that of the lab's fleet: over a hundred, or sync_stopped says
// nothing of it.
const fleetSize = 200

func startSyncLab(t *testing.T) *syncLab {
	t.Helper()
	clock := &forwardClock{}
	l, err := lab.Start(lab.Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Now: clock.now, Online: lab.Online{Mailboxes: fleetSize}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return &syncLab{l, clock}
}

// forward puts the clock forward; the servers report again at once.
func (l *syncLab) forward(t *testing.T, d time.Duration) {
	t.Helper()
	l.clock.ahead.Add(int64(d))
	require.NoError(t, l.Refresh())
}

// Each fault of the lab that leads to a reason of mailbox_sync or onprem_sync
// shows exactly that one; a healthy lab shows none, before and after.
func TestEachFaultOfTheSyncTimesShowsExactlyItsReason(t *testing.T) {
	l := startSyncLab(t)
	l.isHealthy(t)
	tried := 0
	for _, f := range l.Faults() {
		def, reason := leadsTo(labFault(f))
		if reason == nil || !ofSync(def.Name) {
			continue
		}
		tried++
		t.Run(f.Name, func(t *testing.T) {
			s := l.build(t)
			l.show(t, s, reason.Name, func(on bool) { require.NoError(t, l.Set(f.Name, on)) })
			defer func() { require.NoError(t, l.Set(f.Name, false)) }()
			for name, c := range s.checks {
				want := []string{}
				if name == def.Name {
					want = []string{reason.Name}
				}
				assert.Equal(t, want, s.found(c), name)
			}
		})
	}
	assert.GreaterOrEqual(t, tried, len(hmadsync.MailboxSync.Reasons)+len(hmadsync.OnPremSync.Reasons))
	l.isHealthy(t)
}

// show switches the fault on and brings the fleet to where the reason shows.
// Most do as soon as everybody has been asked.
func (l *syncLab) show(t *testing.T, s *syncChecks, reason string, fault func(on bool)) {
	switch reason {
	case "sync_stopped": // newer samples than the stop
		fault(true)
		l.sampled(t, s)
	case "sweep_behind": // nobody can be asked again when all verdicts have run out
		s.asked(t)
		fault(true)
		l.forward(t, 5*time.Hour)
		s.patience = 3 * time.Second
	default:
		fault(true)
		s.asked(t)
	}
}

// isHealthy wants nothing found and everything judged.
func (l *syncLab) isHealthy(t *testing.T) {
	t.Helper()
	s := l.build(t)
	l.sampled(t, s)
	for name, c := range s.checks {
		r, err := s.run(c)
		require.NoError(t, err, name)
		assert.Empty(t, s.found(c), "%s of a healthy lab: %+v", name, r.Findings)
		assert.Empty(t, r.Unevaluated, name)
	}
}

// syncChecks are both checks, built anew, with nothing remembered but the week
// of a busy fleet; mailbox_sync sweeps until the test ends.
type syncChecks struct {
	t        *testing.T
	checks   map[string]*check.Check
	patience time.Duration // of a run
}

func (l *syncLab) build(t *testing.T) *syncChecks {
	t.Helper()
	file, err := config.Parse("lab", l.Config())
	require.NoError(t, err)
	target := &file.Targets[0]
	target.ExchangeOnline.CertificateFile, target.ExchangeOnline.SecretFile = "", l.Facts().SecretFile // what a certificate signs has a date, of the true clock
	target.ExchangeOnline.Rate, target.Sync.SampleRate = 1000, 100                                     // more than a config may say: a test cannot wait
	target.Sync.StaleAfter = 4 * time.Hour                                                             // and tokens live for a day
	w := trial(t.TempDir())
	memory := w.store.Memory(target.Name)
	hmadsync.RehearseMailboxes(memory, l.clock.now(), 40)
	hmadsync.RehearseOnPrem(memory, l.clock.now(), 400)
	checks, err := catalog.Build(file, func(t config.Target, name string) check.Env {
		env := w.env(t, name)
		env.Now = l.clock.now
		return env
	})
	require.NoError(t, err)
	s := &syncChecks{t, map[string]*check.Check{}, time.Minute}
	for _, c := range checks {
		if ofSync(c.Name) {
			s.checks[c.Name] = c
		}
	}
	require.Len(t, s.checks, 2)
	s.checks[hmadsync.MailboxSync.Name].Begin()
	s.sweep(t)
	return s
}

// sweep runs the Background of mailbox_sync until the test ends.
func (s *syncChecks) sweep(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		assert.ErrorIs(t, s.checks[hmadsync.MailboxSync.Name].Background(ctx), context.Canceled)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func (s *syncChecks) run(c *check.Check) (check.Report, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), s.patience)
	defer cancel()
	return c.Run(ctx)
}

// found names what a run finds.
func (s *syncChecks) found(c *check.Check) []string {
	r, _ := s.run(c) // an error beside the finding is the fault's
	names := []string{}
	for _, f := range r.Findings {
		names = append(names, f.Reason.Name)
	}
	return names
}

// asked waits until the sweep has asked every mailbox.
func (s *syncChecks) asked(t *testing.T) {
	t.Helper()
	s.await(t, func(value func(family, label string) float64) bool {
		all := 0.0
		for _, state := range []string{"fresh", "stale", "failing", "inactive", "unknown", "not_provisioned", "cloud"} {
			all += value("hmad_mailboxes", state)
		}
		return all > fleetSize*9/10 && value("hmad_mailboxes", "unchecked") == 0
	})
}

// sampled waits until all have been asked, and two hours later, when no sample
// of before counts any more, so many again that they stand for the fleet.
func (l *syncLab) sampled(t *testing.T, s *syncChecks) {
	t.Helper()
	s.asked(t)
	l.forward(t, 2*time.Hour)
	s.await(t, func(value func(family, label string) float64) bool {
		return value("hmad_sync_sampled_mailboxes", "asked") >= 60
	})
}

// await runs mailbox_sync until its gauges are as wanted.
func (s *syncChecks) await(t *testing.T, reached func(value func(family, label string) float64) bool) {
	t.Helper()
	var last check.Report
	require.Eventually(t, func() bool {
		last, _ = s.run(s.checks[hmadsync.MailboxSync.Name])
		return reached(func(family, label string) float64 {
			i := slices.IndexFunc(last.Samples, func(v check.Sample) bool {
				return v.Metric.Name == family && slices.Equal(v.Labels, []string{label})
			})
			if i < 0 {
				return 0
			}
			return last.Samples[i].Value
		})
	}, waitLimit, waitTick)
}
