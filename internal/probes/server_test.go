package probes

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// serve accepts connections on loopback and gives each to handle, until the
// test ends. It gives the listener's address.
func serve(t testing.TB, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() { defer c.Close(); handle(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// serveTLS is serve with a handshake first; connections that fail it are
// dropped.
func serveTLS(t testing.TB, cert tls.Certificate, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	return serve(t, overTLS(cert, handle))
}

// overTLS makes the handshake and gives the connection to handle.
func overTLS(cert tls.Certificate, handle func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}})
		if s.Handshake() == nil {
			handle(s)
		}
	}
}

// answers reads one request and writes each text in turn, then closes.
func answers(texts ...string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		for _, text := range texts {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// silent reads until the peer goes.
func silent(c net.Conn) { io.Copy(io.Discard, c) }

// then writes text and goes on with next.
func then(text string, next func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) { answers(text)(c); next(c) }
}

// dripping writes text again and again, a pause between, until the peer goes. What
// the peer says meanwhile is read, as a pipe has no room for it.
func dripping(text string, pause time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		tick := time.NewTicker(max(pause, 1))
		defer tick.Stop()
		go silent(c)
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
			if pause > 0 {
				<-tick.C
			}
		}
	}
}

// testEnv resolves every name to addrs and dials real sockets; ca is the file
// "ca.pem".
func testEnv(ca *authority, addrs ...string) check.Env {
	return check.Env{
		Version: "test",
		Now:     time.Now,
		Dial:    (&net.Dialer{}).DialContext,
		Resolve: func(context.Context, string, string) ([]netip.Addr, error) {
			var out []netip.Addr
			for _, a := range addrs {
				out = append(out, netip.MustParseAddr(a))
			}
			return out, nil
		},
		ReadFile: func(name string, _ int64) ([]byte, error) {
			if name == "not.pem" {
				return []byte("no PEM"), nil
			}
			if name != "ca.pem" || ca == nil {
				return nil, fmt.Errorf("%s: no such file", name)
			}
			return ca.pem(), nil
		},
	}
}

// testRoute leads https://testHost to the given place.
func testRoute(t testing.TB, ca *authority, to netip.AddrPort) *route {
	t.Helper()
	return routeIn(t, testEnv(ca), to)
}

// routeIn is testRoute in a world of the test's own.
func routeIn(t testing.TB, env check.Env, to netip.AddrPort) *route {
	t.Helper()
	r, err := newRoute(config.Target{CAFile: "ca.pem", ConnectTo: checktest.Setting[config.ConnectTo](map[string]string{testHost + ":443": to.String()})}, env)
	require.NoError(t, err)
	return r
}

func testURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u
}

// elsewhere is where nobody listens (RFC 5737).
var elsewhere = netip.MustParseAddrPort("192.0.2.1:443")

// testRouteTo leads https://testHost to handle, in memory: in a bubble time-outs
// on it take no time.
func testRouteTo(t testing.TB, ca *authority, handle func(net.Conn)) *route {
	t.Helper()
	env := testEnv(ca)
	env.Dial = checktest.DialTo(t, handle)
	return routeIn(t, env, elsewhere)
}

// visitOnce asks https://testHost/ there, the given number of times on one
// connection.
func visitOnce(t testing.TB, r *route, times int) Visit {
	t.Helper()
	return visitWithin(t, r, checktest.Patience, times)
}

// visitWithin is visitOnce that ends after limit.
func visitWithin(t testing.TB, r *route, limit time.Duration, times int) Visit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	u := testURL(t, "https://"+testHost+"/")
	ws, faults, _, err := r.ways(ctx, u)
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Len(t, ws, 1)
	var reqs []*http.Request
	for range times {
		reqs = append(reqs, r.get(u))
	}
	v, err := r.visit(ctx, ws[0], reqs...)
	require.NoError(t, err)
	return v
}

func foundNames(found []check.Finding) []string {
	names := []string{}
	for _, f := range found {
		names = append(names, f.Reason.Name)
	}
	return names
}
