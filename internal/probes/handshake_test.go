package probes

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

func TestAFaultOfTheHandshakeIsTLSFailed(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	cert := ca.leaf(t, nil)
	withConfig := func(cfg *tls.Config) func(net.Conn) {
		return func(c net.Conn) {
			cfg.Certificates = []tls.Certificate{cert}
			s := tls.Server(c, cfg)
			if s.Handshake() == nil {
				silent(s)
			}
		}
	}
	otherKey := ca.leaf(t, nil)
	otherKey.Certificate = cert.Certificate // a key that is not the certificate's
	tests := map[string]struct {
		serve func(net.Conn)
		words string
	}{
		"plain HTTP":          {func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); silent(c) }, "plain HTTP"},
		"another protocol":    {func(c net.Conn) { io.WriteString(c, "220 ready\r\n"); silent(c) }, "something answers there that is not TLS"},
		"a closed connection": {func(c net.Conn) { io.ReadAtLeast(c, make([]byte, 5), 5) }, "closed the connection during the TLS handshake"},
		"a reset":             {func(c net.Conn) { io.ReadAtLeast(c, make([]byte, 5), 5); c.(*net.TCPConn).SetLinger(0) }, "closed the connection during the TLS handshake"},
		"no common version":   {withConfig(&tls.Config{MaxVersion: tls.VersionTLS11}), "does not speak TLS 1.2 or later"},
		"no HTTP/1.1":         {withConfig(&tls.Config{NextProtos: []string{"smtp"}}), "does not take HTTP/1.1"},
		"a client certificate wanted in TLS 1.2": {withConfig(&tls.Config{MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert}),
			"requires a client certificate"},
		"a client certificate wanted in TLS 1.3": {withConfig(&tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert}),
			"requires a client certificate"},
		"a key of another certificate": {func(c net.Conn) {
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{{Certificate: cert.Certificate, PrivateKey: otherKey.PrivateKey.(*ecdsa.PrivateKey)}}})
			s.Handshake()
		}, "private key is not that of its certificate"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := visitOnce(t, testRoute(t, ca, serve(t, test.serve)), 1)
			require.Equal(t, []string{"tls_failed"}, foundNames(v.Faults), "%v", v.Faults)
			assert.Contains(t, v.Faults[0].Detail, test.words)
			assert.True(t, v.Ended)
			assert.Empty(t, v.Answers)
			assert.Positive(t, v.Phases.Connect)
			assert.Zero(t, v.Phases.Processing)
		})
	}
}

func TestTheCertificateIsJudgedInOrder(t *testing.T) {
	root := newAuthority(t, "contoso root", nil)
	between := newAuthority(t, "contoso intermediate", root)
	stranger := newAuthority(t, "unknown root", nil)
	in := func(d time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotAfter = time.Now().Add(d) }
	}
	aia := func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://pki.contoso.test/between.cer"} }
	without := func(cert tls.Certificate) tls.Certificate {
		cert.Certificate = cert.Certificate[:1]
		return cert
	}
	const day = 24 * time.Hour
	old := newAuthorityUntil(t, "old intermediate", root, time.Now().Add(-time.Minute))
	tests := map[string]struct {
		cert    tls.Certificate
		reasons []string
		words   string
		ends    bool
	}{
		"good":                     {between.leaf(t, nil), []string{}, "", false},
		"22 days left":             {root.leaf(t, in(22*day)), []string{}, "", false},
		"20 days left":             {root.leaf(t, in(20*day)), []string{"certificate_expiring"}, "expires on", false},
		"2 days left":              {root.leaf(t, in(2*day)), []string{"certificate_expiring_soon"}, "expires on", false},
		"expired":                  {root.leaf(t, in(-time.Minute)), []string{"certificate_expired"}, "expired on", true},
		"not yet valid":            {root.leaf(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }), []string{"certificate_expired"}, "not valid before", true},
		"for another name":         {root.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"www.contoso.test"} }), []string{"certificate_name_mismatch"}, "for www.contoso.test, not for mail.contoso.test", true},
		"without names":            {root.leaf(t, func(c *x509.Certificate) { c.DNSNames = nil }), []string{"certificate_name_mismatch"}, "for CN=mail.contoso.test", true},
		"expired and another name": {root.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"x.test"}; in(-time.Minute)(c) }), []string{"certificate_expired"}, "", true},
		"another name, untrusted":  {stranger.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"x.test"} }), []string{"certificate_name_mismatch"}, "", true},
		"an unknown authority":     {stranger.leaf(t, nil), []string{"certificate_untrusted"}, "no trusted root for the issuer CN=unknown root", true},
		"self-signed":              {(*authority)(nil).selfSigned(t), []string{"certificate_untrusted"}, "self-signed", true},
		"intermediate missing, named by the leaf":      {without(between.leaf(t, aia)), []string{"certificate_chain_incomplete"}, "does not send the certificate of the issuer CN=contoso intermediate", false},
		"intermediate missing, 20 days left":           {without(between.leaf(t, func(c *x509.Certificate) { aia(c); in(20 * day)(c) })), []string{"certificate_chain_incomplete", "certificate_expiring"}, "", false},
		"intermediate missing, not named":              {without(between.leaf(t, nil)), []string{"certificate_untrusted"}, "no trusted root", true},
		"intermediate sent, its root unknown":          {newAuthority(t, "unknown intermediate", stranger).leaf(t, aia), []string{"certificate_untrusted"}, "no trusted root", true},
		"an expired intermediate":                      {old.leaf(t, nil), []string{"certificate_expired"}, "a certificate of the chain has expired or is not valid yet: CN=old intermediate", true},
		"for an address alone":                         {root.leaf(t, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{{192, 0, 2, 1}} }), []string{"certificate_name_mismatch"}, "for 192.0.2.1, not for", true},
		"not for servers":                              {root.leaf(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), []string{"certificate_untrusted"}, "it is for client authentication only", true},
		"an escape sequence in the name of the issuer": {newAuthority(t, "\x1b[31mred", nil).leaf(t, nil), []string{"certificate_untrusted"}, `\x1b[31mred`, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := visitOnce(t, testRoute(t, root, serveTLS(t, test.cert, answers(unauthorized))), 1)
			require.Equal(t, test.reasons, foundNames(v.Faults))
			if len(v.Faults) > 0 {
				assert.Contains(t, v.Faults[0].Detail, test.words)
				assert.NotContains(t, v.Faults[0].Detail, "\x1b")
			}
			assert.Equal(t, test.ends, v.Ended)
			assert.Equal(t, !test.ends, len(v.Answers) == 1)
			require.Len(t, v.Chain, len(test.cert.Certificate), "the chain is recorded whatever the verdict")
			assert.Contains(t, samples([]Visit{v}), check.Sample{Metric: CertificateNotAfter,
				Value: float64(v.Chain[0].NotAfter.Unix()), Labels: []string{testHost, ""}})
		})
	}
}

func (*authority) selfSigned(t testing.TB) tls.Certificate {
	return (*authority)(nil).leaf(t, nil)
}

func TestAWarningStandsOnceThoughTwoConnectionsShowIt(t *testing.T) {
	root := newAuthority(t, "contoso root", nil)
	cert := root.leaf(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(48 * time.Hour) })
	v := visitOnce(t, testRoute(t, root, serveTLS(t, cert, answers("HTTP/1.0 401 No\r\n\r\n"))), 2)
	assert.Equal(t, []string{"certificate_expiring_soon"}, foundNames(v.Faults))
	assert.Len(t, v.Answers, 2)
}

func TestAMemberWithABadCertificateBehindTheSecondConnectionIsFound(t *testing.T) {
	root := newAuthority(t, "contoso root", nil)
	certs := []tls.Certificate{root.leaf(t, nil), newAuthority(t, "unknown root", nil).leaf(t, nil)}
	var n atomic.Int32
	to := serve(t, func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: certs[n.Add(1)-1:][:1]})
		answers("HTTP/1.0 401 No\r\n\r\n")(s)
	})
	v := visitOnce(t, testRoute(t, root, to), 2)
	assert.Equal(t, []string{"certificate_untrusted"}, foundNames(v.Faults))
	assert.Len(t, v.Answers, 1)
}

func TestAFaultOfTheConnectionIsConnectFailed(t *testing.T) {
	closed := func() netip.AddrPort {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		return l.Addr().(*net.TCPAddr).AddrPort()
	}()
	tests := map[string]struct {
		dial  func(ctx context.Context, network, addr string) (net.Conn, error)
		words string
	}{
		"refused": {(&net.Dialer{}).DialContext, "connection refused"},
		"a router's word": {func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}
		}, "no route to host"},
		"no route": {func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}
		}, "network is unreachable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := testEnv(newAuthority(t, "contoso root", nil))
			env.Dial = test.dial
			v := visitOnce(t, routeIn(t, env, closed), 1)
			require.Equal(t, []string{"connect_failed"}, foundNames(v.Faults))
			assert.Contains(t, v.Faults[0].Detail, test.words)
			assert.Contains(t, v.Faults[0].Detail, closed.String())
			assert.True(t, v.Ended)
			assert.Empty(t, samples([]Visit{v}), "a step that failed has no value")
			assert.True(t, strings.HasSuffix(v.connection(), "no TLS"), v.connection())
		})
	}
}

func TestAConnectionThatDoesNotComeIsConnectFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := testEnv(newAuthority(t, "contoso root", nil))
		env.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
		v := visitWithin(t, routeIn(t, env, elsewhere), 500*time.Millisecond, 1)
		require.Equal(t, []string{"connect_failed"}, foundNames(v.Faults))
		assert.Contains(t, v.Faults[0].Detail, "no TCP connection to 192.0.2.1:443 within 500 ms")
	})
}
