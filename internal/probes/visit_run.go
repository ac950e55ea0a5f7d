package probes

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/transport"
)

// visit asks w's address the requests, in order, on one fresh connection:
// nothing is reused across visits, neither connection nor TLS session, because
// a reused one would hide a new certificate. HTTP/1.1 only, as Microsoft's own
// test asks it; redirects are answers like any other.
//
// A fault of the host's ends the visit and stands in it. The error is our own
// side's: the context's when it was cancelled (a shutdown says nothing about
// the host), class vantage_offline when the proxy refused us.
func (r *route) visit(ctx context.Context, w way, reqs ...*http.Request) (Visit, error) {
	v := Visit{Host: w.host, Address: w.address, Phases: Phases{DNS: w.dns}, way: w, route: r}
	s := newSession(&v)
	defer s.close()
	v.asked = make([]*http.Request, 0, len(reqs))
	for _, req := range reqs {
		v.asked = append(v.asked, req)
		if err := s.ask(ctx, req); err != nil {
			return v, v.end(ctx, err)
		}
	}
	return v, nil
}

// end keeps a fault of the host's and gives back any other error: among them is
// whatever this host itself is to blame for, at whichever step.
func (v *Visit) end(ctx context.Context, err error) error {
	var f *fault
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.As(err, &f):
		if local := transport.Local(f.cause); local != nil && !f.noRoute {
			return local
		}
		v.Faults, v.Ended, v.noRoute, v.hungUp = append(v.Faults, f.Finding), true, f.noRoute, f.hungUp
		return nil
	default:
		return err
	}
}

// visitAll visits every way at once, each with the same requests. What this
// host has no route to was not asked and says nothing about the far side: it is
// only noted. The error is our own side's: that of visit, or class
// vantage_offline where the name has addresses and this host a route to none of
// them; beside that one stand the visits to members.
func (r *route) visitAll(ctx context.Context, ws []way, reqs ...*http.Request) (vs []Visit, notes []string, err error) {
	all := make([]Visit, len(ws))
	errs := make([]error, len(ws))
	parallel(len(ws), func(i int) { all[i], errs[i] = r.visit(ctx, ws[i], reqs...) })
	if err := firstError(errs); err != nil {
		return nil, nil, err
	}
	return setAside(all)
}

func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// setAside turns visits without a route into notes, and into an error when that
// leaves none, or none to the name's own addresses.
func setAside(all []Visit) (kept []Visit, notes []string, err error) {
	var unrouted []Visit
	own, ownUnrouted := 0, 0
	for _, v := range all {
		if !v.way.member {
			own++
		}
		if !v.noRoute {
			kept = append(kept, v)
			continue
		}
		unrouted = append(unrouted, v)
		notes = append(notes, v.Host+": "+v.peer()+" was not asked: this host has no route to it")
		if !v.way.member {
			ownUnrouted++
		}
	}
	if len(unrouted) > 0 && (len(kept) == 0 || own > 0 && own == ownUnrouted) {
		err = noRouteTo(unrouted)
	}
	return kept, notes, err
}

// noRouteTo is the error of having no route to any address of a name.
func noRouteTo(unrouted []Visit) error {
	var peers []string
	for _, v := range unrouted {
		peers = append(peers, v.peer())
	}
	return check.Errorf(check.VantageOffline, "this host has no route to %s (%s)", unrouted[0].Host, strings.Join(peers, ", "))
}

// parallel calls f(0) to f(n-1) at once and waits. A panic comes out in the
// caller's goroutine, where the runner holds it.
func parallel(n int, f func(int)) {
	if n == 1 {
		f(0)
		return
	}
	var wg sync.WaitGroup
	panics := make([]any, n)
	for i := range n {
		wg.Go(func() {
			defer func() { panics[i] = recover() }()
			f(i)
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}

// session is a visit while it lasts. Its connections are opened here, one step
// after the other, so that a time-out is known by the step in which it came;
// http.Transport gets them ready made and speaks HTTP on them.
type session struct {
	visit     *Visit
	transport *http.Transport
	ready     chan net.Conn // opened, and not yet taken by the transport
	raw       net.Conn      // the socket under the newest connection
	reusable  bool          // the last answer left the connection open

	trace           httptrace.ClientTrace
	asked, answered time.Time // the newest request's: its last byte, the first byte that came
}

// errSpent is the transport's asking for a connection when there is none: the
// server closed the one that it had left open.
var errSpent = errors.New("the connection is spent")

func newSession(v *Visit) *session {
	s := &session{visit: v, ready: make(chan net.Conn, 1)}
	s.transport = &http.Transport{
		DialTLSContext:         s.take,
		DisableCompression:     true, // send no Accept-Encoding: the answer as it is
		MaxResponseHeaderBytes: maxHeader,
	}
	s.trace.GotConn = func(httptrace.GotConnInfo) { s.asked = time.Now() }
	s.trace.GotFirstResponseByte = func() { s.answered = time.Now() }
	return s
}

func (s *session) take(context.Context, string, string) (net.Conn, error) {
	select {
	case c := <-s.ready:
		return c, nil
	default:
		return nil, errSpent
	}
}

// close ends every goroutine and connection of the session. Closing the socket
// comes last and always, because the transport detaches what it still reads
// from the request's context.
func (s *session) close() {
	s.transport.CloseIdleConnections()
	if s.raw != nil {
		s.raw.Close()
	}
}

// ask puts one request and keeps its answer. A server that closes after each
// answer (HTTP/1.0, or a kept connection that ran into its limit) is asked on
// a second fresh connection to the same address.
func (s *session) ask(ctx context.Context, req *http.Request) error {
	if s.reusable {
		if err := s.exchange(ctx, req); !errors.Is(err, errSpent) {
			return err
		}
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	return s.exchange(ctx, req)
}

// exchange sends a request and reads its answer, both bounded.
func (s *session) exchange(ctx context.Context, req *http.Request) error {
	s.reusable = false
	start := time.Now()
	resp, err := s.transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, &s.trace)))
	if errors.Is(err, errSpent) {
		return err
	}
	if err != nil {
		return s.answerFault(ctx, time.Since(start), err).by(err)
	}
	defer resp.Body.Close()
	received := s.visit.route.now().Add(-time.Since(s.answered))
	a := &Answer{URL: req.URL, Proto: resp.Proto, Status: resp.StatusCode, Phrase: phraseOf(resp), Header: resp.Header,
		CertificateAsked: s.visit.certificateAsked,
		Received:         received, Waited: s.answered.Sub(s.asked)}
	s.visit.Answers = append(s.visit.Answers, a)
	a.Body, a.Coding, err = readBody(ctx, resp, s.answered)
	if len(s.visit.Answers) == 1 {
		s.visit.Phases.Processing, s.visit.Phases.Transfer = a.Waited, time.Since(s.answered)
	}
	s.reusable = err == nil && !resp.Close && resp.StatusCode != http.StatusSwitchingProtocols
	return err
}

// readBody reads at most maxBody bytes. After a status 101 the connection is
// no longer HTTP, and nothing would bound a read from it.
func readBody(ctx context.Context, resp *http.Response, since time.Time) (body []byte, coding string, err error) {
	if resp.StatusCode == http.StatusSwitchingProtocols || resp.Body == http.NoBody {
		return nil, "", nil
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) <= maxBody {
		body, coding = decode(resp.Header.Get("Content-Encoding"), body)
	}
	switch {
	case err != nil:
		return body, coding, bodyFault(ctx, len(body), time.Since(since), err).by(err)
	case len(body) > maxBody:
		return body[:maxBody], coding, newFault(responseInvalid, "the answer's body is over the limit of %d bytes", maxBody)
	}
	return body, coding, nil
}

// phraseOf returns the reason phrase of a status line.
func phraseOf(resp *http.Response) string {
	_, phrase, _ := strings.Cut(resp.Status, " ")
	return phrase
}

// open gets a fresh connection ready: TCP, the proxy's tunnel, TLS.
func (s *session) open(ctx context.Context) error {
	s.transport.CloseIdleConnections()
	if s.raw != nil {
		s.raw.Close()
	}
	first := len(s.visit.Answers) == 0
	phase := func(d *time.Duration, since time.Time) {
		if first {
			*d = time.Since(since)
		}
	}
	start := time.Now()
	raw, err := s.visit.route.dial(ctx, s.visit.way)
	if err != nil {
		return err
	}
	s.raw = raw
	phase(&s.visit.Phases.Connect, start)
	start = time.Now()
	conn, err := s.handshake(ctx, raw)
	if err != nil {
		return err
	}
	phase(&s.visit.Phases.TLS, start)
	s.ready <- conn
	return nil
}

// dial connects to the way's address, or through the proxy to its name.
func (r *route) dial(ctx context.Context, w way) (net.Conn, error) {
	if r.Proxy() != nil {
		return r.Tunnel(ctx, w.host, w.port)
	}
	start := time.Now()
	conn, err := r.DialOne(ctx, w.address)
	if err != nil {
		f := connectFault(ctx, w.address.String(), time.Since(start), err).by(err)
		f.noRoute = noRoute(err)
		return nil, f
	}
	return conn, nil
}
