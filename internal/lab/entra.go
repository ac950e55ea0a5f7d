package lab

import (
	"net/http"
	"strings"
)

// serveEntra stands in for Microsoft Entra: the OpenID configuration of the
// estate's tenant (OpenID Connect Discovery 1.0, section 4), as
// login.microsoftonline.com words it. Microsoft's names stand in the document;
// nothing in the lab follows them.
func serveEntra(_ *behaviour, w http.ResponseWriter, r *http.Request) {
	asked, ok := strings.CutSuffix(r.URL.Path, "/v2.0/.well-known/openid-configuration")
	switch {
	case !ok:
		http.NotFound(w, r)
	case asked != "/"+tenant:
		writeJSON(w, http.StatusBadRequest, map[string]string{
			"error":             "invalid_tenant",
			"error_description": "AADSTS90002: Tenant not found. Check to make sure you have the correct tenant ID.",
		})
	default:
		writeJSON(w, http.StatusOK, openIDConfiguration())
	}
}

func openIDConfiguration() map[string]any {
	const base = "https://login.microsoftonline.com/" + tenant
	return map[string]any{
		"issuer":                                base + "/v2.0",
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"userinfo_endpoint":                     "https://graph.microsoft.com/oidc/userinfo",
		"end_session_endpoint":                  base + "/oauth2/v2.0/logout",
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
		"subject_types_supported":               []string{"pairwise"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"tenant_region_scope":                   "EU",
		"cloud_instance_name":                   "microsoftonline.com",
		"cloud_graph_host_name":                 "graph.windows.net",
		"msgraph_host":                          "graph.microsoft.com",
	}
}
