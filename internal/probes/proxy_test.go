package probes

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// tunnelTo is a proxy that connects every CONNECT to one place and reports
// what it was asked.
func tunnelTo(to netip.AddrPort, asked chan<- *http.Request) func(net.Conn) {
	return func(c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		asked <- req
		far, err := net.Dial("tcp", to.String())
		if err != nil {
			return
		}
		defer far.Close()
		io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { io.Copy(far, c); far.Close() }()
		io.Copy(c, far)
	}
}

func proxyRoute(t *testing.T, ca *authority, proxy string) *route {
	t.Helper()
	return proxyRouteIn(t, testEnv(ca), proxy)
}

// proxyRouteIn is proxyRoute in a world of the test's own.
func proxyRouteIn(t *testing.T, env check.Env, proxy string) *route {
	t.Helper()
	env.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		t.Error("the proxy resolves names, not we")
		return nil, nil
	}
	r, err := newRoute(config.Target{CAFile: "ca.pem", Proxy: checktest.Setting[config.Proxy](proxy)}, env)
	require.NoError(t, err)
	return r
}

func TestThroughAProxyTheHostIsSeenAsItIs(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	far := serveTLS(t, ca.leaf(t, nil), keepAnswering)
	asked := make(chan *http.Request, 1)
	r := proxyRoute(t, ca, "http://"+serve(t, tunnelTo(far, asked)).String())
	v := visitOnce(t, r, 2)
	require.Empty(t, v.Faults)
	assert.Len(t, v.Answers, 2)
	assert.NotEmpty(t, v.Chain)
	assert.False(t, v.Address.IsValid())
	req := <-asked
	assert.Equal(t, http.MethodConnect, req.Method)
	assert.Equal(t, testHost+":443", req.RequestURI)
	assert.Equal(t, testHost+":443", req.Host)
	assert.Equal(t, "hmad/test", req.UserAgent())
}

func TestTheProxysPasswordGoesToTheProxyAlone(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	far := serveTLS(t, ca.leaf(t, nil), keepAnswering)
	asked := make(chan *http.Request, 1)
	env := testEnv(ca)
	readCA := env.ReadFile
	env.ReadFile = func(name string, max int64) ([]byte, error) {
		if name == "/proxy" {
			return []byte("svc:S3cret\n"), nil
		}
		return readCA(name, max)
	}
	target := config.Target{CAFile: "ca.pem", ProxyCredentialsFile: "/proxy",
		Proxy: checktest.Setting[config.Proxy]("http://" + serve(t, tunnelTo(far, asked)).String())}
	r, err := newRoute(target, env)
	require.NoError(t, err)
	v := visitOnce(t, r, 1)
	require.Empty(t, v.Faults)
	assert.Equal(t, "Basic c3ZjOlMzY3JldA==", (<-asked).Header.Get("Proxy-Authorization"))
	line := v.curl(r.get(testURL(t, "https://"+testHost+"/")))
	assert.Contains(t, line, " --proxy-user NAME:PASSWORD ")
	assert.NotContains(t, line, "S3cret")
	assert.NotContains(t, line, "c3ZjOlMzY3JldA")
}

func TestAFaultBehindTheProxyIsTheHosts(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	far := serveTLS(t, newAuthority(t, "unknown root", nil).leaf(t, nil), keepAnswering)
	r := proxyRoute(t, ca, "http://"+serve(t, tunnelTo(far, make(chan *http.Request, 1))).String())
	assert.Equal(t, []string{"certificate_untrusted"}, foundNames(visitOnce(t, r, 1).Faults))
}

func TestAProxyThatDoesNotConnectUsIsOurOwnSide(t *testing.T) {
	unreachable := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		return l.Addr().String()
	}()
	tests := map[string]struct{ addr, words string }{
		"unreachable":         {unreachable, "connection refused"},
		"asks for a password": {serve(t, answers("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")).String(), "it answers 407 Proxy Authentication Required"},
		"refuses":             {serve(t, answers("HTTP/1.1 403 \x1b[31mNo\r\n\r\n")).String(), `it answers 403 \x1b[31mNo`},
		"no HTTP":             {serve(t, answers("SSH-2.0-x\r\n")).String(), "malformed"},
		"endless":             {serve(t, then("HTTP/1.1 200 OK\r\n", dripping("X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 0))).String(), "malformed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := proxyRoute(t, newAuthority(t, "contoso root", nil), "http://"+test.addr)
			isOurOwnSide(t, r, test.addr, test.words)
		})
	}
	t.Run("silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			env := testEnv(newAuthority(t, "contoso root", nil))
			env.Dial = checktest.DialTo(t, silent)
			isOurOwnSide(t, proxyRouteIn(t, env, "http://192.0.2.1:3128"), "192.0.2.1:3128", "timeout")
		})
	})
}

// isOurOwnSide visits through the proxy at addr, which does not connect.
func isOurOwnSide(t *testing.T, r *route, addr, words string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), checktest.Patience)
	defer cancel()
	u := testURL(t, "https://"+testHost+"/")
	ws, faults, _, err := r.ways(ctx, u)
	require.NoError(t, err)
	require.Empty(t, faults)
	vs, _, err := r.visitAll(ctx, ws, r.get(u))
	require.ErrorContains(t, err, words)
	assert.ErrorContains(t, err, "the proxy "+addr+" does not connect us to "+testHost)
	assert.Equal(t, check.VantageOffline, check.ClassOf(err))
	assert.Empty(t, vs)
}

func TestShutdownInTheTunnelIsTheContextsError(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r := proxyRoute(t, newAuthority(t, "contoso root", nil), "http://"+serve(t, func(c net.Conn) { stop(); silent(c) }).String())
	u := testURL(t, "https://"+testHost+"/")
	ws, _, _, err := r.ways(ctx, u)
	require.NoError(t, err)
	_, err = r.visit(ctx, ws[0], r.get(u))
	assert.Equal(t, context.Canceled, err)
}
