package lab

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/netutil"

	"github.com/hmad/hmad/internal/lab/online"
)

// behaviour is how one host acts at present, from its name to its answers.
// Faults change it; healthy gives where they start from.
type behaviour struct {
	unknown bool             // DNS does not know the name
	ipv6    []netip.Addr     // what DNS answers beside the host's own address
	refuse  bool             // nothing listens
	hangUp  bool             // the connection ends during the handshake
	shown   Certificate      // what is wrong with the certificate
	skew    time.Duration    // how far the Date header is off
	answer  http.HandlerFunc // answers in the application's place

	challenge  challenge // ActiveSync's 401
	mailboxOff bool      // the challenge is another one when a mailbox is named
	basicOnly  int       // the front end (its address's last octet) that offers Basic alone
	sees       *seenURL  // what Exchange sees of a request, instead of what was asked

	cloud     cloudSide    // Entra's
	services  servicesSide // of Microsoft's other services
	premises  premisesSide // the Exchange organisation's
	online    online.Behaviour
	ewsBasic  bool      // Exchange Web Services offer no bearer
	ewsForgot bool      // and know no key of Entra's
	ewsTenant string    // and accept this tenant instead
	graph     graphSide // Microsoft Graph's

	protocol *string // AutoDiscover's, instead of the one asked for
	url      *string // AutoDiscover's, instead of ActiveSync's own
}

// healthy returns the behaviour of a host with nothing wrong, in the tenant's
// estate.
func healthy(tenant string) behaviour {
	return behaviour{challenge: healthyChallenge(tenant)}
}

// host is one name of the estate with its front ends: one TLS listener on
// each of its addresses, all on one port of its own.
type host struct {
	check, name string
	addrs       []netip.Addr
	port        int
	app         func(*behaviour, http.ResponseWriter, *http.Request)
	ca          *authority
	clock       func() time.Time
	wg          *sync.WaitGroup

	now       atomic.Pointer[behaviour]
	srv       *http.Server
	listeners []net.Listener // none while it refuses
}

// hostPort returns host:port, as it stands in URLs.
func (h *host) hostPort() string { return net.JoinHostPort(h.name, strconv.Itoa(h.port)) }

// claim takes the port, or a free one for 0, on all of the host's addresses.
// Nothing is accepted before the first change.
func (h *host) claim(port int) error { return claim(port, h.listen) }

func (h *host) listen(port int) error {
	for _, a := range h.addrs {
		ln, err := net.Listen("tcp", netip.AddrPortFrom(a, uint16(port)).String())
		if err != nil {
			return errors.Join(err, h.hush())
		}
		h.listeners = append(h.listeners, ln)
	}
	h.port = port
	return nil
}

// hush closes the listeners, so that further connections are refused.
func (h *host) hush() error {
	var errs []error
	for _, ln := range h.listeners {
		errs = append(errs, ignoreClosed(ln.Close())) // the server may have been first
	}
	h.listeners = nil
	return errors.Join(errs...)
}

func (h *host) close() error { return errors.Join(h.srv.Close(), h.hush()) }

// change makes the host behave otherwise from the next connection on.
func (h *host) change(b behaviour) error {
	first := h.now.Swap(&b) == nil
	switch {
	case b.refuse:
		return h.hush()
	case len(h.listeners) == 0:
		if err := h.listen(h.port); err != nil {
			return err
		}
	case !first:
		return nil
	}
	for _, ln := range h.listeners {
		tl := tls.NewListener(limited(ln), h.tlsConfig())
		h.wg.Go(func() { _ = h.srv.Serve(tl) }) // ends when the listener is closed
	}
	return nil
}

// tlsConfig shows the certificate of the moment. Exchange SE speaks TLS 1.2
// and 1.3.
func (h *host) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			b := h.now.Load()
			if b.hangUp {
				return nil, errors.Join(errors.New("hanging up"), hello.Conn.Close())
			}
			return h.ca.leaf(h.name, b.shown)
		},
	}
}

// ServeHTTP answers by the current behaviour.
func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b := h.now.Load()
	w.Header().Set("Date", h.clock().Add(b.skew).UTC().Format(http.TimeFormat))
	if b.answer != nil {
		b.answer(w, r)
		return
	}
	h.app(b, w, r)
}

// newServer returns a server with every limit set, whose connections wg counts.
func newServer(h http.Handler, wg *sync.WaitGroup) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // failed handshakes are what the lab is for
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				wg.Add(1)
			case http.StateHijacked, http.StateClosed:
				wg.Done()
			}
		},
	}
}

// limited bounds the connections that a listener has open at once.
func limited(ln net.Listener) net.Listener { return netutil.LimitListener(ln, 256) }

// claim tries a port, or for 0 free ones until try succeeds. Free ports are
// looked for below those that systems give to outgoing connections (32768 and
// up on Linux): a host that refused for a while must get its port back.
func claim(port int, try func(port int) error) error {
	if port != 0 {
		return try(port)
	}
	var err error
	for range 100 {
		if err = try(12000 + rand.IntN(20000)); !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
	return err
}

func portOf(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
