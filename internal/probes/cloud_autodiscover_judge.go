package probes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/transport"
)

// answerKind is what Exchange Online's AutoDiscover says of an address.
type answerKind int

const (
	unplaced   answerKind = iota
	hasMailbox            // 200 with a URL in Microsoft's cloud
	sendsOn               // it sends to another host
	sendsBack             // it sends to itself: the address is unknown
)

// cloudAnswer is an answer without the address that it may have had.
type cloudAnswer struct {
	kind     answerKind
	status   int
	host     string // of the redirect or of the URL, in lower case
	path     string
	insecure bool   // a redirect to http
	code     string // ErrorCode of a JSON error
}

// String words the answer for people.
func (a cloudAnswer) String() string {
	s := fmt.Sprintf("status %d", a.status)
	if a.host != "" {
		s += " to " + shownHost(a.host) + a.path
	}
	if a.code != "" {
		s += ", " + a.code
	}
	return s
}

// readCloudAnswer reads an answer (public captures of 2019 and 2020; Microsoft
// documents none). A service that is busy or out of order is an error, and so is
// what Exchange Online does not send.
func readCloudAnswer(a transport.Answer, asked *url.URL, mailbox string) (cloudAnswer, error) {
	out := cloudAnswer{status: a.Status}
	switch {
	case a.Status == http.StatusTooManyRequests:
		return out, check.Errorf(check.Throttled, "%s answers with status 429", asked.Hostname())
	case a.Status/100 == 5:
		return out, check.Errorf(check.Service, "%s answers with status %d", asked.Hostname(), a.Status)
	case isRedirect(a.Status):
		return out.redirected(a.Header.Get("Location"), asked, mailbox), nil
	case transport.IsPage(a.Header, a.Body):
		return out, check.Errorf(check.VantageOffline, "%s answers with a page for people (status %d): a captive portal, a proxy or a filter on the way?",
			asked.Hostname(), a.Status)
	}
	var body struct{ Protocol, URL, ErrorCode string }
	if json.Unmarshal(a.Body, &body) != nil {
		return out, check.Errorf(check.Service, "%s answers with status %d and no JSON", asked.Hostname(), a.Status)
	}
	out.code = check.Line(check.Redact(body.ErrorCode), 60)
	u, err := url.Parse(body.URL)
	if a.Status != http.StatusOK || err != nil || u.Hostname() == "" {
		return out, nil
	}
	if out.host = strings.ToLower(u.Hostname()); isCloudHost(out.host) || out.host == strings.ToLower(asked.Hostname()) {
		out.kind = hasMailbox
	}
	return out, nil
}

// redirected returns the answer with where it leads: the address, which stands in
// the query or in the path, is left out.
func (a cloudAnswer) redirected(location string, asked *url.URL, mailbox string) cloudAnswer {
	to, err := asked.Parse(location)
	if location == "" || err != nil || to.Hostname() == "" {
		return a
	}
	a.host, a.insecure = strings.ToLower(to.Hostname()), to.Scheme != "https"
	a.path = shownPath(to)
	switch {
	case a.host != strings.ToLower(asked.Hostname()) && !isCloudHost(a.host):
		a.kind = sendsOn
	case sameAddress(to, mailbox):
		a.kind = sendsBack
	}
	return a
}

// shownPath returns a URL's path without an address that stands in it.
func shownPath(u *url.URL) string {
	head, _, _ := strings.Cut(u.Path, "@")
	if head != u.Path {
		head = head[:strings.LastIndexByte(head, '/')+1] + "…"
	}
	return check.Line(check.Redact(head), 100)
}

// sameAddress reports whether a redirect is about the mailbox that was asked for.
func sameAddress(u *url.URL, mailbox string) bool {
	for key, values := range u.Query() {
		if strings.EqualFold(key, "Email") {
			return strings.EqualFold(values[0], mailbox)
		}
	}
	return strings.HasSuffix(strings.ToLower(u.Path), "/"+strings.ToLower(mailbox))
}

// judgePlacement judges the answers about one mailbox of a domain.
func judgePlacement(v *check.Verdict, domain string, hosts []string, p placement) {
	if p.err != nil {
		v.Undecided(p.err)
		return
	}
	v.Note("the mailbox: %s", p.mailbox)
	if p.absent.status != 0 {
		v.Note("an absent address: %s", p.absent)
	}
	judgeHost(v, domain, hosts, p.mailbox)
	judgeKnown(v, domain, p)
	proven := 0.0
	if p.mailbox.kind == sendsOn && p.absent.kind == sendsBack {
		proven = 1
	}
	if p.absentErr == nil {
		v.Sample(CloudPlacementProven, proven, domain)
	}
	if p.mailbox.host != "" {
		v.Fact(cloudRedirect, domain, p.mailbox.host)
	}
}

// judgeHost judges where the mailbox's answer leads.
func judgeHost(v *check.Verdict, domain string, hosts []string, a cloudAnswer) {
	v.Clear(cloudAnswerUnusual)
	switch a.kind {
	case sendsOn:
		v.Clear(cloudHasMailbox, cloudHostWrong, cloudRedirectInsecure)
		if !slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, a.host) }) {
			v.Find(cloudHostWrong, []string{domain}, "Exchange Online sends AutoDetect for a mailbox of %s to %s%s, want %s", domain, shownHost(a.host), a.path,
				check.List(hosts[:1]))
		}
		if a.insecure {
			v.Find(cloudRedirectInsecure, []string{domain}, "Exchange Online sends AutoDetect to %s without TLS (http)", shownHost(a.host))
		}
	case hasMailbox:
		v.NotApplicable("Exchange Online answers for the mailbox itself", cloudHostWrong, cloudRedirectInsecure)
		v.Find(cloudHasMailbox, []string{domain}, "Exchange Online has a mailbox of that address (%s of %s)", a, domain)
	case sendsBack:
		v.Clear(cloudHasMailbox)
		v.NotApplicable("Exchange Online sends to no host of yours", cloudHostWrong, cloudRedirectInsecure)
	default:
		v.Open("the answer is unusual", cloudHostWrong, cloudHasMailbox, cloudRedirectInsecure)
		v.Find(cloudAnswerUnusual, []string{domain}, "Exchange Online answers for a mailbox of %s with %s, want a redirect to %s", domain, a, hosts[0])
	}
}

// judgeKnown judges whether the tenant knows the mailbox, by what it says of an
// absent one.
func judgeKnown(v *check.Verdict, domain string, p placement) {
	switch {
	case p.mailbox.kind == hasMailbox:
		v.Clear(mailboxUnknownInCloud)
	case p.absentErr != nil:
		v.Undecided(p.absentErr, mailboxUnknownInCloud)
	case p.mailbox.kind == sendsBack && p.absent.kind == sendsBack:
		v.Find(mailboxUnknownInCloud, []string{domain}, "Exchange Online answers for the mailbox of %s as for an address that does not exist: it sends to itself",
			domain)
	case p.mailbox.kind == sendsOn && p.absent.kind == sendsBack:
		v.Clear(mailboxUnknownInCloud)
	case p.mailbox.kind == sendsOn && p.absent.kind == sendsOn:
		judgeOwner(v, domain, p)
	default:
		v.Open(fmt.Sprintf("the answer for an absent address tells nothing: %s", p.absent), mailboxUnknownInCloud)
	}
}

// judgeOwner judges a domain for which Exchange Online sends every address on
// premises: it is unknown to the tenant, or an internal relay there.
func judgeOwner(v *check.Verdict, domain string, p placement) {
	const built = "Exchange Online sends on premises for every address of %s"
	switch {
	case p.ownerErr != nil:
		v.Undecided(p.ownerErr, mailboxUnknownInCloud)
	case p.owner == nobody:
		v.Find(mailboxUnknownInCloud, []string{domain}, built+", and no tenant has the domain", domain)
	case p.owner == another:
		v.Find(mailboxUnknownInCloud, []string{domain}, built+", and the domain is another tenant's", domain)
	default:
		v.Open(fmt.Sprintf(built+", so it does not show that it knows this one (the domain may be an internal relay there)", domain), mailboxUnknownInCloud)
	}
}
