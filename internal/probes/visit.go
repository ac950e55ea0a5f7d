package probes

import (
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/transport"
)

// What a host may send before an answer counts as invalid.
const (
	maxBody   = 256 << 10
	maxHeader = 64 << 10
)

// Answer is one HTTP response as far as it was read: the header whole, the
// body up to maxBody bytes. The body of a status 101 is never read.
type Answer struct {
	URL    *url.URL // what was asked
	Proto  string   // HTTP/1.1
	Status int
	Phrase string // the reason phrase as sent; may be empty
	Header http.Header
	Body   []byte
	Coding string // of a body that could not be decoded; empty where it was

	CertificateAsked bool // the connection's handshake asked for a client certificate

	Received time.Time     // when its first byte came, by the check's clock
	Waited   time.Duration // from the request's last byte to the answer's first
}

// challenges returns the answer's challenges, as ParseChallenges does.
func (a *Answer) challenges() ([]transport.Challenge, error) {
	return transport.ParseChallenges(a.Header["Www-Authenticate"])
}

// Phases are the parts of one request's time; a phase that did not happen is 0.
type Phases struct{ DNS, Connect, TLS, Processing, Transfer time.Duration }

// Visit is what one or more requests on one fresh connection to one address
// showed.
type Visit struct {
	Host    string              // the name in the URL, without port
	Address netip.AddrPort      // where the connection went; zero behind a proxy
	Phases  Phases              // of the first request
	Chain   []*x509.Certificate // as presented, also when verification failed
	Faults  []check.Finding     // transport reasons, certificate warnings among them
	Ended   bool                // the last of Faults ended the visit: not every request was answered in full
	Answers []*Answer           // in order; when Ended, the last one's body may have broken off

	way   way
	route *route
	asked []*http.Request // in order, the unanswered last one included
	tls   uint16          // the version agreed on

	unsure           string // why the trust in the chain cannot be judged; empty where it can
	certificateAsked bool   // the server asked for a client certificate
	refusedFirst     string // what an earlier visit was refused for that this one was not; empty where there was none

	hungUp  bool // the last request's answer was a closed connection
	noRoute bool // this host has no route to the address's family
}

// peer names the other end of the connection.
func (v *Visit) peer() string {
	if v.Address.IsValid() {
		return v.Address.String()
	}
	return net.JoinHostPort(v.way.host, v.way.port)
}
