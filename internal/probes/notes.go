package probes

import (
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// What of an answer the notes show.
const (
	maxNoteHeaders = 64
	maxNoteValue   = 1 << 10

	// What a visit's notes usually take, so that they are seldom moved.
	usualNotes     = 32
	usualNotesSize = 2 << 10
)

// notes tell a person what was asked and what came: for each request a curl
// line that repeats it, then the connection, then the answer's status line and
// headers, one a note. Names of headers are in Go's canonical spelling.
func (v Visit) notes() []string {
	l := lines{ends: make([]int, 0, usualNotes)}
	l.Grow(usualNotesSize)
	for i, req := range v.asked {
		v.writeCurl(&l, req)
		if i == 0 {
			v.writeConnection(&l)
		}
		if i < len(v.Answers) {
			v.Answers[i].writeNotes(&l)
		}
	}
	return l.all()
}

// repeat gives the lines that repeat requests which never got as far as a
// connection.
func (r *route) repeat(reqs ...*http.Request) []string {
	var l lines
	for _, req := range reqs {
		Visit{route: r}.writeCurl(&l, req)
	}
	return l.all()
}

// writeCurl writes a line for a shell that repeats the request on the same way.
func (v Visit) writeCurl(l *lines, req *http.Request) {
	l.WriteString("curl -sS -i --http1.1 -m 20")
	if v.Address.IsValid() {
		l.option("--connect-to", net.JoinHostPort(v.way.host, v.way.port), ":", v.Address.String())
	}
	if v.route.proxy != nil {
		l.option("--proxy", v.route.proxy.String())
	}
	if v.route.caFile != "" {
		l.option("--cacert", v.route.caFile)
	}
	if len(req.Header["Accept"]) == 0 {
		l.option("-H", "Accept:") // which curl would else send
	}
	for _, name := range sortedNames(req.Header) {
		for _, value := range req.Header[name] {
			l.option("-H", name, ": ", value)
		}
	}
	l.WriteByte(' ')
	l.word(req.URL.String())
	l.end()
}

// writeConnection tells where the connection went and what certificate was
// there.
func (v Visit) writeConnection(l *lines) {
	l.WriteString("connection: ")
	l.WriteString(v.peer())
	if v.route.proxy != nil {
		l.WriteString(" through the proxy ")
		l.WriteString(v.route.proxy.Host)
	}
	if len(v.Chain) == 0 {
		l.WriteString(", no TLS")
	} else {
		leaf := v.Chain[0]
		for _, part := range []string{", ", tls.VersionName(v.tls), ", certificate for ", names(leaf), " of ", issuer(leaf), " until ", day(leaf.NotAfter)} {
			l.WriteString(part)
		}
	}
	l.end()
}

func (a *Answer) writeNotes(l *lines) {
	for _, part := range []string{a.Proto, " ", strconv.Itoa(a.Status), " ", http.StatusText(a.Status)} {
		l.WriteString(part)
	}
	l.end()
	n := 0
	for _, name := range sortedNames(a.Header) {
		for _, value := range a.Header[name] {
			if n++; n > maxNoteHeaders {
				l.WriteString("… more headers")
				l.end()
				return
			}
			l.WriteString(check.Clean(name, 100))
			l.WriteString(": ")
			l.WriteString(check.Clean(guard(name, value), maxNoteValue))
			l.end()
		}
	}
}

func sortedNames(h http.Header) []string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// guard cuts from a header's value what may be secret or personal: of a cookie
// all but the name, of a place to go the query.
func guard(name, value string) string {
	cutAt := func(mark string) string {
		if head, _, found := strings.Cut(value, mark); found {
			return head + mark + "…"
		}
		return value
	}
	switch name {
	case "Set-Cookie":
		return cutAt("=")
	case "Location", "Content-Location", "X-Ms-Location", "Refresh":
		return cutAt("?")
	default:
		return value
	}
}
