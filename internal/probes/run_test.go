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
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	soundVerdict(t, def.Reasons, verdict{report.Findings, report.Unevaluated})
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

func TestActiveSyncHealthy(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	e := newEstate(t, ca, healthyExchange)
	report := mustRun(t, ActiveSync, e.target(), envFor(ca))
	assert.Empty(t, report.Findings)
	assert.Equal(t, []string{"addresses_disagree"}, reasonNames(report.Unevaluated), "there is only one address")
	assert.Empty(t, cmp.Diff(map[string]float64{"bearer ": 1, "basic ": 1, "negotiate ": 0, "ntlm ": 0, "digest ": 0, "other ": 0}, sampled(report, schemeOffered)))
	assert.Equal(t, map[string]float64{"EX01 15.2.2562.17": 1}, sampled(report, buildInfo))
	assert.Len(t, sampled(report, certificateNotAfter), 1)
	assert.Contains(t, report.Notes, `Www-Authenticate: `+healthyBearer)

	asked := e.requests()
	require.Len(t, asked, 2)
	for i, user := range []string{"", "hmad-probe+1@contoso.com"} {
		assert.Equal(t, "GET", asked[i].Method)
		assert.Equal(t, testHost, asked[i].Host)
		assert.Equal(t, "Bearer", asked[i].Header.Get("Authorization"))
		assert.Equal(t, "application/json", asked[i].Header.Get("Accept"))
		assert.Equal(t, user, asked[i].Header.Get("X-User-Identity"))
		assert.Equal(t, asked[0].RemoteAddr, asked[i].RemoteAddr, "both on one connection")
	}
}

func TestActiveSyncFaults(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	target := func(e *estate) config.Target { return e.target() }
	other := func(e *estate) config.Target {
		t := e.target()
		t.Tenant = otherTenant
		return t
	}
	for name, tc := range map[string]struct {
		serve  http.HandlerFunc
		target func(*estate) config.Target
		want   []string
	}{
		"the guide's healthy header": {challenge(healthyBearer, ""), target, []string{}},
		"the guide's offloading header": {challenge(offloadedBearer, offloadedDiagnostics), other,
			[]string{"tls_offloaded"}},
		"the guide's offloading header, tenant as in the other sample": {challenge(offloadedBearer, offloadedDiagnostics), target,
			[]string{"tls_offloaded"}},
		"OAuth off for the mailbox only": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-User-Identity") == "" {
				healthyExchange(w, r)
				return
			}
			challenge("Bearer "+cid+`, error="invalid_token"`, flighting)(w, r)
		}, target, []string{"mailbox_oauth_off"}},
		"more than 32 challenges": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WWW-Authenticate", healthyBearer+strings.Repeat(",NTLM", 40))
			w.WriteHeader(401)
		}, target, []string{"response_invalid"}},
		"a server that closes after every answer": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			healthyExchange(w, r)
		}, target, []string{}},
		"a connection cut at the mailbox's request": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-User-Identity") != "" {
				panic(http.ErrAbortHandler)
			}
			healthyExchange(w, r)
		}, target, []string{"response_invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, ca, tc.serve)
			assert.Equal(t, tc.want, foundNames(mustRun(t, ActiveSync, tc.target(e), envFor(ca)).Findings))
		})
	}
}

// control characters come over a raw socket: net/http's server would not send
// them.
func TestActiveSyncControlCharactersInAValue(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	to := serveTLS(t, ca.leaf(t, nil), answers("HTTP/1.0 401 Unauthorized\r\nX-FEServer: EX\x1b[31m01\r\nWWW-Authenticate: Bearer client_id=\"\x1b[31m\"\r\n\r\n"))
	target := (&estate{address: to.String()}).target()
	report := mustRun(t, ActiveSync, target, envFor(ca))
	require.Equal(t, []string{"response_invalid"}, foundNames(report.Findings))
	for _, text := range append(report.Notes, report.Findings[0].Detail) {
		assert.NotContains(t, text, "\x1b")
	}
	for frontend := range sampled(report, buildInfo) {
		assert.NotContains(t, frontend, "\x1b")
	}
}

func TestActiveSyncMembersDisagree(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	good := newEstate(t, ca, healthyExchange)
	bad := newEstate(t, ca, challenge("Basic realm=x", ""))
	target := good.target()
	target.ActiveSync.Members = []string{bad.address}
	report := mustRun(t, ActiveSync, target, envFor(ca))
	require.Equal(t, []string{"addresses_disagree"}, foundNames(report.Findings))
	assert.Equal(t, bad.address+": bearer_missing (of 2 addresses)", report.Findings[0].Detail)
	assert.Contains(t, report.Unevaluated, bearerMissing)
	offered := sampled(report, schemeOffered)
	assert.Equal(t, 1.0, offered["bearer "+good.address])
	assert.Equal(t, 0.0, offered["bearer "+bad.address])
	assert.Len(t, offered, 12)
}

// A name that is gone is found, and the front ends behind it are still asked.
func TestActiveSyncNameGoneWithMembersThere(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	e := newEstate(t, ca, challenge("Bearer "+cid, ""))
	target := e.target()
	target.ConnectTo, target.ActiveSync.Members = nil, []string{e.address}
	env := envFor(ca)
	env.Resolve = notFound
	report := mustRun(t, ActiveSync, target, env)
	assert.Equal(t, []string{"dns_failed", "authorization_uri_missing"}, foundNames(report.Findings))
}

func notFound(context.Context, string, string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

func TestActiveSyncNameGone(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	target := (&estate{}).target()
	target.ConnectTo = nil
	env := envFor(ca)
	env.Resolve = notFound
	report := mustRun(t, ActiveSync, target, env)
	assert.Equal(t, []string{"dns_failed"}, foundNames(report.Findings))
	assert.Equal(t, check.After(activesyncReasons, dnsFailed), report.Unevaluated)
}

func TestActiveSyncGetsItsURLFromAutoDiscover(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	e := newEstate(t, ca, healthyExchange)
	target := e.target()
	target.ActiveSync.URL = ""

	t.Run("by asking itself", func(t *testing.T) {
		report := mustRun(t, ActiveSync, target, envFor(ca))
		assert.Empty(t, report.Findings)
		assert.Contains(t, report.Notes, "endpoint: "+activesyncURL+", given by AutoDiscover now")
	})
	t.Run("from what the autodiscover check remembers", func(t *testing.T) {
		env := envFor(ca)
		report := mustRun(t, Autodiscover, target, env)
		assert.Empty(t, report.Findings)
		before := len(e.requests())
		report = mustRun(t, ActiveSync, target, env)
		assert.Contains(t, report.Notes, "endpoint: "+activesyncURL+", given by AutoDiscover before")
		assert.Len(t, e.requests(), before+2, "AutoDiscover is not asked again")
	})
	t.Run("and is skipped without", func(t *testing.T) {
		silent := newEstate(t, ca, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) })
		target := silent.target()
		target.ActiveSync.URL = ""
		_, err := run(t, ActiveSync, target, envFor(ca))
		require.ErrorIs(t, err, check.ErrSkipped)
		assert.ErrorContains(t, err, "unexpected_status")
		assert.NotContains(t, err.Error(), "hmad-probe", "an address in an error")
	})
}

func TestAutodiscoverHealthy(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	e := newEstate(t, ca, healthyExchange)
	env := envFor(ca)
	report := mustRun(t, Autodiscover, e.target(), env)
	assert.Empty(t, report.Findings)
	assert.Equal(t, []string{"private_address"}, reasonNames(report.Unevaluated), "not judged from inside")
	assert.NotEmpty(t, sampled(report, check.Phase))
	var kept string
	require.True(t, env.Memory.Get(rememberedURL, &kept))
	assert.Equal(t, activesyncURL, kept)

	require.Len(t, e.requests(), 1)
	r := e.requests()[0]
	assert.Equal(t, "/autodiscover/autodiscover.json?Email=hmad-probe%2B1%40contoso.com&Protocol=activesync&RedirectCount=3", r.RequestURI)
	assert.Equal(t, "application/json", r.Header.Get("Accept"))
	assert.Empty(t, r.Header.Get("Authorization"))
}

func TestAutodiscoverFollowsRedirectsToNamedHostsOnly(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	to := func(location string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Host == discoveryHost {
				w.Header().Set("Location", location)
				w.WriteHeader(302)
				return
			}
			healthyExchange(w, r)
		}
	}
	const path = "/autodiscover/autodiscover.json?secret"
	for name, tc := range map[string]struct {
		serve http.HandlerFunc
		want  []string
		asked int
	}{
		"to the ActiveSync host":        {to("https://" + strings.ToUpper(testHost) + path), []string{}, 2},
		"to a redirect host":            {to("https://other.contoso.test" + path), []string{}, 2},
		"to a stranger":                 {to("https://autodiscover.fabrikam.com" + path), []string{"unexpected_status"}, 1},
		"to the cloud":                  {to("https://outlook.office365.com" + path), []string{"redirects_to_cloud"}, 1},
		"without TLS":                   {to("http://" + testHost + path), []string{"redirect_insecure"}, 1},
		"to itself":                     {to("/autodiscover/autodiscover.json"), []string{"redirect_loop"}, 2},
		"with credentials in the place": {to("https://u:p@" + testHost + path), []string{}, 2},
		"on and on": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.Path+"x")
			w.WriteHeader(302)
		}, []string{"redirect_loop"}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, ca, tc.serve)
			target := e.target()
			target.Autodiscover.RedirectHosts = []string{"other.contoso.test"}
			report := mustRun(t, Autodiscover, target, envFor(ca))
			assert.Equal(t, tc.want, foundNames(report.Findings))
			assert.Len(t, e.requests(), tc.asked)
			for _, r := range e.requests() {
				assert.Empty(t, r.Header.Get("Authorization"))
			}
			for _, f := range report.Findings {
				assert.NotContains(t, f.Detail, "secret")
			}
		})
	}
}

func TestAutodiscoverAddressesAreUnited(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	good := newEstate(t, ca, healthyExchange)
	target := good.target()
	target.ConnectTo, target.Addresses = nil, config.AllAddresses
	env := envFor(ca)
	env.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}, nil
	}
	// Port 443 of the first address leads to the estate, the second refuses.
	env.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "127.0.0.1:443" {
			return (&net.Dialer{}).DialContext(ctx, network, good.address)
		}
		return nil, errors.New("connection refused")
	}
	report := mustRun(t, Autodiscover, target, env)
	require.Equal(t, []string{"connect_failed"}, foundNames(report.Findings))
	assert.True(t, strings.HasPrefix(report.Findings[0].Detail, "127.0.0.2:443: "), report.Findings[0].Detail)
	assert.Contains(t, report.Unevaluated, urlMismatch)
	assert.NotContains(t, report.Unevaluated, dnsFailed)
	var kept string
	assert.True(t, env.Memory.Get(rememberedURL, &kept), "the address that answers gave the URL")
}

// From outside, the names themselves are judged, also where the connection is
// pinned.
func TestAutodiscoverPrivateAddress(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	e := newEstate(t, ca, healthyExchange)
	target := e.target()
	target.Vantage = config.External
	env := envFor(ca)
	env.Resolve = func(_ context.Context, _, host string) ([]netip.Addr, error) {
		if host == testHost {
			return []netip.Addr{netip.MustParseAddr("10.0.0.5")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("203.0.113.5")}, nil
	}
	report := mustRun(t, Autodiscover, target, env)
	require.Equal(t, []string{"private_address"}, foundNames(report.Findings))
	assert.Equal(t, testHost+" resolves to 10.0.0.5", report.Findings[0].Detail)

	env.Resolve = notFound
	report = mustRun(t, Autodiscover, target, env)
	assert.Empty(t, report.Findings)
	assert.Contains(t, report.Unevaluated, privateAddress)
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

func TestNewRefusesABadTarget(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	for name, change := range map[string]func(*config.Target){
		"no CA file":   func(t *config.Target) { t.CAFile = "other.pem" },
		"a bad member": func(t *config.Target) { t.ActiveSync.Members = []string{"ex01"} },
		"a bad URL":    func(t *config.Target) { t.ActiveSync.URL = "https://[::1" },
	} {
		target := (&estate{}).target()
		change(&target)
		_, err := ActiveSync.New(target, envFor(ca))
		assert.Error(t, err, name)
	}
}

func TestNamedHosts(t *testing.T) {
	target := config.Target{Autodiscover: config.Autodiscover{RedirectHosts: []string{"A.contoso.test:444", "b.contoso.test"}}}
	question, _ := url.Parse("https://Autodiscover.contoso.test:8443/")
	assert.Equal(t, []string{"autodiscover.contoso.test", "a.contoso.test", "b.contoso.test"}, namedHosts(target, question, nil))
}
