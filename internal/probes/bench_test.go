package probes

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// The benchmarks measure a visit and a run of activesync, and bare net/http
// asking the same: a fresh connection with a full handshake, then one request
// or two on it. The server is a process of its own, so that cpu-ns/op and the
// allocations are the client's alone. `make bench-blackbox` compares a run with
// blackbox_exporter's probe.

// benchServerVar makes the test binary serve instead of test.
const benchServerVar = "HMAD_BENCH_SERVER"

// serveBench answers as Exchange does until its standard input ends. It prints
// its address and its CA's certificate.
func serveBench() {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-FEServer", "EX01")
		w.Header().Set("Request-Id", "0a7ac4a4-3c1c-4c1a-8a55-b1d2a4d5f9b1")
		w.Header().Add("WWW-Authenticate", `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", `+
			`trusted_issuers="00000001-0000-0000-c000-000000000000@5de110f8-2e0f-4d45-891d-bcf2218e253d", `+
			`token_types="app_asserted_user_v1 service_asserted_app_v1", `+
			`authorization_uri="https://login.windows.net/common/oauth2/authorize", issuer_kind="AzureAD"`)
		w.Header().Add("WWW-Authenticate", `Basic realm="`+testHost+`"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t := &testing.B{} // for the helpers below, which only fail where crypto does
	ca := newAuthority(t, "contoso root", nil)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil)}}
	s.StartTLS()
	defer s.Close()
	fmt.Println(s.Listener.Addr(), base64.StdEncoding.EncodeToString(ca.cert.Raw))
	io.Copy(io.Discard, os.Stdin)
}

// benchServer starts the server's process and gives its address and CA.
func benchServer(b *testing.B) (netip.AddrPort, *authority) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchServerVar+"=1")
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { stdin.Close(); cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	addr, encoded, _ := strings.Cut(strings.TrimSpace(line), " ")
	der, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(b, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(b, err)
	return netip.MustParseAddrPort(addr), &authority{cert: cert}
}

// cpuNow returns the CPU time that this process has taken.
func cpuNow(b *testing.B) time.Duration {
	var u unix.Rusage
	require.NoError(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure runs f b.N times, and once before for what is only done once, such as
// reading the roots.
func measure(b *testing.B, f func()) {
	b.Helper()
	f()
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuNow(b)
	for range b.N {
		f()
	}
	b.ReportMetric(float64((cpuNow(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func BenchmarkBare(b *testing.B)      { measure(b, newBenched(b).bare(1)) }
func BenchmarkBarePair(b *testing.B)  { measure(b, newBenched(b).bare(2)) }
func BenchmarkVisit(b *testing.B)     { measure(b, newBenched(b).visit(1)) }
func BenchmarkVisitPair(b *testing.B) { measure(b, newBenched(b).visit(2)) }

// BenchmarkActiveSync is a whole run of the check, which asks the pair, judges,
// and renders notes and samples.
func BenchmarkActiveSync(b *testing.B) { measure(b, newBenched(b).activesync()) }

// benched is what a benchmark asks.
type benched struct {
	b  *testing.B
	to netip.AddrPort
	ca *authority
}

func newBenched(b *testing.B) benched {
	to, ca := benchServer(b)
	return benched{b, to, ca}
}

func (s benched) bare(requests int) func() {
	roots := x509.NewCertPool()
	roots.AddCert(s.ca.cert)
	return func() {
		transport := &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, s.to.String())
			},
		}
		defer transport.CloseIdleConnections()
		for range requests {
			req, err := http.NewRequestWithContext(s.b.Context(), http.MethodGet, "https://"+testHost+"/Microsoft-Server-ActiveSync", nil)
			require.NoError(s.b, err)
			req.Header.Set("Authorization", "Bearer")
			resp, err := transport.RoundTrip(req)
			require.NoError(s.b, err)
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			require.Equal(s.b, http.StatusUnauthorized, resp.StatusCode)
		}
	}
}

func (s benched) visit(requests int) func() {
	r := testRoute(s.b, s.ca, s.to)
	u := testURL(s.b, "https://"+testHost+"/Microsoft-Server-ActiveSync")
	return func() {
		ws, _, _, err := r.ways(s.b.Context(), u)
		require.NoError(s.b, err)
		reqs := make([]*http.Request, requests)
		for i := range reqs {
			reqs[i] = r.get(u, "Authorization", "Bearer")
		}
		v, err := r.visit(s.b.Context(), ws[0], reqs...)
		require.NoError(s.b, err)
		require.Empty(s.b, v.Faults)
		require.Len(s.b, v.Answers, requests)
	}
}

func (s benched) activesync() func() {
	parts, err := ActiveSync.New(config.Target{
		Mailbox: "hmad-probe@contoso.com", Tenant: "5de110f8-2e0f-4d45-891d-bcf2218e253d", CAFile: "ca.pem",
		ActiveSync: config.ActiveSync{URL: checktest.Setting[config.URL]("https://" + testHost + "/Microsoft-Server-ActiveSync")},
		ConnectTo:  checktest.Setting[config.ConnectTo](map[string]string{testHost + ":443": s.to.String()}),
	}, withMemory(testEnv(s.ca)))
	require.NoError(s.b, err)
	return func() {
		report, err := ActiveSync.Look(s.b.Context(), parts.Run)
		require.NoError(s.b, err)
		require.Empty(s.b, report.Findings)
	}
}

// forgetful is a memory that keeps nothing.
type forgetful struct{ check.Memory }

func (forgetful) Get(string, any) bool { return false }
func (forgetful) Put(string, any)      {}

func withMemory(env check.Env) check.Env {
	env.Memory = forgetful{}
	return env
}
