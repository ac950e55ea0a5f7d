package sync

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync/plan"
)

// inBubble runs a test in virtual time.
func inBubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func TestASweepAsksEverybodyOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(100)})
		o.sweepFor(2 * time.Minute)
		assert.Len(t, o.questions(getLocation), 100)
		devices := o.questions(getDevices)
		require.Len(t, devices, 100)
		assert.Equal(t, devices[0].who, devices[0].anchor, "questions are routed")
		assert.Equal(t, Columns(getDevices), devices[0].columns, "the rest of a device is nobody's business")
		for _, q := range o.questions(getLocation) {
			assert.Equal(t, q.who, q.anchor, "by address, where that is all that is known")
		}
		assert.Len(t, o.store.records, 100)
		o.sweepFor(10 * time.Hour)
		assert.Len(t, o.questions(getLocation), 100, "locations are kept")
		r, err := o.runNow()
		require.NoError(t, err)
		assert.Empty(t, r.Findings)
		assert.Equal(t, 100.0, valueOf(r, Mailboxes, "fresh"))
	})
}

// valueOf returns a report's gauge; -1 where it is absent.
func valueOf(r check.Report, m *check.Metric, labels ...string) float64 {
	for _, s := range r.Samples {
		if s.Metric == m && slices.Equal(s.Labels, labels) {
			return s.Value
		}
	}
	return -1
}

func TestASweepKeepsTheRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(3000)})
		o.takes = 900 * time.Millisecond
		o.sweepFor(20 * time.Minute)
		calls := o.calls()
		assert.LessOrEqual(t, calls, 2*20*60+4)
		assert.GreaterOrEqual(t, float64(calls), 0.95*2*20*60)
	})
}

func TestARestartAsksNobodyTwiceAndShowsEverybody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := config.Sync{Mailboxes: addresses(200)}
		first := newOffice(t, s)
		first.sweepFor(100 * time.Second)
		known := len(first.store.records)
		require.Greater(t, known, 50)
		clear(first.store.rows)
		second := newOfficeOn(t, s, first.store)
		assert.Len(t, second.store.rows, 200, "before it has done anything")
		second.sweepFor(110 * time.Second)
		asked := map[string]int{}
		twice := 0
		for _, q := range append(first.questions(getDevices), second.questions(getDevices)...) {
			if asked[q.who]++; asked[q.who] > 1 {
				twice++
			}
		}
		assert.Len(t, asked, 200)
		assert.LessOrEqual(t, twice, 4, "only those whose answers were on their way")
	})
}

func TestAReloadTakesNoRowAwayThatStays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		first := newOffice(t, config.Sync{Mailboxes: addresses(20)})
		first.sweepFor(time.Minute)
		require.Empty(t, first.store.lost)
		second := newOfficeOn(t, config.Sync{Mailboxes: addresses(18)}, first.store)
		assert.ElementsMatch(t, []string{"user18@contoso.com", "user19@contoso.com"}, first.store.lost)
		assert.Len(t, second.store.rows, 18)
	})
}

func TestARunAsksTheWatchListFirst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(3000), Watch: []config.Watch{{Mailbox: "User2999@contoso.com"}}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- o.hmad.background(ctx) }()
		time.Sleep(5 * time.Minute)
		began := time.Now()
		r, err := o.runNow()
		require.NoError(t, err)
		assert.Less(t, time.Since(began), 5*time.Second, "a busy sweep does not hold it up")
		assert.Empty(t, r.Findings)
		assert.Contains(t, open(r), "sync_stale", "most mailboxes are not known yet")
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}

// hmad check has no Background.
func TestARunAloneAsksTheWatchListOnly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(300), Watch: []config.Watch{{Mailbox: "jane@contoso.com", Severity: "critical"}}})
		o.lag["jane@contoso.com"] = 30 * time.Hour
		r, err := o.runNow()
		require.NoError(t, err)
		assert.Equal(t, []string{"watched_mailbox_stale_critical"}, reasons(r))
		assert.Contains(t, r.Findings[0].Detail, "jane@contoso.com is stale")
		assert.Len(t, o.questions(getDevices), 1)
	})
}

func TestWatchedMailboxes(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*office)
		want string
	}{
		"not in the cloud at all": {func(o *office) { o.rows["jane@contoso.com"] = []powershell.Row{} }, "watched_mailbox_not_provisioned"},
		"no phone with Outlook":   {func(o *office) { o.rows[guidOf("jane@contoso.com")] = nil }, "watched_mailbox_not_provisioned"},
		"a mailbox of the cloud": {func(o *office) {
			o.rows["jane@contoso.com"] = []powershell.Row{row(map[string]any{"MailboxGuid": guidOf("jane@contoso.com"), "MailboxLocationType": "Primary"})}
		}, "watched_mailbox_in_cloud"},
		"no time is said": {func(o *office) {
			r := phone(guidOf("jane@contoso.com"), time.Time{}, time.Time{})
			r["LastSuccessSync"] = []byte("null")
			o.rows[guidOf("jane@contoso.com")] = []powershell.Row{r}
		}, "sync_unknown"},
		"attempts without success": {func(o *office) {
			o.rows[guidOf("jane@contoso.com")] = []powershell.Row{phone(guidOf("jane@contoso.com"), time.Now().Add(-3*time.Hour), time.Now())}
		}, "watched_mailbox_stale"},
		"no success for weeks": {func(o *office) { o.lag["jane@contoso.com"] = 20 * day }, "watched_mailbox_stale"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOffice(t, config.Sync{Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
				c.set(o)
				r, err := o.runNow()
				require.NoError(t, err)
				assert.Equal(t, []string{c.want}, reasons(r))
			})
		})
	}
}

// A mailbox that moved is found again: its old location is not found, or is
// old and gives nothing good.
func TestALocationIsLookedUpAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(1)})
		o.sweepFor(time.Minute)
		o.lag["user0@contoso.com"] = 30 * time.Hour
		o.sweepFor(73 * time.Hour)
		assert.Len(t, o.questions(getLocation), 2, "nothing good was heard for three days")
		gone := &online.CmdletError{Cmdlet: getDevices, Kind: online.NotFound, Text: "gone"}
		o.fail = func(q question) error {
			if q.who == guidOf("user0@contoso.com") {
				return gone
			}
			return nil
		}
		o.places["user0@contoso.com"] = guidOf("new place")
		o.sweepFor(24 * time.Hour)
		assert.Equal(t, plan.Fresh, o.lastOf("user0@contoso.com").Last)
		assert.Equal(t, guidOf("new place"), o.lastOf("user0@contoso.com").Location.String())
	})
}

func TestHostileRows(t *testing.T) {
	jane := guidOf("jane@contoso.com")
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // a bubble's beginning
	for name, rows := range map[string][]powershell.Row{
		"another mailbox's by GUID":         {phone(guidOf("joe@contoso.com"), now, now)},
		"another mailbox's by address":      {phone("joe@contoso.com", now, now)},
		"another mailbox's in its tenant":   {phone(testTenant+`\`+guidOf("joe@contoso.com"), now, now)},
		"another tenant's":                  {phone(`00c118a9-2de9-41d3-b39a-81648a7a5e4d\`+jane, now, now)},
		"one of them another mailbox's":     {phone(jane, now, now), phone(guidOf("joe@contoso.com"), now, now)},
		"of two names":                      {phone("Jane", now, now), phone("Joe", now, now)},
		"without an identity":               {row(map[string]any{"ClientType": "Outlook", "LastSuccessSync": now})},
		"with an identity that is no phone": {row(map[string]any{"Identity": jane, "ClientType": "Outlook", "LastSuccessSync": now})},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOffice(t, config.Sync{Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
				o.rows[jane] = rows
				r, err := o.runNow()
				require.ErrorIs(t, err, errForeign)
				assert.Equal(t, check.Other, check.ClassOf(err))
				assert.Equal(t, 1.0, valueOf(r, Mailboxes, "error"), "refused, not believed")
				assert.Zero(t, valueOf(r, Mailboxes, "fresh"))
				assert.Contains(t, open(r), "watched_mailbox_stale")
			})
		})
	}
}

func TestHostileLocations(t *testing.T) {
	place := func(guid, kind string) powershell.Row {
		return row(map[string]any{"MailboxGuid": guid, "MailboxLocationType": kind})
	}
	a, b := guidOf("a"), guidOf("b")
	for name, rows := range map[string][]powershell.Row{
		"two mailboxes":          {place(a, "ComponentShared"), place(b, "ComponentShared")},
		"everybody's":            slices.Repeat([]powershell.Row{place(a, "ComponentShared")}, maxLocations+1),
		"of no GUID":             {place("jane", "ComponentShared")},
		"of nobody":              {place("00000000-0000-0000-0000-000000000000", "ComponentShared")},
		"of another tenant":      {row(map[string]any{"Identity": a + `\` + b, "MailboxLocationType": "ComponentShared"})},
		"that contradict itself": {row(map[string]any{"Identity": testTenant + `\` + b, "MailboxGuid": a, "MailboxLocationType": "ComponentShared"})},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := readLocation(rows, testTenant)
			assert.ErrorIs(t, err, errForeign)
		})
	}
	t.Run("an archive beside it is passed over", func(t *testing.T) {
		l, cloud, err := readLocation([]powershell.Row{place(b, "MainArchive"), place(a, "ComponentShared")}, testTenant)
		require.NoError(t, err)
		assert.False(t, cloud)
		assert.Equal(t, a, l.String())
	})
}

func TestATenantThatThrottles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(50)})
		var refusals atomic.Int32
		o.fail = func(question) error {
			if refusals.Add(1) <= 3 {
				return check.Errorf(check.Throttled, "%w", &online.CmdletError{Kind: online.Throttled, RetryAfter: time.Minute})
			}
			return nil
		}
		o.sweepFor(45 * time.Second)
		assert.LessOrEqual(t, o.calls(), 5, "the whole tenant pauses")
		assert.Less(t, o.hmad.sweep.budget.Rate(), 2.0)
		o.sweepFor(5 * time.Minute)
		r, err := o.runNow()
		require.NoError(t, err)
		assert.Equal(t, 50.0, valueOf(r, Mailboxes, "fresh"), "nobody is judged by a refusal")
	})
}

func TestAMissingRoleIsToldAndNotTriedForEverybody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(50), Watch: []config.Watch{{Mailbox: "user1@contoso.com"}}})
		o.fail = func(question) error {
			return check.Errorf(check.Permission, "%w", &online.CmdletError{Cmdlet: getLocation, Kind: online.Access, Text: "the app has no role"})
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- o.hmad.background(ctx) }()
		time.Sleep(10 * time.Minute)
		assert.Less(t, o.calls(), 20, "it is not tried for everybody")
		r, err := o.runNow()
		assert.Equal(t, check.Permission, check.ClassOf(err))
		assert.Subset(t, open(r), namesOf(append(fleetReasons, watchedStale)))
		o.mu.Lock()
		o.fail = nil
		o.mu.Unlock()
		time.Sleep(30 * time.Minute)
		r, err = o.runNow()
		require.NoError(t, err)
		assert.Equal(t, 50.0, valueOf(r, Mailboxes, "fresh"))
		cancel()
		<-done
	})
}

func TestMailboxesThatCannotBeAskedDoNotHoldUpTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(60)})
		o.fail = func(q question) error {
			if strings.HasPrefix(q.who, "user1") { // user1 and ten more
				return errors.New("broken")
			}
			return nil
		}
		o.sweepFor(3 * time.Hour)
		r, err := o.runNow()
		require.NoError(t, err)
		assert.Equal(t, 49.0, valueOf(r, Mailboxes, "fresh"))
		assert.Equal(t, 11.0, valueOf(r, Mailboxes, "error"))
	})
}

// Exchange refuses single mailboxes with the words of a missing role too. Such
// ones must not be chosen first after each pause.
func TestMailboxesThatAreRefusedDoNotHoldUpTheOthers(t *testing.T) {
	for name, c := range map[string]struct {
		refused int
		kind    online.Kind
		typ     string
	}{
		"one":                      {1, online.Access, "UnauthorizedAccessException"},
		"as many as calls at once": {4, online.Access, "AccessDeniedException"},
		"more":                     {12, online.Access, ""},
		"tokens for some of them":  {4, online.Token, ""},
		"those that are first":     {40, online.Access, "CommandNotFoundException"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOffice(t, config.Sync{Mailboxes: addresses(3000)})
				refused := map[string]bool{}
				for _, a := range addresses(c.refused) {
					refused[a] = true
				}
				o.fail = func(q question) error {
					if refused[q.who] {
						return &online.CmdletError{Cmdlet: q.cmdlet, Kind: c.kind, Type: c.typ}
					}
					return nil
				}
				o.sweepFor(3 * time.Hour)
				r, _ := o.runNow()
				assert.Empty(t, doubt(o.hmad.sweep.plan.Count(time.Now())), "a few mailboxes are none about the fleet")
				assert.Equal(t, float64(3000-c.refused), valueOf(r, Mailboxes, "fresh"))
				assert.Equal(t, float64(c.refused), valueOf(r, Mailboxes, "error"))
			})
		})
	}
}

// A large part of the fleet that stands together in the list, and one that is
// scattered: the others are asked by the time that their calls take.
func TestHoweverManyAreRefusedTheOthersAreAsked(t *testing.T) {
	for name, refused := range map[string]func(i int) bool{
		"the first sixth": func(i int) bool { return i < 500 },
		"one in thirty":   func(i int) bool { return i%30 == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				all, bad := addresses(3000), map[string]bool{}
				for i, a := range all {
					if refused(i) {
						bad[a] = true
					}
				}
				o := newOffice(t, config.Sync{Mailboxes: all})
				o.fail = func(q question) error {
					if bad[q.who] {
						return &online.CmdletError{Cmdlet: q.cmdlet, Kind: online.Access, Type: "AccessDeniedException"}
					}
					return nil
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- o.hmad.background(ctx) }()
				for range 60 { // five hours
					time.Sleep(5 * time.Minute)
					_, err := o.runNow()
					assert.NoError(t, err)
				}
				assert.Equal(t, float64(len(all)-len(bad)), valueOf(mustRun(t, o), Mailboxes, "fresh"))
				cancel()
				require.ErrorIs(t, <-done, context.Canceled)
			})
		})
	}
}

// All of them were refused before the restart, too: that nobody answers is told.
func TestAFleetThatNobodyCanAskIsToldAfterARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := config.Sync{Mailboxes: addresses(30)}
		first := newOffice(t, s)
		first.sweepFor(10 * time.Minute)
		first.fail = func(question) error { return errors.New("broken") }
		first.sweepFor(5 * time.Hour)
		second := newOfficeOn(t, s, first.store)
		second.fail = first.fail
		second.sweepFor(2 * time.Hour)
		_, err := second.runNow()
		assert.ErrorContains(t, err, "5 mailboxes in a row could not be asked: broken")
	})
}

func TestAFreshVerdictOutlivesAFailedCall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
		_, err := o.runNow()
		require.NoError(t, err)
		o.fail = func(question) error { return errors.New("reset") }
		r, err := o.runNow()
		require.NoError(t, err)
		assert.Equal(t, 1.0, valueOf(r, Mailboxes, "fresh"))
		time.Sleep(25 * time.Hour)
		r, _ = o.runNow()
		assert.Equal(t, 1.0, valueOf(r, Mailboxes, "error"), "and not its end")
	})
}

func TestAPanicIsThatVisitsError(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
		o.fail = func(question) error { panic("oops") }
		r, err := o.runNow()
		assert.Equal(t, check.Panic, check.ClassOf(err))
		assert.Equal(t, 1.0, valueOf(r, Mailboxes, "error"))
	})
}

func TestAStoppedRunIsNotRecorded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
		o.takes = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := look(t, MailboxSync, ctx, o.hmad.run)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, plan.Unchecked, o.lastOf("jane@contoso.com").Last)
	})
}

func TestWatchedMailboxesThatCannotBeAskedInTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
		o.takes = time.Hour
		began := time.Now()
		r, err := o.runNow()
		assert.Equal(t, check.Throttled, check.ClassOf(err))
		assert.Equal(t, 108*time.Second, time.Since(began), "of two minutes some are left for the verdict")
		assert.Contains(t, open(r), "watched_mailbox_stale")
	})
}

func TestWhyWatchedMailboxesCouldNotBeAskedInTime(t *testing.T) {
	const text = "1 watched mailboxes could not be asked in time: "
	for name, c := range map[string]struct {
		takes time.Duration
		fail  error
		cut   error
		class *check.Class
		want  string
	}{
		"the tenant refuses": {2 * time.Second, check.Errorf(check.Throttled, "%w", &online.CmdletError{Kind: online.Throttled, RetryAfter: 4 * time.Minute}), nil,
			check.Throttled, text + "Exchange Online throttles hmad, and its pause had 2 min 14 s left"},
		"a refusal that is over": {2 * time.Second, check.Errorf(check.Throttled, "%w", &online.CmdletError{Kind: online.Throttled, RetryAfter: 105 * time.Second}), nil,
			check.Throttled, text + "the tenant allows 1.4 calls per second now"},
		"no answer": {time.Hour, nil, check.Errorf(check.Timeout, "%w", &online.CmdletError{Cmdlet: getLocation, Kind: online.Transient, Text: "no answer in time"}),
			check.Timeout, text + "Get-MailboxLocation: no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOffice(t, config.Sync{Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
				o.takes, o.cutoff = c.takes, c.cut
				o.fail = func(question) error { return c.fail }
				_, err := o.runNow()
				assert.Equal(t, c.class, check.ClassOf(err))
				assert.EqualError(t, err, c.want)
			})
		})
	}
}

func TestAStopOfAllPhonesIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		sampleRate float64
		within     time.Duration
	}{"at the default rate": {0.1, 25 * time.Minute}, "at a rate for a demonstration": {10, 16 * time.Minute}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				st := newStore()
				rehearseMailboxes(memory{st}, time.Now(), 80)
				o := newOfficeOn(t, config.Sync{Mailboxes: addresses(200), SampleRate: c.sampleRate}, st)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- o.hmad.background(ctx) }()
				time.Sleep(40 * time.Minute)
				r, err := o.runNow()
				require.NoError(t, err)
				assert.Empty(t, r.Findings)
				assert.Empty(t, whyNot(r, syncStopped))
				o.mu.Lock()
				o.stop = time.Now()
				o.mu.Unlock()
				time.Sleep(c.within)
				r, err = o.runNow()
				require.NoError(t, err)
				assert.Equal(t, []string{"sync_stopped"}, reasons(r))
				cancel()
				<-done
				again := newOfficeOn(t, o.hmad.settings, st)
				again.stop = o.stop
				assert.Equal(t, []string{"sync_stopped"}, reasons(mustRun(t, again)), "a restart does not end it")
			})
		})
	}
}

// Whoever mends what was in the way and looks again is not told of the pause.
func TestARunTriesAgainWithinThePause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(50), Watch: []config.Watch{{Mailbox: "user1@contoso.com"}}})
		o.fail = func(question) error {
			return check.Errorf(check.Permission, "%w", &online.CmdletError{Cmdlet: getLocation, Kind: online.Access, Text: "the app has no role"})
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- o.hmad.background(ctx) }()
		defer func() { cancel(); <-done }()
		time.Sleep(30 * time.Minute)
		_, err := o.runNow()
		require.Equal(t, check.Permission, check.ClassOf(err))
		o.mu.Lock()
		o.fail = nil
		o.mu.Unlock()
		time.Sleep(10 * time.Second) // what was in flight has failed, and the pause goes on
		r, _ := o.runNow()           // undecided still: others of the fleet were not asked again
		assert.NotContains(t, open(r), "watched_mailbox_stale", "the watch list was asked")
	})
}
