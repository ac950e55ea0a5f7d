package probes

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/transport"
)

// maxServices bounds what is kept of an answer.
const maxServices = 50

// detected is AutoDetect's answer without the address, user names and tokens in
// it.
type detected struct {
	Asked     time.Time
	From      string // the host that answered
	Status    int
	Services  []service
	Protocols []string // eas, imap, smtp, …
	Error     string   // x-autodv2-error: why its own question to AutoDiscover failed
	Decision  string   // what decided: autoDv2, autoDv1, an entry of its database
}

// service is one of an answer's services.
type service struct {
	Name, Protocol string
	OnPrem         string // the ActiveSync URL on premises
	Authority      string // where the phone signs in
}

// readDetected reads an answer (public captures of 2025 and 2026, and Microsoft's
// support script for Outlook mobile). A token in a header is not read.
func readDetected(a transport.Answer, host string) (detected, error) {
	d := detected{From: host, Status: a.Status, Error: word(a.Header.Get("X-Autodv2-Error")), Decision: decisionOf(a.Header.Get("X-Debug-Support"))}
	switch {
	case a.Status == http.StatusNoContent, a.Status == http.StatusAccepted:
		return d, nil
	case a.Status == http.StatusTooManyRequests:
		return d, check.Errorf(check.Throttled, "%s answers with status 429", host)
	case a.Status != http.StatusOK:
		return d, check.Errorf(check.Service, "%s answers with status %d", host, a.Status)
	case transport.IsPage(a.Header, a.Body):
		return d, check.Errorf(check.VantageOffline, "%s answers with a page for people: a captive portal, a proxy or a filter on the way?", host)
	}
	var body struct {
		Services  []struct{ Service, Protocol, OnPrem, AAD string }
		Protocols []struct{ Protocol string }
	}
	if json.Unmarshal(a.Body, &body) != nil {
		return d, check.Errorf(check.Service, "%s answers with no JSON in the form that AutoDetect has", host)
	}
	for _, s := range body.Services[:min(len(body.Services), maxServices)] {
		d.Services = append(d.Services, service{strings.ToLower(word(s.Service)), word(s.Protocol), bare(s.OnPrem), bare(s.AAD)})
	}
	for _, p := range body.Protocols[:min(len(body.Protocols), maxServices)] {
		if name := strings.ToLower(word(p.Protocol)); name != "" && !slices.Contains(d.Protocols, name) {
			d.Protocols = append(d.Protocols, name)
		}
	}
	return d, nil
}

// word returns a short text of an answer as it may be shown.
func word(s string) string { return check.Line(check.Redact(s), 60) }

// bare returns a URL without query, credentials and what else may name a person;
// another text as far as it may be shown.
func bare(text string) string {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Hostname() == "" {
		return check.Line(check.Redact(text), 200)
	}
	return check.Line((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: shownPath(u)}).String(), 200)
}

// decisionOf reads what decided from x-debug-support, base64 of JSON.
func decisionOf(header string) string {
	data, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return ""
	}
	var debug struct{ Decision string }
	if json.Unmarshal(data, &debug) != nil {
		return ""
	}
	return word(debug.Decision)
}

// judgeDetected judges an answer in the order of Microsoft's support script.
func judgeDetected(v *check.Verdict, activesync *url.URL, d detected) {
	d.note(v)
	if d.Error != "" {
		v.Find(cannotReach, []string{d.From}, "AutoDetect's own request to AutoDiscover on premises failed: %s", d.Error)
	}
	if d.Status != http.StatusOK || len(d.Services)+len(d.Protocols) == 0 {
		found := map[bool]string{true: "is still searching after three questions (status 202)", false: "found nothing"}[d.Status == http.StatusAccepted]
		v.Find(detectNotFound, []string{d.From}, "AutoDetect %s for the probe mailbox (status %d)", found, d.Status)
		v.Open("AutoDetect found nothing", askedReasons()...)
		return
	}
	v.Clear(detectNotFound, cannotReach)
	at := slices.IndexFunc(d.Services, func(s service) bool { return s.Name == "office365" })
	if at < 0 {
		d.judgeOthers(v)
		return
	}
	v.Clear(legacyOnly)
	s := d.Services[at]
	if s.OnPrem == "" {
		v.Find(onpremMissing, []string{d.From}, "AutoDetect names office365 (protocol %s) without an on-premises URL", cmp.Or(s.Protocol, "none"))
		v.NotApplicable("AutoDetect names no on-premises URL", onpremWrong, authorityForeign)
		return
	}
	v.Clear(onpremMissing)
	judgeOnPrem(v, activesync, s)
	judgeAuthority(v, s)
}

// judgeOthers judges an answer without office365: another provider's service, or
// old protocols alone.
func (d detected) judgeOthers(v *check.Verdict) {
	v.NotApplicable("AutoDetect does not name office365", onpremWrong, authorityForeign)
	if len(d.Services) > 0 {
		v.Clear(legacyOnly)
		v.Find(onpremMissing, []string{d.From}, "AutoDetect takes the probe mailbox for one of %s, not of office365", cmp.Or(d.Services[0].Name, "an unnamed service"))
		return
	}
	v.NotApplicable("AutoDetect does not name office365", onpremMissing)
	v.Find(legacyOnly, []string{d.From}, "AutoDetect names no service, and only %s", check.List(d.Protocols))
}

func judgeOnPrem(v *check.Verdict, activesync *url.URL, s service) {
	u, err := url.Parse(s.OnPrem)
	switch {
	case activesync == nil:
		v.NotApplicable("activesync.url is not set", onpremWrong)
	case err != nil || !strings.EqualFold(u.Hostname(), activesync.Hostname()) || u.Scheme != "https":
		v.Find(onpremWrong, []string{activesync.Hostname()}, "AutoDetect sends phones to %s, want https://%s", s.OnPrem, activesync.Hostname())
	default:
		v.Clear(onpremWrong)
	}
}

func judgeAuthority(v *check.Verdict, s service) {
	u, err := url.Parse(s.Authority)
	switch {
	case s.Authority == "":
		v.Open("AutoDetect names no authority", authorityForeign)
	case err != nil || u.Scheme != "https" || !isEntraHost(u.Hostname()):
		v.Find(authorityForeign, []string{s.Authority}, "AutoDetect sends phones to sign in at %s, want Microsoft Entra", s.Authority)
	default:
		v.Clear(authorityForeign)
	}
}

func (d detected) note(v *check.Verdict) {
	v.Note("AutoDetect, asked at %s, answered with status %d", check.Moment(d.Asked), d.Status)
	for _, s := range d.Services {
		v.Note("service %s, protocol %s, on premises %s, authority %s", s.Name, cmp.Or(s.Protocol, "none"), cmp.Or(s.OnPrem, "none"), cmp.Or(s.Authority, "none"))
	}
	if len(d.Protocols) > 0 {
		v.Note("protocols: %s", check.List(d.Protocols))
	}
	if d.Decision != "" {
		v.Note("decided by: %s", d.Decision)
	}
}

// mostFirst lists names by their counts, the highest first.
func mostFirst(counts map[string]int) []string {
	names := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(names, func(a, b string) int { return counts[b] - counts[a] })
	return names
}

// statuses words counts by status.
func statuses(counts map[int]int) string {
	var words []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%d: %d", status, counts[status]))
	}
	return check.List(words)
}
