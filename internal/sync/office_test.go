package sync

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync/plan"
)

const testTenant = "5de110f8-2e0f-4d45-891d-bcf2218e253d"

// store is the Store's part in a test: memory, fleet and table.
type store struct {
	mu      sync.Mutex
	values  map[string][]byte
	records map[string][]byte
	rows    map[string][]float64
	lost    []string // rows taken away, each time
	dropped int
	beside  *store // of the table of statistics
}

func newStore() *store {
	return &store{values: map[string][]byte{}, records: map[string][]byte{}, rows: map[string][]float64{}, beside: &store{rows: map[string][]float64{}}}
}

type memory struct{ *store }

func (m memory) Get(key string, into any) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[key]
	return ok && json.Unmarshal(v, into) == nil
}

func (m memory) Put(key string, v any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key], _ = json.Marshal(v)
}

type fleetRecords struct{ *store }

func (f fleetRecords) Each(do func(string, []byte)) {
	f.mu.Lock()
	all := maps.Clone(f.records)
	f.mu.Unlock()
	for k, r := range all {
		do(k, r)
	}
}

func (f fleetRecords) Put(key string, record []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records[key] = append([]byte(nil), record...)
}

func (f fleetRecords) Delete(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.records, key)
}

type table struct{ *store }

func (t table) Set(key string, values ...float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows[key] = append([]float64(nil), values...)
}

func (t table) Delete(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.rows, key)
	t.lost = append(t.lost, key)
}

func (t table) Keep(keep func(string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k := range t.rows {
		if !keep(k) {
			delete(t.rows, k)
			t.lost = append(t.lost, k)
		}
	}
}

func (t table) Dropped(rows int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropped = rows
}

// question is one call of a cmdlet.
type question struct {
	at      time.Time
	cmdlet  string
	who     string
	anchor  string
	columns []string
}

// office is Exchange Online in a test: mailboxes whose phones synchronised so
// long before they are asked, and a check that asks them.
type office struct {
	hmad  *mailboxSync
	t     testing.TB
	store *store
	files map[string]string

	mu     sync.Mutex
	asked  []question
	atOnce int                      // questions without an answer yet
	most   int                      // of them
	lag    map[string]time.Duration // by address; others: a minute
	stop   time.Time                // no phone synchronises after
	rows   map[string][]powershell.Row
	fail   func(q question) error
	takes  time.Duration
	cutoff error                       // of a call whose time ended; nil: the context's
	places map[string]string           // GUID of an address that moved
	phones []powershell.Row            // the inventory
	cut    string                      // the cmdlet of whose answers a part is missing
	pages  int                         // of the inventory, beyond the first
	holds  map[string][]powershell.Row // what Get-MailboxStatistics gives of a GUID
}

// guidOf returns the GUID of a mailbox's part in the cloud.
func guidOf(address string) string {
	var l plan.Location
	copy(l[:], address)
	binary.BigEndian.PutUint16(l[14:], uint16(len(address)))
	return l.String()
}

func row(members map[string]any) powershell.Row {
	r := powershell.Row{}
	for k, v := range members {
		r[k], _ = json.Marshal(v)
	}
	return r
}

// newOffice builds the check for these settings; it is to be used in a bubble.
func newOffice(t testing.TB, s config.Sync) *office {
	return newOfficeOn(t, s, newStore())
}

func newOfficeOn(t testing.TB, s config.Sync, st *store) *office {
	return newOfficeWithin(t, s, st, budget.New(2, 4))
}

func newOfficeWithin(t testing.TB, s config.Sync, st *store, b *budget.Budget) *office {
	t.Helper()
	o := &office{t: t, store: st, files: map[string]string{}, lag: map[string]time.Duration{},
		rows: map[string][]powershell.Row{}, places: map[string]string{}, holds: map[string][]powershell.Row{}, takes: 100 * time.Millisecond}
	for i := range s.Watch {
		if s.Watch[i].StaleAfter == 0 {
			s.Watch[i].StaleAfter = 24 * time.Hour
		}
		if s.Watch[i].Severity == "" {
			s.Watch[i].Severity = string(check.Warning)
		}
	}
	s.StaleShare, s.StaleCount = 25, 10
	if s.StaleAfter == 0 {
		s.StaleAfter = 24 * time.Hour
	}
	if s.MaxSeries == 0 {
		s.MaxSeries = 20_000
	}
	if s.MailboxLabel == "" {
		s.MailboxLabel = config.LabelAddress
	}
	if s.Export == "" {
		s.Export = config.ExportAuto
	}
	target := config.Target{Name: "contoso", Tenant: testTenant, Sync: s}
	env := check.Env{Now: time.Now, Budget: b, Memory: memory{st}, Fleet: func(string) check.Fleet { return fleetRecords{st} },
		Table: func(metrics ...*check.Metric) check.Table {
			if metrics[0] == MailboxItems {
				return table{st.beside}
			}
			return table{st}
		},
		ReadFile: func(name string, _ int64) ([]byte, error) {
			if text, ok := o.files[name]; ok {
				return []byte(text), nil
			}
			return nil, errors.New("no such file")
		}}
	o.hmad = buildMailboxSync(target, env, o)
	o.hmad.begin()
	return o
}

// Invoke implements online.Invoker.
func (o *office) Invoke(ctx context.Context, cmdlet string, params map[string]any, opt online.Options) (online.Rows, error) {
	q := question{at: time.Now(), cmdlet: cmdlet, anchor: opt.Anchor, columns: opt.Select}
	for _, name := range []string{"User", "Mailbox", "Identity"} {
		if who, ok := params[name].(string); ok {
			q.who = who
		}
	}
	o.mu.Lock()
	o.asked = append(o.asked, q)
	fail := o.fail
	o.mu.Unlock()
	o.begin(1)
	check.Pause(ctx, o.takes)
	o.begin(-1)
	if ctx.Err() != nil {
		return online.Rows{}, cmp.Or(o.cutoff, ctx.Err())
	}
	if fail != nil {
		if err := fail(q); err != nil {
			if e := new(online.CmdletError); errors.As(err, &e) && e.Kind == online.Throttled {
				o.hmad.sweep.budget.Refused(q.at, time.Now(), e.RetryAfter)
			}
			return online.Rows{}, err
		}
	}
	if cmdlet == getInventory {
		if err := o.turnPages(ctx, opt.Pace); err != nil {
			return online.Rows{}, err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	rows, err := o.answer(q, opt)
	rows.Incomplete = o.cut == cmdlet
	return rows, err
}

func (o *office) answer(q question, opt online.Options) (online.Rows, error) {
	switch q.cmdlet {
	case getLocation:
		return o.location(q.who), nil
	case getDevices:
		return o.devices(q.who), nil
	case getStatistics:
		return o.statistics(q.who), nil
	case getInventory:
		for _, r := range o.phones {
			if err := opt.Each(r); err != nil {
				return online.Rows{}, err
			}
		}
		return online.Rows{}, nil
	}
	return online.Rows{}, fmt.Errorf("unexpected cmdlet %s", q.cmdlet)
}

// turnPages asks for the further pages of the inventory, each of them a call.
func (o *office) turnPages(ctx context.Context, pace func(context.Context) error) error {
	for range o.pages {
		if err := pace(ctx); err != nil {
			return err
		}
		o.mu.Lock()
		o.asked = append(o.asked, question{at: time.Now(), cmdlet: getInventory})
		o.mu.Unlock()
		o.begin(1)
		check.Pause(ctx, o.takes)
		o.begin(-1)
	}
	return nil
}

// begin counts a question that begins, or with -1 one that ends.
func (o *office) begin(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.atOnce += n
	o.most = max(o.most, o.atOnce)
}

func (o *office) location(address string) online.Rows {
	if rows, ok := o.rows[address]; ok {
		return online.Rows{Rows: rows}
	}
	guid := guidOf(address)
	if moved := o.places[address]; moved != "" {
		guid = moved
	}
	return online.Rows{Rows: []powershell.Row{row(map[string]any{"Identity": testTenant + `\` + guid, "MailboxGuid": guid, "MailboxLocationType": "ComponentShared"})}}
}

func (o *office) devices(guid string) online.Rows {
	if rows, ok := o.rows[guid]; ok {
		return online.Rows{Rows: rows}
	}
	lag := time.Minute
	for address, l := range o.lag {
		if guidOf(address) == guid {
			lag = l
		}
	}
	at := time.Now().Add(-lag)
	if !o.stop.IsZero() && at.After(o.stop) {
		at = o.stop
	}
	return online.Rows{Rows: []powershell.Row{phone(guid, at, at)}}
}

// statistics: a part holds 100 items and one more for each hour of the clock.
func (o *office) statistics(guid string) online.Rows {
	if rows, ok := o.holds[guid]; ok {
		return online.Rows{Rows: rows}
	}
	now := time.Now()
	return online.Rows{Rows: []powershell.Row{held(guid, 100+now.Hour(), now.Add(-time.Minute))}}
}

// held is a row of Get-MailboxStatistics.
func held(guid string, items, logon any) powershell.Row {
	return row(map[string]any{"MailboxGuid": guid, "ItemCount": items, "LastLogonTime": logon})
}

// phone is a row of Get-MobileDeviceStatistics.
func phone(owner string, success, attempt time.Time) powershell.Row {
	return row(map[string]any{"Identity": owner + `\ExchangeActiveSyncDevices\REST§Outlook§0123456789ABCDEF0123456789ABCDEF`, "ClientType": "Outlook",
		"FirstSyncTime": "2026-01-01T00:00:00.0000000Z", "LastSyncAttemptTime": attempt, "LastSuccessSync": success})
}

// lastOf returns what hmad knows of a mailbox.
func (o *office) lastOf(address string) plan.Mailbox {
	m, ok := o.hmad.sweep.plan.Mailbox(time.Now(), address)
	require.True(o.t, ok, address)
	return m
}

// questions returns what was asked so far of a cmdlet.
func (o *office) questions(cmdlet string) []question {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []question
	for _, q := range o.asked {
		if q.cmdlet == cmdlet {
			all = append(all, q)
		}
	}
	return all
}

// calls is the number of questions so far.
func (o *office) calls() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.asked)
}

// sweepFor lets the Background work for a time.
func (o *office) sweepFor(d time.Duration) {
	ctx, cancel := context.WithTimeout(o.t.Context(), d)
	defer cancel()
	require.ErrorIs(o.t, o.hmad.background(ctx), context.DeadlineExceeded)
}

// runNow runs the check as the runner does.
func (o *office) runNow() (check.Report, error) {
	ctx, cancel := context.WithTimeout(o.t.Context(), 2*time.Minute)
	defer cancel()
	return look(o.t, MailboxSync, ctx, o.hmad.run)
}

// addresses returns user0 … user(n-1).
func addresses(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("user%d@contoso.com", i))
	}
	return all
}

// reasons names what a report found.
func reasons(r check.Report) (all []string) {
	for _, f := range r.Findings {
		all = append(all, f.Reason.Name)
	}
	return all
}
