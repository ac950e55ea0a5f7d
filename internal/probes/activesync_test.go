package probes

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

func TestActiveSyncHealthy(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	e := newEstate(t, ca, healthyExchange)
	report := mustRun(t, ActiveSync, e.target(), envFor(ca))
	assert.Empty(t, report.Findings)
	assert.Equal(t, []string{"addresses_disagree"}, reasonNames(report.Unevaluated()), "there is only one address")
	assert.Empty(t, cmp.Diff(map[string]float64{"bearer ": 1, "basic ": 1, "negotiate ": 0, "ntlm ": 0, "digest ": 0, "other ": 0}, sampled(report, SchemeOffered)))
	assert.Equal(t, map[string]float64{"EX01 15.2.2562.17": 1}, sampled(report, ExchangeBuild))
	assert.Len(t, sampled(report, CertificateNotAfter), 1)
	assert.Contains(t, report.Texts(), `Www-Authenticate: `+healthyBearer)

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
		}, target, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, ca, tc.serve)
			assert.Equal(t, tc.want, foundNames(mustRun(t, ActiveSync, tc.target(e), envFor(ca)).Findings))
		})
	}
}

// Control characters come over a raw socket: net/http's server would not send
// them.
func TestActiveSyncControlCharactersInAValue(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	to := serveTLS(t, ca.leaf(t, nil), answers("HTTP/1.0 401 Unauthorized\r\nX-FEServer: EX\x1b[31m01\r\nWWW-Authenticate: Bearer client_id=\"\x1b[31m\"\r\n\r\n"))
	target := (&estate{address: to.String()}).target()
	report := mustRun(t, ActiveSync, target, envFor(ca))
	require.Equal(t, []string{"response_invalid"}, foundNames(report.Findings))
	for _, text := range append(report.Texts(), report.Findings[0].Detail) {
		assert.NotContains(t, text, "\x1b")
	}
	for frontend := range sampled(report, ExchangeBuild) {
		assert.NotContains(t, frontend, "\x1b")
	}
}

func TestActiveSyncMembersDisagree(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	good := newEstate(t, ca, healthyExchange)
	bad := newEstate(t, ca, challenge("Basic realm=x", ""))
	target := good.target()
	target.ActiveSync.Members = []config.AddrPort{checktest.Setting[config.AddrPort](bad.address)}
	report := mustRun(t, ActiveSync, target, envFor(ca))
	require.Equal(t, []string{"addresses_disagree"}, foundNames(report.Findings))
	assert.Equal(t, bad.address+": bearer_missing (of 2 addresses)", report.Findings[0].Detail)
	assert.Contains(t, report.Unevaluated(), bearerMissing)
	offered := sampled(report, SchemeOffered)
	assert.Equal(t, 1.0, offered["bearer "+good.address])
	assert.Equal(t, 0.0, offered["bearer "+bad.address])
	assert.Len(t, offered, 12)
}

// A name that is gone is found, and the front ends behind it are still asked.
func TestActiveSyncNameGoneWithMembersThere(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	e := newEstate(t, ca, challenge("Bearer "+cid, ""))
	target := e.target()
	target.ConnectTo, target.ActiveSync.Members = nil, []config.AddrPort{checktest.Setting[config.AddrPort](e.address)}
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
	assert.Equal(t, check.After(ActiveSync.Reasons, dnsFailed), report.Unevaluated())
}

func TestActiveSyncGetsItsURLFromAutoDiscover(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	e := newEstate(t, ca, healthyExchange)
	target := e.target()
	target.ActiveSync.URL = config.URL{}

	t.Run("by asking itself", func(t *testing.T) {
		report := mustRun(t, ActiveSync, target, envFor(ca))
		assert.Empty(t, report.Findings)
		assert.Contains(t, report.Texts(), "endpoint: "+activesyncURL+", given by AutoDiscover now")
	})
	t.Run("from what the autodiscover check remembers", func(t *testing.T) {
		env := envFor(ca)
		report := mustRun(t, Autodiscover, target, env)
		assert.Empty(t, report.Findings)
		before := len(e.requests())
		report = mustRun(t, ActiveSync, target, env)
		assert.Contains(t, report.Texts(), "endpoint: "+activesyncURL+", given by AutoDiscover before")
		assert.Len(t, e.requests(), before+2, "AutoDiscover is not asked again")
	})
	t.Run("without what else AutoDiscover's Url holds", func(t *testing.T) {
		dressed := strings.Replace(activesyncURL, "https://", "https://u:secret@", 1) + "?key=secret"
		e := newEstate(t, ca, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/autodiscover/") {
				io.WriteString(w, `{"Protocol":"activesync","Url":"`+dressed+`"}`)
				return
			}
			healthyExchange(w, r)
		})
		target := e.target()
		target.ActiveSync.URL = config.URL{}
		env := envFor(ca)
		for _, def := range []*check.Def{ActiveSync, Autodiscover, ActiveSync} { // asked now, told, and asked as remembered
			report := mustRun(t, def, target, env)
			assert.Empty(t, report.Findings)
			assert.NotContains(t, strings.Join(report.Texts(), "\n"), "secret")
			if def == Autodiscover {
				assert.Contains(t, strings.Join(report.Texts(), "\n"), "also has a user, a query: neither shown nor asked for")
			}
		}
		require.Len(t, e.requests(), 1+2+1+2)
		for _, r := range e.requests() {
			assert.NotContains(t, r.RequestURI+r.Header.Get("Authorization"), "secret")
			assert.NotContains(t, r.Header.Get("Authorization"), "Basic")
		}
	})
	t.Run("and is skipped without", func(t *testing.T) {
		silent := newEstate(t, ca, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) })
		target := silent.target()
		target.ActiveSync.URL = config.URL{}
		_, err := run(t, ActiveSync, target, envFor(ca))
		require.ErrorIs(t, err, check.ErrSkipped)
		assert.ErrorContains(t, err, "unexpected_status")
		assert.NotContains(t, err.Error(), "hmad-probe", "an address in an error")
	})
}
