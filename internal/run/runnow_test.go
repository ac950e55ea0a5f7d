package run

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

// asked is what RunNow gave, and when.
type asked struct {
	result check.Result
	err    error
	after  time.Duration
}

// ask asks in the background.
func ask(ctx context.Context, d *Dispatcher, id check.ID) <-chan asked {
	answer, begun := make(chan asked, 1), time.Now()
	go func() {
		r, err := d.RunNow(ctx, id)
		answer <- asked{r, err, time.Since(begun)}
	}()
	synctest.Wait()
	return answer
}

func TestRunNowRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(inTurn(good, finding(old)))
		d, _ := b.serve(t, 1, c)
		pass(time.Minute)
		a := <-ask(t.Context(), d, c.ID())
		require.NoError(t, a.err)
		assert.Zero(t, a.after)
		assert.Equal(t, check.Warned, a.result.Outcome())
		assert.Equal(t, a.result, b.book.of(c)[1], "it is recorded like any other")
		assert.Equal(t, planned("00:00", 1)[0], b.book.due(c), "the schedule stays")
	})
}

func TestRunNowWaitsForTheRunInFlightAndStartsANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(alone(t, taking(10*time.Second)))
		d, _ := b.serve(t, 5, c)
		pass(4 * time.Second) // the first run is in flight
		second := ask(t.Context(), d, c.ID())
		third := <-ask(t.Context(), d, c.ID())
		assert.ErrorIs(t, third.err, check.ErrBusy)
		a := <-second
		require.NoError(t, a.err)
		assert.WithinDuration(t, at("2000-01-01 00:00:10"), a.result.Start, time.Second/30)
		assert.Len(t, b.book.of(c), 2)

		fourth := ask(t.Context(), d, c.ID())
		pass(time.Second)
		fifth := ask(t.Context(), d, c.ID())
		assert.NoError(t, (<-fourth).err)
		assert.NoError(t, (<-fifth).err, "one may wait while one that was asked for is in flight")
	})
}

func TestRunNowOfWhatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(good)
		d, _ := b.serve(t, 1, c)
		for _, id := range []check.ID{{Check: "activesync", Target: "fabrikam"}, {Check: "vantage", Target: "contoso"}, {}} {
			_, err := d.RunNow(t.Context(), id)
			assert.ErrorIs(t, err, check.ErrUnknown)
		}
	})
}

func TestTheRunOutlivesWhoAskedForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(taking(10*time.Second))
		d, _ := b.serve(t, 1, c)
		pass(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a := <-ask(ctx, d, c.ID())
		assert.ErrorIs(t, a.err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, a.after)
		pass(10 * time.Second)
		results := b.book.of(c)
		require.Len(t, results, 2)
		assert.NoError(t, results[1].Err)
	})
}

func TestRunNowGoesBeforeWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, checks := newBench(), fleet(30, taking(10*time.Second))
		d, _ := b.serve(t, 1, checks...)
		pass(5 * time.Second) // one runs, 29 wait
		var last *check.Check
		for _, c := range checks {
			if j := d.jobs[c.ID()]; j.queued && j == d.ready[len(d.ready)-1] {
				last = c
			}
		}
		a := <-ask(t.Context(), d, last.ID())
		require.NoError(t, a.err)
		assert.Less(t, a.after, 16*time.Second)
		pass(6 * time.Minute)
		for _, c := range checks {
			assert.NotEmpty(t, b.book.of(c), c.Target)
		}
	})
}

func TestRunNowOfWhatIsDueRunsItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, checks := newBench(), fleet(3, taking(10*time.Second))
		for _, c := range checks {
			c.Schedule = "0 12 * * *"
		}
		d, _ := b.serve(t, 1, checks...)
		pass(5 * time.Second) // one runs, two wait
		for _, c := range checks {
			ask(t.Context(), d, c.ID())
		}
		pass(time.Minute)
		total := 0
		for _, c := range checks {
			total += len(b.book.of(c))
		}
		assert.Equal(t, 4, total, "the one in flight twice")
	})
}

func TestRunNowEndsWithShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(taking(10*time.Second))
		d, stop := b.serve(t, 1, c)
		pass(time.Minute)
		answer := ask(t.Context(), d, c.ID()) // in flight
		stop()
		assert.ErrorIs(t, (<-answer).err, errStopping)
	})
}

func TestRunNowIsMadeAgainWhenAReloadCutItOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(taking(10*time.Second))
		d, _ := b.serve(t, 1, c)
		pass(time.Minute)
		answer := ask(t.Context(), d, c.ID())
		pass(time.Second)
		changed := checkOf(finding(old))
		changed.Hash = "changed"
		require.NoError(t, d.Set([]*check.Check{changed}))
		a := <-answer
		require.NoError(t, a.err)
		assert.Equal(t, check.Warned, a.result.Outcome(), "by the new check")
	})
}

func TestRunNowBeforeServeWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(good)
		d := NewDispatcher(b.Runner, 1)
		require.NoError(t, d.Set([]*check.Check{c}))
		answer := ask(t.Context(), d, c.ID())
		pass(time.Second)
		assert.Empty(t, b.book.of(c))
		b.start(t, d)
		assert.NoError(t, (<-answer).err)
	})
}
