package probes

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

func TestAutodiscoverHealthy(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	e := newEstate(t, ca, healthyExchange)
	env := envFor(ca)
	report := mustRun(t, Autodiscover, e.target(), env)
	assert.Empty(t, report.Findings)
	assert.Equal(t, []string{"private_address"}, reasonNames(report.Unevaluated()), "not judged from inside")
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
			target.Autodiscover.RedirectHosts = []config.Host{checktest.Setting[config.Host]("other.contoso.test")}
			report := mustRun(t, Autodiscover, target, envFor(ca))
			assert.Equal(t, tc.want, foundNames(report.Findings))
			assert.Len(t, e.requests(), tc.asked)
			for _, r := range e.requests() {
				assert.Empty(t, r.Header.Get("Authorization"))
			}
			for _, f := range report.Findings {
				assert.NotContains(t, f.Detail, "secret")
			}
			assert.NotContains(t, strings.Join(report.Texts(), "\n"), "secret")
		})
	}
}

// A hop's query is not shown, unless it is our own question's.
func TestTheCurlLineOfAFollowedRedirect(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	const path = "https://" + testHost + "/autodiscover/autodiscover.json"
	const ours = "?Email=hmad-probe%2B1%40contoso.com&Protocol=activesync&RedirectCount=3"
	for query, shown := range map[string]string{"": path, "?token=secret": "'" + path + "?…'", ours: "'" + path + ours + "'"} {
		e := newEstate(t, ca, func(w http.ResponseWriter, r *http.Request) {
			if r.Host == discoveryHost {
				w.Header().Set("Location", path+query)
				w.WriteHeader(302)
				return
			}
			healthyExchange(w, r)
		})
		report := mustRun(t, Autodiscover, e.target(), envFor(ca))
		require.Len(t, e.requests(), 2)
		assert.Equal(t, strings.TrimPrefix(path, "https://"+testHost)+query, e.requests()[1].RequestURI, "what is asked is whole")
		var lines []string
		for _, n := range report.Texts() {
			if strings.HasPrefix(n, "curl ") {
				lines = append(lines, n)
			}
		}
		require.Len(t, lines, 2)
		assert.True(t, strings.HasSuffix(lines[0], "'https://"+discoveryHost+"/autodiscover/autodiscover.json"+ours+"'"), lines[0])
		assert.True(t, strings.HasSuffix(lines[1], " "+shown), lines[1])
	}
}

// A redirect to where this host has no route is our own side's trouble.
func TestAutodiscoverRedirectedToWhereNoRouteLeads(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	e := newEstate(t, ca, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", activesyncURL+"?secret")
		w.WriteHeader(302)
	})
	target, env := e.target(), envFor(ca)
	target.ConnectTo = checktest.Setting[config.ConnectTo](map[string]string{discoveryHost + ":443": e.address, testHost + ":443": "192.0.2.1:443"})
	dial := env.Dial
	env.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr != e.address {
			return unreachable(ctx, network, addr)
		}
		return dial(ctx, network, addr)
	}
	report, err := run(t, Autodiscover, target, env)
	require.ErrorContains(t, err, "this host has no route to "+testHost+" (192.0.2.1:443)")
	assert.Equal(t, check.VantageOffline, check.ClassOf(err))
	assert.Empty(t, report.Findings)
	said := strings.Join(report.Texts(), "\n")
	assert.Contains(t, said, "HTTP/1.1 302 Found", "what was asked before")
	assert.Contains(t, said, activesyncURL)
	assert.NotContains(t, said, "secret")
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
	assert.Contains(t, report.Unevaluated(), urlMismatch)
	assert.NotContains(t, report.Unevaluated(), dnsFailed)
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
	assert.Contains(t, report.Unevaluated(), privateAddress)
}

func TestNamedHosts(t *testing.T) {
	target := config.Target{Autodiscover: config.Autodiscover{RedirectHosts: []config.Host{
		checktest.Setting[config.Host]("A.contoso.test:444"), checktest.Setting[config.Host]("b.contoso.test")}}}
	question, _ := url.Parse("https://Autodiscover.contoso.test:8443/")
	assert.Equal(t, []string{"autodiscover.contoso.test:8443", "a.contoso.test:444", "b.contoso.test:443"}, namedHosts(target, question, nil))
	a := &autodiscover{named: namedHosts(target, question, nil)}
	assert.False(t, a.allowed(mustURL("https://b.contoso.test:8443/")), "another port of a host that is named")
	assert.True(t, a.allowed(mustURL("https://B.contoso.test/")))
}
