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
	"github.com/hmad/hmad/internal/sync/plan"
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
	sweep    *sweep
	invoker  online.Invoker
	settings config.Sync
	env      check.Env
	most     int // mailboxes that are taken from the inventory

	digest  [sha256.Size]byte // of the file when it was last read
	same    bool              // it was the same the time before
	bad     int               // lines of the file that name no mailbox
	about   string            // the note about those lines
	fileErr error

	inventoryErr error // guarded by the sweep's mu
}

// load restores what an earlier process knew, and adopts the list of the config.
func (m *members) load() {
	m.sweep.mu.Lock()
	defer m.sweep.mu.Unlock()
	now, sources := m.env.Now(), m.sources()
	m.sweep.records.Each(func(key string, record []byte) { m.sweep.plan.Restore(now, key, record, sources) })
	var keys []string
	for _, address := range m.settings.Mailboxes {
		keys = append(keys, strings.ToLower(address))
	}
	for _, w := range m.settings.Watch {
		key := strings.ToLower(w.Mailbox)
		keys = append(keys, key)
		m.sweep.plan.Watch(now, key, w.StaleAfter)
	}
	m.adopt(plan.FromList, keys, true)
}

// sources returns the sources that the config has.
func (m *members) sources() plan.Sources {
	all := plan.FromList
	if m.settings.File != "" {
		all |= plan.FromFile
	}
	if m.settings.Inventory {
		all |= plan.FromInventory
	}
	return all
}

// adopt records that a source names these mailboxes; whole: it names no others. A
// mailbox that no source names any more is forgotten. The caller holds the sweep's
// mu.
func (m *members) adopt(source plan.Sources, keys []string, whole bool) {
	changed, removed := m.sweep.plan.Adopt(m.env.Now(), source, keys, whole)
	for _, key := range changed {
		m.sweep.records.Put(key, m.sweep.plan.Record(key))
	}
	for _, key := range removed {
		m.sweep.gauges.hide(key)
		m.sweep.records.Delete(key)
	}
}

// readFile reads the file of mailboxes, if it has changed. A file that cannot be
// read changes nothing. New mailboxes are added at once; missing ones are removed
// when the next run reads the same, because a file may be read while it is being
// written.
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
	m.bad, m.about, m.fileErr = len(l.bad), l.note(config.ShownFile(m.settings.File)), nil
	if err != nil {
		return m.unread(err)
	}
	m.sweep.mu.Lock()
	defer m.sweep.mu.Unlock()
	m.adopt(plan.FromFile, l.keys, m.same)
	m.sweep.rouse()
	return nil
}

// unread records that the file cannot be read.
func (m *members) unread(err error) error {
	m.fileErr = check.Errorf(check.ClassOf(err), "the mailboxes in %s cannot be read, the known ones are kept: %w",
		config.ShownFile(m.settings.File), err)
	return m.fileErr
}

// inventory reads the tenant's devices daily until the context ends, and adopts
// the mailboxes that have a partnership with Outlook.
func (m *members) inventory(ctx context.Context) {
	for ctx.Err() == nil {
		now, last := m.env.Now(), m.inventoryRead()
		// One of the future was read before the clock was set back.
		if due := last.Add(inventoryEvery); now.Before(due) && !last.After(now) && m.size() > 0 {
			check.Pause(ctx, due.Sub(now))
			continue
		}
		if err := m.readInventory(ctx); err != nil {
			m.noInventory(err)
			check.Pause(ctx, inventoryRetry)
		}
	}
}

func (m *members) size() int {
	m.sweep.mu.Lock()
	defer m.sweep.mu.Unlock()
	return m.sweep.plan.Len()
}

// note records what is wrong with the sources. The caller holds the sweep's mu.
func (m *members) note(v *check.Verdict) {
	if m.about != "" {
		v.Note("%s", m.about)
	}
	if m.inventoryErr != nil {
		v.Note("inventory: %v", m.inventoryErr)
	}
}

// noInventory records why the inventory could not be read.
func (m *members) noInventory(err error) {
	m.sweep.mu.Lock()
	defer m.sweep.mu.Unlock()
	m.inventoryErr = err
}

// inventoryRead returns when the inventory was last read completely; zero: never.
func (m *members) inventoryRead() (last time.Time) {
	m.env.Memory.Get(keyOfInventory, &last)
	return last
}

// withoutInventory returns an error where mailboxes may be missing, because the
// inventory has not been read completely for too long.
func (m *members) withoutInventory() error {
	last, read := m.inventoryRead(), "was never read completely"
	if !last.IsZero() {
		read = "was last read completely " + check.Moment(last)
	}
	switch {
	case !m.settings.Inventory:
		return nil
	case m.inventoryErr != nil && m.env.Now().Sub(last) > inventoryLate:
		return because(m.inventoryErr, "new mailboxes may be missing: the tenant's inventory %s", read)
	case m.sweep.plan.Len() == 0:
		return check.Errorf(check.State, "no mailbox is known yet: `hmad run` reads the tenant's inventory")
	default:
		return nil
	}
}

var (
	errInventory = errors.New("the tenant's inventory contains no mailbox with Outlook")
	errPart      = errors.New("the tenant's inventory could not be read completely: mailboxes are added, none is removed")
)

// readInventory reads the inventory once. One that is not complete adds mailboxes
// and removes none.
func (m *members) readInventory(ctx context.Context) error {
	pages := paging{b: m.sweep.budget, now: m.env.Now}
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
	m.sweep.mu.Lock()
	defer m.sweep.mu.Unlock()
	defer m.sweep.rouse()
	whole = whole && !rows.Incomplete
	m.adopt(plan.FromInventory, keys, whole)
	if !whole {
		return errPart
	}
	m.inventoryErr = nil
	m.env.Memory.Put(keyOfInventory, m.env.Now())
	return nil
}

// inventoried returns the mailbox of a device; false where it has no Outlook.
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
