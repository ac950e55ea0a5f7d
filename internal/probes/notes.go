package probes

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// What of an answer the notes show.
const (
	maxNoteHeaders = 64
	maxNoteValue   = 1 << 10
)

// notes tell a person what was asked and what came: for each request a curl
// line that repeats it, then the connection, then the answer's status line and
// headers, one a note. Names of headers are in Go's canonical spelling.
func (v Visit) notes() []string {
	var out []string
	for i, req := range v.asked {
		out = append(out, v.curl(req))
		if i == 0 {
			out = append(out, v.connection())
		}
		if i < len(v.Answers) {
			out = append(out, v.Answers[i].notes()...)
		}
	}
	return out
}

// curl gives a line for a shell that repeats the request on the same way.
func (v Visit) curl(req *http.Request) string {
	args := []string{"curl", "-sS", "-i", "--http1.1", "-m", "20"}
	if v.Address.IsValid() {
		args = append(args, "--connect-to", net.JoinHostPort(v.way.host, v.way.port)+":"+v.Address.String())
	}
	if v.route.proxy != nil {
		args = append(args, "--proxy", v.route.proxy.String())
	}
	if v.route.caFile != "" {
		args = append(args, "--cacert", v.route.caFile)
	}
	if req.Header.Get("Accept") == "" {
		args = append(args, "-H", "Accept:") // which curl would else send
	}
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		for _, value := range req.Header[name] {
			args = append(args, "-H", name+": "+value)
		}
	}
	for i, a := range args {
		args[i] = quote(a)
	}
	return strings.Join(append(args, quote(req.URL.String())), " ")
}

// repeat gives the lines that repeat requests which never got as far as a
// connection.
func (r *route) repeat(reqs ...*http.Request) []string {
	var lines []string
	for _, req := range reqs {
		lines = append(lines, Visit{route: r}.curl(req))
	}
	return lines
}

// quote makes s one word of a POSIX shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r)
	}
	if s != "" && strings.TrimFunc(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// connection tells where the connection went and what certificate was there.
func (v Visit) connection() string {
	at := v.peer()
	if v.route.proxy != nil {
		at += " through the proxy " + v.route.proxy.Host
	}
	if len(v.Chain) == 0 {
		return "connection: " + at + ", no TLS"
	}
	leaf := v.Chain[0]
	return fmt.Sprintf("connection: %s, %s, certificate for %s of %s until %s",
		at, tls.VersionName(v.tls), names(leaf), issuer(leaf), day(leaf.NotAfter))
}

func (a *Answer) notes() []string {
	out := []string{fmt.Sprintf("%s %d %s", a.Proto, a.Status, http.StatusText(a.Status))}
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		for _, value := range a.Header[name] {
			if len(out) > maxNoteHeaders {
				return append(out, "… more headers")
			}
			out = append(out, check.Clean(name, 100)+": "+check.Clean(guard(name, value), maxNoteValue))
		}
	}
	return out
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
