// Package transport is how a target's hosts are reached: by its resolver,
// connect_to, proxy, roots and User-Agent, and in no other way.
package transport

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

const (
	maxCAFile = 1 << 20  // bytes
	maxHeader = 64 << 10 // bytes of an answer's header
)

// Way is a target's way to its hosts: all that the config can change between a
// URL and a connection. It is compiled once, when a check is built, and holds
// nothing of any run. It is safe for concurrent use.
type Way struct {
	env       check.Env
	connectTo map[string]config.HostPort // by "host:port" in lower case
	proxy     *url.URL                   // nil: none
	proxyFile string                     // with its name and password; empty: it wants none
	caFile    string
	ca        []byte // of caFile, PEM
	userAgent string
}

// New compiles the target's way. It reads the files of the CA and of the proxy's
// credentials and does no other I/O. Its
// error is a config.FieldError.
func New(t config.Target, env check.Env) (*Way, error) {
	w := &Way{env: ours(env), connectTo: map[string]config.HostPort{}, proxy: t.Proxy.Value(), proxyFile: t.ProxyCredentialsFile,
		caFile: t.CAFile, userAgent: t.UserAgent}
	for _, c := range t.ConnectTo {
		w.connectTo[endOf(c.From.Host, c.From.Port)] = c.To
	}
	if w.userAgent == "" {
		w.userAgent = "hmad/" + env.Version
	}
	if _, err := w.proxyHeader(); err != nil {
		return nil, err
	}
	if w.caFile == "" {
		return w, nil
	}
	var err error
	w.ca, err = readCA("ca_file", w.caFile, env)
	return w, err
}

func endOf(host string, port uint16) string {
	return strings.ToLower(net.JoinHostPort(host, strconv.Itoa(int(port))))
}

// Ends returns where a connection to a host and port goes: elsewhere where
// connect_to says so.
func (w *Way) Ends(host string, port uint16) (string, uint16) {
	if to, ok := w.connectTo[endOf(host, port)]; ok {
		return to.Host, to.Port
	}
	return host, port
}

// Resolve asks the target's resolver for a name's addresses of both families.
func (w *Way) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return w.env.Resolve(ctx, "ip", host)
}

// Proxy returns the URL of the proxy; nil where there is none.
func (w *Way) Proxy() *url.URL { return w.proxy }

// ProxySignsIn reports whether the proxy gets a name and a password.
func (w *Way) ProxySignsIn() bool { return w.proxyFile != "" }

// UserAgent returns the User-Agent of the target's requests.
func (w *Way) UserAgent() string { return w.userAgent }

// CAFile returns the name of the file with the target's roots; empty where it
// has none.
func (w *Way) CAFile() string { return w.caFile }

// Roots returns the roots of the CA file alone, for the customer's own hosts;
// nil, the system's, where there is no file.
func (w *Way) Roots() *x509.CertPool {
	if w.ca == nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.ca)
	return pool
}

// PublicRoots returns the system's roots and those of the CA file, for
// Microsoft's hosts: their certificates are public, and a private CA may stand
// in for them. It returns nil, the system's, where there is no file.
func (w *Way) PublicRoots() *x509.CertPool {
	if w.ca == nil {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(w.ca)
	return pool
}

// AddRoots adds the certificates of a PEM file that a setting names.
func AddRoots(pool *x509.CertPool, setting, file string, env check.Env) error {
	data, err := readCA(setting, file, env)
	if err == nil {
		pool.AppendCertsFromPEM(data)
	}
	return err
}

// readCA reads a PEM file with at least one certificate.
func readCA(setting, file string, env check.Env) ([]byte, error) {
	data, err := env.ReadFile(file, maxCAFile)
	if err != nil {
		return nil, config.Invalid(setting, "%s", err)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // Windows' editors write it
	if !holdsCertificate(data) {
		return nil, config.Invalid(setting, "%s holds no certificate in PEM", config.ShownFile(file))
	}
	return data, nil
}

// holdsCertificate reports whether a PEM file has a certificate. It reads no
// further than the first: a file may be the bundle of a whole system.
func holdsCertificate(data []byte) bool {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			return true
		}
	}
	return false
}
