package run

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

func TestFirstRunsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, checks := newBench(), fleet(600, good)
		b.serve(t, 100, checks...)
		pass(21 * time.Second) // thirty a second
		seconds := map[time.Time]int{}
		for _, c := range checks {
			require.NotEmpty(t, b.book.of(c), c.Target)
			seconds[b.book.starts(c)[0].Truncate(time.Second)]++
		}
		for second, n := range seconds {
			assert.InDelta(t, 30, n, 30, "%s", second)
		}
		assert.Len(t, seconds, 20)
	})
}

func TestTheFirstPlannedRunIsTheFirstWhereItComesSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checks := fleet(3000, good) // a window of 100 s
		for _, c := range checks {
			c.Schedule, c.Timeout = "@every 10s", 9*time.Second
		}
		b := newBench()
		b.serve(t, 100, checks...)
		for _, c := range checks {
			require.LessOrEqual(t, b.book.due(c).Sub(b.Now()), 11*time.Second)
		}
	})
}

func TestTenThousandChecksKeepTimeAndPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const targets, hour = 3334, time.Hour
		begun := time.Now()
		var checks []*check.Check
		starts := make([][]time.Duration, 3*targets)
		for i := range starts {
			c := checkOf(func(ctx context.Context, v *check.Verdict) {
				starts[i] = append(starts[i], time.Since(begun))
				good(ctx, v)
			})
			c.Target = fmt.Sprintf("target-%d", i/3)
			def := *c.Def
			def.Name = []string{"vantage", "autodiscover", "activesync"}[i%3]
			c.Def = &def
			checks = append(checks, c)
		}
		r := &Runner{Now: time.Now}
		d := NewDispatcher(r, 200)
		require.NoError(t, d.Set(checks))
		(&bench{Runner: r}).start(t, d)
		pass(hour)

		var all []time.Duration
		for i, runs := range starts {
			all = append(all, runs...)
			steady := runs[len(runs)-11:]
			for n := range steady[1:] {
				require.Equal(t, 5*time.Minute, steady[n+1]-steady[n], "%s, run %d", checks[i].ID(), n)
			}
			require.Less(t, runs[len(runs)-1], hour)
			require.Greater(t, runs[len(runs)-1], hour-5*time.Minute)
		}
		slices.Sort(all)
		busiest := 0
		for i, j := 0, 0; i < len(all); i++ {
			for j < len(all) && all[j] < all[i]+time.Second {
				j++
			}
			busiest = max(busiest, j-i)
		}
		assert.LessOrEqual(t, busiest, 60)
		t.Logf("%d runs, at most %d starts in a second", len(all), busiest)
	})
}
