package probes

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

// route is a target's way to its hosts, as a probe goes it.
type route struct {
	*transport.Way
	now   func() time.Time
	all   bool           // every address of a name, not the first of each family
	roots *x509.CertPool // nil: the system's

	control string // the name by which the resolver shows that it works
}

// newRoute compiles the target's way. It reads the CA file and does no other
// I/O. Its errors, like those of all settings here, are config.FieldErrors.
func newRoute(t config.Target, env check.Env) (*route, error) {
	way, err := transport.New(t, env)
	if err != nil {
		return nil, err
	}
	return &route{way, env.Now, t.Addresses == config.AllAddresses, way.Roots(), controlName(t)}, nil
}

// get makes a request for u with the target's User-Agent; header is a list of
// names and values in turn.
func (r *route) get(u *url.URL, header ...string) *http.Request {
	h := http.Header{"User-Agent": {r.UserAgent()}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}
