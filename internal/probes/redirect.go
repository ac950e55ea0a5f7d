package probes

import (
	"net/url"
	"strings"
)

// isRedirect reports whether the status sends the client elsewhere.
func isRedirect(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

// location returns where a redirect leads, resolved against what was asked and
// without credentials; nil when there is none that can be read.
func location(a *Answer) *url.URL {
	to := a.Header.Get("Location")
	if !isRedirect(a.Status) || to == "" {
		return nil
	}
	u, err := a.URL.Parse(to)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	u.User, u.Fragment = nil, ""
	return u
}

// locationHost returns the host that a redirect leads to, in lower case.
func locationHost(a *Answer) string {
	if u := location(a); u != nil {
		return strings.ToLower(u.Hostname())
	}
	return ""
}

// leavesHost reports whether a redirect leads to another host.
func leavesHost(a *Answer) bool {
	to := locationHost(a)
	return to != "" && to != strings.ToLower(a.URL.Hostname())
}

// sameURL compares as Exchange and phones do: host without regard to case,
// default port dropped, path without regard to case and a final slash. Scheme,
// query and user do not count.
func sameURL(a, b *url.URL) bool {
	path := func(u *url.URL) string { return strings.TrimSuffix(u.Path, "/") }
	return strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b) && strings.EqualFold(path(a), path(b))
}
