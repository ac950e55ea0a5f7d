// Package transport is how a target's hosts are reached: by its resolver,
// connect_to, proxy, roots and User-Agent, and in no other way.
package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

const (
	// MaxBody bounds an answer that a client of NewClient reads, in bytes,
	// after decompression. Microsoft's federation metadata has about 100 kB.
	MaxBody = 4 << 20

	maxCAFile      = 1 << 20
	maxHeader      = 64 << 10
	requestTimeout = 30 * time.Second
	maxRedirects   = 5
)

// ErrTooLarge is the error of reading on after MaxBody bytes of an answer.
var ErrTooLarge = fmt.Errorf("the answer is over %d bytes", MaxBody)

// NewClient builds a client towards Microsoft whose only way out is the
// target's: its resolver, connect_to and proxy, its ca_file with the system's
// roots, its User-Agent. Every request has a connection of its own. Redirects
// go to the same host by https only, at most 5; anything else is an error. An
// answer has 30 seconds and MaxBody bytes. Errors of the resolver and the
// proxy carry their class; the client reads the CA file once, here.
func NewClient(t config.Target, env check.Env) (*http.Client, error) {
	transport, err := New(t, env)
	if err != nil {
		return nil, err
	}
	transport.ResponseHeaderTimeout = 20 * time.Second
	transport.DisableKeepAlives = true
	return &http.Client{Transport: bounded{transport, UserAgent(t, env)}, Timeout: requestTimeout, CheckRedirect: sameHost}, nil
}

// New returns a transport whose only way out is the target's.
func New(t config.Target, env check.Env) (*http.Transport, error) {
	roots, err := publicRoots(t.CAFile, env)
	if err != nil {
		return nil, err
	}
	proxy, err := parseProxy(t.Proxy)
	if err != nil {
		return nil, err
	}
	d := dialer{env: env, proxy: proxy, connectTo: lowerKeys(t.ConnectTo)}
	return &http.Transport{
		DialContext:            d.dial,
		Proxy:                  d.proxyFor,
		OnProxyConnectResponse: d.refused,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, Time: env.Now},
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
	}, nil
}

// UserAgent returns the User-Agent of the target's requests.
func UserAgent(t config.Target, env check.Env) string {
	if t.UserAgent != "" {
		return t.UserAgent
	}
	return "hmad/" + env.Version
}

// bounded stamps the User-Agent and limits the answer's body.
type bounded struct {
	next  http.RoundTripper
	agent string
}

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("User-Agent") == "" {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", b.agent)
	}
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &limitedBody{resp.Body, MaxBody}
	return resp, nil
}

type limitedBody struct {
	io.ReadCloser
	left int64
}

// Read returns ErrTooLarge once a byte over the limit arrives.
func (l *limitedBody) Read(p []byte) (int, error) {
	if l.left == 0 {
		n, err := l.ReadCloser.Read(p[:min(1, len(p))])
		if n > 0 {
			return 0, ErrTooLarge
		}
		return 0, err
	}
	n, err := l.ReadCloser.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// sameHost keeps a request, its headers and its body at the host that was
// asked.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("over %d redirects", maxRedirects)
	case req.URL.Scheme != first.Scheme || !strings.EqualFold(req.URL.Host, first.Host):
		return fmt.Errorf("%s redirects to another place, %s://%s, which is not followed", first.Host, req.URL.Scheme, check.Line(req.URL.Host, 100))
	}
	return nil
}

// dialer is the target's way out.
type dialer struct {
	env       check.Env
	proxy     *url.URL
	connectTo map[string]string // "host:port" in lower case → "address:port"
}

// proxyFor keeps plain HTTP off the proxy: it goes to this host or its hypervisor
// alone, for a managed identity.
func (d dialer) proxyFor(req *http.Request) (*url.URL, error) {
	if req.URL.Scheme != "https" {
		return nil, nil
	}
	return d.proxy, nil
}

// dial connects to addr, host:port, trying the host's addresses in turn.
func (d dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.proxy != nil && addr == d.proxy.Host {
		conn, err := d.env.Dial(ctx, network, addr)
		if err != nil {
			err = check.Errorf(check.VantageOffline, "the proxy %s cannot be reached: %w", addr, err)
		}
		return conn, err
	}
	if to := d.connectTo[strings.ToLower(addr)]; to != "" {
		addr = to
	}
	return DialHost(ctx, d.env, network, addr)
}

// refused words a proxy's refusal, of which http.Transport keeps only the status.
func (d dialer) refused(_ context.Context, proxy *url.URL, req *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return check.Errorf(check.VantageOffline, "the proxy %s does not connect us to %s: it answers %d", proxy.Host, req.Host, resp.StatusCode)
}

// DialHost resolves the host of addr and connects to the first of its addresses
// that answers, each getting an even share of the time that is left.
func DialHost(ctx context.Context, env check.Env, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	addrs, err := env.Resolve(ctx, "ip", host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("it has no address")
	}
	if err != nil {
		return nil, check.Errorf(check.Resolver, "%s cannot be resolved: %w", host, err)
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

func lowerKeys(m map[string]string) map[string]string {
	lower := make(map[string]string, len(m))
	for k, v := range m {
		lower[strings.ToLower(k)] = v
	}
	return lower
}

func parseProxy(s string) (*url.URL, error) {
	if s == "" {
		return nil, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return nil, &config.FieldError{Path: "proxy", Msg: "want http://host:port"}
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), "80")
	}
	return u, nil
}

// publicRoots returns the system's roots and those of file: Microsoft's
// certificates are public, a private CA may stand in for it.
func publicRoots(file string, env check.Env) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	return pool, AddRoots(pool, "ca_file", file, env)
}

// AddRoots adds the certificates of a PEM file that a setting names.
func AddRoots(pool *x509.CertPool, setting, file string, env check.Env) error {
	pem, err := env.ReadFile(file, maxCAFile)
	if err != nil {
		return &config.FieldError{Path: setting, Msg: err.Error()}
	}
	if !pool.AppendCertsFromPEM(pem) {
		return &config.FieldError{Path: setting, Msg: file + " holds no certificate in PEM"}
	}
	return nil
}

// IsTimeout reports whether err says that time ran out.
func IsTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
