package probes

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// Where no suite is in common hmad could not tell, and says how to see what the
// server takes.
func TestNoSuiteInCommon(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	for name, handle := range map[string]func(net.Conn){
		// A fatal alert 40, as OpenSSL sends it where it finds no suite (RFC 5246 section 7.2.2).
		"an alert":   func(c net.Conn) { readRecord(c); c.Write([]byte{21, 3, 3, 0, 2, 2, 40}); silent(c) },
		"RC4 alone":  limitedTo(ca.leaf(t, nil), tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA),
		"3DES alone": limitedTo(ca.leaf(t, nil), tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA),
	} {
		t.Run(name, func(t *testing.T) {
			e := &estate{address: serve(t, handle).String()}
			report, err := run(t, ActiveSync, e.target(), envFor(ca))
			require.ErrorContains(t, err, "no cipher suite in common with hmad; Microsoft's client may have one")
			assert.ErrorContains(t, err, "openssl s_client -connect 127.0.0.1:")
			assert.Equal(t, check.Other, check.ClassOf(err))
			assert.Empty(t, report.Findings)
		})
	}
}

// limitedTo answers with one cipher suite of TLS 1.2.
func limitedTo(cert tls.Certificate, suite uint16) func(net.Conn) {
	return func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
		if s.Handshake() == nil {
			answers(unauthorized)(s)
		}
	}
}

// readRecord reads one TLS record.
func readRecord(c net.Conn) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c, head); err == nil {
		io.CopyN(io.Discard, c, int64(head[3])<<8|int64(head[4]))
	}
}

// A server limited to one old suite is reached, among them those that Microsoft 365
// lists.
func TestASingleOldSuite(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	ec, old := ca.leaf(t, nil), ca.rsaLeaf(t)
	for suite, cert := range map[uint16]tls.Certificate{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: ec,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: ec,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA:    ec,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256:   old,
		tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:      old,
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256:         old,
		tls.TLS_RSA_WITH_AES_256_GCM_SHA384:         old,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA256:         old,
	} {
		t.Run(tls.CipherSuiteName(suite), func(t *testing.T) {
			v := visitOnce(t, testRoute(t, ca, serve(t, limitedTo(cert, suite))), 1)
			assert.Empty(t, v.Faults)
		})
	}
}

// rsaLeaf issues a certificate for testHost with an RSA key, for suites that want
// one.
func (a *authority) rsaLeaf(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{testHost}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestSuitesOffered(t *testing.T) {
	offered := suites()
	assert.Contains(t, offered, tls.TLS_RSA_WITH_AES_128_GCM_SHA256)
	assert.Contains(t, offered, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256)
	assert.NotContains(t, offered, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA)
	assert.NotContains(t, offered, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA)
}

// A server may ask for a client certificate once the request is there, as IIS
// and Apache do for one path. Go's server cannot: OpenSSL's does.
func TestRenegotiationForAnOptionalClientCertificate(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	v := visitOnce(t, testRoute(t, ca, renegotiating(t, ca.leaf(t, nil))), 1)
	require.Empty(t, v.Faults)
	assert.Equal(t, 401, v.Answers[0].Status)
	assert.True(t, v.certificateAsked)
}

// renegotiating starts a server that asks for a client certificate once it has
// read a request's first line, and then answers 401.
func renegotiating(t *testing.T, cert tls.Certificate) netip.AddrPort {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), checktest.Program(t, "openssl", "openssl"), "s_server", "-accept", "127.0.0.1:0", "-tls1_2",
		"-cert", checktest.Written(t, "server.pem", serverPEM(t, cert)), "-naccept", "1")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	var address string
	for address == "" && lines.Scan() {
		address, _ = strings.CutPrefix(lines.Text(), "ACCEPT ")
		if !strings.HasPrefix(address, "127.0.0.1:") {
			address = ""
		}
	}
	go func() {
		answer := unauthorized
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "GET /"):
				io.WriteString(in, "R\n") // its command for «ask for a certificate now»
			case strings.Contains(line, "SSL_do_handshake"):
				io.WriteString(in, answer)
				answer = ""
			}
		}
	}()
	return netip.MustParseAddrPort(address)
}

// serverPEM returns a certificate and its key in PEM.
func serverPEM(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

func FuzzDecode(f *testing.F) {
	f.Add("gzip", []byte("\x1f\x8b\x08\x00"))
	f.Add("deflate", []byte("x\x9c\x03\x00"))
	f.Fuzz(func(t *testing.T, coding string, raw []byte) {
		plain, unread := decode(coding, raw)
		assert.LessOrEqual(t, len(plain), max(len(raw), maxBody+1))
		if unread != "" {
			assert.Equal(t, raw, plain)
		}
	})
}
