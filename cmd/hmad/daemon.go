package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/exporter"
	runs "github.com/hmad/hmad/internal/run"
	"github.com/hmad/hmad/internal/state"
)

// maxRuns bounds the runs in flight, in all targets together.
const maxRuns = 512

// maxStreams bounds the requests of one connection at once: an HTTP/2 client of
// 512 connections could send 128,000 of them otherwise.
const maxStreams = 16

// daemon is the running hmad: the config's checks, dispatched, kept and shown.
type daemon struct {
	configFile string
	log        *zap.Logger
	store      *state.Store
	world      *world
	intakes    *intakes
	meter      *exporter.Meter
	guard      *guard
	dispatcher *runs.Dispatcher
	exporter   *exporter.Server
	checks     atomic.Pointer[[]*check.Check] // in force
	file       atomic.Pointer[config.File]    // in force
	ready      atomic.Bool
	notify     *notifier
	reloading  sync.Mutex
	told       []string // files with secrets that are readable by all; of load alone
}

// runDaemon is the command run.
func (c *cli) runDaemon(ctx context.Context) int {
	if err := c.serve(ctx, nil); err != nil {
		return c.fail(exitError, err)
	}
	return exitOK
}

// serve runs the daemon until ctx ends. What can refuse to start does so
// before anything runs; started, where given, is called once all is up.
func (c *cli) serve(ctx context.Context, started func(context.Context, *daemon, *site)) error {
	log, err := newLog(c.stderr, c.logLevel, c.logFormat)
	if err != nil {
		return err
	}
	if c.externalURL, err = linkBase("--web.external-url", c.externalURL); err != nil {
		return err
	}
	// A trial, so that a bad config neither listens nor touches the state.
	sound, err := buildChecks(c.configFile, trial(c.storagePath))
	if err != nil {
		return err
	}
	site, err := c.listen(log)
	if err != nil {
		return err
	}
	defer site.close()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	d := c.newDaemon(log, site)
	defer d.closeStore()
	if d.intakes, err = openIntakes(sound.file, d.world); err != nil {
		return err
	}
	defer d.intakes.close()
	if err := d.load(); err != nil {
		return err
	}
	log.Info("started", zap.String("version", version), zap.String("config", c.configFile), zap.Strings("addresses", site.addresses()))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.dispatcher.Serve(ctx) })
	group.Go(func() error { return site.serve(ctx, d.exporter) })
	group.Go(func() error { return d.intakes.serve(ctx) })
	group.Go(func() error { d.reloadOnHangup(ctx, hangup); return nil })
	group.Go(func() error { d.notify.serve(ctx); return nil })
	d.ready.Store(true)
	d.notify.ready()
	if started != nil {
		group.Go(func() error { started(ctx, d, site); return nil })
	}
	err = group.Wait()
	log.Info("stopped")
	return err
}

// newDaemon puts the parts together; none of them works yet.
func (c *cli) newDaemon(log *zap.Logger, s *site) *daemon {
	d := &daemon{configFile: c.configFile, log: log, guard: s.guard}
	path := ""
	if c.storagePath != "" {
		path = filepath.Join(c.storagePath, "state.db")
	}
	d.store = state.Open(path, state.Options{Defs: catalog.Defs(), Now: now,
		Logf: func(msg string, err error) { log.Warn(msg, zap.Error(err)) }})
	d.meter = exporter.NewMeter(catalog.Metrics())
	d.world = newWorld(c.storagePath, d.store, d.meter.For)
	d.world.labs = c.labs
	runner := &runs.Runner{Book: d.store, MeterFor: d.meter.For, Now: now, Log: log}
	d.dispatcher = runs.NewDispatcher(runner, maxRuns)
	d.notify = newNotifier(log, func() string { return statusLine(d.store.Statuses()) })
	d.notify.follow(d.dispatcher)
	d.exporter = exporter.New(exporter.Options{Store: d.store, Meter: d.meter, Defs: catalog.Defs(), Run: d.dispatcher.RunNow,
		Reload: d.reload, Ready: d.ready.Load, Checks: d.inForce, Runbook: catalog.RunbookURL, Alerts: ownAlerts(), Hold: catalog.Hold, Mailbox: d.lookUp,
		MayLookUp: func(r *http.Request) bool { return !d.hidesMailboxes() || s.trusts(r) }, MayPost: s.trusts, ExternalURL: c.externalURL,
		Version: version, Revision: revision, Now: now,
		ErrorLog: zap.NewStdLog(log)})
	return d
}

// ownAlerts returns the alerts that no reason stands behind, for the page of
// runbooks.
func ownAlerts() []exporter.Alert {
	var all []exporter.Alert
	for _, a := range catalog.OwnAlerts() {
		all = append(all, exporter.Alert{Name: a.Name, Severity: a.Severity, Summary: a.Summary, Fix: a.Fix, More: a.Runbook})
	}
	return all
}

func (d *daemon) closeStore() {
	if err := d.store.Close(); err != nil {
		d.log.Error("state not written", zap.Error(err))
	}
}

// load builds everything that the config file asks for and then swaps it in; on
// an error nothing has changed.
func (d *daemon) load() error {
	b, err := buildChecks(d.configFile, d.world)
	if err != nil {
		return err
	}
	file, checks := b.file, b.Checks
	if err := d.intakes.unchanged(file); err != nil {
		return err
	}
	ids := make([]check.ID, len(checks))
	for i, c := range checks {
		ids[i] = c.ID()
	}
	d.store.Keep(ids)
	d.meter.Keep(ids)
	d.dispatcher.Tune(maxRuns, file.ConfirmAfter)
	if err := d.dispatcher.Set(checks); err != nil {
		return err // not reached: Build has parsed the schedules
	}
	d.world.allow(file)
	d.checks.Store(&checks)
	d.file.Store(file)
	d.exporter.Reloaded(nil)
	d.tellExposed(file)
	for _, e := range b.later {
		d.log.Warn("a file is not there yet: its checks look again at each run", zap.Error(e))
	}
	for _, e := range b.Doubts {
		d.log.Warn("a setting is hardly meant", zap.Error(e))
	}
	return nil
}

// inForce returns the checks of the config in force.
func (d *daemon) inForce() []*check.Check {
	if checks := d.checks.Load(); checks != nil {
		return *checks
	}
	return nil
}

// reload loads the config file and the users of the web config again and says
// how that went.
func (d *daemon) reload(context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.notify.reloading()
	defer d.notify.ready()
	if err := d.guard.reload(); err != nil {
		d.log.Error("web config not taken up, its previous users stay in force", zap.Error(err))
	}
	if err := d.load(); err != nil {
		d.exporter.Reloaded(err)
		d.log.Error("config refused, the previous config stays in force", zap.Error(err))
		return err
	}
	d.log.Info("config reloaded")
	return nil
}

func (d *daemon) reloadOnHangup(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			_ = d.reload(ctx) // told in log, gauges and page
		}
	}
}

// newServer makes an HTTP server with limits; answers may take as long as a
// run that somebody waits for.
func newServer(h http.Handler, log *zap.Logger) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams}, ErrorLog: zap.NewStdLog(log)}
}
