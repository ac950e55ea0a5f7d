package probes

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

// challenged is what one address answered to an empty bearer.
type challenged struct {
	host    *Answer // asked for the host as such
	mailbox *Answer // the same with X-User-Identity; nil when it could not be asked
	tenant  string  // the configured one; "" when there is none
}

// judgeActiveSync judges both answers of one address, first match first. What
// a phone's cloud asks is the host's challenge, so that one is judged in full;
// the mailbox's is judged when the host's is good, for on some builds the
// host's shows an authorization_uri even where modern authentication is off,
// and only the pair proves it on (domain notes, section 3.1). v holds nothing
// of the connection yet.
func judgeActiveSync(v *check.Verdict, c challenged) {
	judgeChallenge(v, c.host, c.tenant)
	switch {
	case v.Failed():
		v.Open("the host's challenge is not good", mailboxOAuthOff)
	case c.mailbox == nil:
		v.Open("the mailbox's challenge was not read", mailboxOAuthOff)
	default:
		mailbox := v.Blank()
		judgeChallenge(mailbox, c.mailbox, c.tenant)
		judgeMailboxPair(v, mailbox.Findings())
	}
	for _, a := range []*Answer{c.host, c.mailbox} {
		if n := brokenNote(a); n != "" {
			v.Note("%s", n)
			return
		}
	}
}

// answererReasons are what keeps a challenge from being looked at.
var answererReasons = []*check.Reason{activesyncPointsToCloud, activesyncPreauthDevice, activesyncBlocked, activesyncServerError, activesyncUnexpectedStatus}

// judgeChallenge judges one answer to an empty bearer (domain notes, section
// 3.3): first whether Exchange answered 401 at all, then its challenge.
func judgeChallenge(v *check.Verdict, a *Answer, tenant string) {
	cs, err := a.challenges()
	v.Clear(answererReasons...)
	if f, stopped := judgeAnswerer(a, cs); stopped {
		stop(v, activesyncReasons, f.Reason, "%s", f.Detail)
		return
	}
	if err != nil && !bearerUnhurt(cs, err) {
		stop(v, activesyncReasons, responseInvalid, "WWW-Authenticate: %v", err)
		return
	}
	bearer := exchangeBearer(cs)
	if bearer == nil && exchangeHeader(a) {
		bearer = scheme(cs, "Bearer")
	}
	if bearer == nil {
		f := judgeNoBearer(a, cs)
		v.Clear(challengeMissing)
		stop(v, activesyncReasons, f.Reason, "%s", f.Detail)
		return
	}
	v.Clear(challengeMissing, bearerMissing)
	judgeBearer(v, *bearer, diagnosticsOf(a.Header), tenant)
}

// brokenNote says that a challenge of another scheme is broken while Exchange's
// own is whole; "" where that is not so.
func brokenNote(a *Answer) string {
	if a == nil {
		return ""
	}
	cs, err := a.challenges()
	if err == nil || !bearerUnhurt(cs, err) {
		return ""
	}
	return check.Clean("WWW-Authenticate: "+err.Error(), maxDetail) + "; Exchange's Bearer challenge is whole"
}

// bearerUnhurt reports whether err, from parsing the challenges cs, leaves
// Exchange's own whole: a syntax error in a challenge of another scheme, which
// phones do not look at. A broken Bearer could be the one that they take.
func bearerUnhurt(cs []transport.Challenge, err error) bool {
	broken := func(c transport.Challenge) bool { return c.Broken && c.Is("Bearer") }
	return transport.IsSyntax(err) && exchangeBearer(cs) != nil && !slices.ContainsFunc(cs, broken)
}

// judgeAnswerer finds what keeps a challenge from being looked at: someone
// other than the on-premises Exchange answered, or the status is not 401.
func judgeAnswerer(a *Answer, cs []transport.Challenge) (f check.Finding, stopped bool) {
	d, exchange := fingerprint(a, cs), exchangeAnswered(a, cs)
	mark := cloudAnswerer(a, cs)
	if to := locationHost(a); mark == "" && isCloudHost(to) {
		mark = "redirect to " + to
	}
	switch {
	case mark != "":
		return found(activesyncPointsToCloud, "Microsoft's cloud answered: %s", mark), true
	case d.signIn && !exchange && a.Status < 500:
		return found(activesyncPreauthDevice, "%s answered %s", d.name, statusLine(a)), true
	case a.isRefusal():
		return found(activesyncBlocked, "%s%s%s", statusLine(a), a.forbidden(), d.behind()), true
	case a.Status >= 500:
		return found(activesyncServerError, "%s%s%s", statusLine(a), a.pageMeans(), d.behind()), true
	case !exchange && (leavesHost(a) || a.Status == http.StatusOK && isPage(a)):
		return found(activesyncPreauthDevice, "%s instead of a challenge%s", statusLine(a), d.behind()), true
	case a.Status != http.StatusUnauthorized:
		return found(activesyncUnexpectedStatus, "%s, wanted 401%s%s%s", statusLine(a), leadsToSignIn(a), a.pageMeans(), d.behind()), true
	default:
		return check.Finding{}, false
	}
}

// judgeNoBearer judges a 401 without a Bearer challenge: with a header of
// Exchange's beside it Exchange offers none (or something took it out),
// without one a device answered.
func judgeNoBearer(a *Answer, cs []transport.Challenge) check.Finding {
	behind := fingerprint(a, cs).behind()
	switch offered := schemes(cs); {
	case !exchangeHeader(a) && len(cs) == 0:
		return found(activesyncPreauthDevice, "401 without WWW-Authenticate and without any header of Exchange's%s", behind)
	case len(cs) == 0:
		return found(challengeMissing, "401 without WWW-Authenticate%s", behind)
	case !exchangeHeader(a):
		return found(activesyncPreauthDevice, "401 offers only %s and bears no header of Exchange's%s", offered, behind)
	default:
		return found(bearerMissing, "401 offers only %s%s", offered, behind)
	}
}

// exchangeClientID is the application id of Exchange, which its challenge names.
const exchangeClientID = "00000002-0000-0ff1-ce00-000000000000"

// exchangeBearer returns the first Bearer challenge in Exchange's name; nil when
// there is none.
func exchangeBearer(cs []transport.Challenge) *transport.Challenge {
	for i, c := range cs {
		if c.Is("Bearer") && strings.EqualFold(c.Param("client_id"), exchangeClientID) {
			return &cs[i]
		}
	}
	return nil
}

// scheme returns the first challenge of a scheme; nil when there is none.
func scheme(cs []transport.Challenge, name string) *transport.Challenge {
	for i, c := range cs {
		if c.Is(name) {
			return &cs[i]
		}
	}
	return nil
}

// schemes names what is offered, in order, each once.
func schemes(cs []transport.Challenge) string {
	var names []string
	for _, c := range cs {
		if !slices.ContainsFunc(names, c.Is) {
			names = append(names, c.Scheme)
		}
	}
	return strings.Join(names, ", ")
}

// cloudAnswerer names the mark by which Exchange Online is known to have
// answered; "" when there is none.
func cloudAnswerer(a *Answer, cs []transport.Challenge) string {
	if mark := cloudMark(a); mark != "" {
		return mark
	}
	return cloudIssuers(cs)
}

// cloudIssuers reports whether the challenge trusts issuers of every tenant,
// which only Microsoft's own services do.
func cloudIssuers(cs []transport.Challenge) string {
	for _, c := range cs {
		for issuer := range strings.SplitSeq(c.Param("trusted_issuers"), ",") {
			if strings.HasSuffix(strings.TrimSpace(issuer), "@*") {
				return "trusted_issuers holds " + check.Clean(strings.TrimSpace(issuer), 80)
			}
		}
	}
	return ""
}

// judgeBearer judges the parameters of Exchange's Bearer challenge and the
// diagnostics in the same answer. Several findings may stand together, except
// that «OAuth is not available» explains all that follows, and that behind TLS
// offloading nothing can be said of tokens.
func judgeBearer(v *check.Verdict, b transport.Challenge, diag Diagnostics, tenant string) {
	if diag.is(4000000, "oauth_not_available") {
		stop(v, activesyncReasons, oauthNotAvailable, "x-ms-diagnostics: %s", diag)
		return
	}
	v.Clear(oauthNotAvailable, clientIDWrong)
	if id := b.Param("client_id"); !strings.EqualFold(id, exchangeClientID) {
		v.Find(clientIDWrong, nil, "client_id is %q, wanted %s", id, exchangeClientID)
	}
	judgeAuthorizationURI(v, b, diag, tenant)
	if diag.sawPlainHTTP() {
		stop(v, activesyncReasons, activesyncTLSOffloaded, "x-ms-diagnostics: %s", diag)
		return
	}
	v.Clear(activesyncTLSOffloaded)
	judgeTenant(v, b, tenant)
	if v.Found(authorizationURIMissing, authorizationURIForeign) {
		v.Open("the challenge's authorization_uri is not good", tokenError)
		return
	}
	judgeTokenError(v, b, diag)
}

// judgeAuthorizationURI judges where the challenge sends phones to sign in.
func judgeAuthorizationURI(v *check.Verdict, b transport.Challenge, diag Diagnostics, tenant string) {
	const wanted = "wanted https://login.windows.net/common/oauth2/authorize"
	raw := b.Param("authorization_uri")
	if raw == "" {
		v.Find(authorizationURIMissing, nil, "the Bearer challenge has no authorization_uri%s", diag.beside())
		v.Open("there is no authorization_uri", authorizationURIForeign, authorizationURIUnusual)
		return
	}
	v.Clear(authorizationURIMissing)
	u, err := url.Parse(raw)
	if err != nil || !strings.EqualFold(u.Scheme, "https") || !isEntraHost(u.Hostname()) || portOf(u) != "443" {
		v.Find(authorizationURIForeign, nil, "authorization_uri is %s, %s%s", shownLocation(raw), wanted, foreignCloud(u))
		v.Open("the authorization_uri is foreign", authorizationURIUnusual)
		return
	}
	v.Clear(authorizationURIForeign, authorizationURIUnusual)
	if !isAuthorizePath(u.Path, tenant) {
		v.Find(authorizationURIUnusual, nil, "authorization_uri is %s, %s", shownURL(u), wanted)
	}
}

// foreignCloud is otherCloud of a URL that may be none.
func foreignCloud(u *url.URL) string {
	if u == nil {
		return ""
	}
	return otherCloud(u.Hostname())
}

// isEntraHost: the sign-in hosts of the worldwide cloud that Exchange gives
// (domain notes, section 3.2). Hybrid modern authentication for Outlook mobile
// is not supported in any other.
func isEntraHost(host string) bool {
	switch strings.ToLower(host) {
	case "login.windows.net", "login.microsoftonline.com", "login.microsoft.com", "sts.windows.net":
		return true
	}
	return false
}

// isAuthorizePath: /common/oauth2/authorize, or /TENANT/oauth2[/v2.0]/authorize
// for any tenant id, or the configured one where it is known.
func isAuthorizePath(path, tenant string) bool {
	first, rest, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(path), "/"), "/")
	switch {
	case first == "common":
		return rest == "oauth2/authorize"
	case tenant != "" && !strings.EqualFold(first, tenant), !config.IsGUID(first):
		return false
	default:
		return rest == "oauth2/authorize" || rest == "oauth2/v2.0/authorize"
	}
}

// issuerApp is the application id under which Exchange trusts a tenant's
// issuer: 00000001-…@TENANT.
const issuerApp = "00000001-0000-0000-c000-000000000000@"

// judgeTenant compares the tenants of the trusted issuers with the configured
// one. The issuers may be absent while all is well (they do not come from the
// AzureAD AuthServer), so absence judges nothing.
func judgeTenant(v *check.Verdict, b transport.Challenge, tenant string) {
	var trusted []string
	for issuer := range strings.SplitSeq(b.Param("trusted_issuers"), ",") {
		issuer = strings.ToLower(strings.TrimSpace(issuer))
		if id, ok := strings.CutPrefix(issuer, issuerApp); ok && config.IsGUID(id) {
			trusted = append(trusted, id)
		}
	}
	switch {
	case tenant == "":
		v.NotApplicable("no tenant is configured", tenantMismatch)
	case len(trusted) == 0:
		v.Open("the challenge names no tenant's issuer", tenantMismatch)
	case slices.Contains(trusted, strings.ToLower(tenant)):
		v.Clear(tenantMismatch)
	default:
		v.Find(tenantMismatch, nil, "trusted_issuers holds %s, wanted %s", strings.Join(trusted, ", "), tenant)
	}
}

// judgeTokenError judges an error in a challenge that is otherwise good.
func judgeTokenError(v *check.Verdict, b transport.Challenge, diag Diagnostics) {
	e := b.Param("error")
	if e == "" && diag.Number == 0 {
		v.Clear(tokenError)
		return
	}
	v.Find(tokenError, nil, "the challenge has error=%q%s%s", e, policyWords(b), diag.beside())
}

// beside words the diagnostics for the end of a detail.
func (d Diagnostics) beside() string {
	if d.Number == 0 {
		return ""
	}
	return "; x-ms-diagnostics: " + d.String()
}
