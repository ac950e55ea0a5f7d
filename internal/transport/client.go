package transport

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

const (
	// MaxBody bounds an answer that a client reads, in bytes, after
	// decompression. Microsoft's federation metadata has about 100 kB.
	MaxBody = 4 << 20

	requestTimeout = 30 * time.Second
	maxRedirects   = 5
)

// ErrTooLarge is the error of reading on after MaxBody bytes of an answer.
var ErrTooLarge = fmt.Errorf("the answer is over %d bytes", MaxBody)

// KeepRedirect is the CheckRedirect of a client for which a redirect is an answer.
func KeepRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Client returns a client towards Microsoft, for documents, tokens and APIs.
// Every request has a connection of its own. Redirects go to the same host by
// https only, at most 5; anything else is an error. An answer has 30 seconds and
// MaxBody bytes. Errors of the resolver and the proxy carry their class.
func (w *Way) Client() *http.Client {
	t := w.Transport()
	t.ResponseHeaderTimeout = 20 * time.Second
	t.DisableKeepAlives = true
	return &http.Client{Transport: bounded{t, w.userAgent}, Timeout: requestTimeout, CheckRedirect: sameHost}
}

// Transport returns what Client is made of, for a caller that sets limits of its
// own. It sends no User-Agent of the target's, and judges certificates by the
// clock of Env.
func (w *Way) Transport() *http.Transport {
	return &http.Transport{
		DialContext:            w.dial,
		Proxy:                  w.proxyFor,
		OnProxyConnectResponse: w.refused,
		GetProxyConnectHeader:  w.connectHeader,
		TLSClientConfig:        &tls.Config{RootCAs: w.PublicRoots(), MinVersion: tls.VersionTLS12, Time: w.env.Now},
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// proxyFor keeps plain HTTP off the proxy: it goes to this host or its hypervisor
// alone, for a managed identity.
func (w *Way) proxyFor(req *http.Request) (*url.URL, error) {
	if req.URL.Scheme != "https" {
		return nil, nil
	}
	return w.proxy, nil
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
