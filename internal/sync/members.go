package sync

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/exchange"
)

const (
	getInventory   = "Get-MobileDevice"
	inventoryPages = 500
	inventoryEvery = 24 * time.Hour
	inventoryRetry = time.Hour
	keyOfInventory = "sync_inventory" // when the inventory was last read whole
)

// members keeps the fleet in step with its sources.
type members struct {
	*sweep
	settings config.Sync
	env      check.Env

	want    uint8 // the sources of the config
	read    uint8 // those that have been read whole since the start
	digest  [sha256.Size]byte
	bad     int    // lines of the file that name no mailbox
	about   string // those lines
	fileErr error

	inventoryErr error // below mu
}

func newMembers(s *sweep, settings config.Sync, env check.Env) *members {
	m := &members{sweep: s, settings: settings, env: env, want: fromList}
	if settings.File != "" {
		m.want |= fromFile
	}
	if settings.Inventory {
		m.want |= fromInventory
	}
	return m
}

// load takes up what an earlier process knew, and the list of the config.
func (m *members) load() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.fleet.Each(func(key string, record []byte) { m.plan.Add(now, key, record) })
	var keys []string
	for _, address := range m.settings.Mailboxes {
		keys = append(keys, strings.ToLower(address))
	}
	for _, w := range m.settings.Watch {
		key := strings.ToLower(w.Mailbox)
		keys = append(keys, key)
		m.plan.Watch(now, key, w.StaleAfter, nil)
	}
	m.adopt(fromList, keys)
}

// adopt makes keys the mailboxes that a source has. Once every source has been
// read, mailboxes that none has are forgotten.
func (m *members) adopt(source uint8, keys []string) {
	now := m.now()
	for i := range m.plan.all {
		m.plan.all[i].sources &^= source
	}
	for _, key := range keys {
		m.plan.Add(now, key, nil)
		m.plan.all[m.plan.index[key]].sources |= source
	}
	m.read |= source
	if m.read != m.want {
		return
	}
	var gone []string
	for i := range m.plan.all {
		if b := &m.plan.all[i]; b.key != "" && b.sources == 0 && !b.gone {
			m.gauge.hide(b)
			gone = append(gone, b.key)
		}
	}
	for _, key := range gone {
		m.plan.Remove(key)
		m.fleet.Delete(key)
	}
}

// readFile reads the file of mailboxes, if it has changed. What cannot be read
// changes nothing.
func (m *members) readFile() error {
	if m.settings.File == "" {
		return nil
	}
	data, err := m.env.ReadFile(m.settings.File, maxSourceFile)
	if err == nil && sha256.Sum256(data) == m.digest {
		return m.fileErr
	}
	var l listed
	if err == nil {
		l, err = readList(data)
		m.digest = sha256.Sum256(data)
	}
	m.bad, m.about, m.fileErr = len(l.bad), l.note(m.settings.File), nil
	if err != nil {
		m.fileErr = check.Errorf(check.State, "the mailboxes of %s cannot be read, those known before stay: %w", m.settings.File, err)
		return m.fileErr
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.adopt(fromFile, l.keys)
	m.rouse()
	return nil
}

// inventory reads the tenant's devices daily until the context ends, and takes
// the mailboxes that Outlook has a partnership with.
func (m *members) inventory(ctx context.Context) {
	for ctx.Err() == nil {
		var last time.Time
		m.env.Memory.Get(keyOfInventory, &last)
		if due := last.Add(inventoryEvery); m.now().Before(due) && m.size() > 0 {
			wait(ctx, due.Sub(m.now()))
			continue
		}
		if err := m.readInventory(ctx); err != nil {
			m.noInventory(err)
			wait(ctx, inventoryRetry)
		}
	}
}

// wait sleeps for d or until the context ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (m *members) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.plan.Len()
}

// noInventory keeps why the inventory could not be had. A refusal counts for
// the whole tenant.
func (m *members) noInventory(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inventoryErr = err
	m.refused(m.now(), err)
}

var (
	errInventory = errors.New("the tenant's inventory names no mailbox with Outlook")
	errPart      = errors.New("the tenant's inventory could not be had whole: mailboxes are added, none is taken away")
)

// readInventory reads it once. One that is not whole adds mailboxes and takes
// none away.
func (m *members) readInventory(ctx context.Context) error {
	if err := m.spend(ctx); err != nil {
		return err
	}
	found := map[string]bool{}
	rows, err := m.invoker.Invoke(ctx, getInventory, map[string]any{"ResultSize": "Unlimited"}, exchange.InvokeOptions{
		MaxPages: inventoryPages, Select: []string{"Identity", "ClientType"}, Pace: m.spend,
		Each: func(r exchange.Row) error {
			if key, ok := inventoried(r); ok && len(found) < maxMailboxes {
				found[key] = true
			}
			return nil
		}})
	if err == nil && len(found) == 0 {
		err = errInventory
	}
	if err != nil {
		return err
	}
	keys := make([]string, 0, len(found))
	for key := range found {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.rouse()
	if rows.Incomplete {
		for _, key := range keys {
			m.plan.Add(m.now(), key, nil)
			m.plan.all[m.plan.index[key]].sources |= fromInventory
		}
		return errPart
	}
	m.adopt(fromInventory, keys)
	m.inventoryErr = nil
	m.env.Memory.Put(keyOfInventory, m.now())
	return nil
}

// inventoried gives the mailbox of a device with Outlook.
func inventoried(r exchange.Row) (string, bool) {
	if kind := r.String("ClientType"); !strings.EqualFold(kind, "Outlook") && !strings.EqualFold(kind, "REST") {
		return "", false
	}
	owner, ok := ownerOf(r.String("Identity"))
	if !ok {
		return "", false
	}
	key := strings.ToLower(leafOf(owner))
	return key, key != "" && len(key) <= maxKey && !strings.ContainsAny(key, "*\"'")
}
