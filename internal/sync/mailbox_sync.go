package sync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/sync/plan"
)

// MailboxSync is the check of the leg from the phones to the cloud.
var MailboxSync = &check.Def{
	Name: "mailbox_sync",
	Doc: "When did phones last synchronise? For each mailbox hmad asks Exchange Online where the mailbox's part in the cloud is " +
		"(Get-MailboxLocation) and when Outlook's partnerships last synchronised with it (Get-MobileDeviceStatistics). It asks about a mailbox " +
		"when the answer can change the verdict, within a budget of calls (`exchange_online.rate`). A rotating sample shows within minutes that " +
		"all phones have stopped. The watch list is asked about in every run. For the gauges only, hmad also asks hourly for the content of its " +
		"mailboxes in the cloud (Get-MailboxStatistics). This check covers the leg from the phone to the cloud. When Exchange on premises refuses " +
		"the cloud's own tokens, this check stays green although phones show old mail: `onprem_sync`, `tls_offload` and `evosts_metadata` find that.",
	Every:   "*/5 * * * *",
	Timeout: 2 * time.Minute,
	Needs:   "exchange_online, and " + config.SyncNeeds,
	Metrics: append([]*check.Metric{Mailboxes, SyncedWithin, NewestSync, OverdueMailboxes, SweepLag, AskedRatio,
		SampledMailboxes, StaleAfterSeconds, BudgetCalls, RejectedLines,
		online.Requests, online.RequestDuration, entra.CredentialNotAfter}, slices.Concat(mailboxFamilies, statisticsFamilies)...),
	Reasons: mailboxReasons,
	Implies: []check.Implication{{Causes: []*check.Reason{syncStopped, syncFailing},
		Effects: []string{"mailbox_sync.sync_stale", "mailbox_sync.watched_mailbox_stale_critical", "mailbox_sync.watched_mailbox_stale"}}},
	Steps: []int{3, 4, 6, 8},
	New:   newMailboxSync,

	Rehearse: func(m check.Memory, now time.Time) { rehearseMailboxes(m, now, 40) },
}

// FleetName is the name of the fleet of mailboxes in the Store.
const FleetName = "mailboxes"

// The keys of the plan's History in the target's memory.
const (
	keyOfHours = "sync_hours"
	keyOfPulse = "sync_pulse"
)

// mailboxSync is the check for one target. Its runs do not overlap; its
// Background works at the same time.
type mailboxSync struct {
	settings   config.Sync
	env        check.Env
	sweep      *sweep
	members    *members
	rules      Rules
	stats      *statistics           // from begin on
	credential func() []check.Sample // of hmad's own credential for the tenant
}

func newMailboxSync(t config.Target, env check.Env) (check.Parts, error) {
	if !t.Sync.Configured() || !t.ExchangeOnline.Configured() {
		return check.Parts{}, nil
	}
	online, err := online.New(t, env)
	if err != nil {
		return check.Parts{}, err
	}
	m := buildMailboxSync(t, env, online)
	m.credential = online.CredentialSamples
	parts := check.Parts{Begin: m.begin, Run: m.run, Background: m.background}
	if len(t.Sync.Watch) == 0 {
		parts.Idle = "the daemon asks the fleet over time; mailboxes in sync.watch would be asked here"
	}
	return parts, nil
}

// buildMailboxSync returns the check with this way to run cmdlets.
func buildMailboxSync(t config.Target, env check.Env, invoker online.Invoker) *mailboxSync {
	settings := plan.Settings{StaleAfter: t.Sync.StaleAfter, Budget: env.Budget, SampleRate: t.Sync.SampleRate, AskEvery: t.Sync.AskEvery,
		Seed: uint64(env.Now().UnixNano())}
	s := newSweep(invoker, t.Tenant, env, settings, newGauges(tableOf(env, mailboxFamilies...), t.Sync))
	return &mailboxSync{settings: t.Sync, env: env, sweep: s, members: &members{sweep: s, invoker: invoker, settings: t.Sync, env: env, most: maxMailboxes},
		credential: func() []check.Sample { return nil }, rules: Rules{Share: t.Sync.StaleShare / 100, Floor: t.Sync.StaleCount}}
}

// fleetOf returns the fleet's records. A check that runs once may have nowhere to
// keep them.
func fleetOf(env check.Env) check.Fleet {
	if env.Fleet == nil {
		return nowhere{}
	}
	return env.Fleet(FleetName)
}

func tableOf(env check.Env, metrics ...*check.Metric) check.Table {
	if env.Table == nil {
		return nowhere{}
	}
	return env.Table(metrics...)
}

// nowhere is a Fleet without records and a Table that nobody sees.
type nowhere struct{}

func (nowhere) Each(func(string, []byte)) {}
func (nowhere) Put(string, []byte)        {}
func (nowhere) Delete(string)             {}
func (nowhere) Set(string, ...float64)    {}
func (nowhere) Keep(func(string) bool)    {}
func (nowhere) Dropped(int)               {}

// begin loads what is known, and shows it. The file of mailboxes is left to the
// first run, because its disk may not answer.
func (m *mailboxSync) begin() {
	m.sweep.gauges.names = check.NewMailboxNames(m.settings.MailboxLabel, m.env.Memory)
	m.rules.Name = m.sweep.gauges.names.Of
	for _, w := range m.settings.Watch {
		key := strings.ToLower(w.Mailbox)
		m.rules.Watch = append(m.rules.Watch, Watched{Key: key, Name: m.sweep.gauges.names.Of(key),
			StaleAfter: w.StaleAfter, Severity: check.Severity(w.Severity)})
	}
	m.sweep.plan.Resume(plan.History{Hours: loadHours(m.env.Memory, keyOfHours), Pulse: loadPulse(m.env.Memory)})
	m.stats = loadStatistics(m.sweep, m.env, m.rules.Watch)
	m.members.load()
	m.show()
}

// background sweeps the fleet until the context ends.
func (m *mailboxSync) background(ctx context.Context) error {
	var others sync.WaitGroup
	defer others.Wait()
	if m.settings.Inventory {
		others.Go(func() { m.members.inventory(ctx) })
	}
	others.Go(func() { m.stats.work(ctx) })
	m.sweep.work(ctx, (*plan.Planner).Next)
	return ctx.Err()
}

// run asks the watch list and judges what is known of the fleet.
func (m *mailboxSync) run(ctx context.Context, v *check.Verdict) {
	err := m.members.readFile()
	var keys []string
	for _, w := range m.rules.Watch {
		keys = append(keys, w.Key)
	}
	asking, cancel := withMargin(ctx)
	defer cancel()
	if askErr := m.sweep.askNow(asking, keys); askErr != nil {
		err = askErr
	}
	m.stats.afterRun()
	if errors.Is(ctx.Err(), context.Canceled) {
		v.Undecided(ctx.Err())
		return
	}
	m.show()
	m.judge(v, err)
}

// withMargin returns a context that ends early and leaves the last tenth of the
// time for judging.
func withMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/10))
}

// show brings the tables up to date.
func (m *mailboxSync) show() {
	m.sweep.mu.Lock()
	defer m.sweep.mu.Unlock()
	m.sweep.gauges.choose(m.sweep.plan, m.env.Now())
	m.stats.show(m.env.Now())
}

// judge judges the fleet; err is the error of the run so far.
func (m *mailboxSync) judge(v *check.Verdict, err error) {
	m.sweep.mu.Lock()
	defer m.sweep.mu.Unlock()
	o := observe(m.sweep.plan, m.env.Now(), m.rules)
	o.halted, o.partial = m.sweep.trouble != nil, m.settings.Inventory && m.members.inventoryRead().IsZero()
	o.unread = m.sweep.unreadDates(m.env.Now())
	judge(v, o)
	if o.unread.n > 0 {
		v.Note("%s", o.unread)
	}
	if err := cmp.Or(err, m.members.withoutInventory(), o.undecided(m.sweep.failure)); err != nil {
		v.Undecided(err)
	}
	h := m.sweep.plan.History()
	saveHours(m.env.Memory, keyOfHours, h.Hours)
	savePulse(m.env.Memory, h.Pulse)
	m.sweep.note(v)
	m.members.note(v)
	m.stats.note(v)
	v.Repeat(byHand + "  # in Exchange Online PowerShell")
	v.Samples(m.samples(o)...)
	v.Samples(m.credential()...)
}
