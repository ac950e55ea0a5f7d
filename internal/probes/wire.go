package probes

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// suites returns the cipher suites of TLS 1.2 that a probe offers: all that Go
// knows, old ones too, since no request of a probe carries a secret and
// Microsoft's client has some of them. RC4 and 3DES are left out: Microsoft 365
// no longer takes them (its page on TLS cipher suites).
func suites() (ids []uint16) {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !strings.Contains(s.Name, "RC4") && !strings.Contains(s.Name, "3DES") {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// cannotFollow returns an error where the handshake ended at a limit of Go's
// TLS client that Microsoft's may not have; nil for every other error. It is
// no verdict on the server.
func (s *session) cannotFollow(err error) error {
	v := s.visit
	text := err.Error()
	line := "openssl s_client -connect " + check.ShellWord(v.peer(), maxWord) + " -servername " + check.ShellWord(v.Host, maxWord)
	switch {
	case refusedBy(err, "handshake failure", "insufficient security level") && !v.certificateAsked, strings.Contains(text, "unconfigured cipher suite"):
		return check.Errorf(check.Other, "%s has no cipher suite in common with hmad; Microsoft's client may have one. See what it takes: "+
			"%s -tls1_2 -cipher ALL:@SECLEVEL=0", v.peer(), line)
	case strings.Contains(text, "failed to parse certificate"):
		return check.Errorf(check.Other, "hmad cannot read the certificate of %s (%s); Microsoft's client may. See it: %s -showcerts",
			v.peer(), check.Clean(afterLast(text, "x509: "), 200), line)
	}
	return nil
}

// refusedBy reports whether the server ended TLS with one of the alerts, which
// crypto/tls tells by its text alone.
func refusedBy(err error, alerts ...string) bool {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return false
	}
	for _, a := range alerts {
		if op.Err.Error() == "tls: "+a {
			return true
		}
	}
	return false
}

func afterLast(s, mark string) string { return s[max(strings.LastIndex(s, mark), 0):] }

// withoutCertificate answers a server that asks for a client certificate: there
// is none, as Microsoft's cloud has none.
func (s *session) withoutCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	s.visit.certificateAsked = true
	return new(tls.Certificate), nil
}

// decode undoes the coding of a body, which a server may apply unasked (RFC
// 9110 section 12.5.3), and reads at most maxBody+1 bytes of it. Where that
// fails the body stays as it came, and the coding is named.
func decode(coding string, raw []byte) (plain []byte, unread string) {
	coding = strings.ToLower(strings.TrimSpace(coding))
	var r io.Reader
	var err error
	switch coding {
	case "", "identity":
		return raw, ""
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(bytes.NewReader(raw))
	case "deflate":
		r, err = inflate(raw)
	default:
		return raw, coding
	}
	if err == nil {
		plain, err = io.ReadAll(io.LimitReader(r, maxBody+1))
	}
	if err != nil {
		return raw, coding
	}
	return plain, ""
}

// inflate reads the coding deflate: in zlib's form, or without it, as some
// servers send it (RFC 9110 section 8.4.1.2).
func inflate(raw []byte) (io.Reader, error) {
	if len(raw) > 1 && raw[0]&0x0f == 8 && (uint(raw[0])<<8|uint(raw[1]))%31 == 0 {
		return zlib.NewReader(bytes.NewReader(raw))
	}
	return flate.NewReader(bytes.NewReader(raw)), nil
}
