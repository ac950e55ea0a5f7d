package probes

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/transport"
)

// How long before its end a certificate is spoken of.
const (
	ExpiringSoon = 3 * 24 * time.Hour
	Expiring     = 21 * 24 * time.Hour
)

// handshake speaks TLS on conn and judges the certificate inside the
// handshake. Go's own verification is off because it names only the first
// fault it meets and keeps no facts of a chain that it refuses; ours records
// the chain first and judges it always.
func (s *session) handshake(ctx context.Context, raw net.Conn) (net.Conn, error) {
	start := time.Now()
	conn := tls.Client(raw, &tls.Config{
		ServerName:         s.visit.Host,
		NextProtos:         []string{"http/1.1"},
		InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection:   s.verify,
		// A server that wants a client certificate for one path alone asks once
		// the request is there (TLS 1.2, as IIS and Apache do).
		Renegotiation:        tls.RenegotiateOnceAsClient,
		CipherSuites:         suites(),
		MaxVersion:           s.visit.way.maxTLS,
		GetClientCertificate: s.withoutCertificate,
	})
	err := conn.HandshakeContext(ctx)
	var judged *fault
	switch {
	case errors.As(err, &judged):
		return nil, judged
	case err == nil:
		return conn, nil
	}
	took := time.Since(start)
	if ours := s.cannotFollow(err); ours != nil {
		return nil, ours
	}
	if s.visit.certificateAsked && refusedBy(err, "handshake failure", "certificate required", "bad certificate") {
		return nil, newFault(tlsFailed, "%s requires a client certificate in the TLS handshake (%s), which Microsoft's cloud does not have",
			s.visit.peer(), transport.Cause(err))
	}
	return nil, handshakeFault(ctx, s.visit.peer(), took, err).by(err)
}

// verify records and judges the certificates of a handshake. The error is the
// fault that ends the visit. A second connection of the same visit is verified
// too, and adds no second warning.
func (s *session) verify(cs tls.ConnectionState) error {
	v := s.visit
	first := len(v.Chain) == 0
	v.Chain, v.tls = cs.PeerCertificates, cs.Version
	v.unsure = unsure(v.Chain)
	findings, ends := judgeChain(v.Chain, v.Host, v.route.roots, v.route.now())
	if ends {
		return &fault{Finding: findings[0]}
	}
	if first {
		v.Faults = append(v.Faults, findings...)
	}
	return nil
}

// judgeChain judges the certificates that a server presented for host, leaf
// first: date, name, chain and trust, and then how long the leaf still lasts.
// roots nil are the system's. When ends is true the first finding forbids to
// talk to the server.
func judgeChain(chain []*x509.Certificate, host string, roots *x509.CertPool, now time.Time) (findings []check.Finding, ends bool) {
	leaf := chain[0]
	with := func(r *check.Reason, format string, args ...any) []check.Finding {
		return append(findings, found(r, format, args...))
	}
	switch {
	case now.After(leaf.NotAfter):
		return with(certificateExpired, "the certificate of %s expired on %s", host, check.Moment(leaf.NotAfter)), true
	case now.Before(leaf.NotBefore):
		return with(certificateExpired, "the certificate of %s is not valid before %s", host, check.Moment(leaf.NotBefore)), true
	case leaf.VerifyHostname(host) != nil:
		return with(certificateNameMismatch, "the certificate is for %s, not for %s", names(leaf), host), true
	}
	if err := verifyChain(familiar(chain), roots, now); err != nil {
		reason, detail := judgeTrust(chain, err)
		findings = with(reason, "%s", detail)
		if reason != certificateChainIncomplete {
			return findings, true
		}
	}
	left := leaf.NotAfter.Sub(now)
	switch {
	case left < ExpiringSoon:
		findings = with(certificateExpiringSoon, "the certificate of %s expires on %s", host, check.Moment(leaf.NotAfter))
	case left < Expiring:
		findings = with(certificateExpiring, "the certificate of %s expires on %s", host, check.Moment(leaf.NotAfter))
	}
	return findings, false
}

func verifyChain(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now})
	return err
}

// judgeTrust names the fault of a chain that does not lead to a root. It is
// merely incomplete when the leaf says where its issuer's certificate can be
// fetched (RFC 5280 section 4.2.2.1) and the server did not send that; some
// clients fetch it and go on.
func judgeTrust(chain []*x509.Certificate, err error) (*check.Reason, string) {
	leaf := chain[0]
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var critical x509.UnhandledCriticalExtension
	switch {
	case errors.As(err, &unknown) && fetchable(leaf) && !presented(chain[1:], leaf):
		return certificateChainIncomplete, fmt.Sprintf("the server does not send the certificate of the issuer %s", issuer(leaf))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return certificateExpired, fmt.Sprintf("a certificate of the chain has expired or is not valid yet: %s, until %s",
			check.Clean(invalid.Cert.Subject.String(), 200), check.Moment(invalid.Cert.NotAfter))
	case bytes.Equal(leaf.RawIssuer, leaf.RawSubject):
		return certificateUntrusted, "the certificate is self-signed: " + issuer(leaf)
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return certificateUntrusted, "the certificate is not for servers: " + usages(leaf)
	case errors.As(err, &critical):
		return certificateUntrusted, "a certificate has a critical extension that clients do not know, so they refuse it: " + unknownExtension(familiar(chain))
	default:
		return certificateUntrusted, fmt.Sprintf("no trusted root for the issuer %s: %s", issuer(leaf), check.Clean(err.Error(), 200))
	}
}

// usages words what a certificate that may not be a server's is for.
func usages(c *x509.Certificate) string {
	if slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return "it is for client authentication only (extended key usage)"
	}
	return "server authentication is not among its extended key usages"
}

func fetchable(c *x509.Certificate) bool {
	for _, u := range c.IssuingCertificateURL {
		if strings.HasPrefix(u, "http://") || strings.HasPrefix(u, "https://") {
			return !bytes.Equal(c.RawIssuer, c.RawSubject)
		}
	}
	return false
}

func presented(others []*x509.Certificate, leaf *x509.Certificate) bool {
	for _, c := range others {
		if bytes.Equal(c.RawSubject, leaf.RawIssuer) {
			return true
		}
	}
	return false
}

func issuer(c *x509.Certificate) string { return check.Clean(c.Issuer.String(), 200) }

// names lists the names of a certificate, or its subject when it has none.
func names(c *x509.Certificate) string {
	list := slices.Clip(c.DNSNames)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	if len(list) == 0 {
		return check.Clean(c.Subject.String(), 200)
	}
	return check.Clean(strings.Join(list, ", "), 200)
}
