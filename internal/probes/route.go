package probes

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// maxCAFile bounds the PEM file of a private CA, in bytes.
const maxCAFile = 1 << 20

// route is a target's way to its hosts: everything between a URL and a
// connection that the config can change. It is compiled once, when the check
// is built, and holds nothing of any run.
type route struct {
	env       check.Env
	all       bool                // every address of a name, not the first of each family
	connectTo map[string]hostPort // "host:port" in lower case → where it really goes
	proxy     *url.URL            // nil: none
	caFile    string
	roots     *x509.CertPool // nil: the system's
	userAgent string
}

// hostPort is one end of a connection, by name or by address.
type hostPort struct{ host, port string }

func (h hostPort) String() string { return net.JoinHostPort(h.host, h.port) }

// newRoute compiles the target's way. It reads the CA file and does no other
// I/O. Its errors, like those of all settings here, are config.FieldErrors.
func newRoute(t config.Target, env check.Env) (*route, error) {
	r := &route{env: env, all: t.Addresses == config.AllAddresses, caFile: t.CAFile, userAgent: t.UserAgent}
	if r.userAgent == "" {
		r.userAgent = "hmad/" + env.Version
	}
	var errs [3]error
	r.connectTo, errs[0] = parseConnectTo(t.ConnectTo)
	r.proxy, errs[1] = parseProxy(t.Proxy)
	r.roots, errs[2] = addRoots(x509.NewCertPool(), t.CAFile, env)
	return r, errors.Join(errs[:]...)
}

// get makes a request for u with the target's User-Agent; header is a list of
// names and values in turn.
func (r *route) get(u *url.URL, header ...string) *http.Request {
	h := http.Header{"User-Agent": {r.userAgent}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

func parseConnectTo(settings map[string]string) (map[string]hostPort, error) {
	parsed := make(map[string]hostPort, len(settings))
	for from, to := range settings {
		src, err := parseHostPort(from)
		if err != nil {
			return nil, config.Invalid("connect_to."+from, "%s", err)
		}
		dst, err := parseHostPort(to)
		if err != nil {
			return nil, config.Invalid("connect_to."+from, "%s", err)
		}
		parsed[strings.ToLower(src.String())] = dst
	}
	return parsed, nil
}

func parseHostPort(s string) (hostPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return hostPort{}, fmt.Errorf("%q is not host:port", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return hostPort{}, fmt.Errorf("%q has no valid port", s)
	}
	return hostPort{host, port}, nil
}

// parseMember reads one of activesync.members: an IP address with its port.
func parseMember(s string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(s)
	if err != nil || a.Port() == 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is not address:port", s)
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}

func parseProxy(s string) (*url.URL, error) {
	if s == "" {
		return nil, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return nil, config.Invalid("proxy", "must be http://host:port")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), "80")
	}
	return u, nil
}

// parseURL reads the URL of the setting at path. The error does not repeat it:
// it may hold the mailbox's address or a secret.
func parseURL(path, s string) (*url.URL, error) {
	u, err := url.Parse(s)
	var why *url.Error
	switch {
	case errors.As(err, &why):
		return nil, config.Invalid(path, "not a URL: %s", why.Err)
	case u.Scheme != "https" || u.Hostname() == "":
		return nil, config.Invalid(path, "not an https URL")
	case u.User != nil:
		return nil, config.Invalid(path, "a URL with credentials")
	}
	return u, nil
}

// addRoots adds the certificates of file to pool, and gives nil, the system's
// roots, when there is no file.
func addRoots(pool *x509.CertPool, file string, env check.Env) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := env.ReadFile(file, maxCAFile)
	if err != nil {
		return nil, config.Invalid("ca_file", "%s", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, config.Invalid("ca_file", "%s holds no certificate in PEM", file)
	}
	return pool, nil
}
