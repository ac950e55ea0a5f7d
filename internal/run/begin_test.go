package run

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

// diary is what the builds of a check did, in order, by tenths of a second.
type diary struct {
	start time.Time
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf("%s %s", time.Since(d.start).Truncate(100*time.Millisecond), fmt.Sprintf(format, args...)))
}

// build returns a build of the check. Its runs and its Background take so long to
// notice that they are cut off.
func (d *diary) build(hash string, run, background time.Duration) *check.Check {
	c := checkOf(func(ctx context.Context, v *check.Verdict) {
		d.note("%s runs", hash)
		<-ctx.Done()
		time.Sleep(run)
		d.note("%s's run ends", hash)
		v.Undecided(ctx.Err())
	})
	c.Hash = hash
	c.Begin = func() { d.note("%s begins", hash) }
	c.Background = func(ctx context.Context) error {
		d.note("%s works", hash)
		<-ctx.Done()
		time.Sleep(background)
		d.note("%s's work ends", hash)
		return ctx.Err()
	}
	return c
}

func TestChecksBeginBeforeTheyAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, kept := newBench(), &diary{start: time.Now()}
		d := NewDispatcher(b.Runner, 1)
		require.NoError(t, d.Set([]*check.Check{kept.build("first", 0, 0)}))
		assert.Equal(t, []string{"0s first begins"}, kept.lines)
		b.start(t, d)
		pass(time.Second)
		assert.ElementsMatch(t, []string{"0s first begins", "0s first works", "0s first runs"}, kept.lines, "and only once")
	})
}

func TestABuildBeginsWhenTheOneBeforeHasEnded(t *testing.T) {
	for name, c := range map[string]struct{ run, background time.Duration }{
		"its work takes longest to end": {time.Millisecond, 500 * time.Millisecond},
		"its run takes longest to end":  {500 * time.Millisecond, time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, kept := newBench(), &diary{start: time.Now()}
				d, _ := b.serve(t, 1, kept.build("first", c.run, c.background))
				pass(time.Second)
				require.NoError(t, d.Set([]*check.Check{kept.build("first", 0, 0)}))
				pass(time.Second)
				require.Len(t, kept.lines, 3, "the same again changes nothing")
				require.NoError(t, d.Set([]*check.Check{kept.build("second", 0, 0)}))
				answer := make(chan error, 1)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				go func() {
					_, err := d.RunNow(ctx, checkOf(nil).ID())
					answer <- err
				}()
				pass(600 * time.Millisecond)
				require.Len(t, kept.lines, 8)
				assert.Equal(t, "2.5s second begins", kept.lines[5])
				assert.ElementsMatch(t, []string{"2.5s second works", "2.5s second runs"}, kept.lines[6:])
				pass(time.Second)
				assert.ErrorIs(t, <-answer, context.DeadlineExceeded, "who asks waits for it too")
			})
		})
	}
}

func TestACheckThatComesBackBeginsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, kept := newBench(), &diary{start: time.Now()}
		c := kept.build("it", 2*time.Second, 3*time.Second)
		d, _ := b.serve(t, 1, c)
		pass(time.Second)
		require.NoError(t, d.Set(nil))
		pass(time.Second)
		require.NoError(t, d.Set([]*check.Check{c}))
		pass(5 * time.Second)
		assert.Equal(t, []string{"3s it's run ends", "4s it's work ends", "4s it begins"}, kept.lines[3:6])
		assert.ElementsMatch(t, []string{"4s it works", "4s it runs"}, kept.lines[6:])
	})
}

func TestABeginThatPanicsIsLoggedAndTheCheckRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBench(), checkOf(good)
		c.Begin = func() { panic("held") }
		b.serve(t, 1, c)
		pass(time.Minute)
		assert.Equal(t, 1, b.logs.FilterMessage("panic in a check").Len())
		assert.Len(t, b.book.of(c), 1)
	})
}

func TestACheckThatRunsOnceBeginsFirst(t *testing.T) {
	begun := false
	c := checkOf(func(ctx context.Context, v *check.Verdict) {
		assert.True(t, begun)
		good(ctx, v)
	})
	c.Begin = func() { begun = true }
	r, ok := newBench().Run(t.Context(), c)
	assert.True(t, ok)
	assert.Equal(t, check.Passed, r.Outcome())
}
