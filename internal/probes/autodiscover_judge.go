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

// The reasons of the autodiscover check.
var (
	autodiscoverPointsToCloud = &check.Reason{Name: "points_to_cloud", Severity: check.Critical,
		Runbook: autodiscoverPointsToCloudRunbook,
		Summary: "Exchange Online itself answers under the AutoDiscover name, so phones cannot find the on-premises endpoint.",
		Fix: "Point the AutoDiscover host in public DNS at the on-premises servers as long as mailboxes are on premises: `Resolve-DnsName " +
			"'autodiscover.<domain>' -Type CNAME` must not end at autodiscover.outlook.com."}
	autodiscoverPreauthDevice = &check.Reason{Name: "preauth_device", Severity: check.Critical,
		Runbook: autodiscoverPreauthDeviceRunbook,
		Summary: "A device in front of Exchange requires a sign-in or answers itself. Microsoft's cloud cannot get past it, so accounts cannot be added.",
		Fix: "Publish /autodiscover/ without pre-authentication (pass-through) on the device that answers: `hmad check autodiscover` " +
			"shows it. Pre-authentication in front " +
			"of AutoDiscover is not supported."}
	authenticationRequired = &check.Reason{Name: "authentication_required", Severity: check.Critical,
		Runbook: authenticationRequiredRunbook,
		Summary: "AutoDiscover requires credentials for a request that clients send without any, so phones cannot find their endpoint.",
		Fix: "Allow anonymous access to /autodiscover/autodiscover.json in IIS and on the load balancer; compare " +
			"`Get-AutodiscoverVirtualDirectory | Format-List Identity,*auth*` across the servers. Look for a device in front of Exchange that " +
			"requires the credentials."}
	autodiscoverBlocked = &check.Reason{Name: "blocked", Severity: check.Critical,
		Runbook: autodiscoverBlockedRunbook,
		Summary: "AutoDiscover refuses the request (403). If it also refuses Microsoft's addresses, accounts cannot be added.",
		Fix:     blockedFix}
	autodiscoverServerError = &check.Reason{Name: "server_error", Severity: check.Critical, Confirm: true,
		Runbook: autodiscoverServerErrorRunbook,
		Summary: "AutoDiscover answers with a server error, so accounts cannot be added.",
		Fix: "Check the application pool MSExchangeAutodiscoverAppPool and the load balancer's pool (`Get-ServerComponentState '<server>'`, " +
			"`Get-ServerHealth '<server>' -HealthSet Autodiscover`). An InternalServerError in JSON may come from an empty ExternalUrl: " +
			"`Get-ActiveSyncVirtualDirectory | Format-List Identity,ExternalUrl`."}
	redirectLoop = &check.Reason{Name: "redirect_loop", Severity: check.Critical,
		Runbook: redirectLoopRunbook,
		Summary: "AutoDiscover redirects in a loop, so phones cannot find their endpoint.",
		Fix: "Follow the redirects that `hmad check autodiscover --verbose` lists, and correct the redirect rule on the load balancer or in IIS (HTTP Redirect on " +
			"the Default Web Site also applies to /autodiscover)."}
	redirectInsecure = &check.Reason{Name: "redirect_insecure", Severity: check.Critical,
		Runbook: redirectInsecureRunbook,
		Summary: "AutoDiscover redirects to an address without TLS, which is not followed. Exchange itself may be receiving plain HTTP.",
		Fix:     "Change the redirect to https, and check that the load balancer re-encrypts to Exchange (TLS bridging; offloading is not supported)."}
	redirectsToCloud = &check.Reason{Name: "redirects_to_cloud", Severity: check.Warning, Mailbox: true,
		Runbook: redirectsToCloudRunbook,
		Summary: "AutoDiscover sends the probe mailbox to Exchange Online: it was moved there or is not known here. Other mailboxes may work, but " +
			"the on-premises answer is no longer tested.",
		Fix: "Set `mailbox` to a real on-premises mailbox: `Get-Mailbox '<address>'` must find it here, and `Get-RemoteMailbox '<address>'` must not."}
	autodiscoverUnexpectedStatus = &check.Reason{Name: "unexpected_status", Severity: check.Critical,
		Runbook: autodiscoverUnexpectedStatusRunbook,
		Summary: "AutoDiscover returns an answer that phones cannot use.",
		Fix: "Check what the load balancer publishes at /autodiscover/autodiscover.json (Exchange 2016 CU3 or later serves it), and repeat the " +
			"request with the curl command of `hmad check autodiscover`. If a redirect to a host of your own is intended, " +
			"add that host to `autodiscover.redirect_hosts`."}
	probeMailboxUnknown = &check.Reason{Name: "probe_mailbox_unknown", Severity: check.Warning, Mailbox: true,
		Runbook: probeMailboxUnknownRunbook,
		Summary: "Exchange does not know the probe mailbox, so its answer says nothing about other mailboxes.",
		Fix:     "Set `mailbox` to a real on-premises mailbox: `Get-Mailbox '<address>'`, and `Get-AcceptedDomain` for its domain."}
	autodiscoverError = &check.Reason{Name: "autodiscover_error", Severity: check.Critical,
		Runbook: autodiscoverErrorRunbook,
		Summary: "AutoDiscover answers with an error instead of the ActiveSync address, so accounts cannot be added.",
		Fix: "Look up the error code that `hmad check autodiscover` shows in the AutoDiscover logs (%ExchangeInstallPath%\\Logging\\Autodiscover), and check " +
			"`Get-ActiveSyncVirtualDirectory | Format-List Identity,ExternalUrl`."}
	protocolWrong = &check.Reason{Name: "protocol_wrong", Severity: check.Critical,
		Runbook: protocolWrongRunbook,
		Summary: "AutoDiscover was asked for ActiveSync and answers for another protocol, so phones get no usable address.",
		Fix: "Repeat the request with the curl command of `hmad check autodiscover` and see what answers: probably a device or rule rewrites the query. On " +
			"Exchange check `Get-ActiveSyncVirtualDirectory`."}
	urlMissing = &check.Reason{Name: "url_missing", Severity: check.Critical,
		Runbook: urlMissingRunbook,
		Summary: "AutoDiscover returns no ActiveSync address, so accounts cannot be added.",
		Fix: "Set it: `Set-ActiveSyncVirtualDirectory -Identity '<server>\\Microsoft-Server-ActiveSync (Default Web Site)' -ExternalUrl " +
			"'https://<host>/Microsoft-Server-ActiveSync'`."}
	urlInsecure = &check.Reason{Name: "url_insecure", Severity: check.Critical,
		Runbook: urlInsecureRunbook,
		Summary: "The ActiveSync address that AutoDiscover returns is not an https URL, so tokens cannot be used with it.",
		Fix: "Correct it: `Set-ActiveSyncVirtualDirectory -Identity '<server>\\Microsoft-Server-ActiveSync (Default Web Site)' -ExternalUrl " +
			"'https://<host>/Microsoft-Server-ActiveSync'`."}
	urlMismatch = &check.Reason{Name: "url_mismatch", Severity: check.Critical,
		Runbook: urlMismatchRunbook,
		Summary: "AutoDiscover sends phones to an ActiveSync address other than the configured one. Tokens are then issued for that other host.",
		Fix: "Compare `Get-ActiveSyncVirtualDirectory | Format-List Identity,ExternalUrl` on all servers of the site with the published name, " +
			"and correct what differs with `Set-ActiveSyncVirtualDirectory '<identity>' -ExternalUrl '<url>'`; or correct `activesync.url` in hmad's config."}
	privateAddress = &check.Reason{Name: "private_address", Severity: check.Warning,
		Runbook: privateAddressRunbook,
		Summary: "A published name leads to an address that the Internet does not route, or is one that public DNS cannot hold (a single label, .local), so " +
			"Microsoft's cloud cannot reach it.",
		Fix: "Publish a public address for the name in public DNS. Private addresses over ExpressRoute do not work here either. A name of the " +
			"internal network in AutoDiscover's Url is the directory's ExternalUrl: `Get-ActiveSyncVirtualDirectory | Format-List Identity,ExternalUrl`."}
)

// autodiscoverReasons lists, in order of judgement, what one address may show;
// private_address is of the names.
var autodiscoverReasons = append(transportReasons[:len(transportReasons):len(transportReasons)],
	autodiscoverPointsToCloud, autodiscoverPreauthDevice, authenticationRequired, autodiscoverBlocked, autodiscoverServerError,
	redirectLoop, redirectInsecure, redirectsToCloud, autodiscoverUnexpectedStatus,
	probeMailboxUnknown, autodiscoverError,
	protocolWrong, urlMissing, urlInsecure, urlMismatch,
)

// discovery is what one address, and the hosts that it redirected to, answered
// to the AutoDiscover question.
type discovery struct {
	hops    []*Answer // in order, at least one; the last was not followed any further
	want    *url.URL  // the configured ActiveSync URL; nil when there is none
	allowed func(to *url.URL) bool
}

// discovered is AutoDiscover's answer in JSON (domain notes, section 2.2).
type discovered struct {
	Protocol, URL           string
	ErrorCode, ErrorMessage string
}

// statusReasons are what keeps AutoDiscover's body from being an answer.
var statusReasons = []*check.Reason{autodiscoverPreauthDevice, authenticationRequired, autodiscoverBlocked, autodiscoverServerError,
	redirectLoop, redirectInsecure, redirectsToCloud, autodiscoverUnexpectedStatus, probeMailboxUnknown, autodiscoverError}

// judgeAutodiscover judges a discovery, first match first, and returns the
// ActiveSync URL when it is one that can be asked.
func judgeAutodiscover(v *check.Verdict, d discovery) *url.URL {
	last := d.hops[len(d.hops)-1]
	for _, h := range d.hops {
		if mark := cloudMark(h); mark != "" {
			stop(v, autodiscoverReasons, autodiscoverPointsToCloud, "%s answered as Exchange Online: %s", h.URL.Host, mark)
			return nil
		}
	}
	v.Clear(autodiscoverPointsToCloud)
	v.Clear(statusReasons...)
	body, unreadable := readDiscovered(last.Body)
	if f, stopped := d.judgeStatus(last, body); stopped {
		stop(v, autodiscoverReasons, f.Reason, "%s", f.Detail)
		return nil
	}
	if unreadable != nil {
		stop(v, autodiscoverReasons, responseInvalid, "200, but the body is not AutoDiscover's: %s", notDiscovery(last, unreadable))
		return nil
	}
	return d.judgeURL(v, body)
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
	case a.isRefusal():
		return found(autodiscoverBlocked, "%s%s%s", statusLine(a), a.forbidden(), dev.behind()), true
	case a.Status >= 500:
		return found(autodiscoverServerError, "%s%s%s%s", statusLine(a), body.problem(), a.pageMeans(), dev.behind()), true
	case isRedirect(a.Status):
		return d.judgeRedirect(a, exchange, dev), true
	case a.Status == http.StatusOK && isPage(a) && !exchange && body == (discovered{}):
		return found(autodiscoverPreauthDevice, "%s, a web page instead of JSON%s", statusLine(a), dev.behind()), true
	case slices.Contains([]string{"UserNotFound", "DomainNotFound"}, body.ErrorCode):
		return found(probeMailboxUnknown, "%s%s", statusLine(a), body.problem()), true
	case body.ErrorCode != "":
		return found(autodiscoverError, "%s%s", statusLine(a), body.problem()), true
	case a.Status != http.StatusOK:
		return found(autodiscoverUnexpectedStatus, "%s, wanted 200 with JSON%s%s", statusLine(a), a.pageMeans(), dev.behind()), true
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
	case d.allowed(to) && to.Scheme == "https":
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

// judgeURL judges the answer itself. What the Url may hold in addition to
// scheme, host and path is left out of the URL returned: it would be sent to
// whatever host the Url names, and would stand in notes.
func (d discovery) judgeURL(v *check.Verdict, body discovered) *url.URL {
	u, err := url.Parse(body.URL)
	v.Clear(protocolWrong, urlMissing, urlInsecure)
	switch {
	case !strings.EqualFold(body.Protocol, "activesync"):
		stop(v, autodiscoverReasons, protocolWrong, "Protocol is %q, wanted activesync", body.Protocol)
		return nil
	case body.URL == "":
		stop(v, autodiscoverReasons, urlMissing, "the answer has no Url")
		return nil
	case err != nil || u.Scheme != "https" || u.Hostname() == "":
		stop(v, autodiscoverReasons, urlInsecure, "Url is %s, wanted https://…", shownLocation(body.URL))
		return nil
	}
	if isCloudHost(u.Hostname()) {
		stop(v, autodiscoverReasons, autodiscoverPointsToCloud, "Url is %s, which is Exchange Online's", shownURL(u))
		return nil
	}
	if extra := beyondPath(u); extra != "" {
		v.Note("AutoDiscover's Url also has %s: neither shown nor asked for", extra)
	}
	given := bareURL(u)
	switch {
	case d.want == nil:
		v.NotApplicable("activesync.url is not configured", urlMismatch)
	case !sameURL(u, d.want):
		v.Find(urlMismatch, []string{given.Hostname()}, "Url is %s, wanted %s", given, shownURL(d.want))
	default:
		v.Clear(urlMismatch)
	}
	return given
}

// beyondPath names what a URL has in addition to scheme, host and path.
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
