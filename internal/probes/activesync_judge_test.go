package probes

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

// exchange returns a 401 of Exchange's with the given challenge fields.
func exchange(challenges ...string) *Answer {
	a := answered(401, "X-FEServer", "EX01", "X-OWA-Version", "15.2.2562.17", "Request-Id", "5ca2c827-5147-474c-8457-63c4e5099c6e")
	a.Header["Www-Authenticate"] = challenges
	return a
}

// with adds a header to an answer.
func (a *Answer) with(name, value string) *Answer {
	a.Header.Add(name, value)
	return a
}

const loginPage = "<!DOCTYPE html><html><title>Sign in</title></html>"

func TestJudgeActiveSync(t *testing.T) {
	bearer := func(params ...string) string { return "Bearer " + strings.Join(params, ", ") }
	healthy := func() *Answer { return exchange(healthyBearer, `Basic realm="mail.contoso.com"`) }
	uri := func(u string) *Answer { return exchange(bearer(cid, ti, tt, `authorization_uri="`+u+`"`)) }
	offloadedAs := func(number string) *Answer {
		return exchange(bearer(cid, ti, az)).with("X-Ms-Diagnostics", strings.Replace(offloadedDiagnostics, "2000003", number, 1))
	}
	for _, tc := range []struct {
		name  string
		host  *Answer
		want  []string
		words string // of the first detail
	}{
		{"healthy", healthy(), nil, ""},
		{"healthy with its own headers stripped", answered(401, "WWW-Authenticate", healthyBearer), nil, ""},
		{"healthy behind an F5 that lets pass", healthy().with("Set-Cookie", "TS01a32329=x; Path=/"), nil, ""},
		{"healthy behind a sign-in device that lets pass", healthy().with("Set-Cookie", "NSC_TMAS=x"), nil, ""},
		{"healthy in an HTTP/1.0 answer with a body", healthy().withBody(loginPage), nil, ""},

		{"Exchange Online by its header", healthy().with("X-FEProxyInfo", "AM6PR0102.EURPRD01.PROD.OUTLOOK.COM"), []string{"points_to_cloud"}, "X-FEProxyInfo"},
		{"Exchange Online by its server's name", answered(401, "X-CalculatedBETarget", "am6pr01.eurprd01.prod.outlook.com", "WWW-Authenticate", healthyBearer), []string{"points_to_cloud"}, "prod.outlook.com"},
		{"Exchange Online's own redirect", answered(451, "X-MS-Location", "https://outlook-cba.office365.com/Microsoft-Server-ActiveSync"), []string{"points_to_cloud"}, "office365.com"},
		{"a redirect to Exchange Online", answered(302, "Location", "https://outlook.office365.com/Microsoft-Server-ActiveSync"), []string{"points_to_cloud"}, "redirect"},
		{"issuers of every tenant", exchange(bearer(cid, `trusted_issuers="x@*"`, az)), []string{"points_to_cloud"}, "@*"},
		{"a back end of our own is no cloud", healthy().with("X-CalculatedBETarget", "ex01.contoso.com"), nil, ""},
		{"451 to a host of our own is no cloud", answered(451, "X-MS-Location", "https://mail2.contoso.com/"), []string{"unexpected_status"}, "451"},

		{"F5 APM's redirect to its policy", answered(302, "Location", "/my.policy", "Set-Cookie", "MRHSession=1"), []string{"preauth_device"}, "F5 BIG-IP APM answered 302 Found, Location: /my.policy"},
		{"F5 APM's refusal", answered(401, "WWW-Authenticate", "Basic realm=x").withBody("<html><title>Authentication Failured</title>"), []string{"preauth_device"}, "F5 BIG-IP APM"},
		{"a sign-in device outranks 403", answered(403, "Set-Cookie", "MRHSession=1"), []string{"preauth_device"}, "F5"},
		{"a sign-in device's 503 is a server error", answered(503, "Set-Cookie", "MRHSession=1"), []string{"server_error"}, "F5 BIG-IP APM stands in front"},

		{"403", answered(403, "X-FEServer", "EX01"), []string{"blocked"}, "403 Forbidden"},
		{"403 of a web application firewall", answered(403).withBody("Powered by UTM Web Protection"), []string{"blocked"}, "Sophos UTM stands in front"},
		{"500", answered(500, "X-FEServer", "EX01"), []string{"server_error"}, "500"},
		{"502 with a page", answered(502, "Content-Type", "text/html").withBody(loginPage), []string{"server_error"}, "502"},

		{"a redirect to another host", answered(302, "Location", "https://sso.contoso.com/login?SAMLRequest=secret"), []string{"preauth_device"}, "https://sso.contoso.com/login"},
		{"a page with 200", answered(200, "Content-Type", "text/html; charset=utf-8").withBody("hello"), []string{"preauth_device"}, "200"},
		{"a page that names no type", answered(200).withBody("  <HTML>"), []string{"preauth_device"}, "200"},
		{"Exchange's own redirect to another host", answered(302, "Location", "https://mail2.contoso.com/", "X-FEServer", "EX01"), []string{"unexpected_status"}, "302"},
		{"a redirect on the same host", answered(302, "Location", "https://MAIL.contoso.com/owa"), []string{"unexpected_status"}, "302"},
		{"200 without a token", answered(200, "X-FEServer", "EX01"), []string{"unexpected_status"}, "200 OK, wanted 401"},
		{"404", answered(404), []string{"unexpected_status"}, "404"},
		{"a change of protocol", answered(101), []string{"unexpected_status"}, "101"},

		{"no challenge and nothing of Exchange's", answered(401, "Server", "nginx"), []string{"preauth_device"}, "without any header of Exchange's"},
		{"no challenge beside a request id", answered(401, "Request-Id", "5ca2c827-5147-474c-8457-63c4e5099c6e"), []string{"challenge_missing"}, "401 without WWW-Authenticate"},
		{"an empty challenge", exchange(""), []string{"challenge_missing"}, ""},
		{"only Basic from a device", answered(401, "WWW-Authenticate", `Basic realm="x"`, "Set-Cookie", "BIGipServerpool=1"), []string{"preauth_device"}, "401 offers only Basic and bears no header of Exchange's; F5 BIG-IP (LTM or ASM) stands in front"},
		{"only Basic beside a request id", answered(401, "WWW-Authenticate", `Basic realm="x"`, "Request-Id", "1"), []string{"bearer_missing"}, ""},
		{"only older schemes from Exchange", exchange("Negotiate", "NTLM", `Basic realm="x"`, `Basic realm="y"`), []string{"bearer_missing"}, "401 offers only Negotiate, NTLM, Basic"},
		{"an unreadable challenge", exchange(`Bearer client_id="`), []string{"response_invalid"}, "unterminated"},
		{"too many challenges", exchange(slices.Repeat([]string{"NTLM"}, 33)...), []string{"response_invalid"}, "more than 32"},

		{"too many challenges beside Exchange's", exchange(append([]string{healthyBearer}, slices.Repeat([]string{"NTLM"}, 32)...)...), []string{"response_invalid"}, "more than 32"},
		{"a control character beside Exchange's", exchange(healthyBearer, "Basic realm=\"\x01\""), []string{"response_invalid"}, "control character"},
		{"a control character outside of quotes", exchange(healthyBearer, "Basic realm=x\x7f"), []string{"response_invalid"}, "control character"},
		{"Exchange's own breaks off", exchange(healthyBearer+`, issuer_kind="AzureAD`, "NTLM"), []string{"response_invalid"}, "unterminated"},
		{"a broken Bearer beside Exchange's", exchange(healthyBearer, `Bearer realm="x`), []string{"response_invalid"}, "unterminated"},
		{"a broken field and no Bearer", exchange(`Basic realm="x`, "NTLM"), []string{"response_invalid"}, "unterminated"},
		{"a broken field and a stranger's Bearer", exchange(`Basic realm="x`, `Bearer realm="x"`), []string{"response_invalid"}, "unterminated"},
		{"another scheme's challenge is broken", exchange(healthyBearer, `Basic realm="mail.contoso.com`), nil, ""},
		{"broken in the same field", exchange(healthyBearer + `, Basic realm=mail contoso`), nil, ""},
		{"broken in a field before", exchange(`Digest realm="x`, healthyBearer), nil, ""},
		{"broken in a field before, headers stripped", answered(401, "WWW-Authenticate", `Digest realm="x`, "WWW-Authenticate", healthyBearer), nil, ""},
		{"broken beside a Bearer that is ill", exchange(bearer(cid, ti, tt), `Basic realm="x`), []string{"authorization_uri_missing"}, ""},

		{"a stranger's client id", exchange(bearer(`client_id="00000003-0000-0ff1-ce00-000000000000"`, ti, az)), []string{"client_id_wrong"}, "00000003"},
		{"no client id", exchange(bearer(ti, az)), []string{"client_id_wrong"}, `client_id is ""`},
		{"a stranger's Bearer before Exchange's", exchange(`Bearer realm="x"`, healthyBearer), nil, ""},

		{"no authorization_uri", exchange(bearer(cid, ti, tt)), []string{"authorization_uri_missing"}, "no authorization_uri"},
		{"an empty authorization_uri", uri(""), []string{"authorization_uri_missing"}, ""},
		{"AD FS", uri("https://adfs.contoso.test/adfs/oauth2/authorize"), []string{"authorization_uri_foreign"}, "adfs.contoso.test"},
		{"a host that ends like Entra's", uri("https://evil-login.windows.net/common/oauth2/authorize"), []string{"authorization_uri_foreign"}, ""},
		{"Entra's host without TLS", uri("http://login.windows.net/common/oauth2/authorize"), []string{"authorization_uri_foreign"}, ""},
		{"Entra's host at another port", uri("https://login.windows.net:8443/common/oauth2/authorize"), []string{"authorization_uri_foreign"}, ""},
		{"no URL", uri("::"), []string{"authorization_uri_foreign"}, "(not a URL)"},
		{"Entra's newer name", uri("https://login.microsoftonline.com/common/oauth2/authorize"), nil, ""},
		{"Entra in capitals with its port", uri("https://LOGIN.Windows.net:443/Common/OAuth2/Authorize"), nil, ""},
		{"the tenant's own path", uri("https://sts.windows.net/" + testTenant + "/oauth2/authorize"), nil, ""},
		{"the tenant's own path, second version", uri("https://login.microsoft.com/" + testTenant + "/oauth2/v2.0/authorize"), nil, ""},
		{"another tenant's path", uri("https://login.windows.net/" + otherTenant + "/oauth2/authorize"), []string{"authorization_uri_unusual"}, otherTenant},
		{"an unknown path", uri("https://login.windows.net/organizations/oauth2/authorize"), []string{"authorization_uri_unusual"}, "organizations"},

		{"another tenant's issuers", exchange(bearer(cid, `trusted_issuers="00000001-0000-0000-c000-000000000000@`+otherTenant+`"`, az)), []string{"tenant_mismatch"}, otherTenant},
		{"the tenant among others", exchange(bearer(cid, `trusted_issuers="00000001-0000-0000-c000-000000000000@`+otherTenant+`, 00000001-0000-0000-C000-000000000000@`+strings.ToUpper(testTenant)+`"`, az)), nil, ""},
		{"no issuers", exchange(bearer(cid, az)), nil, ""},
		{"issuers of partners only", exchange(bearer(cid, `trusted_issuers="00000004-0000-0ff1-ce00-000000000000@`+otherTenant+`"`, az)), nil, ""},
		{"an issuer that is no tenant", exchange(bearer(cid, `trusted_issuers="00000001-0000-0000-c000-000000000000@contoso.com"`, az)), nil, ""},

		{"OAuth off mutes what follows from it", exchange(bearer(`client_id="x"`, `error="invalid_token"`)).with("X-Ms-Diagnostics", flighting), []string{"oauth_not_available"}, "Flighting"},
		{"its number with another category", exchange(bearer(cid, ti, az)).with("X-Ms-Diagnostics", `4000000;error_category="other"`), []string{"token_error"}, "4000000"},
		{"its number without category", exchange(bearer(cid, ti)).with("X-Ms-Diagnostics", "4000000"), []string{"oauth_not_available"}, ""},

		{"offloading", exchange(healthyBearer+`, error="invalid_token"`).with("X-Ms-Diagnostics", offloadedDiagnostics), []string{"tls_offloaded"}, "Actual 'http://mail.contoso.com'"},
		{"offloading beside a missing authorization_uri", exchange(bearer(cid, ti, `error="invalid_token"`)).with("X-Ms-Diagnostics", offloadedDiagnostics), []string{"authorization_uri_missing", "tls_offloaded"}, ""},
		{"an audience that is wrong over https", exchange(bearer(cid, ti, az, `error="invalid_token"`)).with("X-Ms-Diagnostics", strings.Replace(offloadedDiagnostics, "Actual 'http:", "Actual 'https:", 1)), []string{"token_error"}, ""},
		{"offloading under another category", exchange(bearer(cid, ti, az)).with("X-Ms-Diagnostics", strings.Replace(offloadedDiagnostics, "invalid_resource", "invalid_token", 1)), []string{"tls_offloaded"}, ""},
		{"offloading under the first number", offloadedAs("2000000"), []string{"tls_offloaded"}, "2000000"},
		{"offloading under an older number", offloadedAs("2000001"), []string{"tls_offloaded"}, "Actual 'http://mail.contoso.com'"},
		{"offloading under the last number", offloadedAs("2000009"), []string{"tls_offloaded"}, ""},
		{"the sentence under a number of others", offloadedAs("2000010"), []string{"token_error"}, ""},
		{"the sentence under a number of other services", offloadedAs("1999999"), []string{"token_error"}, ""},
		{"another sentence with an http URL", exchange(bearer(cid, ti, az)).with("X-Ms-Diagnostics", `2000001;reason="The issuer is unknown. Actual 'http://x'.";error_category="invalid_token"`), []string{"token_error"}, ""},
		{"another wording of invalid_resource", exchange(bearer(cid, ti, az)).with("X-Ms-Diagnostics", `2000003;reason="It does not fit. Actual 'http://x'.";error_category="invalid_resource"`), []string{"tls_offloaded"}, ""},

		{"an error beside a good challenge", exchange(healthyBearer + `, error="invalid_token"`), []string{"token_error"}, `error="invalid_token"`},
		{"diagnostics beside a good challenge", exchange(healthyBearer).with("X-Ms-Diagnostics", `2000000;error_category="invalid_signature"`), []string{"token_error"}, "invalid_signature"},
		{"an error beside a missing authorization_uri", exchange(bearer(cid, ti, `error="invalid_token"`)), []string{"authorization_uri_missing"}, ""},
		{"several at once", exchange(bearer(`client_id="x"`, `trusted_issuers="00000001-0000-0000-c000-000000000000@`+otherTenant+`"`)), []string{"client_id_wrong", "authorization_uri_missing", "tenant_mismatch"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := judgedActiveSync(challenged{host: tc.host, mailbox: healthy(), tenant: testTenant})
			assert.Empty(t, cmp.Diff(tc.want, reasonsOf(v)))
			if len(v.findings) > 0 {
				assert.Contains(t, v.findings[0].Detail, tc.words)
				assert.NotContains(t, v.findings[0].Detail, "secret", "a query is shown")
			}
			soundVerdict(t, activesyncReasons, v)
		})
	}
}

func judgedActiveSync(c challenged) seen {
	return judged(ActiveSync, func(v *check.Verdict) { judgeActiveSync(v, c) })
}

// soundVerdict holds what every verdict must keep to.
func soundVerdict(t *testing.T, reasons []*check.Reason, v seen) {
	t.Helper()
	for _, f := range v.findings {
		assert.Contains(t, reasons, f.Reason, "a finding that the check does not declare")
		assert.NotContains(t, v.unevaluated, f.Reason, "found and unevaluated at once")
		assert.LessOrEqual(t, len(f.Detail), check.MaxDetail+len("…"))
	}
	for _, r := range v.unevaluated {
		assert.Contains(t, reasons, r)
	}
}

func TestJudgeActiveSyncSaysWhatItCouldNotSee(t *testing.T) {
	healthy := exchange(healthyBearer)
	for name, tc := range map[string]struct {
		seen challenged
		want []string
	}{
		"everything was seen":       {challenged{healthy, healthy, testTenant}, nil},
		"no answer for the mailbox": {challenged{healthy, nil, testTenant}, []string{"mailbox_oauth_off"}},
		"no tenant is configured":   {challenged{healthy, healthy, ""}, []string{"tenant_mismatch"}},
		"no issuers are there":      {challenged{exchange("Bearer " + cid + ", " + az), healthy, testTenant}, []string{"tenant_mismatch"}},
		"no authorization_uri": {challenged{exchange("Bearer " + cid + ", " + ti), healthy, testTenant},
			[]string{"authorization_uri_foreign", "authorization_uri_unusual", "token_error", "mailbox_oauth_off"}},
		"a foreign authorization_uri": {challenged{exchange("Bearer " + cid + ", " + ti + `, authorization_uri="https://adfs.contoso.test/"`), healthy, testTenant},
			[]string{"authorization_uri_unusual", "token_error", "mailbox_oauth_off"}},
		"offloading": {challenged{exchange(healthyBearer).with("X-Ms-Diagnostics", offloadedDiagnostics), healthy, testTenant},
			[]string{"tenant_mismatch", "token_error", "mailbox_oauth_off"}},
		"only Basic": {challenged{exchange("Basic realm=x"), healthy, testTenant}, reasonNames(check.After(activesyncReasons, bearerMissing))},
		"403":        {challenged{answered(403), healthy, testTenant}, reasonNames(check.After(activesyncReasons, activesyncBlocked))},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, cmp.Diff(tc.want, reasonNames(judgedActiveSync(tc.seen).unevaluated)))
		})
	}
}

func TestJudgeMailboxPair(t *testing.T) {
	for name, tc := range map[string]struct {
		mailbox     *Answer
		want        []string
		unevaluated []string
	}{
		"alike":                           {exchange(healthyBearer), nil, nil},
		"OAuth held back for the mailbox": {exchange("Bearer "+cid+", "+ti+`, error="invalid_token"`).with("X-Ms-Diagnostics", flighting), []string{"mailbox_oauth_off"}, nil},
		"no authorization_uri for it":     {exchange("Bearer " + cid + ", " + ti), []string{"mailbox_oauth_off"}, nil},
		"AD FS for it":                    {exchange("Bearer " + cid + `, authorization_uri="https://adfs.contoso.test/adfs/oauth2/authorize"`), []string{"mailbox_oauth_off"}, nil},
		"only Basic for it":               {exchange("Basic realm=x"), []string{"mailbox_oauth_off"}, nil},
		"no challenge for it":             {exchange(), []string{"mailbox_oauth_off"}, nil},
		"a server error says nothing of it": {answered(500, "X-FEServer", "EX01"), []string{"server_error"},
			[]string{"mailbox_oauth_off"}},
		"a refusal says nothing of it": {answered(403), nil, []string{"mailbox_oauth_off"}},
		"a mere warning is the host's": {exchange(healthyBearer + `, error="invalid_token"`), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			v := judgedActiveSync(challenged{exchange(healthyBearer), tc.mailbox, testTenant})
			assert.Empty(t, cmp.Diff(tc.want, reasonsOf(v)))
			assert.Empty(t, cmp.Diff(tc.unevaluated, reasonNames(v.unevaluated)))
			for _, f := range v.findings {
				assert.Contains(t, f.Detail, "with X-User-Identity")
			}
		})
	}
	t.Run("a host that is off itself says it once", func(t *testing.T) {
		off := exchange("Bearer "+cid).with("X-Ms-Diagnostics", flighting)
		v := judgedActiveSync(challenged{off, off, testTenant})
		assert.Equal(t, []string{"oauth_not_available"}, reasonsOf(v))
		assert.Contains(t, v.unevaluated, mailboxOAuthOff)
	})
}

func TestABrokenChallengeBesideTheBearerIsNoted(t *testing.T) {
	broken := exchange(healthyBearer, `Basic realm="x`)
	v := judgedActiveSync(challenged{broken, broken, testTenant})
	assert.Equal(t, []string{"WWW-Authenticate: challenge field 2, byte 15: unterminated quoted string; Exchange's Bearer challenge is whole"}, v.notes)
	healthy := exchange(healthyBearer)
	assert.Empty(t, judgedActiveSync(challenged{healthy, healthy, testTenant}).notes)
}

// What a server sends is shown, not obeyed.
func TestDetailsAreFitToBeShown(t *testing.T) {
	v := judged(ActiveSync, func(v *check.Verdict) {
		judgeChallenge(v, exchange("Bearer "+cid+`, error="`+strings.Repeat("\xff<b>\u202e", 200)+`", `+az), testTenant)
	})
	detail := v.findings[len(v.findings)-1].Detail
	assert.Equal(t, "token_error", v.findings[len(v.findings)-1].Reason.Name)
	assert.NotContains(t, detail, "\u202e")
	assert.Contains(t, detail, `\xff`)
	assert.LessOrEqual(t, len(detail), check.MaxDetail+len("…"))
}
