package lab

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// entra simulates Microsoft Entra, for one tenant: its OpenID
// configuration and keys, its federation metadata, and tokens for hmad's own
// application.
type entra struct {
	*keyring
	client *client // hmad's application
	tenant string  // GUID
}

// cloudSide is how Entra acts at present.
type cloudSide struct {
	rolling      rolling
	cached       bool          // Exchange gets the metadata as it was before the change
	seen         time.Duration // since when hmad has seen the change, where it is made to think so
	issuer       string        // the tenant that the federation metadata names instead
	unregistered string        // a host that is no service principal name of Exchange Online
	subScope     string        // tenant_region_sub_scope: a government's cloud
}

// serve answers as login.microsoftonline.com and login.windows.net do.
func (e *entra) serve(b *behaviour, w http.ResponseWriter, r *http.Request) {
	asked, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	published, using := e.view(b.cloud.rolling)
	base := "https://" + r.Host + "/" + e.tenant
	switch {
	case rest == "":
		http.NotFound(w, r)
	case asked != e.tenant:
		writeJSON(w, http.StatusBadRequest, oauthError{"invalid_tenant", "AADSTS90002: Tenant not found. Check to make sure you have the correct tenant ID."})
	case rest == "v2.0/.well-known/openid-configuration":
		writeJSON(w, http.StatusOK, e.openIDConfiguration(base, b.cloud))
	case rest == "discovery/v2.0/keys":
		writeJSON(w, http.StatusOK, e.webKeys(published))
	case strings.EqualFold(rest, "federationmetadata/2007-06/federationmetadata.xml"):
		serveFederation(w, r, cmp.Or(b.cloud.issuer, e.tenant), published)
	case rest == "oauth2/v2.0/token" && r.Method == http.MethodPost:
		e.serveToken(b, w, r, base+"/oauth2/v2.0/token", using)
	default:
		http.NotFound(w, r)
	}
}

// openIDConfiguration is the tenant's (OpenID Connect Discovery 1.0, section
// 4), as login.microsoftonline.com words it. Microsoft's names stand in it but
// where hmad follows them: to the keys and for tokens.
func (e *entra) openIDConfiguration(base string, c cloudSide) map[string]any {
	microsoft := "https://login.microsoftonline.com/" + e.tenant
	var subScope any
	if c.subScope != "" {
		subScope = c.subScope
	}
	return map[string]any{
		"issuer":                                microsoft + "/v2.0",
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"userinfo_endpoint":                     "https://graph.microsoft.com/oidc/userinfo",
		"end_session_endpoint":                  microsoft + "/oauth2/v2.0/logout",
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
		"subject_types_supported":               []string{"pairwise"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"tenant_region_scope":                   "EU",
		"tenant_region_sub_scope":               subScope,
		"cloud_instance_name":                   "microsoftonline.com",
		"cloud_graph_host_name":                 "graph.windows.net",
		"msgraph_host":                          "graph.microsoft.com",
	}
}

// webKeys is the set of keys (RFC 7517) with its certificates.
func (e *entra) webKeys(published []*signingKey) map[string]any {
	var keys []map[string]any
	for _, k := range published {
		keys = append(keys, map[string]any{
			"kty": "RSA", "use": "sig", "kid": k.id(), "x5t": k.id(), "e": "AQAB",
			"n":      base64.RawURLEncoding.EncodeToString(e.rsa.N.Bytes()),
			"x5c":    []string{base64.StdEncoding.EncodeToString(k.der)},
			"issuer": "https://login.microsoftonline.com/" + e.tenant + "/v2.0",
		})
	}
	return map[string]any{"keys": keys}
}

// oauthError is an OAuth error answer (RFC 6749, section 5.2).
type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// aadsts words an error as Entra does.
func aadsts(number int, format string, args ...any) string {
	return fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s", number, fmt.Sprintf(format, args...), guid(), guid())
}
