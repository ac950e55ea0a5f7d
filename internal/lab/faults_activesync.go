package lab

import "net/http"

// activeSyncFaults are those in ActiveSync's answers. Those of the challenge
// change one part of it each, so that several may be on at once.
func activeSyncFaults() []fault {
	answer := func(reason, doc string, h http.HandlerFunc) fault {
		return answering("activesync", "activesync."+reason, doc, h)
	}
	change := func(reason, doc string, f func(*challenge)) fault {
		return fault{"activesync", "activesync." + reason, doc, func(b *behaviour) { f(&b.challenge) }}
	}
	return []fault{
		answer("points_to_cloud", "The ActiveSync name leads to Exchange Online, which answers itself.", cloudChallenge),
		answer("blocked", "IIS refuses the caller's address (403).", iisError(http.StatusForbidden, "Forbidden: Access is denied.")),
		answer("server_error", "MSExchangeSyncAppPool is stopped (503).", stoppedPool),
		answer("unexpected_status", "ActiveSync is not published here: IIS knows no such path (404).", iisError(http.StatusNotFound,
			"File or directory not found.")),
		answer("challenge_missing", "The 401 carries no WWW-Authenticate: something dropped it on the way.", bareUnauthorized),
		change("bearer_missing", "Only Basic is offered, as by a build without hybrid Modern Authentication.",
			func(c *challenge) { c.bearer = false }),
		change("oauth_not_available", "Hybrid Modern Authentication is off (OAuth2ClientProfileEnabled is False): diagnostics 4000000.",
			func(c *challenge) { *c = c.unavailable(mailName) }),
		change("client_id_wrong", "The challenge names another application than Exchange.",
			func(c *challenge) { c.clientID = "00000003-0000-0ff1-ce00-000000000000" }),
		change("authorization_uri_missing", "No authorization server, or more than one, is the default endpoint: the challenge does not say where to sign in.",
			func(c *challenge) { c.authorizationURI, c.issuerKind = "", "" }),
		change("authorization_uri_foreign", "ADFS is the default authorization endpoint.",
			func(c *challenge) {
				c.trustedIssuers, c.basicFirst = "", true
				c.authorizationURI, c.issuerKind = "https://adfs."+domain+"/adfs/oauth2/authorize", "ADFS"
			}),
		change("authorization_uri_unusual", "The authorization server's AuthorizationEndpoint holds Entra's token endpoint by mistake.",
			func(c *challenge) { c.authorizationURI = "https://login.windows.net/common/oauth2/token" }),
		change("tls_offloaded", "The load balancer ends TLS: Exchange sees http and says so (2000003).",
			func(c *challenge) {
				c.tokenTypes, c.issuerKind = "", ""
				*c = c.refused(2000003, "The hostname component of the audience claim value is invalid. "+
					"Expected 'https://"+mailName+"'. Actual 'http://"+mailName+"'.", "invalid_resource")
			}),
		change("tenant_mismatch", "Exchange trusts the issuer of another tenant only.",
			func(c *challenge) { c.trustedIssuers = issuerOf + "00c118a9-2de9-41d3-b39a-81648a7a5e4d" }),
		change("token_error", "The challenge is complete and carries an error all the same (2000007).",
			func(c *challenge) { *c = c.refused(2000007, "An unexpected error occurred.", "internal_error") }),
		{"activesync", "activesync.mailbox_oauth_off", "An authentication policy keeps the probe mailbox from modern sign-in: diagnostics " +
			"4000000 when it is named.",
			func(b *behaviour) { b.mailboxOff = true }},
		{"activesync", "activesync.addresses_disagree", "One of the three front ends, EX03, offers Basic alone.",
			func(b *behaviour) { b.basicOnly = 3 }},
		answering("activesync", "f5_deny.activesync", "F5 BIG-IP's ActiveSync rule in front refuses the caller, 401 with a page of its own "+
			"(preauth_device).", f5Deny),
		{"activesync", "oauth_off_behind_f5.activesync", "Hybrid Modern Authentication is off, behind an F5 that only passes on: a TS cookie, " +
			"both challenges in one field (oauth_not_available).",
			func(b *behaviour) {
				b.challenge = b.challenge.unavailable(mailName)
				b.challenge.joined, b.challenge.cookie = true, "TS01a32329=01c0ffee"
			}},
	}
}

// cloudChallenge is Exchange Online's own 401.
func cloudChallenge(w http.ResponseWriter, _ *http.Request) {
	cloudHeader(w)
	c := healthyChallenge("*")
	c.authorizationURI, c.issuerKind = "https://login.microsoftonline.com/common/oauth2/authorize", ""
	c.err = "invalid_token"
	w.Header()["WWW-Authenticate"] = []string{c.field(), `Basic Realm=""`}
	w.WriteHeader(http.StatusUnauthorized)
}

func bareUnauthorized(w http.ResponseWriter, r *http.Request) {
	frontEndHeader(w, r)
	w.Header()["X-OWA-Version"] = []string{owaVersion}
	w.WriteHeader(http.StatusUnauthorized)
}
