package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/lab"
	"github.com/hmad/hmad/internal/state"
	"github.com/hmad/hmad/internal/transport"
)

// now is the wall clock: without the monotonic reading, which stands still
// while the host sleeps.
func now() time.Time { return time.Now().Round(0) }

// world is the real environment of checks: sockets, the target's resolver, files, the
// clock, and the Store and meter that it was made with.
type world struct {
	dialer  net.Dialer
	now     func() time.Time
	storage string // the folder for what survives restarts
	store   *state.Store
	meter   func(check.ID) check.Meter
	labs    []*lab.Lab // the labs that this process runs as well, each a target of it

	mu      sync.Mutex
	budgets map[string]*budget.Budget // by tenant; they outlive reloads
	shares  map[string]*check.Shared  // by target; they outlive reloads
}

func newWorld(storage string, store *state.Store, meter func(check.ID) check.Meter) *world {
	return &world{dialer: net.Dialer{KeepAlive: -1}, now: now, storage: storage, store: store, meter: meter, budgets: map[string]*budget.Budget{},
		shares: map[string]*check.Shared{}}
}

// trial is the world of checks that are built to be judged, or to run once:
// with an empty memory, counting nothing.
func trial(storage string) *world {
	store := state.Open("", state.Options{Defs: catalog.Defs(), Now: now})
	return newWorld(storage, store, func(check.ID) check.Meter { return noMeter{} })
}

// env is the world as a target's check sees it.
func (w *world) env(t config.Target, name string) check.Env {
	id := check.ID{Check: name, Target: t.Name}
	return check.Env{
		Dial:     w.dialer.DialContext,
		Resolve:  transport.Resolver(t.Resolver),
		ReadFile: readFile,
		ReadDir:  readDir,
		Reports:  w.reports(t),
		Now:      w.now,
		Memory:   w.memory(t.Name),
		Meter:    w.meter(id),
		Table:    w.store.Table(id),
		Fleet:    w.store.Fleet(t.Name),
		Budget:   w.budget(t),
		Version:  version,
		Shared:   w.shared(t.Name),
	}
}

// shared is what the checks of a target make once for all of them.
func (w *world) shared(target string) *check.Shared {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.shares[target]
	if s == nil {
		s = new(check.Shared)
		w.shares[target] = s
	}
	return s
}

// budget is what the target's tenant allows all its targets together.
func (w *world) budget(t config.Target) *budget.Budget {
	w.mu.Lock()
	defer w.mu.Unlock()
	tenant := strings.ToLower(t.Tenant)
	b := w.budgets[tenant]
	if b == nil {
		b = budget.New(t.ExchangeOnline.Rate, t.ExchangeOnline.Concurrency)
		w.budgets[tenant] = b
	}
	b.Remember(w.now(), tenant, t.Name, w.store.Memory(t.Name))
	return b
}

// allow has the budgets allow what a config that comes into force says. Targets
// of one tenant say the same, the config sees to it.
func (w *world) allow(file *config.File) {
	for _, t := range file.Targets {
		w.budget(t).Configure(w.now(), t.ExchangeOnline.Rate, t.ExchangeOnline.Concurrency)
	}
}

// reports is where the target's on-premises reports lie.
func (w *world) reports(t config.Target) string {
	switch r := t.OnPrem.Report; {
	case r.Folder != "":
		return r.Folder
	case !r.Listen.IsZero():
		return filepath.Join(w.storage, "reports", t.Name)
	default:
		return ""
	}
}

// keepsPushed refuses to keep reports that are pushed nowhere in particular.
func (w *world) keepsPushed(file *config.File) error {
	for _, t := range file.Targets {
		if !t.OnPrem.Report.Listen.IsZero() && w.storage == "" {
			return fmt.Errorf("--storage.path: got none, want the folder for the reports that are pushed to target %s (onprem.report.listen)", t.Name)
		}
	}
	return nil
}

// readFile reads a regular file of at most max bytes.
func readFile(name string, max int64) ([]byte, error) {
	data, err := config.ReadFile(name, max)
	return data, named(name, err)
}

// named returns an error about a file with its name as far as it may be shown.
func named(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", config.ShownFile(name), err)
}

// readDir lists the regular files of a folder.
func readDir(name string) ([]string, error) {
	entries, err := os.ReadDir(name)
	err = named(name, config.FileError(err))
	var files []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			files = append(files, filepath.Join(name, e.Name()))
		}
	}
	return files, err
}

// noMeter counts nothing.
type noMeter struct{}

func (noMeter) Add(*check.Metric, float64, ...string)     {}
func (noMeter) Observe(*check.Metric, float64, ...string) {}
