package sync

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync/plan"
)

const (
	getStatistics   = "Get-MailboxStatistics"
	statisticsEvery = time.Hour            // at most, of one mailbox
	statisticsStand = 3 * time.Hour        // how long an answer is shown: an old count must not look like one that does not change
	lookAgain       = time.Second          // after which it looks again whether something more urgent waits
	keyOfStatistics = "sync_statistics"    // key in the target's memory
	maxItems        = int64(math.MaxInt32) // ItemCount is an Int32
)

// The families of what the watched mailboxes' parts in the cloud hold: a mailbox
// has one row in a table of the Store. sync.max_series does not count them.
var (
	MailboxItems = &check.Metric{Name: "hmad_mailbox_items", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Items in a watched mailbox's part in the cloud (ItemCount of Get-MailboxStatistics), asked for hourly, absent when not known for " +
			"three hours. If neither this nor hmad_mailbox_last_logon_timestamp_seconds changes while mail arrives, the leg from the cloud to " +
			"Exchange may be broken. That is inferred, not documented, and no " +
			"verdict depends on it."}
	MailboxLogon = &check.Metric{Name: "hmad_mailbox_last_logon_timestamp_seconds", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Unix time of the last log-on to a watched mailbox's part in the cloud (LastLogonTime of Get-MailboxStatistics), asked for hourly, " +
			"absent if Exchange Online does not return it. Read it together with hmad_mailbox_items."}
	statisticsFamilies = []*check.Metric{MailboxItems, MailboxLogon}
)

// cloudPart is what Exchange Online said of one mailbox's part in the cloud.
type cloudPart struct {
	Asked  time.Time // last question, with or without an answer; zero: none
	Heard  time.Time // last answer; zero: none
	Items  *int64    // nil: not given
	Logon  time.Time // zero: not given
	failed error     // of the last question
}

// statistics asks hourly what the watched mailboxes' parts in the cloud hold. It
// shares the budget of the sweep, and waits while anything is to be asked that a
// verdict depends on.
type statistics struct {
	sweep  *sweep
	memory check.Memory
	table  check.Table
	watch  []Watched
	ready  chan struct{} // capacity 1: a run has asked the watch list
	caller *budget.Caller

	// Guarded by the sweep's mu.
	parts map[string]cloudPart // by mailbox
	rest  time.Time            // nothing is asked before
}

// loadStatistics restores what an earlier process knew of these mailboxes. Those
// that labels must not name have no series and are not asked.
func loadStatistics(s *sweep, env check.Env, watch []Watched) *statistics {
	watch = slices.DeleteFunc(slices.Clone(watch), func(w Watched) bool { return w.Name == "" })
	t := &statistics{sweep: s, memory: env.Memory, table: tableOf(env, statisticsFamilies...), watch: watch,
		ready: make(chan struct{}, 1), caller: s.budget.Caller(), parts: map[string]cloudPart{}}
	kept := map[string]cloudPart{}
	if t.memory.Get(keyOfStatistics, &kept); len(kept) == 0 {
		return t
	}
	for _, w := range t.watch {
		t.parts[w.Key] = kept[w.Key]
	}
	t.memory.Put(keyOfStatistics, t.parts)
	return t
}

// afterRun signals work that a run has asked the watch list.
func (t *statistics) afterRun() {
	select {
	case t.ready <- struct{}{}:
	default:
	}
}

// work asks after each run until the context ends.
func (t *statistics) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.ready:
			t.round(ctx)
		}
	}
}

// round asks about each mailbox that is due, one after the other, until
// something more urgent waits.
func (t *statistics) round(ctx context.Context) {
	for _, w := range t.watch {
		l, due := t.due(w.Key)
		if !due {
			continue
		}
		if !t.admit(ctx) {
			return
		}
		s, err := t.ask(ctx, l)
		t.settle(ctx, w.Key, s, err)
	}
}

// due returns the location of a mailbox's part; false where it is not known, or
// was asked about within the last hour.
func (t *statistics) due(key string) (plan.Location, bool) {
	t.sweep.mu.Lock()
	defer t.sweep.mu.Unlock()
	now, asked := t.sweep.now(), t.parts[key].Asked
	m, known := t.sweep.plan.Mailbox(now, key)
	if t.rest.Sub(now) > statisticsEvery { // the clock was set back
		t.rest = now
	}
	if !known || now.Before(t.rest) || now.Sub(asked) < statisticsEvery && !asked.After(now) {
		return plan.Location{}, false
	}
	return m.Location, m.Location != (plan.Location{})
}

// admit waits for a call of the budget and spends it. False: a run waits for the
// watch list, the sweep pauses, or the context has ended.
func (t *statistics) admit(ctx context.Context) bool {
	defer t.caller.Leave()
	for now := t.sweep.now(); ctx.Err() == nil && !t.giveWay(now); now = t.sweep.now() {
		ok, at := t.caller.Begin(now, false)
		if ok {
			return true
		}
		if next := now.Add(lookAgain); at.IsZero() || at.After(next) {
			at = next
		}
		t.caller.Wait(ctx, now, at)
	}
	return false
}

// giveWay reports whether statistics must wait: a run waits for the watch list, or
// the sweep pauses.
func (t *statistics) giveWay(now time.Time) bool {
	t.sweep.mu.Lock()
	defer t.sweep.mu.Unlock()
	return len(t.sweep.pending) > 0 || t.sweep.paused(now)
}

// ask asks about the part at a location. A part that is gone has no statistics,
// nor has one that nobody has used.
func (t *statistics) ask(ctx context.Context, l plan.Location) (out cloudPart, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = check.Errorf(check.Panic, "panic while the statistics of a mailbox were asked for: %v", r)
		}
	}()
	rows, err := t.sweep.visitor.invoker.Invoke(ctx, getStatistics, map[string]any{"Identity": l.String()},
		online.Options{Anchor: l.String(), MaxPages: 1, Select: Columns(getStatistics)})
	switch {
	case kindOf(err) == online.NotFound:
		return cloudPart{}, nil
	case err != nil:
		return cloudPart{}, err
	case rows.Incomplete:
		return cloudPart{}, errCut
	}
	return readStatistics(rows.Rows, l, t.sweep.now())
}

// readStatistics reads the answer about one mailbox, which must be its own. An
// impossible number or date counts as not given.
func readStatistics(rows []powershell.Row, asked plan.Location, now time.Time) (s cloudPart, err error) {
	if len(rows) == 0 {
		return s, nil
	}
	if guid, ok := plan.ParseLocation(rows[0].String("MailboxGuid")); len(rows) > 1 || !ok || guid != asked {
		return s, errForeign
	}
	if n, err := rows[0].Int("ItemCount"); err == nil && n >= 0 && n <= maxItems {
		s.Items = &n
	}
	if at, _ := rows[0].Time("LastLogonTime"); !at.IsZero() && !at.After(now.Add(plan.AheadAllowed)) {
		s.Logon = at
	}
	return s, nil
}

// settle records an answer, or why there is none. After a throttled call the
// mailbox is asked again soon; where the token or the role is missing, the others
// need not be asked for an hour.
func (t *statistics) settle(ctx context.Context, key string, s cloudPart, err error) {
	t.sweep.mu.Lock()
	defer t.sweep.mu.Unlock()
	t.sweep.budget.End()
	now := t.sweep.now()
	switch {
	case err == nil:
		s.Heard = now
	case ctx.Err() != nil || refused(err):
		return
	default:
		s, s.failed = t.parts[key], err
		if kind := kindOf(err); kind == online.Token || kind == online.Access {
			t.rest = now.Add(statisticsEvery)
		}
	}
	s.Asked = now
	t.parts[key] = s
	t.memory.Put(keyOfStatistics, t.parts)
	t.show(now)
}

// show brings the table up to date. The caller holds the sweep's mu.
func (t *statistics) show(now time.Time) {
	shown := map[string]bool{}
	for _, w := range t.watch {
		s := t.parts[w.Key]
		if now.Sub(s.Heard) > statisticsStand || s.Items == nil && s.Logon.IsZero() {
			continue
		}
		items := math.NaN()
		if s.Items != nil {
			items = float64(*s.Items)
		}
		t.table.Set(w.Name, items, momentValue(s.Logon))
		shown[w.Name] = true
	}
	t.table.Keep(func(name string) bool { return shown[name] })
}

// note records what could not be asked. The caller holds the sweep's mu.
func (t *statistics) note(v *check.Verdict) {
	n, why := 0, error(nil)
	for _, w := range t.watch {
		if err := t.parts[w.Key].failed; err != nil {
			n, why = n+1, err
		}
	}
	if why != nil {
		v.Note("the statistics of %d of %d watched mailboxes are missing, which changes no verdict: %v", n, len(t.watch), why)
	}
}
