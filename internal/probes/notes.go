package probes

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// What of an answer the notes show.
const (
	maxNoteHeaders = 64
	maxNoteValue   = 1 << 10
)

// maxWord bounds a word of a command to repeat, in bytes.
const maxWord = 4 << 10

// note records what was asked and what came: for each request a curl line that
// repeats it, then the connection, then the answer's status line and headers.
// Names of headers are in Go's canonical spelling.
func (v Visit) note(verdict *check.Verdict) {
	v.noteRefused(verdict)
	for i, req := range v.asked {
		verdict.Repeat(v.curl(req))
		if i == 0 {
			verdict.Note("%s", v.connection())
		}
		if i < len(v.Answers) {
			noteAll(verdict, v.Answers[i].notes())
		}
	}
}

// repeat records the lines that repeat requests which never got as far as a
// connection.
func (r *route) repeat(v *check.Verdict, reqs ...*http.Request) {
	for _, req := range reqs {
		v.Repeat(Visit{route: r}.curl(req))
	}
}

func noteAll(v *check.Verdict, notes []string) {
	for _, n := range notes {
		v.Note("%s", n)
	}
}

// curl returns a line for a shell that repeats the request on the same way.
func (v Visit) curl(req *http.Request) string {
	var b strings.Builder
	b.WriteString("curl -sS -i --http1.1 -m 20")
	option := func(name, value string) { b.WriteString(" " + name + " " + check.ShellWord(value, maxWord)) }
	if v.Address.IsValid() {
		option("--connect-to", net.JoinHostPort(v.way.host, v.way.port)+":"+v.Address.String())
	}
	if v.way.maxTLS == tls.VersionTLS12 {
		b.WriteString(" --tls-max 1.2")
	}
	if proxy := v.route.Proxy(); proxy != nil {
		option("--proxy", proxy.String())
		if v.route.ProxySignsIn() {
			option("--proxy-user", "NAME:PASSWORD")
		}
	}
	if file := v.route.CAFile(); file != "" {
		option("--cacert", file)
	}
	if len(req.Header["Accept"]) == 0 {
		option("-H", "Accept:") // which curl would send otherwise
	}
	for _, name := range sortedNames(req.Header) {
		for _, value := range req.Header[name] {
			if name == "User-Agent" { // a setting that takes any text
				value = config.ShownText(value)
			}
			option("-H", name+": "+value)
		}
	}
	b.WriteString(" " + check.ShellWord(req.URL.String(), maxWord))
	return b.String()
}

// connection returns where the connection went and what certificate was there.
func (v Visit) connection() string {
	s := "connection: " + v.peer()
	if proxy := v.route.Proxy(); proxy != nil {
		s += " through the proxy " + proxy.Host
	}
	if len(v.Chain) == 0 {
		return s + ", no TLS"
	}
	leaf := v.Chain[0]
	return fmt.Sprintf("%s, %s, certificate for %s of %s until %s", s, tls.VersionName(v.tls), names(leaf), issuer(leaf), check.Moment(leaf.NotAfter))
}

// notes returns the answer's status line and its headers.
func (a *Answer) notes() []string {
	notes := []string{fmt.Sprintf("%s %d %s", a.Proto, a.Status, a.phrase())}
	for _, name := range sortedNames(a.Header) {
		for _, value := range a.Header[name] {
			if len(notes) > maxNoteHeaders {
				return append(notes, "… more headers")
			}
			notes = append(notes, check.Clean(name, 100)+": "+check.Clean(guard(name, value), maxNoteValue))
		}
	}
	return notes
}

func sortedNames(h http.Header) []string { return slices.Sorted(maps.Keys(h)) }

// guard returns a header's value without what may be secret or personal: the
// value of a cookie, the query of a URL.
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
	case "Location", "Content-Location", "X-Ms-Location":
		return guardURL(value)
	case "Refresh":
		return cutRefresh(value)
	default:
		return urlForm.ReplaceAllStringFunc(value, guardURL)
	}
}

// urlForm is a URL within the value of a header, such as a challenge's or a Link's.
// with credentials, a query or a fragment.
var urlForm = regexp.MustCompile(`https?://[^\s"'<>,;?#@]*[?#@][^\s"'<>,;]*`)

// cutRefresh returns the value of a Refresh header, "5; url=https://…", with its
// URL as far as it may be shown.
func cutRefresh(value string) string {
	head, to, found := strings.Cut(value, "=")
	if !found {
		return head
	}
	return head + "=" + guardURL(strings.Trim(to, `"' `))
}

// guardURL returns a URL as far as it may be shown, and marks a query that it
// leaves out.
func guardURL(value string) string {
	shown := shownLocation(value)
	if strings.Contains(value, "?") {
		shown += "?…"
	}
	return shown
}
