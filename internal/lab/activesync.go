package lab

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const activeSyncPath = "/Microsoft-Server-ActiveSync"

// What Exchange writes into its challenges.
const (
	exchangeClientID = "00000002-0000-0ff1-ce00-000000000000"
	tokenTypes       = "app_asserted_user_v1 service_asserted_app_v1"
	entraAuthorize   = "https://login.windows.net/common/oauth2/authorize"
	// issuerOf is followed by the tenant: the Azure AD application that
	// Exchange accepts actor tokens of.
	issuerOf = "00000001-0000-0000-c000-000000000000@"
)

// challenge is the 401 to an empty bearer: the parameters of the Bearer field,
// left out where empty, and the diagnostics beside it.
type challenge struct {
	tenant           string // whose tokens Exchange accepts, a GUID
	bearer           bool   // offered at all, beside Basic
	clientID         string
	trustedIssuers   string
	tokenTypes       string
	authorizationURI string
	issuerKind       string
	err              string
	diagnostics      string // x-ms-diagnostics
	joined           bool   // both challenges in one field
	basicFirst       bool
	cookie           string // of a device that passes the answer on
}

// healthyChallenge is Exchange Server SE's with hybrid Modern Authentication
// on, whose issuer is the tenant, a GUID.
func healthyChallenge(tenant string) challenge {
	return challenge{
		tenant:           tenant,
		bearer:           true,
		clientID:         exchangeClientID,
		trustedIssuers:   issuerOf + tenant,
		tokenTypes:       tokenTypes,
		authorizationURI: entraAuthorize,
		issuerKind:       "AzureAD",
	}
}

// refused adds an error and its diagnostics, in Exchange's form.
func (c challenge) refused(number int, reason, category string) challenge {
	c.err = "invalid_token"
	c.diagnostics = fmt.Sprintf(`%d;reason="%s";error_category="%s"`, number, reason, category)
	return c
}

// unavailable is the challenge while OAuth is not on offer to a domain or
// user.
func (c challenge) unavailable(who string) challenge {
	c.authorizationURI, c.issuerKind = "", ""
	return c.refused(4000000, "Flighting is not enabled for domain '"+who+"'.", "oauth_not_available")
}

// field writes the Bearer challenge (RFC 9110, section 11.6.1) in Exchange's
// order.
func (c challenge) field() string {
	var params []string
	for _, p := range [][2]string{
		{"client_id", c.clientID},
		{"trusted_issuers", c.trustedIssuers},
		{"token_types", c.tokenTypes},
		{"authorization_uri", c.authorizationURI},
		{"issuer_kind", c.issuerKind},
		{"error", c.err},
	} {
		if p[1] != "" {
			params = append(params, fmt.Sprintf(`%s="%s"`, p[0], p[1]))
		}
	}
	return "Bearer " + strings.Join(params, ", ")
}

// fields returns the values of WWW-Authenticate.
func (c challenge) fields(realm string) []string {
	basic := fmt.Sprintf(`Basic realm="%s"`, realm)
	switch {
	case !c.bearer:
		return []string{basic}
	case c.joined:
		return []string{c.field() + "," + basic}
	case c.basicFirst:
		return []string{basic, c.field()}
	default:
		return []string{c.field(), basic}
	}
}

// serveActiveSync answers as the ActiveSync front end does to whoever has no
// valid token, which in the lab is everybody: always 401, whatever the verb.
func serveActiveSync(b *behaviour, w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(strings.TrimSuffix(r.URL.Path, "/"), activeSyncPath) {
		iisError(http.StatusNotFound, "File or directory not found.")(w, r)
		return
	}
	refuse(w, r, challengeFor(b, r))
}

// refuse answers 401 with the challenge.
func refuse(w http.ResponseWriter, r *http.Request, c challenge) {
	frontEndHeader(w, r)
	h := w.Header()
	h["X-OWA-Version"] = []string{owaVersion}
	h["WWW-Authenticate"] = c.fields(mailName)
	if c.diagnostics != "" {
		h["x-ms-diagnostics"] = []string{c.diagnostics}
	}
	if c.cookie != "" {
		h.Set("Set-Cookie", c.cookie)
	}
	w.WriteHeader(http.StatusUnauthorized)
}

// seen returns the URL of a request as Exchange sees it.
func (b *behaviour) seen(r *http.Request) seenURL {
	if b.sees != nil {
		return *b.sees
	}
	return seenURL{"https", (&url.URL{Host: r.Host}).Hostname()}
}

// challengeFor picks the challenge for a request's credentials: without a
// bearer Exchange 2019 CU13 and later offer Basic alone.
func challengeFor(b *behaviour, r *http.Request) challenge {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	user := r.Header.Get("X-User-Identity")
	switch {
	case !strings.EqualFold(scheme, "Bearer"), member(r) == b.basicOnly:
		return challenge{}
	case strings.TrimSpace(token) != "":
		return b.challenge.refuseToken(strings.TrimSpace(token), b.seen(r))
	case user != "" && b.mailboxOff:
		return b.challenge.unavailable(user)
	default:
		return b.challenge
	}
}
