package probes

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// maxDetail bounds a finding's detail in bytes.
const maxDetail = 300

// found returns a finding; the detail may quote the network: it is cleaned and
// cut.
func found(r *check.Reason, format string, args ...any) check.Finding {
	return check.Finding{Reason: r, Detail: check.Clean(fmt.Sprintf(format, args...), maxDetail)}
}

// bareURL returns a URL without what may hold secrets or addresses: user, query
// and fragment.
func bareURL(u *url.URL) *url.URL {
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
}

// shownURL renders a URL without them.
func shownURL(u *url.URL) string { return bareURL(u).String() }

// shownLocation does the same for text from the network. What is no URL is not
// shown at all, because nobody knows which part of it is the query.
func shownLocation(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" {
		return "(not a URL)"
	}
	return shownURL(u)
}

// statusLine words an answer's status, its type and where it leads.
func statusLine(a *Answer) string {
	s := strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, a.phrase()))
	if words := statusWords[a.Status]; words != "" {
		s += " (" + words + ")"
	}
	if t := a.Header.Get("Content-Type"); t != "" {
		s += ", " + check.Clean(t, 60)
	}
	if to := a.Header.Get("Location"); to != "" {
		s += ", Location: " + shownLocation(to)
	}
	if to := a.Header.Get("X-Ms-Location"); to != "" {
		s += ", X-MS-Location: " + shownLocation(to)
	}
	return s
}

// registered returns the registry's phrase of a status; none for 451, which
// Exchange uses for something else.
func registered(status int) string {
	if status == http.StatusUnavailableForLegalReasons {
		return ""
	}
	return http.StatusText(status)
}
