package sync

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/powershell"
)

const (
	getInventory   = "Get-MobileDevice"
	inventoryPages = 500
	inventoryEvery = 24 * time.Hour
	inventoryRetry = time.Hour
	inventoryLate  = 2 * inventoryEvery
	keyOfInventory = "sync_inventory" // when the inventory was last read whole
)

// members keeps the fleet in step with its sources.
type members struct {
	*sweep
	settings config.Sync
	env      check.Env
	most     int // mailboxes of the inventory

	digest  [sha256.Size]byte // of the file as it was last read
	same    bool              // as the time before
	bad     int               // lines of the file that name no mailbox
	about   string            // those lines
	fileErr error

	inventoryErr error // below mu
}

func newMembers(s *sweep, settings config.Sync, env check.Env) *members {
	return &members{sweep: s, settings: settings, env: env, most: maxMailboxes}
}

// load takes up what an earlier process knew, and the list of the config.
func (m *members) load() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, sources := m.now(), m.sources()
	m.fleet.Each(func(key string, record []byte) {
		m.plan.Add(now, key, record)
		b := &m.plan.all[m.plan.index[key]]
		if b.sources == 0 { // a record that does not say, or cannot be read
			b.sources = sources
		}
		b.sources &= sources
	})
	var keys []string
	for _, address := range m.settings.Mailboxes {
		keys = append(keys, strings.ToLower(address))
	}
	for _, w := range m.settings.Watch {
		key := strings.ToLower(w.Mailbox)
		keys = append(keys, key)
		m.plan.Watch(now, key, w.StaleAfter, nil)
	}
	m.adopt(fromList, keys, true)
}

// sources gives those of the config.
func (m *members) sources() uint8 {
	all := fromList
	if m.settings.File != "" {
		all |= fromFile
	}
	if m.settings.Inventory {
		all |= fromInventory
	}
	return all
}

// adopt notes that a source has these mailboxes, and where they are the whole of
// it, that it has no others. One that no source has is forgotten.
func (m *members) adopt(source uint8, keys []string, whole bool) {
	has := make(map[string]bool, len(keys))
	for _, key := range keys {
		has[key] = true
		m.plan.Add(m.now(), key, nil)
	}
	var gone []string
	for i := range m.plan.all {
		b := &m.plan.all[i]
		if b.key == "" || b.gone {
			continue
		}
		before := b.sources
		if has[b.key] {
			b.sources |= source
		} else if whole {
			b.sources &^= source
		}
		switch b.sources {
		case 0:
			m.gauge.hide(b)
			gone = append(gone, b.key)
		case before:
		default:
			m.fleet.Put(b.key, b.record())
		}
	}
	for _, key := range gone {
		m.plan.Remove(key)
		m.fleet.Delete(key)
	}
}

// readFile reads the file of mailboxes, if it has changed. What cannot be read
// changes nothing. Who is in it counts at once; who is not is taken away when
// the next run reads the same, because a file may be read while it is written.
func (m *members) readFile() error {
	if m.settings.File == "" {
		return nil
	}
	data, err := m.env.ReadFile(m.settings.File, maxSourceFile)
	if err != nil {
		m.digest = [sha256.Size]byte{}
		return m.unread(err)
	}
	same := sha256.Sum256(data) == m.digest
	if same && m.same {
		return m.fileErr
	}
	m.digest, m.same = sha256.Sum256(data), same
	l, err := readList(data)
	m.bad, m.about, m.fileErr = len(l.bad), l.note(m.settings.File), nil
	if err != nil {
		return m.unread(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.adopt(fromFile, l.keys, m.same)
	m.rouse()
	return nil
}

// unread keeps why the file says nothing.
func (m *members) unread(err error) error {
	m.fileErr = check.Errorf(check.State, "the mailboxes of %s cannot be read, those known before stay: %w", m.settings.File, err)
	return m.fileErr
}

// inventory reads the tenant's devices daily until the context ends, and takes
// the mailboxes that Outlook has a partnership with.
func (m *members) inventory(ctx context.Context) {
	for ctx.Err() == nil {
		last := m.inventoryOf()
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

// noInventory keeps why the inventory could not be had.
func (m *members) noInventory(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inventoryErr = err
}

// inventoryOf gives when the inventory was last read whole; zero: never.
func (m *members) inventoryOf() (last time.Time) {
	m.env.Memory.Get(keyOfInventory, &last)
	return last
}

// withoutInventory gives the error of a fleet that may lack mailboxes because the
// inventory has not been had whole for long.
func (m *members) withoutInventory() error {
	last := m.inventoryOf()
	switch {
	case !m.settings.Inventory:
		return nil
	case m.inventoryErr != nil && m.now().Sub(last) > inventoryLate:
		return because(m.inventoryErr, "new mailboxes may be missing: the tenant's inventory was last read whole: %s", moment(last))
	case m.plan.Len() == 0:
		return check.Errorf(check.State, "no mailbox is known yet: `hmad run` reads the tenant's inventory")
	default:
		return nil
	}
}

var (
	errInventory = errors.New("the tenant's inventory names no mailbox with Outlook")
	errPart      = errors.New("the tenant's inventory could not be had whole: mailboxes are added, none is taken away")
)

// readInventory reads it once. One that is not whole adds mailboxes and takes
// none away.
func (m *members) readInventory(ctx context.Context) error {
	pages := paging{b: m.plan.Budget, now: m.now}
	defer pages.end()
	if err := pages.turn(ctx); err != nil {
		return err
	}
	found, whole := map[string]bool{}, true
	rows, err := m.invoker.Invoke(ctx, getInventory, map[string]any{"ResultSize": "Unlimited"}, online.Options{
		MaxPages: inventoryPages, Select: []string{"Identity", "ClientType"}, Pace: pages.turn,
		Each: func(r powershell.Row) error {
			key, ok := inventoried(r)
			switch {
			case !ok:
			case len(found) < m.most:
				found[key] = true
			case !found[key]:
				whole = false
			}
			return nil
		}})
	pages.end()
	if err == nil && len(found) == 0 {
		err = errInventory
	}
	if err != nil {
		return err
	}
	keys := slices.Sorted(maps.Keys(found))
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.rouse()
	whole = whole && !rows.Incomplete
	m.adopt(fromInventory, keys, whole)
	if !whole {
		return errPart
	}
	m.inventoryErr = nil
	m.env.Memory.Put(keyOfInventory, m.now())
	return nil
}

// inventoried gives the mailbox of a device with Outlook.
func inventoried(r powershell.Row) (string, bool) {
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
