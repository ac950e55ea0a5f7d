package sync

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync/plan"
)

func TestReadStatistics(t *testing.T) {
	a, b := guidOf("a"), guidOf("b")
	asked, _ := plan.ParseLocation(a)
	const none = -1
	for name, c := range map[string]struct {
		rows  []powershell.Row
		items int64
		logon string
		err   error
	}{
		"a mailbox in use":              {[]powershell.Row{held(a, 640, "2026-11-23T09:55:00.0000000Z")}, 640, "2026-11-23T09:55:00Z", nil},
		"an offset, upper case":         {[]powershell.Row{held(strings.ToUpper(a), 0, "2026-11-23T10:55:00.0000000+01:00")}, 0, "2026-11-23T09:55:00Z", nil},
		"no log-on is said":             {[]powershell.Row{held(a, 640, nil)}, 640, "", nil},
		"no count is said":              {[]powershell.Row{held(a, nil, "2026-11-23T09:55:00Z")}, none, "2026-11-23T09:55:00Z", nil},
		"a count written as text":       {[]powershell.Row{held(a, "640", nil)}, 640, "", nil},
		"a date without a zone":         {[]powershell.Row{held(a, 1, "2026-11-23T09:55:00.0000000")}, 1, "", nil},
		"a clock that is a bit ahead":   {[]powershell.Row{held(a, 1, "2026-11-23T10:04:00Z")}, 1, "2026-11-23T10:04:00Z", nil},
		"a log-on in the future":        {[]powershell.Row{held(a, 1, "2026-11-24T10:00:00Z")}, 1, "", nil},
		"a count below nothing":         {[]powershell.Row{held(a, -1, nil)}, none, "", nil},
		"a count beyond Exchange's":     {[]powershell.Row{held(a, int64(math.MaxInt32)+1, nil)}, none, "", nil},
		"a count that is none":          {[]powershell.Row{held(a, map[string]any{"x": 1}, []int{1})}, none, "", nil},
		"nobody has ever used it":       {nil, none, "", nil},
		"another mailbox's":             {[]powershell.Row{held(b, 640, nil)}, none, "", errForeign},
		"no GUID":                       {[]powershell.Row{held("", 640, nil)}, none, "", errForeign},
		"a GUID that is none":           {[]powershell.Row{held("jane@contoso.com", 640, nil)}, none, "", errForeign},
		"its own and another's":         {[]powershell.Row{held(a, 1, nil), held(b, 1, nil)}, none, "", errForeign},
		"twice its own, which is right": {[]powershell.Row{held(a, 1, nil), held(a, 2, nil)}, none, "", errForeign},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := readStatistics(c.rows, asked, monday)
			require.ErrorIs(t, err, c.err)
			if c.items == none {
				assert.Nil(t, s.Items)
			} else if assert.NotNil(t, s.Items) {
				assert.Equal(t, c.items, *s.Items)
			}
			logon := ""
			if !s.Logon.IsZero() {
				logon = s.Logon.Format(time.RFC3339)
			}
			assert.Equal(t, c.logon, logon)
		})
	}
}

// daemon lets the Background work and runs the check every five minutes, until
// d is over; it gives the last report.
func (o *office) daemon(d time.Duration) (r check.Report) {
	o.t.Helper()
	ctx, cancel := context.WithCancel(o.t.Context())
	done := make(chan error)
	go func() { done <- o.hmad.background(ctx) }()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Minute) {
		r, _ = o.runNow()
	}
	cancel()
	require.ErrorIs(o.t, <-done, context.Canceled)
	return r
}

// held returns what the table shows of a mailbox; -1: nothing.
func (o *office) held(m *check.Metric, name string) float64 {
	o.store.beside.mu.Lock()
	defer o.store.beside.mu.Unlock()
	row, column := o.store.beside.rows[name], slices.Index(statisticsFamilies, m)
	if row == nil || math.IsNaN(row[column]) {
		return -1
	}
	return row[column]
}

func watching(addresses ...string) (s config.Sync) {
	for _, a := range addresses {
		s.Watch = append(s.Watch, config.Watch{Mailbox: a})
	}
	return s
}

func TestStatisticsOfTheWatchListAreAskedHourly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := watching("Jane@contoso.com", "board@contoso.com")
		s.Mailboxes = addresses(50)
		o := newOffice(t, s)
		r := o.daemon(6 * time.Hour)
		asked := map[string][]question{}
		for _, q := range o.questions(getStatistics) {
			assert.Equal(t, q.who, q.anchor, "questions are routed")
			asked[q.who] = append(asked[q.who], q)
		}
		require.Len(t, asked, 2, "the others are not asked")
		for _, all := range asked {
			assert.InDelta(t, 6, len(all), 1)
			for i := range all[1:] {
				assert.GreaterOrEqual(t, all[i+1].at.Sub(all[i].at), time.Hour)
			}
		}
		assert.InDelta(t, 105, o.held(MailboxItems, "jane@contoso.com"), 1)
		assert.InDelta(t, time.Now().Unix(), o.held(MailboxLogon, "board@contoso.com"), 3700+300)
		assert.Empty(t, r.Findings)
		assert.NotContains(t, strings.Join(r.Texts(), "\n"), "statistics")
	})
}

func TestStatisticsSurviveARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		first := newOffice(t, watching("jane@contoso.com", "board@contoso.com"))
		first.daemon(10 * time.Minute)
		require.Len(t, first.questions(getStatistics), 2)

		second := newOfficeOn(t, watching("jane@contoso.com"), first.store)
		assert.Equal(t, 100.0, second.held(MailboxItems, "jane@contoso.com"), "before it has done anything")
		second.daemon(10 * time.Minute)
		assert.Empty(t, second.questions(getStatistics), "they were asked for ten minutes ago")
		assert.Equal(t, 100.0, second.held(MailboxItems, "jane@contoso.com"))
		assert.Equal(t, -1.0, second.held(MailboxItems, "board@contoso.com"), "it has left the watch list")
		assert.NotContains(t, string(first.store.values[keyOfStatistics]), "board")

		third := newOfficeOn(t, watching("jane@contoso.com", "board@contoso.com"), first.store)
		third.daemon(10 * time.Minute)
		assert.Len(t, third.questions(getStatistics), 1, "it is back")
	})
}

func TestStatisticsObeyTheLabelMode(t *testing.T) {
	for mode, want := range map[string]struct{ label, asked int }{config.LabelAddress: {len("jane@contoso.com"), 1}, config.LabelHash: {24, 1}, config.LabelNone: {0, 0}} {
		t.Run(mode, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := watching("jane@contoso.com")
				s.MailboxLabel = mode
				o := newOffice(t, s)
				o.daemon(10 * time.Minute)
				label := 0
				for name := range o.store.beside.rows {
					label = len(name)
				}
				assert.Equal(t, want.label, label)
				assert.Len(t, o.questions(getStatistics), want.asked)
			})
		})
	}
}

// Whatever comes instead of statistics: the check's verdict stays, an answer of
// before is shown for three hours and no longer, and a note says so.
func TestStatisticsThatCannotBeHad(t *testing.T) {
	jane := guidOf("jane@contoso.com")
	failing := func(err error) func(*office) {
		return func(o *office) {
			o.fail = func(q question) error {
				if q.cmdlet == getStatistics {
					return err
				}
				return nil
			}
		}
	}
	cmdletError := func(kind online.Kind) error {
		return check.Errorf(check.State, "%w", &online.CmdletError{Cmdlet: getStatistics, Kind: kind, Text: kind.String()})
	}
	for name, c := range map[string]struct {
		set   func(*office)
		stays bool // for three hours
		note  string
	}{
		"nobody has used it": {func(o *office) { o.holds[jane] = []powershell.Row{} }, false, ""},
		"the part is gone":   {failing(cmdletError(online.NotFound)), false, ""},
		"another mailbox's row": {func(o *office) { o.holds[jane] = []powershell.Row{held(guidOf("joe"), 1, nil)} }, true, "the answer is about " +
			"another mailbox"},
		"half an answer":       {func(o *office) { o.cut = getStatistics }, true, "the answer is not complete"},
		"the role is missing":  {failing(cmdletError(online.Access)), true, "Get-MailboxStatistics: access"},
		"no token":             {failing(cmdletError(online.Token)), true, "Get-MailboxStatistics: token"},
		"for the moment":       {failing(cmdletError(online.Transient)), true, "Get-MailboxStatistics: transient"},
		"no answer of the API": {failing(cmdletError(online.Invalid)), true, "Get-MailboxStatistics: invalid"},
		"a panic": {func(o *office) { o.fail = func(q question) error { return panicIn(q, getStatistics) } }, true, "panic while the " +
			"statistics"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := watching("jane@contoso.com")
				o := newOffice(t, s)
				o.daemon(10 * time.Minute)
				require.Equal(t, 100.0, o.held(MailboxItems, "jane@contoso.com"))
				c.set(o)
				r := o.daemon(2 * time.Hour)
				assert.Equal(t, c.stays, o.held(MailboxItems, "jane@contoso.com") == 100)
				notes := strings.Join(r.Texts(), "\n")
				if c.note == "" {
					assert.NotContains(t, notes, "statistics")
				} else {
					assert.Contains(t, notes, "the statistics of 1 of 1 watched mailboxes are missing, which changes no verdict: "+c.note)
				}
				assert.Len(t, o.questions(getStatistics), 3, "it is asked hourly all the same")
				o.daemon(2 * time.Hour)
				r, err := o.runNow()
				require.NoError(t, err)
				assert.Equal(t, -1.0, o.held(MailboxItems, "jane@contoso.com"))
				assert.Equal(t, 1.0, valueOf(r, Mailboxes, "fresh"))
				assert.Empty(t, r.Findings)
			})
		})
	}
}

func panicIn(q question, cmdlet string) error {
	if q.cmdlet == cmdlet {
		panic("oops")
	}
	return nil
}

// Without the role nothing is gained by asking about the others.
func TestAMissingRoleForStatisticsIsAskedForOnceAnHour(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, watching(addresses(20)...))
		o.fail = func(q question) error {
			if q.cmdlet == getStatistics {
				return &online.CmdletError{Cmdlet: getStatistics, Kind: online.Access}
			}
			return nil
		}
		o.daemon(3 * time.Hour)
		assert.Len(t, o.questions(getStatistics), 3)
	})
}

// A tenant that refuses statistics for being too many slows everything down,
// and is asked again.
func TestStatisticsThatAreThrottled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, watching("jane@contoso.com"))
		refused := 0
		o.fail = func(q question) error {
			if q.cmdlet != getStatistics || refused == 2 {
				return nil
			}
			refused++
			return check.Errorf(check.Throttled, "%w", &online.CmdletError{Kind: online.Throttled, RetryAfter: time.Minute})
		}
		o.daemon(5 * time.Minute)
		assert.Less(t, o.hmad.sweep.budget.Rate(), 2.0)
		o.daemon(15 * time.Minute)
		assert.Equal(t, 100.0, o.held(MailboxItems, "jane@contoso.com"))
		assert.Len(t, o.questions(getStatistics), 3)
	})
}

// With statistics the watch list has its answers as soon as without, and calls
// keep the rate and their number at once.
func TestStatisticsGiveWay(t *testing.T) {
	longest := func(t *testing.T, mode string, asked int) (run time.Duration) {
		inBubble(t, func(t *testing.T) {
			s := watching(addresses(80)...)
			s.Mailboxes, s.MailboxLabel = addresses(3000), mode
			o := newOffice(t, s)
			o.takes = 900 * time.Millisecond
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- o.hmad.background(ctx) }()
			began := time.Now()
			for range 24 {
				before := time.Now()
				_, err := o.runNow()
				require.NoError(t, err)
				run = max(run, time.Since(before))
				time.Sleep(5*time.Minute - time.Since(before))
			}
			assert.Len(t, o.questions(getStatistics), asked)
			assert.LessOrEqual(t, o.calls(), int(2*time.Since(began).Seconds())+4)
			assert.LessOrEqual(t, o.most, 4)
			cancel()
			require.ErrorIs(t, <-done, context.Canceled)
		})
		return run
	}
	without := longest(t, config.LabelNone, 0)
	assert.LessOrEqual(t, longest(t, config.LabelAddress, 160), without+5*time.Second, "the statistics of all would take 40 s")
}

// One call at once: neither the sweep nor the statistics leave the other waiting
// for ever.
func TestStatisticsShareTheOnlyPlace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOfficeWithin(t, config.Sync{Mailboxes: addresses(30), Watch: watching("jane@contoso.com").Watch}, newStore(), budget.New(2, 1))
		r := o.daemon(10 * time.Minute)
		assert.Equal(t, 31.0, valueOf(r, Mailboxes, "fresh"))
		assert.Equal(t, 100.0, o.held(MailboxItems, "jane@contoso.com"))
	})
}

// hmad check has no Background, and asks nothing that no verdict hangs on.
func TestARunAloneAsksForNoStatistics(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, watching("jane@contoso.com"))
		_, err := o.runNow()
		require.NoError(t, err)
		assert.Empty(t, o.questions(getStatistics))
	})
}

// Series of single mailboxes are rows of tables, which a Report would copy with
// every run.
func TestNoReportHasSeriesOfSingleMailboxes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, watching("jane@contoso.com", "board@contoso.com"))
		r := o.daemon(time.Hour)
		require.Equal(t, 2.0, valueOf(r, Mailboxes, "fresh"))
		require.NotEmpty(t, o.store.beside.rows)
		for _, s := range r.Samples {
			assert.NotContains(t, s.Metric.Labels, "mailbox", s.Metric.Name)
		}
	})
}

// A stop in the middle of a question leaves it unasked.
func TestAStopWhileStatisticsAreAskedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, watching("jane@contoso.com"))
		o.fail = func(q question) error {
			if q.cmdlet == getStatistics {
				return errors.New("not reached")
			}
			return nil
		}
		o.takes = 10 * time.Second
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- o.hmad.background(ctx) }()
		_, err := o.runNow()
		require.NoError(t, err)
		time.Sleep(5 * time.Second)
		require.Len(t, o.questions(getStatistics), 1)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		assert.Empty(t, o.store.values[keyOfStatistics])
	})
}

func TestWhenStatisticsAreAdmitted(t *testing.T) {
	for name, c := range map[string]struct {
		set    func(*office)
		want   bool
		within time.Duration
	}{
		"nothing else to do":          {func(*office) {}, true, 0},
		"a run waits":                 {func(o *office) { o.hmad.sweep.urge([]string{"jane@contoso.com"}) }, false, 0},
		"the sweep pauses":            {func(o *office) { o.hmad.sweep.resume = time.Now().Add(time.Minute) }, false, 0},
		"no call left":                {func(o *office) { o.spendBurst() }, true, 500 * time.Millisecond},
		"no place free for a quarter": {func(o *office) { o.busyFor(15 * time.Minute) }, true, 15*time.Minute + lookAgain},
		"a run comes while it waits": {func(o *office) {
			o.busyFor(time.Hour)
			time.AfterFunc(time.Minute, func() { o.hmad.sweep.urge([]string{"jane@contoso.com"}) })
		}, false, time.Minute + lookAgain},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOffice(t, watching("jane@contoso.com"))
				c.set(o)
				began := time.Now()
				assert.Equal(t, c.want, o.hmad.stats.admit(t.Context()))
				assert.InDelta(t, c.within.Seconds(), time.Since(began).Seconds(), lookAgain.Seconds())
			})
		})
	}
}

// busyFor takes all places among the calls at once for so long.
func (o *office) busyFor(d time.Duration) {
	b := o.hmad.sweep.budget
	for range b.Places() {
		ok, _ := b.Caller().Begin(time.Now(), true)
		require.True(o.t, ok)
		time.AfterFunc(d, b.End)
	}
}

// spendBurst takes all calls that the budget has.
func (o *office) spendBurst() {
	for range 4 {
		require.NoError(o.t, o.hmad.sweep.budget.Call(o.t.Context(), time.Now))
	}
}
