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

// fleetSize is that of the lab's fleet: over a hundred that synchronise, or
// sync_stopped says nothing of it.
const fleetSize = 150

// Each fault of the lab that leads to a reason of mailbox_sync or onprem_sync
// shows exactly that one, and shows no more once it is mended, while the checks
// go on; a healthy lab shows none.
func TestEachFaultOfTheSyncTimesShowsExactlyItsReason(t *testing.T) {
	s := startSyncLab(t)
	s.shows(t, nil)
	tried := 0
	for _, f := range s.lab.Faults() {
		def, reason := leadsTo(labFault(f))
		if reason == nil || !ofSync(def.Name) {
			continue
		}
		tried++
		t.Run(f.Name, func(t *testing.T) {
			require.NoError(t, s.lab.Set(f.Name, true))
			if reason.Name == "sweep_behind" {
				s.clock.advance(10 * time.Minute) // nobody is asked meanwhile
			}
			s.shows(t, reason)
			require.NoError(t, s.lab.Set(f.Name, false))
			s.shows(t, nil)
		})
	}
	assert.GreaterOrEqual(t, tried, len(hmadsync.MailboxSync.Reasons)+len(hmadsync.OnPremSync.Reasons))
}

// syncLab is a lab with an Exchange Online and both checks of sync times at
// work on it; mailbox_sync sweeps until the test ends.
type syncLab struct {
	clock  *fastClock
	lab    *lab.Lab
	checks []*check.Check
	shown  []string // when last looked at
}

// fastClock is the wall clock, and can be put forward.
type fastClock struct{ ahead atomic.Int64 }

func (c *fastClock) now() time.Time { return now().Add(time.Duration(c.ahead.Load())) }

func (c *fastClock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

func startSyncLab(t *testing.T) *syncLab {
	t.Helper()
	clock := &fastClock{}
	l, err := lab.Start(lab.Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Now: clock.now, Online: lab.Online{Mailboxes: fleetSize}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	file, err := config.Parse("lab", lab.Config(l))
	require.NoError(t, err)
	target := &file.Targets[0]
	target.ExchangeOnline.Rate, target.Sync.AskEvery = 1000, time.Second // more than a config may say: a test cannot wait
	w := trial(t.TempDir())
	w.labs = []*lab.Lab{l}
	checks, err := catalog.Build(file, func(t config.Target, name string) check.Env {
		env := w.env(t, name)
		env.Now = clock.now
		return env
	})
	require.NoError(t, err)
	s := &syncLab{clock: clock, lab: l, checks: slices.DeleteFunc(checks, func(c *check.Check) bool { return !ofSync(c.Name) })}
	require.Len(t, s.checks, 2)
	s.sweep(t)
	return s
}

// sweep runs the Background of mailbox_sync until the test ends.
func (s *syncLab) sweep(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	for _, c := range s.checks {
		if c.Background != nil {
			c.Begin()
			go func() {
				defer close(done)
				assert.ErrorIs(t, c.Background(ctx), context.Canceled)
			}()
		}
	}
	t.Cleanup(func() { cancel(); <-done })
}

// shows waits until the checks find this reason and no other, everything being
// decided; nil: until they find none. Meanwhile they may still find what they
// found before, but nothing else.
func (s *syncLab) shows(t *testing.T, reason *check.Reason) {
	t.Helper()
	want := []string{}
	if reason != nil {
		want = []string{reason.Name}
	}
	may := append(s.shown, want...)
	if slices.Contains(may, "sync_failing") {
		may = append(may, "sync_stale") // which counts both: as failing ones grow in number it comes first, and goes last
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		found := []string{}
		for _, which := range s.checks {
			r, err := s.run(t, which)
			assert.NoError(c, err, which.Name)
			if reason == nil {
				assert.Empty(c, r.Unevaluated(), which.Name)
			}
			for _, f := range r.Findings {
				assert.Contains(t, may, f.Reason.Name, f.Detail)
				found = append(found, f.Reason.Name)
			}
		}
		assert.Equal(c, want, found)
	}, waitLimit, waitTick)
	s.shown = want
}

func (s *syncLab) run(t *testing.T, c *check.Check) (check.Report, error) {
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	return c.Look(ctx, c.Run)
}
