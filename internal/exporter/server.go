// Package exporter shows what the Store knows: as Prometheus metrics, as a
// status page for people and as JSON. It only reads: a scrape or a page never
// waits for a check.
//
// Metrics and page are pure functions of the Store's snapshot (commonSamples,
// newPage), but for the gauges of fleets, which are many (tables); around them
// stand the HTTP endpoints, among them the two that do
// something: run a check now, and reload the config.
package exporter

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

// Bounds of a scrape: the default scrape timeout is 10 s, and more than a few
// at once are nobody's Prometheus.
const (
	scrapeTimeout     = 10 * time.Second
	scrapesInFlight   = 10
	maxPostBody       = 4 << 10
	contentPolicy     = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	permissionsPolicy = "camera=(), geolocation=(), microphone=()"
)

// Source is what the exporter reads; *state.Store is one.
type Source interface {
	Statuses() []state.Status
	Tables() []*state.Table
	Health() state.Health
}

// Options are what the exporter needs. Store is required; the rest may be zero.
type Options struct {
	Store Source
	Meter *Meter       // counters and histograms; nil: none
	Defs  []*check.Def // the declarations of reasons and metrics

	// Run runs a check now and waits for its result; check.ErrUnknown and
	// check.ErrBusy are told apart. Nil: nothing can be run.
	Run func(context.Context, check.ID) (check.Result, error)
	// Reload reads the config again and takes it over, or gives every reason
	// why not, one a line. Nil: there is nothing to reload.
	Reload func(context.Context) error
	// Mailbox looks a mailbox up by address or hash, in all targets. Nil: no
	// target watches mailboxes.
	Mailbox func(query string) []Mailbox
	// MayLookUp allows a look-up: labels show what its answer tells anyhow, or
	// the client may know what they hide. Nil: every client may.
	MayLookUp func(*http.Request) bool
	// Hold is how long a finding, or the reason undecided, stands before it
	// alerts: what stood longer before a cause began is not its effect. Nil: no
	// time.
	Hold func(check, reason string) time.Duration
	// Ready reports whether checks are being dispatched; nil: always.
	Ready func() bool
	// Checks returns the checks in force, for schedules and the notes of
	// waivers on the page; nil: the page does without.
	Checks func() []*check.Check
	// Runbook returns the address of a reason's runbook, for a link on the page;
	// nil: there is none.
	Runbook func(check, reason string) string
	// Alerts are those that no reason stands behind, for the page of runbooks.
	Alerts []Alert
	// MayPost reports whether the client of this request may send the two POSTs;
	// nil: nobody may.
	MayPost func(*http.Request) bool

	// ExternalURL is where people reach the page, without a slash at its end;
	// empty: not known.
	ExternalURL string

	Version  string
	Revision string           // of the source; empty: Go's own record of it
	Now      func() time.Time // nil: time.Now
	ErrorLog promhttp.Logger  // what goes wrong in a scrape; nil: nobody is told
}

// Alert is an alert that no reason stands behind, in words for people; More is
// where the documents tell of it.
type Alert struct{ Name, Severity, Summary, Fix, More string }

// Server answers over HTTP.
type Server struct {
	Options
	registry  *prometheus.Registry // of what is not the checks'
	collector *collector
	build     []string // label values of BuildInfo

	mu     sync.Mutex
	reload reload
}

// reload is how the last attempt at a new config went.
type reload struct {
	err     error
	at      time.Time // of the last attempt
	success time.Time // of the last that was taken over
}

// New makes a Server. The config that the process started with counts as taken
// over now.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Hold == nil {
		o.Hold = func(string, string) time.Duration { return 0 }
	}
	s := &Server{Options: o, registry: prometheus.NewRegistry(), build: buildLabels(o.Version, o.Revision)}
	s.Reloaded(nil)
	s.collector = newCollector(o, s.ownSamples)
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if o.Meter != nil {
		s.registry.MustRegister(o.Meter)
	}
	return s
}

func (s *Server) gatherer() gatherer { return gatherer{s.registry, s.collector, s.Meter} }

// Reloaded records an attempt to take over a new config, by POST or SIGHUP;
// nil: it was taken over.
func (s *Server) Reloaded(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reload.err, s.reload.at = err, s.Now()
	if err == nil {
		s.reload.success = s.reload.at
	}
}

func (s *Server) lastReload() reload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reload
}

// ownSamples returns the daemon's own families.
func (s *Server) ownSamples() []check.Sample {
	health, last := s.Store.Health(), s.lastReload()
	out := []check.Sample{
		{Metric: BuildInfo, Value: 1, Labels: s.build},
		{Metric: ReloadSuccessful, Value: truth(last.err == nil)},
		{Metric: ReloadTime, Value: unix(last.success)},
		{Metric: StateHealthy, Value: truth(health.OK)},
		{Metric: StateSetAside, Value: truth(health.SetAside != "")},
		{Metric: StateDamaged, Value: float64(health.Damaged)},
		{Metric: StateWriteErrors, Value: float64(health.WriteErrors)},
	}
	if s.ExternalURL != "" {
		out = append(out, check.Sample{Metric: WebInfo, Value: 1, Labels: []string{s.ExternalURL}})
	}
	if !health.LastWrite.IsZero() {
		out = append(out, check.Sample{Metric: StateLastWrite, Value: unix(health.LastWrite)})
	}
	return append(out, targetSamples(s.inForce())...)
}

// inForce returns the checks in force; nil where nobody can say.
func (s *Server) inForce() []*check.Check {
	if s.Checks == nil {
		return nil
	}
	return s.Checks()
}

// targetSamples returns hmad_target_info of every target that the checks name.
func targetSamples(checks []*check.Check) []check.Sample {
	var out []check.Sample
	seen := map[string]bool{}
	for _, c := range checks {
		if !seen[c.Target] {
			seen[c.Target] = true
			out = append(out, check.Sample{Metric: TargetInfo, Value: 1, Labels: []string{c.Target, c.Vantage}})
		}
	}
	return out
}

// Handler returns every endpoint. Cross-origin POSTs are refused here, other
// than a path's own methods with 405; time-outs of the connection are the
// http.Server's.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics())
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /runbook", s.runbook)
	mux.HandleFunc("GET /api/v1/results", s.results)
	mux.HandleFunc("GET /api/v1/mailbox", s.mailbox)
	mux.HandleFunc("POST /api/v1/run", s.run)
	mux.HandleFunc("POST /-/reload", s.reloadNow)
	s.health(mux)
	handleAssets(mux)
	return secured(http.NewCrossOriginProtection().Handler(mux))
}

// Healthy is what /-/healthy answers, in one line.
const Healthy = "hmad is healthy."

// HealthHandler returns /-/healthy and /-/ready alone, for a listener without
// authentication.
func (s *Server) HealthHandler() http.Handler {
	mux := http.NewServeMux()
	s.health(mux)
	return secured(mux)
}

func (s *Server) health(mux *http.ServeMux) {
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, Healthy)
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if s.Ready != nil && !s.Ready() {
			answer(w, http.StatusServiceUnavailable, "hmad is not ready: its checks are not being dispatched yet.")
			return
		}
		answer(w, http.StatusOK, "hmad is ready.")
	})
}

// secured puts the headers on every answer that keep a browser from doing more
// with it than showing it.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("Permissions-Policy", permissionsPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not no-referrer: with it a browser sends «Origin: null» from our own
		// forms, which over plain HTTP is refused as another origin's.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// answer writes one line of text.
func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
