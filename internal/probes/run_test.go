package probes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
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

// requests returns what was asked, in order.
func (e *estate) requests() []*http.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// target is one whose hosts all lead to the estate.
func (e *estate) target() config.Target {
	return config.Target{Name: "contoso", Mailbox: "hmad-probe+1@contoso.com", Tenant: testTenant, CAFile: "ca.pem",
		Autodiscover: config.Autodiscover{Host: checktest.Setting[config.Host](discoveryHost)},
		ActiveSync:   config.ActiveSync{URL: checktest.Setting[config.URL](activesyncURL)},
		ConnectTo: checktest.Setting[config.ConnectTo](map[string]string{discoveryHost + ":443": e.address, testHost + ":443": e.address,
			"other.contoso.test:443": e.address})}
}

func envFor(ca *authority) check.Env {
	env := testEnv(ca, "127.0.0.1")
	env.Memory = new(checktest.Memory)
	return env
}

// run builds a check and runs it once.
func run(t *testing.T, def *check.Def, target config.Target, env check.Env) (check.Report, error) {
	t.Helper()
	parts, err := def.New(target, env)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), checktest.Patience)
	defer cancel()
	report, err := def.Look(ctx, parts.Run)
	if err != nil {
		require.NotEqual(t, check.Internal, check.ClassOf(err), "every reason is mentioned: %s", err)
	}
	for _, u := range report.Unjudged {
		require.NotEmpty(t, u.Why, u.Reason.Name)
	}
	return report, err
}

func mustRun(t *testing.T, def *check.Def, target config.Target, env check.Env) check.Report {
	t.Helper()
	report, err := run(t, def, target, env)
	require.NoError(t, err)
	for _, s := range report.Samples {
		assert.Contains(t, def.Metrics, s.Metric)
		assert.Len(t, s.Labels, len(s.Metric.Labels))
	}
	soundVerdict(t, def.Reasons, seen{findings: report.Findings, unevaluated: report.Unevaluated()})
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
		_, err = ActiveSync.Look(ctx, parts.Run)
		assert.ErrorIs(t, err, context.Canceled)
	})
}

// unreachable has no route to anything.
func unreachable(context.Context, string, string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}
}

// refusing is a proxy that connects nobody.
func refusing(t *testing.T, target config.Target) config.Target {
	target.ConnectTo = nil
	target.Proxy = checktest.Setting[config.Proxy]("http://" + serve(t, answers("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")).String())
	return target
}

// Whatever our own side lacks, a person can repeat the question by hand.
func TestWhenOurOwnSideErrsTheNotesTellHowToRepeat(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	const question = "https://" + discoveryHost + "/autodiscover/autodiscover.json"
	for name, tc := range map[string]struct {
		def    *check.Def
		change func(*config.Target, *check.Env)
		err    string
		line   string // the URL of a curl line in the notes
	}{
		"activesync, no route":   {ActiveSync, func(_ *config.Target, e *check.Env) { e.Dial = unreachable }, "no route to " + testHost, activesyncURL},
		"autodiscover, no route": {Autodiscover, func(_ *config.Target, e *check.Env) { e.Dial = unreachable }, "no route to " + discoveryHost, question},
		"tls_offload, no route":  {TLSOffload, func(_ *config.Target, e *check.Env) { e.Dial = unreachable }, "no route to " + testHost, activesyncURL},
		"activesync, no route, AutoDiscover to be asked first": {ActiveSync, func(g *config.Target, e *check.Env) {
			g.ActiveSync.URL, e.Dial = config.URL{}, unreachable
		}, "no route to " + discoveryHost, question},
		"activesync, a member only": {ActiveSync, func(g *config.Target, e *check.Env) {
			g.ActiveSync.Members, e.Dial = []config.AddrPort{checktest.Setting[config.AddrPort]("10.0.0.11:443")}, unreachable
		}, "10.0.0.11:443", activesyncURL},
		"activesync, the proxy refuses":   {ActiveSync, func(g *config.Target, _ *check.Env) { *g = refusing(t, *g) }, "407", activesyncURL},
		"autodiscover, the proxy refuses": {Autodiscover, func(g *config.Target, _ *check.Env) { *g = refusing(t, *g) }, "407", question},
		"tls_offload, the proxy refuses":  {TLSOffload, func(g *config.Target, _ *check.Env) { *g = refusing(t, *g) }, "407", activesyncURL},
	} {
		t.Run(name, func(t *testing.T) {
			target, env := (&estate{address: "127.0.0.1:1"}).target(), envFor(ca)
			tc.change(&target, &env)
			report, err := run(t, tc.def, target, env)
			require.ErrorContains(t, err, tc.err)
			assert.Equal(t, check.VantageOffline, check.ClassOf(err))
			assert.NotContains(t, err.Error(), "hmad-probe")
			assert.Empty(t, report.Findings, "nobody is paged for it")
			assert.Empty(t, report.Samples)
			assert.True(t, slices.ContainsFunc(report.Texts(), func(n string) bool {
				return strings.HasPrefix(n, "curl ") && strings.Contains(n, tc.line)
			}), "%q", report.Texts())
		})
	}
}

// A skipped check says what AutoDiscover was asked and what it answered.
func TestASkippedCheckTellsWhatAutoDiscoverAnswered(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	e := newEstate(t, ca, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) })
	target := e.target()
	target.ActiveSync.URL = config.URL{}
	report, err := run(t, ActiveSync, target, envFor(ca))
	require.ErrorIs(t, err, check.ErrSkipped)
	assert.Contains(t, report.Texts(), "HTTP/1.1 404 Not Found")
	assert.True(t, strings.HasPrefix(report.Texts()[0], "curl "), report.Texts()[0])
}

// The front ends are judged although this host has no route to the name.
func TestMembersAreJudgedBesideANameWithoutARoute(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	ill := newEstate(t, ca, challenge("Bearer "+cid, ""))
	for _, def := range []*check.Def{ActiveSync, TLSOffload} {
		target, env := ill.target(), envFor(ca)
		target.ConnectTo, target.ActiveSync.Members = nil, []config.AddrPort{checktest.Setting[config.AddrPort](ill.address)}
		dial := env.Dial
		env.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != ill.address {
				return unreachable(ctx, network, addr)
			}
			return dial(ctx, network, addr)
		}
		report, err := run(t, def, target, env)
		require.ErrorContains(t, err, "no route to "+testHost+" (127.0.0.1:443)")
		assert.Contains(t, strings.Join(report.Texts(), "\n"), "connection: "+ill.address)
		if def == ActiveSync {
			assert.Equal(t, []string{"authorization_uri_missing"}, foundNames(report.Findings))
		}
	}
}

func TestANameGoneIsFoundThoughItsMembersHaveNoRoute(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	target, env := (&estate{}).target(), envFor(ca)
	target.ConnectTo, target.ActiveSync.Members = nil, []config.AddrPort{checktest.Setting[config.AddrPort]("10.0.0.11:443")}
	env.Resolve, env.Dial = notFound, unreachable
	report, err := run(t, ActiveSync, target, env)
	require.ErrorContains(t, err, "no route to "+testHost+" (10.0.0.11:443)")
	assert.Equal(t, []string{"dns_failed"}, foundNames(report.Findings))
	assert.Equal(t, check.After(ActiveSync.Reasons, dnsFailed), report.Unevaluated())
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
		"no CA file": {ActiveSync, func(t *config.Target) { t.CAFile = "other.pem" }, "ca_file", "no such file"},
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
