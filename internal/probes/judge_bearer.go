package probes

import (
	"net/url"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// judgeBearer judges the parameters of Exchange's Bearer challenge and the
// diagnostics beside it. Several findings may stand together, except that «OAuth
// is not available» explains all that follows, and that behind TLS offloading
// nothing can be said of tokens.
func judgeBearer(b Challenge, diag Diagnostics, tenant string) verdict {
	if diag.is(4000000, "oauth_not_available") {
		return stop(activesyncReasons, found(oauthNotAvailable, "x-ms-diagnostics: %s", diag))
	}
	var v verdict
	if id := b.Param("client_id"); !strings.EqualFold(id, exchangeClientID) {
		v.findings = append(v.findings, found(clientIDWrong, "client_id is %q, wanted %s", id, exchangeClientID))
	}
	uri := judgeAuthorizationURI(b, diag, tenant)
	v = v.add(uri)
	if diag.sawPlainHTTP() {
		return v.add(stop(activesyncReasons, found(activesyncTLSOffloaded, "x-ms-diagnostics: %s", diag)))
	}
	v = v.add(judgeTenant(b, tenant))
	if uri.critical() {
		return v.add(verdict{unevaluated: []*check.Reason{tokenError}})
	}
	return v.add(judgeTokenError(b, diag))
}

// judgeAuthorizationURI judges where the challenge sends phones to sign in.
func judgeAuthorizationURI(b Challenge, diag Diagnostics, tenant string) verdict {
	raw := b.Param("authorization_uri")
	if raw == "" {
		return verdict{findings: []check.Finding{found(authorizationURIMissing, "the Bearer challenge has no authorization_uri%s", diag.beside())},
			unevaluated: []*check.Reason{authorizationURIForeign, authorizationURIUnusual}}
	}
	u, err := url.Parse(raw)
	if err != nil || !strings.EqualFold(u.Scheme, "https") || !isEntraHost(u.Hostname()) || portOf(u) != "443" {
		return verdict{findings: []check.Finding{found(authorizationURIForeign, "authorization_uri is %s, wanted https://login.windows.net/common/oauth2/authorize", shownLocation(raw))},
			unevaluated: []*check.Reason{authorizationURIUnusual}}
	}
	if !isAuthorizePath(u.Path, tenant) {
		return verdict{findings: []check.Finding{found(authorizationURIUnusual, "authorization_uri is %s, wanted https://login.windows.net/common/oauth2/authorize", shownURL(u))}}
	}
	return verdict{}
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
	case tenant != "" && !strings.EqualFold(first, tenant), !isGUID(first):
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
func judgeTenant(b Challenge, tenant string) verdict {
	var trusted []string
	for issuer := range strings.SplitSeq(b.Param("trusted_issuers"), ",") {
		issuer = strings.ToLower(strings.TrimSpace(issuer))
		if id, ok := strings.CutPrefix(issuer, issuerApp); ok && isGUID(id) {
			trusted = append(trusted, id)
		}
	}
	switch {
	case tenant == "" || len(trusted) == 0:
		return verdict{unevaluated: []*check.Reason{tenantMismatch}}
	case slices.Contains(trusted, strings.ToLower(tenant)):
		return verdict{}
	default:
		return verdict{findings: []check.Finding{found(tenantMismatch, "trusted_issuers holds %s, wanted %s", strings.Join(trusted, ", "), tenant)}}
	}
}

// judgeTokenError judges an error beside a challenge that is otherwise good.
func judgeTokenError(b Challenge, diag Diagnostics) verdict {
	e := b.Param("error")
	if e == "" && diag.Number == 0 {
		return verdict{}
	}
	return verdict{findings: []check.Finding{found(tokenError, "the challenge has error=%q%s", e, diag.beside())}}
}

// beside words the diagnostics for the end of a detail.
func (d Diagnostics) beside() string {
	if d.Number == 0 {
		return ""
	}
	return "; x-ms-diagnostics: " + d.String()
}

// isGUID says whether s is a GUID in its usual form.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		hex := '0' <= s[i] && s[i] <= '9' || 'a' <= s[i]|0x20 && s[i]|0x20 <= 'f'
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (s[i] == '-') || !dash && !hex {
			return false
		}
	}
	return true
}
