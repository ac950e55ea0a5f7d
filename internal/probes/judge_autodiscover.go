package probes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hmad/hmad/internal/check"
)

// discovery is what one address, and the hosts that it redirected to, answered
// to the AutoDiscover question.
type discovery struct {
	hops    []*Answer // in order, at least one; the last was not followed any further
	want    *url.URL  // the configured ActiveSync URL; nil when there is none
	allowed func(host string) bool
}

// discovered is AutoDiscover's answer in JSON (domain notes, section 2.2).
type discovered struct {
	Protocol, URL           string
	ErrorCode, ErrorMessage string
}

// judgeAutodiscover judges a discovery, first match first, and gives the
// ActiveSync URL when it is one that can be asked.
func judgeAutodiscover(d discovery) (verdict, *url.URL) {
	last := d.hops[len(d.hops)-1]
	for _, h := range d.hops {
		if mark := cloudMark(h); mark != "" {
			return stop(autodiscoverReasons, found(autodiscoverPointsToCloud, "%s answered as Exchange Online: %s", h.URL.Host, mark)), nil
		}
	}
	body, unreadable := readDiscovered(last.Body)
	if f, stopped := d.judgeStatus(last, body); stopped {
		return stop(autodiscoverReasons, f), nil
	}
	if unreadable != nil {
		return stop(autodiscoverReasons, found(responseInvalid, "200, but the body is not AutoDiscover's: %v", unreadable)), nil
	}
	return d.judgeURL(body)
}

// readDiscovered reads the body, whose size the visit has bounded.
func readDiscovered(body []byte) (d discovered, err error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) {
		return d, fmt.Errorf("invalid UTF-8")
	}
	err = json.Unmarshal(body, &d)
	return d, err
}

// judgeStatus finds what keeps the body from being an answer: its status, its
// sender, or an error in it.
func (d discovery) judgeStatus(a *Answer, body discovered) (f check.Finding, stopped bool) {
	cs, _ := a.challenges()
	dev, exchange := fingerprint(a, cs), exchangeAnswered(a, cs)
	switch {
	case dev.signIn && !exchange && a.Status < 500:
		return found(autodiscoverPreauthDevice, "%s answered %s", dev.name, statusLine(a)), true
	case a.Status == http.StatusUnauthorized:
		return found(authenticationRequired, "%s, offers %s%s", statusLine(a), schemes(cs), dev.behind()), true
	case a.Status == http.StatusForbidden:
		return found(autodiscoverBlocked, "%s%s", statusLine(a), dev.behind()), true
	case a.Status >= 500:
		return found(autodiscoverServerError, "%s%s%s", statusLine(a), body.problem(), dev.behind()), true
	case isRedirect(a.Status):
		return d.judgeRedirect(a, exchange, dev), true
	case a.Status == http.StatusOK && isPage(a) && !exchange && body == (discovered{}):
		return found(autodiscoverPreauthDevice, "%s, a web page instead of JSON%s", statusLine(a), dev.behind()), true
	case slices.Contains([]string{"UserNotFound", "DomainNotFound"}, body.ErrorCode):
		return found(probeMailboxUnknown, "%s%s", statusLine(a), body.problem()), true
	case body.ErrorCode != "":
		return found(autodiscoverError, "%s%s", statusLine(a), body.problem()), true
	case a.Status != http.StatusOK:
		return found(autodiscoverUnexpectedStatus, "%s, wanted 200 with JSON%s", statusLine(a), dev.behind()), true
	default:
		return check.Finding{}, false
	}
}

// problem words the error of the body for the end of a detail.
func (b discovered) problem() string {
	if b.ErrorCode == "" {
		return ""
	}
	return "; " + b.ErrorCode + ": " + b.ErrorMessage
}

// judgeRedirect judges a redirect that was not followed.
func (d discovery) judgeRedirect(a *Answer, exchange bool, dev device) check.Finding {
	to := location(a)
	switch {
	case to == nil:
		return found(autodiscoverUnexpectedStatus, "%s, which leads nowhere", statusLine(a))
	case to.Scheme == "http":
		return found(redirectInsecure, "%s after %s", statusLine(a), d.path())
	case d.allowed(to.Hostname()) && to.Scheme == "https":
		return found(redirectLoop, "%d redirects: %s → %s", len(d.hops), d.path(), shownURL(to))
	case isCloudHost(to.Hostname()):
		return found(redirectsToCloud, "%s", statusLine(a))
	case !exchange && !strings.Contains(strings.ToLower(to.Path), "/autodiscover"):
		return found(autodiscoverPreauthDevice, "%s, a host that the target does not name%s", statusLine(a), dev.behind())
	default:
		return found(autodiscoverUnexpectedStatus, "%s, a host that the target does not name; it was not followed%s", statusLine(a), dev.behind())
	}
}

// path words the URLs asked.
func (d discovery) path() string {
	var hosts []string
	for _, h := range d.hops {
		hosts = append(hosts, shownURL(h.URL))
	}
	return strings.Join(hosts, " → ")
}

// judgeURL judges the answer itself. What the Url may hold beside scheme, host
// and path is left out of the URL given: it would be sent to whatever host the
// Url names, and would stand in notes.
func (d discovery) judgeURL(body discovered) (verdict, *url.URL) {
	if !strings.EqualFold(body.Protocol, "activesync") {
		return stop(autodiscoverReasons, found(protocolWrong, "Protocol is %q, wanted activesync", body.Protocol)), nil
	}
	if body.URL == "" {
		return stop(autodiscoverReasons, found(urlMissing, "the answer has no Url")), nil
	}
	u, err := url.Parse(body.URL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return stop(autodiscoverReasons, found(urlInsecure, "Url is %s, wanted https://…", shownLocation(body.URL))), nil
	}
	v, given := verdict{}, bareURL(u)
	if extra := beyondPath(u); extra != "" {
		v.notes = []string{"AutoDiscover's Url also has " + extra + ": neither shown nor asked for"}
	}
	switch {
	case d.want == nil:
		v.unevaluated = []*check.Reason{urlMismatch}
	case !sameURL(u, d.want):
		v.findings = []check.Finding{found(urlMismatch, "Url is %s, wanted %s", given, shownURL(d.want))}
	}
	return v, given
}

// beyondPath names what a URL has beside scheme, host and path.
func beyondPath(u *url.URL) string {
	var parts []string
	if u.User != nil {
		parts = append(parts, "a user")
	}
	if u.RawQuery != "" {
		parts = append(parts, "a query")
	}
	if u.Fragment != "" {
		parts = append(parts, "a fragment")
	}
	return strings.Join(parts, ", ")
}
