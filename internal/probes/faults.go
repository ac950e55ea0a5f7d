package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/transport"
)

// fault is the error of a visit that its host is to blame for.
type fault struct {
	check.Finding
	noRoute bool // this host cannot reach the address's family at all
	hungUp  bool // the connection was closed in an answer's stead
	cause   error
}

func (f *fault) Error() string { return f.Reason.Name + ": " + f.Detail }

// by keeps the error that the fault was judged by: visit.end looks whether this
// host itself is to blame.
func (f *fault) by(err error) *fault {
	f.cause = err
	return f
}

func newFault(r *check.Reason, format string, args ...any) *fault {
	return &fault{Finding: found(r, format, args...)}
}

// connectFault judges an error of the TCP connection.
func connectFault(ctx context.Context, addr string, took time.Duration, err error) *fault {
	if isTimeout(ctx, err) {
		return newFault(connectFailed, "no TCP connection to %s within %s", addr, check.Span(took))
	}
	return newFault(connectFailed, "no TCP connection to %s: %s", addr, transport.Cause(err))
}

// handshakeFault judges an error of the TLS handshake other than our own
// verdict on the certificate.
func handshakeFault(ctx context.Context, addr string, took time.Duration, err error) *fault {
	var record tls.RecordHeaderError
	switch {
	case isTimeout(ctx, err):
		return newFault(tlsFailed, "the TLS handshake with %s did not end within %s", addr, check.Span(took))
	case errors.As(err, &record) && strings.HasPrefix(string(record.RecordHeader[:]), "HTTP/"):
		return newFault(tlsFailed, "%s answers the TLS handshake with plain HTTP", addr)
	case hungUp(err):
		return newFault(tlsFailed, "%s closed the connection during the TLS handshake (%s): a firewall, or a server that has no cipher suite or "+
			"version of TLS in common", addr, transport.Cause(err))
	default:
		return newFault(tlsFailed, "the TLS handshake with %s failed: %s%s", addr, handshakeMeans(err), transport.Cause(err))
	}
}

// handshakeWords say what errors of a handshake mean, which crypto/tls tells by
// their text alone.
var handshakeWords = []struct{ text, means string }{
	{"does not look like a TLS handshake", "something answers there that is not TLS"},
	{"protocol version", "the server does not speak TLS 1.2 or later, which Microsoft's cloud requires"},
	{"no application protocol", "the server does not take HTTP/1.1 (ALPN)"},
	{"invalid signature by the server certificate", "the server's private key is not that of its certificate"},
	{"unrecognized name", "the server has nothing under this name (SNI)"},
	{"internal error", "the server or the device in front failed by itself"},
	{"access denied", "the server or the device in front refuses this client"},
}

// handshakeMeans returns what an error of a handshake means, to stand before its
// text; empty where it speaks for itself.
func handshakeMeans(err error) string {
	for _, w := range handshakeWords {
		if strings.Contains(err.Error(), w.text) {
			return w.means + ": "
		}
	}
	return ""
}

// answerFault judges an error between the request and the end of the answer's
// header.
func (s *session) answerFault(ctx context.Context, took time.Duration, err error) *fault {
	var op *net.OpError
	switch {
	case isTimeout(ctx, err):
		return newFault(timedOut, "the request was sent and no whole answer header came within %s", check.Span(took))
	case errors.As(err, &op) && op.Op == "remote error":
		// In TLS 1.3 a server refuses a client without certificate only now, and
		// in TLS 1.2 one that asked after the request.
		if s.visit.certificateAsked {
			return newFault(tlsFailed, "the server requires a client certificate (%s), which Microsoft's cloud does not have", transport.Cause(err))
		}
		return newFault(tlsFailed, "the server ended TLS after the handshake: %s", transport.Cause(err))
	case hungUp(err):
		f := newFault(responseInvalid, "the connection was closed before the answer's header ended (%s): a firewall's signature or a rule of URL "+
			"Rewrite (AbortRequest) closes it without an answer", transport.Cause(err))
		f.hungUp = true
		return f
	default:
		return newFault(responseInvalid, "the answer is not valid HTTP: %s", transport.Cause(err))
	}
}

// bodyFault judges an error in the answer's body, of which n bytes had come.
func bodyFault(ctx context.Context, n int, took time.Duration, err error) *fault {
	if isTimeout(ctx, err) {
		return newFault(timedOut, "the answer's body did not end within %s: %d bytes came", check.Span(took), n)
	}
	return newFault(responseInvalid, "the answer broke off in its body after %d bytes: %s", n, transport.Cause(err))
}

// isTimeout reports whether err comes of the deadline. The network's own time-out
// may come a moment before the context's.
func isTimeout(ctx context.Context, err error) bool {
	return errors.Is(ctx.Err(), context.DeadlineExceeded) || transport.IsTimeout(err)
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// noRoute reports whether this host has no way to an address of that family, by
// the error of connecting. Other errors, among them a router's «host
// unreachable», are about the far side.
func noRoute(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENETUNREACH, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
