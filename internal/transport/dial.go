package transport

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// DialOne connects to one address, for a probe. The network is that of the
// address's family, so that neither family can stand in for the other.
func (w *Way) DialOne(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	network := "tcp4"
	if to.Addr().Is6() {
		network = "tcp6"
	}
	return w.env.Dial(ctx, network, to.String())
}

// Tunnel connects to a host's name through the proxy, for a probe. Whatever goes
// wrong is our own side's (class vantage_offline): a proxy's refusal does not
// tell its own trouble from the host's. A cancelled context is an error of its
// own.
func (w *Way) Tunnel(ctx context.Context, host, port string) (net.Conn, error) {
	conn, err := w.env.Dial(ctx, "tcp", w.proxy.Host)
	if err == nil {
		err = w.connect(ctx, conn, net.JoinHostPort(host, port))
		if err != nil {
			conn.Close()
		}
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, errors.Join(ctx.Err(), err)
	case err != nil:
		return nil, blame(check.VantageOffline, err, "the proxy %s does not connect us to %s: %s", w.proxy.Host, host, Cause(err))
	}
	return conn, nil
}

// connect asks the proxy for a tunnel (CONNECT, RFC 9110 section 9.3.6). TLS
// servers do not speak first, so nothing of the tunnel is lost in the reader.
func (w *Way) connect(ctx context.Context, conn net.Conn, to string) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	header, err := w.proxyHeader()
	if err != nil {
		return err
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: to}, Host: to, Header: http.Header{"User-Agent": {w.userAgent}}}
	maps.Copy(req.Header, header)
	if err := req.Write(conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxHeader)), req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(w.refusal(resp))
	}
	return nil
}

// dial is a client's: it connects to addr, host:port, trying the host's
// addresses in turn.
func (w *Way) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if w.proxy != nil && addr == w.proxy.Host {
		conn, err := w.env.Dial(ctx, network, addr)
		if err != nil {
			err = blame(check.VantageOffline, err, "the proxy %s cannot be reached: %w", addr, err)
		}
		return conn, err
	}
	if to, ok := w.connectTo[strings.ToLower(addr)]; ok {
		addr = to.String()
	}
	return DialHost(ctx, w.env, network, addr)
}

// DialHost resolves the host of addr and connects to the first of its addresses
// that answers, each getting an even share of the time that is left.
func DialHost(ctx context.Context, env check.Env, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	env = ours(env)
	addrs, err := env.Resolve(ctx, "ip", host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("it has no address")
	}
	if err != nil {
		return nil, blame(check.Resolver, err, "%s cannot be resolved: %w", host, err)
	}
	for i, a := range addrs {
		var conn net.Conn
		conn, err = dialShare(ctx, env, network, netip.AddrPortFrom(a, portNumber(port)).String(), len(addrs)-i)
		if err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// dialShare connects within 1/shares of the time that ctx has left.
func dialShare(ctx context.Context, env check.Env, network, addr string, shares int) (net.Conn, error) {
	left := requestTimeout
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	ctx, cancel := context.WithTimeout(ctx, left/time.Duration(shares))
	defer cancel()
	return env.Dial(ctx, network, addr)
}

func portNumber(port string) uint16 {
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// IsTimeout reports whether err says that time ran out.
func IsTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// Cause returns the part of a network error that says why, fit to be shown.
func Cause(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return check.Clean(strings.TrimPrefix(err.Error(), "net/http: "), 200)
}
