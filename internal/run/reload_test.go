package run

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

func TestSetRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(good)
		d, _ := b.serve(t, 1, c)
		never := checkOf(good)
		never.Target, never.Schedule = "fabrikam", "0 0 31 2 *"
		assert.ErrorContains(t, d.Set([]*check.Check{never}), "check activesync of target fabrikam: schedule")
		assert.ErrorContains(t, d.Set([]*check.Check{checkOf(good), checkOf(good)}), "check activesync of target contoso is configured twice")
		pass(10 * time.Minute)
		assert.Len(t, b.book.of(c), 3, "and goes on as before")
	})
}

func TestAReloadLeavesUnchangedChecksAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(taking(12*time.Second))
		d, _ := b.serve(t, 1, c)
		pass(phase + 10*time.Second) // the first planned run is in flight
		again := checkOf(func(context.Context, *check.Verdict) { panic("built anew, but not used") })
		fabrikam := checkOf(good)
		fabrikam.Target = "fabrikam"
		require.NoError(t, d.Set([]*check.Check{fabrikam, again}))
		assert.Equal(t, planned("00:05", 1)[0], b.book.due(c))
		pass(11 * time.Minute)
		assert.Equal(t, planned("00:00", 3), b.book.starts(c)[1:])
		for _, r := range b.book.of(c) {
			assert.NoError(t, r.Err)
		}
		assert.Len(t, b.book.of(fabrikam), 3, "the new one ran soon and then on time")
	})
}

func TestPhasesAreTheSameAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(good)
		_, stop := b.serve(t, 1, c)
		pass(6 * time.Minute)
		stop()
		b.serve(t, 1, checkOf(good))
		pass(9 * time.Minute)
		starts := b.book.starts(c)
		assert.Equal(t, planned("00:00", 1), starts[1:2])
		assert.Equal(t, planned("00:05", 2), starts[3:])
	})
}

func TestARemovedCheckStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(taking(12*time.Second))
		d, _ := b.serve(t, 1, c)
		pass(time.Second) // its first run is in flight
		answer := make(chan error, 1)
		go func() {
			_, err := d.RunNow(t.Context(), c.ID())
			answer <- err
		}()
		synctest.Wait()
		require.NoError(t, d.Set(nil))
		assert.ErrorIs(t, <-answer, check.ErrUnknown)
		pass(time.Hour)
		assert.Empty(t, b.book.of(c), "the run cut off is not recorded, and no other follows")
		_, err := d.RunNow(t.Context(), c.ID())
		assert.ErrorIs(t, err, check.ErrUnknown)
		assert.Empty(t, d.jobs)
	})
}

func TestAChangedCheckWaitsForItsOldRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flying atomic.Int32
		begun := map[string]time.Duration{}
		start := time.Now()
		// As in real life, the old run takes its time to notice.
		version := func(hash string) *check.Check {
			c := checkOf(func(ctx context.Context, v *check.Verdict) {
				assert.EqualValues(t, 1, flying.Add(1), "runs overlap")
				defer flying.Add(-1)
				begun[hash] = time.Since(start)
				if hash == "old" {
					<-ctx.Done()
					time.Sleep(3 * time.Second)
				}
				if good(ctx, v); ctx.Err() != nil {
					v.Undecided(ctx.Err())
				}
			})
			c.Hash = hash
			return c
		}
		b := newBench()
		d, _ := b.serve(t, 5, version("old"))
		pass(10 * time.Second)
		require.NoError(t, d.Set([]*check.Check{version("new")}))
		pass(20 * time.Second)
		assert.Equal(t, 13*time.Second, begun["new"])
		results := b.book.of(version("new"))
		require.Len(t, results, 1, "the run cut off is not recorded")
		assert.Equal(t, check.Passed, results[0].Outcome())
	})
}

func TestARemovedCheckThatComesBackWaitsForItsOldRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		c := checkOf(alone(t, inTurn(func(ctx context.Context, v *check.Verdict) {
			<-free
			good(ctx, v)
		}, good)))
		b := newBench()
		d, _ := b.serve(t, 5, c)
		pass(time.Second)
		require.NoError(t, d.Set(nil))
		pass(time.Second)
		require.NoError(t, d.Set([]*check.Check{c}))
		pass(time.Second)
		assert.Empty(t, b.book.of(c))
		close(free)
		pass(0)
		assert.Len(t, b.book.of(c), 1, "and then runs at once")
	})
}
