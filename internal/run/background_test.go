package run

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

// withBackground returns a check whose Background is work, guarded against
// overlapping itself, and the times since now at which it began.
func withBackground(t *testing.T, work func(ctx context.Context, n int) error) (*check.Check, *[]time.Duration) {
	var working atomic.Int32
	begun, start := &[]time.Duration{}, time.Now()
	c := checkOf(good)
	c.Background = func(ctx context.Context) error {
		assert.EqualValues(t, 1, working.Add(1), "backgrounds overlap")
		defer working.Add(-1)
		*begun = append(*begun, time.Since(start))
		return work(ctx, len(*begun))
	}
	return c, begun
}

func untilEnd(ctx context.Context, _ int) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestABackgroundThatFailsStartsAgain(t *testing.T) {
	seconds := func(s ...int) (ds []time.Duration) {
		for _, n := range s {
			ds = append(ds, time.Duration(n)*time.Second)
		}
		return ds
	}
	for name, tc := range map[string]struct {
		work func(ctx context.Context, n int) error
		want []time.Duration // within 20 minutes
	}{
		"an error, with growing pauses": {func(context.Context, int) error { return errors.New("lost") },
			seconds(0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111)},
		"a panic": {func(ctx context.Context, n int) error {
			if n == 1 {
				panic("held")
			}
			return untilEnd(ctx, n)
		}, seconds(0, 1)},
		"one that ends in peace stays ended": {func(context.Context, int) error { return nil }, seconds(0)},
		"a pause starts over after a long life": {func(ctx context.Context, n int) error {
			if n == 4 {
				time.Sleep(10 * time.Minute)
			}
			return errors.New("lost")
		}, seconds(0, 1, 3, 7, 608, 610, 614, 622, 638, 670, 734, 862, 1118)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, begun := withBackground(t, tc.work)
				b := newBench()
				b.serve(t, 1, c)
				pass(20 * time.Minute)
				assert.Equal(t, tc.want, *begun)
				assert.Len(t, b.book.of(c), 5, "the runs go on beside it")
			})
		})
	}
}

func TestABackgroundLivesAsLongAsItsCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// It takes three seconds to end.
		c, begun := withBackground(t, func(ctx context.Context, n int) error {
			defer time.Sleep(3 * time.Second)
			return untilEnd(ctx, n)
		})
		b := newBench()
		d, stop := b.serve(t, 1, c)
		pass(10 * time.Second)
		require.NoError(t, d.Set([]*check.Check{c}))
		pass(10 * time.Second)
		assert.Len(t, *begun, 1, "unchanged")

		changed := *c
		changed.Hash = "changed"
		require.NoError(t, d.Set([]*check.Check{&changed}))
		pass(10 * time.Second)
		assert.Equal(t, 23*time.Second, (*begun)[1], "changed: the new one waits for the old one's end")

		require.NoError(t, d.Set(nil))
		require.NoError(t, d.Set([]*check.Check{c}))
		pass(10 * time.Second)
		assert.Equal(t, 33*time.Second, (*begun)[2], "removed and there again")

		require.NoError(t, d.Set(nil))
		pass(10 * time.Second)
		assert.Len(t, *begun, 3, "removed")
		assert.Empty(t, d.jobs)

		require.NoError(t, d.Set([]*check.Check{c}))
		pass(time.Second)
		before := time.Now()
		stop()
		assert.Equal(t, 3*time.Second, time.Since(before), "shutdown waits for it")
	})
}

func TestABackgroundThatFailsIsLoggedByItsClass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := withBackground(t, func(ctx context.Context, n int) error {
			if n == 1 {
				return check.Errorf(check.Throttled, "too much for hmad-probe@contoso.com")
			}
			return untilEnd(ctx, n)
		})
		b := newBench()
		b.serve(t, 1, c)
		pass(time.Minute)
		lines := b.logs.FilterMessage("background failed").All()
		require.Len(t, lines, 1)
		assert.Equal(t, map[string]any{"check": "activesync", "target": "contoso", "class": "throttled", "again_in": time.Second},
			lines[0].ContextMap())
	})
}
