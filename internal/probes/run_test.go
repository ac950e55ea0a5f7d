package probes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

const (
	discoveryHost = "autodiscover.contoso.test"
	activesyncURL = "https://" + testHost + "/Microsoft-Server-ActiveSync"
)

// estate is an Exchange on loopback: every host of contoso.test at one
// listener.
type estate struct {
	address string // host:port
	ca      *authority
	mu      sync.Mutex
	asked   []*http.Request
}

// newEstate serves h, over TLS, to the names that the tests use.
func newEstate(t *testing.T, ca *authority, h http.HandlerFunc) *estate {
	t.Helper()
	e := &estate{ca: ca}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		e.asked = append(e.asked, r)
		e.mu.Unlock()
		h(w, r)
	}))
	cert := ca.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{discoveryHost, testHost, "other.contoso.test"} })
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.StartTLS()
	t.Cleanup(s.Close)
	e.address = s.Listener.Addr().String()
	return e
}

// requests gives what was asked, in order.
func (e *estate) requests() []*http.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// target is one whose hosts all lead to the estate.
func (e *estate) target() config.Target {
	return config.Target{Name: "contoso", Mailbox: "hmad-probe+1@contoso.com", Tenant: testTenant, CAFile: "ca.pem",
		Autodiscover: config.Autodiscover{Host: discoveryHost},
		ActiveSync:   config.ActiveSync{URL: activesyncURL},
		ConnectTo: map[string]string{discoveryHost + ":443": e.address, testHost + ":443": e.address,
			"other.contoso.test:443": e.address}}
}

func envFor(ca *authority) check.Env {
	env := testEnv(ca, "127.0.0.1")
	env.Memory = memory{}
	return env
}

// run builds a check and runs it once.
func run(t *testing.T, def *check.Def, target config.Target, env check.Env) (check.Report, error) {
	t.Helper()
	parts, err := def.New(target, env)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), def.Timeout)
	defer cancel()
	return parts.Run(ctx)
}

func mustRun(t *testing.T, def *check.Def, target config.Target, env check.Env) check.Report {
	t.Helper()
	report, err := run(t, def, target, env)
	require.NoError(t, err)
	for _, s := range report.Samples {
		assert.Contains(t, def.Metrics, s.Metric)
		assert.Len(t, s.Labels, len(s.Metric.Labels))
	}
	soundVerdict(t, def.Reasons, verdict{findings: report.Findings, unevaluated: report.Unevaluated})
	return report
}

func healthyExchange(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-FEServer", "EX01")
	w.Header().Set("X-OWA-Version", "15.2.2562.17")
	w.Header().Set("request-id", "5ca2c827-5147-474c-8457-63c4e5099c6e")
	if strings.HasPrefix(r.URL.Path, "/autodiscover/") {
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"Protocol":"activesync","Url":"` + activesyncURL + `"}`))
		return
	}
	w.Header().Add("WWW-Authenticate", healthyBearer)
	w.Header().Add("Www-Authenticate", `Basic realm="mail.contoso.com"`)
	w.WriteHeader(http.StatusUnauthorized)
}

// challenge answers 401 with the given Bearer challenge and diagnostics.
func challenge(bearer, diagnostics string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-FEServer", "EX01")
		w.Header().Add("WWW-Authenticate", bearer)
		if diagnostics != "" {
			w.Header().Set("x-ms-diagnostics", diagnostics)
		}
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func sampled(r check.Report, m *check.Metric) map[string]float64 {
	got := map[string]float64{}
	for _, s := range r.Samples {
		if s.Metric == m {
			got[strings.Join(s.Labels, " ")] = s.Value
		}
	}
	return got
}

// What our own side cannot do is an error, never a finding.
func TestOurOwnSideIsAnError(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	target := (&estate{}).target()
	target.ConnectTo = nil
	for _, def := range []*check.Def{Autodiscover, ActiveSync} {
		env := envFor(ca)
		env.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
			return nil, errors.New("socket: no such device")
		}
		report, err := run(t, def, target, env)
		assert.Equal(t, check.Resolver, check.ClassOf(err))
		assert.Empty(t, report.Findings)
	}
	t.Run("a shutdown", func(t *testing.T) {
		e := newEstate(t, ca, healthyExchange)
		parts, err := ActiveSync.New(e.target(), envFor(ca))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = parts.Run(ctx)
		assert.ErrorIs(t, err, context.Canceled)
	})
}

// An error of a setting names it by its path and tells no mailbox and no
// credentials.
func TestNewRefusesABadTarget(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	for name, tc := range map[string]struct {
		def    *check.Def
		change func(*config.Target)
		path   string
		words  string
	}{
		"no CA file":               {ActiveSync, func(t *config.Target) { t.CAFile = "other.pem" }, "ca_file", "no such file"},
		"a bad member":             {ActiveSync, func(t *config.Target) { t.ActiveSync.Members = []string{"10.0.0.11:443", "ex01"} }, "activesync.members[1]", `"ex01" is not address:port`},
		"a bad URL":                {ActiveSync, func(t *config.Target) { t.ActiveSync.URL = "https://u:secret@[::1" }, "activesync.url", "missing ']'"},
		"a URL without TLS":        {ActiveSync, func(t *config.Target) { t.ActiveSync.URL = "http://mail.contoso.test/" }, "activesync.url", "not an https URL"},
		"a bad URL to compare":     {Autodiscover, func(t *config.Target) { t.ActiveSync.URL = "https://mail.contoso.test:x/secret" }, "activesync.url", "not a URL"},
		"a bad host":               {Autodiscover, func(t *config.Target) { t.Autodiscover.Host = "auto discover" }, "autodiscover.host", "not a URL"},
		"a host with a path":       {Autodiscover, func(t *config.Target) { t.Autodiscover.Host = "a.contoso.test/secret" }, "autodiscover.host", "not a host name"},
		"a host with credentials":  {Autodiscover, func(t *config.Target) { t.Autodiscover.Host = "u:secret@a.contoso.test" }, "autodiscover.host", "with credentials"},
		"a URL with credentials":   {ActiveSync, func(t *config.Target) { t.ActiveSync.URL = "https://u:secret@mail.contoso.test/" }, "activesync.url", "with credentials"},
		"a host where it is asked": {ActiveSync, func(t *config.Target) { t.ActiveSync.URL, t.Autodiscover.Host = "", "%zz" }, "autodiscover.host", "not a URL"},
		"a bad place to ask":       {Vantage, func(t *config.Target) { t.Entra.OpenIDConfiguration = "https://u:secret@[/{tenant}" }, "entra.openid_configuration", "not a URL"},
		"a bad URL of its own":     {TLSOffload, func(t *config.Target) { t.TLSOffload.URL = "https://u:secret@[" }, "tls_offload.url", "not a URL"},
	} {
		t.Run(name, func(t *testing.T) {
			target := (&estate{address: "127.0.0.1:1"}).target()
			tc.change(&target)
			_, err := tc.def.New(target, envFor(ca))
			require.ErrorContains(t, err, tc.words)
			var field *config.FieldError
			require.ErrorAs(t, err, &field)
			assert.Equal(t, tc.path, field.Path)
			assert.NotContains(t, err.Error(), "hmad-probe")
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}
