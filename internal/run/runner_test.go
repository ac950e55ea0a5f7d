package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// names returns the reasons of a result's findings.
func names(r check.Result) (names []string) {
	for _, f := range r.Report.Findings {
		names = append(names, f.Reason.Name)
	}
	return names
}

func TestRunConfirms(t *testing.T) {
	lost := func(_ context.Context, v *check.Verdict) {
		v.Repeat("curl")
		v.Undecided(check.Errorf(check.Resolver, "resolver unreachable"))
	}
	for name, tc := range map[string]struct {
		attempts []runFunc
		want     []string
		class    *check.Class
		notes    []string
		took     time.Duration
	}{
		"a good answer is believed at once": {attempts: []runFunc{good}},
		"a finding that needs no confirming is believed at once": {attempts: []runFunc{finding(expired), good},
			want: []string{"certificate_expired"}},
		"a passing trouble is dropped and told": {attempts: []runFunc{finding(slow), good}, took: 5 * time.Second,
			notes: []string{"attempt 1 of 2: activesync.timeout: seen", "attempt 2 of 2: nothing found"}},
		"a lasting trouble stands": {attempts: []runFunc{finding(slow)}, took: 5 * time.Second,
			want:  []string{"timeout"},
			notes: []string{"attempt 1 of 2: activesync.timeout: seen", "attempt 2 of 2: activesync.timeout: seen"}},
		"the second attempt's finding counts": {attempts: []runFunc{finding(slow, old), finding(refused)}, took: 5 * time.Second,
			want: []string{"connect_failed"},
			notes: []string{"attempt 1 of 2: activesync.timeout: seen", "attempt 1 of 2: activesync.build_old: seen",
				"attempt 2 of 2: activesync.connect_failed: seen"}},
		"the second attempt's error counts": {attempts: []runFunc{finding(slow), lost}, took: 5 * time.Second,
			class: check.Resolver,
			notes: []string{"attempt 1 of 2: activesync.timeout: seen", "attempt 2 of 2: could not tell: resolver unreachable", "curl"}},
		"an error alone is not tried again": {attempts: []runFunc{lost, good}, class: check.Resolver, notes: []string{"curl"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				result, ok := newBench().Run(t.Context(), checkOf(inTurn(tc.attempts...)))
				require.True(t, ok)
				assert.Equal(t, tc.want, names(result))
				assert.Equal(t, tc.took, result.Took)
				assert.Empty(t, cmp.Diff(tc.notes, result.Report.Texts()))
				if tc.class == nil {
					assert.NoError(t, result.Err)
				} else {
					assert.Equal(t, tc.class, check.ClassOf(result.Err))
				}
			})
		})
	}
}

func TestRunSharesItsDeadline(t *testing.T) {
	for name, tc := range map[string]struct {
		first, confirmAfter time.Duration   // what the first attempt takes; 0: all it gets
		want                []time.Duration // what is left at the start of each attempt, and of the doubt
	}{
		"attempts that use all they get":     {0, 5 * time.Second, []time.Duration{15 * time.Second, 5 * time.Second, 5 * time.Second}},
		"a quick first attempt":              {time.Second, 5 * time.Second, []time.Duration{15 * time.Second, 12 * time.Second, 12 * time.Second}},
		"a pause longer than the time left":  {0, time.Minute, []time.Duration{15 * time.Second, 3750 * time.Millisecond, 3750 * time.Millisecond}},
		"no pause":                           {0, 0, []time.Duration{15 * time.Second, 7500 * time.Millisecond, 7500 * time.Millisecond}},
		"a first attempt that overran a bit": {19 * time.Second, 5 * time.Second, []time.Duration{15 * time.Second, 3 * time.Second, 3 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []time.Duration
				left := func(ctx context.Context) {
					deadline, _ := ctx.Deadline()
					got = append(got, time.Until(deadline))
				}
				c := checkOf(func(ctx context.Context, v *check.Verdict) {
					left(ctx)
					if tc.first > 0 && len(got) == 1 {
						time.Sleep(tc.first)
					} else {
						<-ctx.Done()
					}
					finding(slow)(ctx, v)
				})
				c.Doubt = func(ctx context.Context, _ *check.Verdict) { left(ctx) }
				b := newBench()
				b.ConfirmAfter = tc.confirmAfter
				result, _ := b.Run(t.Context(), c)
				assert.Equal(t, tc.want, got)
				assert.Equal(t, check.Failed, result.Outcome())
			})
		})
	}
}

func TestRunGivesTheWholeDeadlineWhereNothingNeedsConfirming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := checkOf(func(ctx context.Context, v *check.Verdict) {
			time.Sleep(20 * time.Second)
			assert.NoError(t, ctx.Err())
			v.Clear(expired)
		})
		c.Reasons = []*check.Reason{expired}
		result, _ := newBench().Run(t.Context(), c)
		assert.NoError(t, result.Err)
	})
}

func TestRunLeavesAFindingThatItCouldNotConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result, ok := newBench().Run(t.Context(), checkOf(func(ctx context.Context, v *check.Verdict) {
			time.Sleep(30500 * time.Millisecond) // beyond the deadline, within the grace
			finding(slow)(ctx, v)
		}))
		require.True(t, ok)
		assert.Equal(t, check.Undecided, result.Outcome())
		assert.Equal(t, check.Timeout, check.ClassOf(result.Err))
		assert.Equal(t, []string{"attempt 1 of 2: activesync.timeout: seen"}, result.Report.Texts())
	})
}

func TestRunAsksTheDoubt(t *testing.T) {
	offline := func(_ context.Context, v *check.Verdict) {
		v.Retract(check.Errorf(check.VantageOffline, "our own way out is closed"), slow)
	}
	believe := func(context.Context, *check.Verdict) {}
	for name, tc := range map[string]struct {
		run     runFunc
		doubt   func(context.Context, *check.Verdict)
		asked   bool
		outcome check.Outcome
	}{
		"own side to blame":             {finding(slow), offline, true, check.Undecided},
		"the finding stands":            {finding(slow), believe, true, check.Failed},
		"nothing found":                 {good, offline, false, check.Passed},
		"trouble passed":                {inTurn(finding(slow), good), offline, false, check.Passed},
		"trouble turned into a verdict": {inTurn(finding(slow), finding(expired)), offline, false, check.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := false
				c := checkOf(tc.run)
				c.Doubt = func(ctx context.Context, v *check.Verdict) {
					asked = true
					tc.doubt(ctx, v)
				}
				result, _ := newBench().Run(t.Context(), c)
				assert.Equal(t, tc.asked, asked)
				assert.Equal(t, tc.outcome, result.Outcome())
			})
		})
	}
}

func TestRunAppliesWaivers(t *testing.T) {
	waive := func(reason, until, note string) config.Waiver {
		return config.Waiver{Reason: reason, Until: config.Date{Time: at(until + " 00:00:00")}, Note: note}
	}
	for name, tc := range map[string]struct { // synctest begins on 2000-01-01
		reason  *check.Reason
		accept  []config.Waiver
		outcome check.Outcome
		notes   []string
		took    time.Duration
	}{
		"accepted": {expired, []config.Waiver{waive("certificate_expired", "2027-03-31", "renewal ordered")}, check.Passed,
			[]string{"activesync.certificate_expired: accepted until 2027-03-31: renewal ordered"}, 0},
		"accepted without a note": {expired, []config.Waiver{waive("certificate_expired", "2027-03-31", "")}, check.Passed,
			[]string{"activesync.certificate_expired: accepted until 2027-03-31"}, 0},
		"on its last day":        {old, []config.Waiver{waive("build_old", "2000-01-01", "")}, check.Passed, []string{"activesync.build_old: accepted until 2000-01-01"}, 0},
		"past":                   {old, []config.Waiver{waive("build_old", "1999-12-31", "")}, check.Warned, nil, 0},
		"for another reason":     {expired, []config.Waiver{waive("build_old", "2027-03-31", "")}, check.Failed, nil, 0},
		"needs no confirming":    {slow, []config.Waiver{waive("timeout", "2027-03-31", "")}, check.Passed, []string{"activesync.timeout: accepted until 2027-03-31"}, 0},
		"the second waiver fits": {old, []config.Waiver{waive("build_old", "1999-12-31", ""), waive("build_old", "2000-12-31", "")}, check.Passed, []string{"activesync.build_old: accepted until 2000-12-31"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := checkOf(finding(tc.reason, tc.reason))
				c.Accept = tc.accept
				result, _ := newBench().Run(t.Context(), c)
				assert.Equal(t, tc.outcome, result.Outcome())
				assert.Equal(t, tc.notes, result.Report.Texts())
				assert.Equal(t, tc.took, result.Took)
			})
		})
	}
}

// What an earlier run found under a waiver is no longer accepted when the waiver
// is gone, also while no run judges it.
func TestAWaiverThatIsGoneAcceptsNothingThatIsCarried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leftOpen := func(ctx context.Context, v *check.Verdict) {
			good(ctx, v)
			v.Open("not now", old)
		}
		c := checkOf(inTurn(finding(old), leftOpen, leftOpen))
		c.Accept = []config.Waiver{{Reason: "build_old", Until: config.Date{Time: at("2027-03-31 00:00:00")}}}
		b := newBench()
		for range 2 {
			result, _ := b.Run(t.Context(), c)
			assert.Equal(t, check.Passed, result.Outcome())
		}
		c.Accept = nil
		result, _ := b.Run(t.Context(), c)
		assert.Equal(t, check.Warned, result.Outcome())
	})
}

func TestRunHoldsAPanic(t *testing.T) {
	explode := func(context.Context, *check.Verdict) { panic("index out of range\nsecond line") }
	for name, c := range map[string]*check.Check{
		"in a run":                   checkOf(explode),
		"in the confirming attempt":  checkOf(inTurn(finding(slow), explode)),
		"with more than fits a line": checkOf(func(context.Context, *check.Verdict) { panic(strings.Repeat("index out of range ", 1000)) }),
		"in the doubt": func() *check.Check {
			c := checkOf(finding(slow))
			c.Doubt = explode
			return c
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				result, ok := b.Run(t.Context(), c)
				require.True(t, ok)
				assert.Equal(t, check.Undecided, result.Outcome())
				assert.Equal(t, check.Panic, check.ClassOf(result.Err))
				assert.Regexp(t, `^panic: index out of range.{0,200}$`, result.Err.Error())
				logged := b.logs.FilterMessage("panic in a check").All()
				require.Len(t, logged, 1)
				assert.Equal(t, zapcore.ErrorLevel, logged[0].Level)
				assert.Contains(t, logged[0].ContextMap()["stack"], "runner_test.go")
				assert.Equal(t, "activesync", logged[0].ContextMap()["check"])
			})
		})
	}
}

func TestRunHoldsACheckThatEndsItsGoroutine(t *testing.T) {
	b := newBench()
	result, ok := b.Run(t.Context(), checkOf(func(context.Context, *check.Verdict) { runtime.Goexit() }))
	require.True(t, ok)
	assert.Equal(t, check.Panic, check.ClassOf(result.Err))
}

func TestRunLeavesAStuckCheckBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		b := newBench()
		c := checkOf(func(ctx context.Context, v *check.Verdict) {
			<-free
			good(ctx, v)
		})
		result, ok, answers := b.run(t.Context(), c)
		require.True(t, ok)
		assert.Equal(t, 31*time.Second, result.Took)
		assert.Equal(t, check.Undecided, result.Outcome())
		assert.Equal(t, check.Timeout, check.ClassOf(result.Err))
		assert.Len(t, b.book.of(c), 1)

		close(free)
		for range answers {
		}
		assert.Len(t, b.book.of(c), 1, "what it says at last is not recorded")
	})
}

func TestRunThatShutdownCutOffIsNotRecorded(t *testing.T) {
	for name, run := range map[string]runFunc{
		"and that says so":         taking(time.Minute),
		"and that blames the host": func(ctx context.Context, v *check.Verdict) { <-ctx.Done(); finding(expired)(ctx, v) },
		"while it paused":          finding(slow),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, c := newBench(), checkOf(run)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(2*time.Second, cancel)
				_, ok := b.Run(ctx, c)
				assert.False(t, ok)
				assert.Empty(t, b.book.of(c))
				assert.Zero(t, b.logs.Len())
				assert.Empty(t, b.meters.counts)
			})
		})
	}
}

func TestRunStamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		east := time.FixedZone("UTC+5:30", 5*3600+1800)
		b.Now = func() time.Time { return b.clock.Now().In(east) }
		result, _ := b.Run(t.Context(), checkOf(func(ctx context.Context, v *check.Verdict) {
			b.clock.jump(-time.Hour) // Took does not follow the wall clock
			taking(3*time.Second)(ctx, v)
		}))
		assert.Equal(t, check.ID{Check: "activesync", Target: "contoso"}, result.ID())
		assert.Equal(t, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), result.Start)
		assert.Equal(t, 3*time.Second, result.Took)
	})
}

func TestRunCounts(t *testing.T) {
	skipped := func(_ context.Context, v *check.Verdict) { v.Skip("no report yet") }
	both := func(ctx context.Context, v *check.Verdict) {
		finding(expired)(ctx, v)
		v.Undecided(errors.New("state unreadable"))
	}
	for name, tc := range map[string]struct {
		run     runFunc
		outcome check.Outcome
		class   *check.Class
	}{
		"passed":                 {good, check.Passed, nil},
		"warned":                 {finding(old), check.Warned, nil},
		"failed":                 {finding(expired), check.Failed, nil},
		"failed beside an error": {both, check.Failed, check.Other},
		"undecided":              {taking(time.Minute), check.Undecided, check.Timeout},
		"skipped":                {skipped, check.Skipped, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, c := newBench(), checkOf(tc.run)
				b.Run(t.Context(), c)
				want := map[series]float64{{c.ID(), check.Runs, string(tc.outcome)}: 1}
				if tc.class != nil {
					want[series{c.ID(), check.Errors, tc.class.Name}] = 1
				}
				assert.Equal(t, want, b.meters.counts)
				assert.Equal(t, map[series]int{{c.ID(), check.Duration, ""}: 1}, b.meters.seen)
			})
		})
	}
}

func TestRunLogsChangesOfOutcomeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := func(ctx context.Context, v *check.Verdict) {
			good(ctx, v)
			v.Find(expired, []string{"hmad-probe@contoso.com"}, "hmad-probe@contoso.com")
		}
		lost := func(_ context.Context, v *check.Verdict) {
			v.Undecided(check.Errorf(check.Resolver, "no answer about hmad-probe@contoso.com"))
		}
		b, c := newBench(), checkOf(inTurn(good, good, secret, secret, lost, finding(old), good))
		for range 8 {
			b.Run(t.Context(), c)
		}
		var lines []string
		for _, e := range b.logs.All() {
			assert.Equal(t, "outcome changed", e.Message)
			f := e.ContextMap()
			lines = append(lines, fmt.Sprintf("%s %s/%s %s->%s %v %v", e.Level, f["check"], f["target"], f["from"], f["to"], f["reasons"], f["class"]))
			assert.NotContains(t, fmt.Sprint(f), "@")
		}
		assert.Empty(t, cmp.Diff([]string{
			"info activesync/contoso ->passed [] <nil>",
			"error activesync/contoso passed->failed [certificate_expired] <nil>",
			"warn activesync/contoso failed->undecided [] resolver",
			"warn activesync/contoso undecided->warned [build_old] <nil>",
			"info activesync/contoso warned->passed [] <nil>",
		}, lines))
	})
}

func TestRunOnceNeedsNoBookMeterOrLog(t *testing.T) {
	r := &Runner{Now: time.Now}
	result, ok := r.Run(t.Context(), checkOf(func(context.Context, *check.Verdict) { panic("held") }))
	require.True(t, ok)
	assert.Equal(t, check.Panic, check.ClassOf(result.Err))
	assert.Equal(t, result.Start.Round(0), result.Start, "without a monotonic reading (a bubble's time has none)")
}
