package probes

import (
	"crypto/x509"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// Answer is one HTTP response as far as it was read: the header whole, the
// body up to maxBody bytes.
type Answer struct {
	URL    *url.URL // what was asked
	Proto  string   // HTTP/1.1
	Status int
	Header http.Header
	Body   []byte
}

// Phases are the parts of one request's time; a phase that did not happen is 0.
type Phases struct{ DNS, Connect, TLS, Processing, Transfer time.Duration }

// Visit is what one or more requests on one fresh connection to one address
// showed.
type Visit struct {
	Host    string              // the name in the URL, without port
	Address netip.AddrPort      // where the connection went; zero when it never came to that (or behind a proxy)
	Phases  Phases              // of the first request
	Chain   []*x509.Certificate // as presented, also when verification failed
	Faults  []check.Finding     // transport reasons; a fault other than a warning ended the visit
	Answers []*Answer           // one per request that was answered, in order
}

// verdict is what a judge says of an observation: what it found and, when a
// finding ended the judgement, what it could not look at any more.
type verdict struct {
	findings    []check.Finding
	unevaluated []*check.Reason
}
