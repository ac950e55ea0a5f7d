package probes

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const unauthorized = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n"

func TestAFaultOfTheAnswerHasItsReason(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	cert := ca.leaf(t, nil)
	ok := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	tests := map[string]struct {
		serve         func(net.Conn)
		reason, words string
		answered      bool // the answer's header was read
	}{
		"a header that never ends":      {then("HTTP/1.1 200 OK\r\n", dripping("X-Filler: "+strings.Repeat("a", 4096)+"\r\n", 0)), "response_invalid", "exceeded 65536 bytes", false},
		"interim answers without end":   {then("", dripping("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 0)), "response_invalid", "exceeded 65536 bytes", false},
		"no HTTP":                       {answers("220 mail.contoso.test ESMTP\r\n"), "response_invalid", "not valid HTTP", false},
		"a status that is no number":    {answers("HTTP/1.1 abc OK\r\n\r\n"), "response_invalid", "not valid HTTP", false},
		"two lengths":                   {answers("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "response_invalid", "not valid HTTP", false},
		"closed without an answer":      {answers(), "response_invalid", "closed before the answer's header ended", false},
		"closed in the header":          {answers("HTTP/1.1 200 OK\r\nX-FEServer: EX"), "response_invalid", "closed before the answer's header ended", false},
		"closed in the body":            {answers(ok + "Content-Length: 10\r\n\r\nabc"), "response_invalid", "broke off in its body after 3 bytes", true},
		"a chunk that is none":          {answers(ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "response_invalid", "broke off in its body", true},
		"10 MB of JSON":                 {answers(ok+"\r\n", `{"a":"`+strings.Repeat("a", 10<<20)+`"}`), "response_invalid", "over the limit of 262144 bytes", true},
		"one byte over the limit":       {answers(ok + "Content-Length: 262145\r\n\r\n" + strings.Repeat("a", maxBody+1)), "response_invalid", "over the limit", true},
		"reset in the body":             {reset(ok + "Content-Length: 10\r\n\r\nabc"), "response_invalid", "broke off in its body", true},
		"reset without an answer":       {reset(""), "response_invalid", "closed before the answer's header ended", false},
		"control characters in a value": {answers("HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"\x1b[31m\"\r\n\r\n"), "response_invalid", `\x1b`, false},
		"control characters in a fault": {answers("HTTP/1.1 \x1b[31m\x00\r\n\r\n"), "response_invalid", `\x1b`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := visitOnce(t, testRoute(t, ca, serveTLS(t, cert, test.serve)), 1)
			require.Equal(t, []string{test.reason}, foundNames(v.Faults))
			assert.Contains(t, v.Faults[0].Detail, test.words)
			assert.NotContains(t, v.Faults[0].Detail, "\x1b")
			assert.True(t, v.Ended)
			assert.NotEmpty(t, v.Chain)
			assert.Equal(t, test.answered, len(v.Answers) == 1)
		})
	}
}

// What does not come within the deadline, half a second of virtual time, has the
// reason of the step that it lacks.
func TestWhatDoesNotComeInTime(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for name, test := range map[string]struct {
		serve         func(net.Conn) // after the handshake; nil: there is none
		reason, words string
		answered      bool // the answer's header was read
	}{
		"the handshake":       {nil, "tls_failed", "did not end within 500 ms", false},
		"an answer":           {silent, "timeout", "no whole answer header came within 500 ms", false},
		"a header that drips": {then("HTTP/1.1 200 OK\r\n", dripping("X-Filler: a\r\n", 5*time.Millisecond)), "timeout", "no whole answer header", false},
		"a body that drips":   {then(ok+"\r\n", dripping("x", 5*time.Millisecond)), "timeout", "body did not end within 500 ms", true},
		"a body that stops":   {then(ok+"Content-Length: 10\r\n\r\nabc", silent), "timeout", "3 bytes came", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, handle := newAuthority(t, "contoso root", nil), silent
				if test.serve != nil {
					handle = overTLS(ca.leaf(t, nil), test.serve)
				}
				v := visitWithin(t, testRouteTo(t, ca, handle), 500*time.Millisecond, 1)
				require.Equal(t, []string{test.reason}, foundNames(v.Faults))
				assert.Contains(t, v.Faults[0].Detail, test.words)
				assert.True(t, v.Ended)
				assert.Equal(t, test.serve != nil, len(v.Chain) > 0)
				assert.Equal(t, test.answered, len(v.Answers) == 1)
			})
		})
	}
}

// reset answers text and then resets the connection rather than closing it.
func reset(text string) func(net.Conn) {
	return func(c net.Conn) {
		answers(text)(c)
		tcp := c.(*tls.Conn).NetConn().(*net.TCPConn)
		tcp.SetLinger(0)
		tcp.Close()
	}
}

func TestAnAnswerIsKeptAsItCame(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	cert := ca.leaf(t, nil)
	tests := map[string]struct {
		text         string
		status       int
		proto, field string
		body         string
	}{
		"an empty 401":            {unauthorized, 401, "HTTP/1.1", "Bearer", ""},
		"HTTP/1.0":                {"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n\r\nno", 401, "HTTP/1.0", "Bearer", "no"},
		"a redirect":              {"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.contoso.test/\r\nContent-Length: 0\r\n\r\n", 302, "HTTP/1.1", "", ""},
		"an interim answer first": {"HTTP/1.1 103 Early Hints\r\n\r\n" + unauthorized, 401, "HTTP/1.1", "Bearer", ""},
		"an unread upgrade":       {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nsecret", 101, "HTTP/1.1", "", ""},
		"a compressed body":       {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x00", 200, "HTTP/1.1", "", "\x1f\x8b\x00"},
		"a body up to the limit":  {"HTTP/1.1 200 OK\r\nContent-Length: 262144\r\n\r\n" + strings.Repeat("a", maxBody), 200, "HTTP/1.1", "", strings.Repeat("a", maxBody)},
		"invalid UTF-8":           {"HTTP/1.1 200 OK\r\nWWW-Authenticate: \xff\r\nContent-Length: 1\r\n\r\n\xfe", 200, "HTTP/1.1", "\xff", "\xfe"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			v := visitOnce(t, testRoute(t, ca, serveTLS(t, cert, answers(test.text))), 1)
			require.Empty(t, v.Faults)
			require.Len(t, v.Answers, 1)
			a := v.Answers[0]
			assert.Equal(t, test.status, a.Status)
			assert.Equal(t, test.proto, a.Proto)
			assert.Equal(t, test.field, a.Header.Get("WWW-Authenticate"))
			assert.True(t, test.body == string(a.Body), "body of %d bytes", len(a.Body))
			assert.WithinRange(t, a.Received, began, time.Now())
			assert.False(t, v.Ended)
			for _, d := range []time.Duration{v.Phases.Connect, v.Phases.TLS, v.Phases.Processing, v.Phases.Transfer} {
				assert.Positive(t, d)
			}
		})
	}
}

func TestTheRequestIsWhatWasAsked(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	got := make(chan *http.Request, 1)
	sni := make(chan string, 1)
	to := serveTLS(t, ca.leaf(t, nil), func(c net.Conn) {
		sni <- c.(*tls.Conn).ConnectionState().ServerName
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err == nil {
			got <- req
			io.WriteString(c, unauthorized)
		}
	})
	r := testRoute(t, ca, to)
	u := testURL(t, "https://"+testHost+"/Microsoft-Server-ActiveSync")
	ws, _, _, err := r.ways(t.Context(), u)
	require.NoError(t, err)
	v, err := r.visit(t.Context(), ws[0], r.get(u, "Authorization", "Bearer"))
	require.NoError(t, err)
	require.Len(t, v.Answers, 1)
	req := <-got
	assert.Equal(t, http.Header{"User-Agent": {"hmad/test"}, "Authorization": {"Bearer"}}, req.Header)
	assert.Equal(t, testHost, req.Host)
	assert.Equal(t, "/Microsoft-Server-ActiveSync", req.RequestURI)
	assert.Equal(t, testHost, <-sni)
}

// Each server closes in its own way after one answer, and both requests are
// answered all the same, over two connections; a server that keeps its promise
// sees one.
func TestTwoRequestsAreAnsweredWhateverTheServerKeepsOpen(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	cert := ca.leaf(t, nil)
	tests := map[string]struct {
		handle func(net.Conn)
		conns  int32
	}{
		"HTTP/1.0":                 {answers("HTTP/1.0 401 Unauthorized\r\n\r\n"), 2},
		"Connection: close":        {answers("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), 2},
		"closed without a word":    {answers(unauthorized), 2},
		"kept open":                {keepAnswering, 1},
		"an upgrade, then another": {answers("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var conns atomic.Int32
			to := serveTLS(t, cert, func(c net.Conn) { conns.Add(1); test.handle(c) })
			v := visitOnce(t, testRoute(t, ca, to), 2)
			require.Empty(t, v.Faults)
			assert.Len(t, v.Answers, 2)
			assert.Equal(t, test.conns, conns.Load())
		})
	}
}

func keepAnswering(c net.Conn) {
	br := bufio.NewReader(c)
	for {
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		io.WriteString(c, unauthorized)
	}
}

func TestAServerThatRefusesOnlyTheSecondRequestIsFound(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	var conns atomic.Int32
	to := serveTLS(t, ca.leaf(t, nil), func(c net.Conn) {
		if conns.Add(1) == 1 {
			answers(unauthorized)(c)
		}
	})
	v := visitOnce(t, testRoute(t, ca, to), 2)
	assert.Equal(t, []string{"response_invalid"}, foundNames(v.Faults))
	assert.Len(t, v.Answers, 1)
	assert.Len(t, v.asked, 2)
}

func TestNoVisitReusesAnything(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	var conns atomic.Int32
	var resumed atomic.Bool
	to := serveTLS(t, ca.leaf(t, nil), func(c net.Conn) {
		conns.Add(1)
		if c.(*tls.Conn).ConnectionState().DidResume {
			resumed.Store(true)
		}
		keepAnswering(c)
	})
	r := testRoute(t, ca, to)
	for range 3 {
		require.Empty(t, visitOnce(t, r, 1).Faults)
	}
	assert.EqualValues(t, 3, conns.Load())
	assert.False(t, resumed.Load())
}

func TestShutdownIsNeverAFinding(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	cert := ca.leaf(t, nil)
	tests := map[string]func(stop func()) func(net.Conn){
		"in the handshake": func(stop func()) func(net.Conn) { return func(c net.Conn) { stop(); silent(c) } },
		"in the answer": func(stop func()) func(net.Conn) {
			return func(c net.Conn) {
				s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
				then("HTTP/1.1 200 OK\r\n", func(c net.Conn) { stop(); silent(c) })(s)
			}
		},
		"in the body": func(stop func()) func(net.Conn) {
			return func(c net.Conn) {
				s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
				then("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", func(c net.Conn) { stop(); silent(c) })(s)
			}
		},
	}
	for name, handle := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			r := testRoute(t, ca, serve(t, handle(stop)))
			u := testURL(t, "https://"+testHost+"/")
			ws, _, _, err := r.ways(ctx, u)
			require.NoError(t, err)
			v, err := r.visit(ctx, ws[0], r.get(u))
			assert.Equal(t, context.Canceled, err)
			assert.Empty(t, v.Faults)
			_, _, err = r.visitAll(ctx, ws, r.get(u))
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
}
