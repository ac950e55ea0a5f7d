package probes

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

const healthyDiscovery = `{"Protocol":"activesync","Url":"https://mail.contoso.com/Microsoft-Server-ActiveSync"}`

// discoveryAnswer makes an answer of the AutoDiscover host.
func discoveryAnswer(status int, body string, header ...string) *Answer {
	a := answered(status, header...).withBody(body)
	a.URL = mustURL("https://autodiscover.contoso.com/autodiscover/autodiscover.json?Email=hmad-probe%40contoso.com&Protocol=activesync&RedirectCount=3")
	return a
}

func jsonError(status int, code string) *Answer {
	return discoveryAnswer(status, `{"ErrorCode":"`+code+`","ErrorMessage":"it went wrong"}`, "Jsonerror", "true", "Content-Type", "application/json", "X-FEServer", "EX01")
}

func TestJudgeAutodiscover(t *testing.T) {
	redirect := func(to string) *Answer { return discoveryAnswer(302, "", "Location", to) }
	given := func(body string) *Answer {
		return discoveryAnswer(200, body, "Content-Type", "application/json", "X-FEServer", "EX01")
	}
	for _, tc := range []struct {
		name  string
		last  *Answer
		want  []string
		words string
	}{
		{"healthy", given(healthyDiscovery), nil, ""},
		{"Exchange SE's spelling", given(`{"Protocol":"ActiveSync","Url":"https://mail.contoso.com/Microsoft-Server-ActiveSync"}`), nil, ""},
		{"a byte order mark", given("\ufeff" + healthyDiscovery), nil, ""},
		{"called a web page, and JSON all the same", discoveryAnswer(200, healthyDiscovery, "Content-Type", "text/html"), nil, ""},
		{"headers stripped", discoveryAnswer(200, healthyDiscovery), nil, ""},

		{"Exchange Online", given(healthyDiscovery).with("X-FEEFZInfo", "x"), []string{"points_to_cloud"}, "autodiscover.contoso.com answered as Exchange Online"},
		{"Exchange Online redirects", redirect("https://autodiscover.contoso.com/").with("X-CalculatedFETarget", "x"), []string{"points_to_cloud"}, ""},

		{"a sign-in page at 302", redirect("https://sts.contoso.com/adfs/ls/?wa=secret"), []string{"preauth_device"}, "AD FS"},
		{"an unknown sign-in page at 302", redirect("https://sso.contoso.com/login?next=secret"), []string{"preauth_device"}, "https://sso.contoso.com/login"},
		{"a page with 200", discoveryAnswer(200, loginPage, "Content-Type", "text/html"), []string{"preauth_device"}, "web page"},
		{"a sign-in device's 401", discoveryAnswer(401, "", "Set-Cookie", "MRHSession=1"), []string{"preauth_device"}, "F5"},
		{"401", discoveryAnswer(401, "", "WWW-Authenticate", "Negotiate", "WWW-Authenticate", "Basic realm=x"), []string{"authentication_required"}, "offers Negotiate, Basic"},
		{"401 of Exchange behind a sign-in device", discoveryAnswer(401, "", "Set-Cookie", "MRHSession=1", "X-FEServer", "EX01"), []string{"authentication_required"}, ""},
		{"403", discoveryAnswer(403, "nsa_banner"), []string{"blocked"}, "SonicWall"},
		{"503", discoveryAnswer(503, "The service is unavailable."), []string{"server_error"}, "503"},
		{"500 with an error in JSON", jsonError(500, "InternalServerError"), []string{"server_error"}, "InternalServerError: it went wrong"},

		{"a redirect back to a named host", redirect("https://autodiscover.contoso.com/autodiscover/autodiscover.json?secret"), []string{"redirect_loop"}, "1 redirects"},
		{"a redirect without TLS", redirect("http://autodiscover.contoso.com/x?secret"), []string{"redirect_insecure"}, "http://autodiscover.contoso.com/x"},
		{"a redirect to the cloud", redirect("https://outlook.office365.com/autodiscover/autodiscover.json?Email=x"), []string{"redirects_to_cloud"}, "outlook.office365.com"},
		{"a host that only ends like the cloud's", redirect("https://notoutlook.com/autodiscover/autodiscover.json"), []string{"unexpected_status"}, "does not name"},
		{"a redirect to AutoDiscover elsewhere", redirect("https://autodiscover.fabrikam.com/Autodiscover/autodiscover.json"), []string{"unexpected_status"}, "not followed"},
		{"a redirect of Exchange's to a stranger", redirect("https://owa.fabrikam.com/owa").with("X-FEServer", "EX01"), []string{"unexpected_status"}, "not followed"},
		{"a redirect to nowhere", discoveryAnswer(302, ""), []string{"unexpected_status"}, "leads nowhere"},
		{"a redirect to what is no URL", redirect("http://[::1%secret"), []string{"unexpected_status"}, "(not a URL)"},
		{"a redirect to another scheme", redirect("ftp://autodiscover.contoso.com/autodiscover"), []string{"unexpected_status"}, ""},

		{"404", discoveryAnswer(404, loginPage, "Content-Type", "text/html"), []string{"unexpected_status"}, "404"},
		{"204", discoveryAnswer(204, ""), []string{"unexpected_status"}, "204"},
		{"an error in JSON of no known form", discoveryAnswer(400, `{"ErrorCode":7}`), []string{"unexpected_status"}, "400"},
		{"unknown user", jsonError(404, "UserNotFound"), []string{"probe_mailbox_unknown"}, "UserNotFound: it went wrong"},
		{"unknown domain", jsonError(404, "DomainNotFound"), []string{"probe_mailbox_unknown"}, "DomainNotFound"},
		{"unknown user with 200", jsonError(200, "UserNotFound"), []string{"probe_mailbox_unknown"}, ""},
		{"bad address", jsonError(400, "InvalidUserId"), []string{"autodiscover_error"}, "InvalidUserId"},
		{"bad protocol", jsonError(400, "InvalidProtocol"), []string{"autodiscover_error"}, ""},

		{"no JSON", given("hello"), []string{"response_invalid"}, "not AutoDiscover's"},
		{"an empty body", given(""), []string{"response_invalid"}, ""},
		{"JSON that is cut", given(healthyDiscovery[:40]), []string{"response_invalid"}, ""},
		{"two JSON values", given(healthyDiscovery + healthyDiscovery), []string{"response_invalid"}, ""},
		{"a list", given("[]"), []string{"response_invalid"}, ""},
		{"numbers for text", given(`{"Protocol":1}`), []string{"response_invalid"}, ""},
		{"invalid UTF-8", given(strings.Replace(healthyDiscovery, "mail", "m\xffil", 1)), []string{"response_invalid"}, "UTF-8"},
		{"deep nesting", given(strings.Repeat("[", 20000)), []string{"response_invalid"}, ""},
		{"a page of Exchange's", given(loginPage), []string{"response_invalid"}, ""},

		{"another protocol", given(`{"Protocol":"Ews","Url":"https://mail.contoso.com/EWS/Exchange.asmx"}`), []string{"protocol_wrong"}, `"Ews"`},
		{"no protocol", given(`{}`), []string{"protocol_wrong"}, `""`},
		{"null", given(`null`), []string{"protocol_wrong"}, ""},
		{"no Url", given(`{"Protocol":"activesync"}`), []string{"url_missing"}, ""},
		{"an empty Url", given(`{"Protocol":"activesync","Url":""}`), []string{"url_missing"}, ""},
		{"http", given(`{"Protocol":"activesync","Url":"http://mail.contoso.com/Microsoft-Server-ActiveSync?secret"}`), []string{"url_insecure"}, "http://mail.contoso.com/Microsoft-Server-ActiveSync,"},
		{"no scheme", given(`{"Protocol":"activesync","Url":"mail.contoso.com/Microsoft-Server-ActiveSync"}`), []string{"url_insecure"}, ""},
		{"no host", given(`{"Protocol":"activesync","Url":"https:///Microsoft-Server-ActiveSync"}`), []string{"url_insecure"}, ""},
		{"another host", given(strings.Replace(healthyDiscovery, "mail.", "mail2.", 1)), []string{"url_mismatch"}, "Url is https://mail2.contoso.com/Microsoft-Server-ActiveSync, wanted https://mail.contoso.com"},
		{"another path", given(strings.Replace(healthyDiscovery, "Microsoft-Server", "MS-Server", 1)), []string{"url_mismatch"}, ""},
		{"another port", given(strings.Replace(healthyDiscovery, ".com/", ".com:444/", 1)), []string{"url_mismatch"}, ""},
		{"the same in other words", given(`{"Protocol":"activesync","Url":"https://MAIL.contoso.com:443/microsoft-server-activesync/"}`), nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, got := judgedAutodiscover(discovery{[]*Answer{tc.last}, mustURL("https://mail.contoso.com/Microsoft-Server-ActiveSync"), allowedInTests})
			require.Empty(t, cmp.Diff(tc.want, reasonsOf(v)))
			soundVerdict(t, autodiscoverReasons, v)
			if len(v.findings) > 0 {
				assert.Contains(t, v.findings[0].Detail, tc.words)
				assert.NotContains(t, v.findings[0].Detail, "secret", "a query is shown")
				if r := v.findings[0].Reason; r != urlMismatch {
					assert.Nil(t, got, "a URL from a bad answer")
					assert.Equal(t, check.After(autodiscoverReasons, r), v.unevaluated)
				}
				return
			}
			assert.Empty(t, v.unevaluated)
			assert.NotNil(t, got)
		})
	}
}

func judgedAutodiscover(d discovery) (s seen, given *url.URL) {
	s = judged(Autodiscover, func(v *check.Verdict) { given = judgeAutodiscover(v, d) })
	return s, given
}

func allowedInTests(to *url.URL) bool {
	return endOf(to) == "autodiscover.contoso.com:443" || endOf(to) == "mail.contoso.com:443"
}

func TestJudgeAutodiscoverWithoutAConfiguredURL(t *testing.T) {
	v, got := judgedAutodiscover(discovery{[]*Answer{discoveryAnswer(200, healthyDiscovery)}, nil, allowedInTests})
	assert.Empty(t, v.findings)
	assert.Equal(t, []string{"url_mismatch"}, reasonNames(v.unevaluated))
	assert.Equal(t, "https://mail.contoso.com/Microsoft-Server-ActiveSync", got.String())
}

// Whichever hop Exchange Online answered, the name leads there.
func TestJudgeAutodiscoverSeesTheCloudAtEveryHop(t *testing.T) {
	hops := []*Answer{
		discoveryAnswer(302, "", "Location", "https://mail.contoso.com/autodiscover/autodiscover.json", "X-FEProxyInfo", "x"),
		discoveryAnswer(200, healthyDiscovery),
	}
	v, _ := judgedAutodiscover(discovery{hops, nil, allowedInTests})
	assert.Equal(t, []string{"points_to_cloud"}, reasonsOf(v))
}

// What is asked next is what is remembered, and neither holds a secret of the Url.
func TestJudgeAutodiscoverGivesTheBareURL(t *testing.T) {
	const bare = "https://mail.contoso.com/Microsoft-Server-ActiveSync"
	for name, tc := range map[string]struct{ given, want, note string }{
		"as usual":           {bare, bare, ""},
		"credentials":        {"https://u:secret@mail.contoso.com/Microsoft-Server-ActiveSync", bare, "has a user:"},
		"a query":            {bare + "?key=secret", bare, "has a query:"},
		"a fragment":         {bare + "#secret", bare, "has a fragment:"},
		"all at once":        {"https://u:secret@mail.contoso.com/Microsoft-Server-ActiveSync?secret#secret", bare, "has a user, a query, a fragment:"},
		"an escaped slash":   {"https://mail.contoso.com/a%2Fb", "https://mail.contoso.com/a%2Fb", ""},
		"a port of its own":  {"https://mail.contoso.com:8443/eas", "https://mail.contoso.com:8443/eas", ""},
		"an encoded address": {"https://hmad-probe%40contoso.com@mail.contoso.com/eas", "https://mail.contoso.com/eas", "has a user:"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := discoveryAnswer(200, `{"Protocol":"activesync","Url":"`+tc.given+`"}`)
			for _, want := range []*url.URL{nil, mustURL(bare)} {
				v, given := judgedAutodiscover(discovery{[]*Answer{answer}, want, allowedInTests})
				assert.Equal(t, tc.want, given.String())
				said := strings.Join(v.notes, "\n")
				assert.Equal(t, tc.note == "", said == "", said)
				assert.Contains(t, strings.ReplaceAll(said, "also ", ""), tc.note)
				assert.NotContains(t, said, "secret")
			}
		})
	}
}

func TestSameURL(t *testing.T) {
	base := "https://mail.contoso.com/Microsoft-Server-ActiveSync"
	for other, want := range map[string]bool{
		base:       true,
		base + "/": true,
		"https://MAIL.CONTOSO.COM:443/microsoft-server-ACTIVESYNC": true,
		base + "?x=1": true,
		"https://mail.contoso.com:8443/Microsoft-Server-ActiveSync":  false,
		"https://mail1.contoso.com/Microsoft-Server-ActiveSync":      false,
		"https://mail.contoso.com/":                                  false,
		"https://mail.contoso.com/Microsoft-Server-ActiveSync/extra": false,
	} {
		assert.Equal(t, want, sameURL(mustURL(base), mustURL(other)), other)
	}
}

func TestShownLocationHidesSecrets(t *testing.T) {
	for in, want := range map[string]string{
		"https://u:secret@h.contoso.com/p?secret#secret": "https://h.contoso.com/p",
		"/relative?secret":              "/relative",
		"https://u:secret@h\x7f/":       "(not a URL)",
		"mailto:hmad-probe@contoso.com": "(not a URL)",
	} {
		assert.Equal(t, want, shownLocation(in))
	}
}

func TestLocation(t *testing.T) {
	at := func(to string) *url.URL { return location(answered(302, "Location", to)) }
	assert.Equal(t, "https://mail.contoso.com/owa", at("/owa").String())
	assert.Equal(t, "https://h.contoso.com/p?q=1", at("//u:secret@h.contoso.com/p?q=1#f").String())
	assert.Nil(t, at("mailto:x"))
	assert.Nil(t, at("http://[::1"))
	assert.Nil(t, location(answered(200, "Location", "/owa")))
}

func TestJudgePrivate(t *testing.T) {
	name := func(host string, addrs ...string) published {
		p := published{host: host}
		for _, a := range addrs {
			p.addrs = append(p.addrs, netip.MustParseAddr(a))
		}
		return p
	}
	public := name("autodiscover.contoso.com", "203.0.113.10", "2001:db8::10", "172.32.0.1", "100.128.0.1", "192.169.0.1")
	for what, tc := range map[string]struct {
		external    bool
		names       []published
		want        []string
		unevaluated []string
	}{
		"public":                       {true, []published{public, name("mail.contoso.com", "198.51.100.1")}, nil, nil},
		"loopback is not meant":        {true, []published{public, name("mail.contoso.com", "127.0.0.1", "::1")}, nil, nil},
		"inside it is split DNS":       {false, []published{public, name("mail.contoso.com", "10.0.0.1")}, nil, []string{"private_address"}},
		"RFC 1918, 10":                 {true, []published{public, name("mail.contoso.com", "10.1.2.3")}, []string{"private_address"}, nil},
		"RFC 1918, 172.16":             {true, []published{public, name("mail.contoso.com", "172.31.255.255")}, []string{"private_address"}, nil},
		"RFC 1918, 192.168":            {true, []published{public, name("mail.contoso.com", "192.168.0.1")}, []string{"private_address"}, nil},
		"RFC 6598":                     {true, []published{public, name("mail.contoso.com", "100.127.255.255")}, []string{"private_address"}, nil},
		"ULA":                          {true, []published{public, name("mail.contoso.com", "fd00::1")}, []string{"private_address"}, nil},
		"link-local":                   {true, []published{public, name("mail.contoso.com", "169.254.1.1")}, []string{"private_address"}, nil},
		"link-local of IPv6":           {true, []published{public, name("mail.contoso.com", "fe80::1")}, []string{"private_address"}, nil},
		"in IPv6's clothes":            {true, []published{public, name("mail.contoso.com", "::ffff:100.64.0.1")}, []string{"private_address"}, nil},
		"one private among public":     {true, []published{public, name("mail.contoso.com", "203.0.113.1", "10.0.0.1")}, []string{"private_address"}, nil},
		"a name that does not resolve": {true, []published{public, name("mail.contoso.com")}, nil, []string{"private_address"}},
		"the second name is not known": {true, []published{public}, nil, []string{"private_address"}},
		"private is private even then": {true, []published{name("autodiscover.contoso.com", "10.0.0.1")}, []string{"private_address"}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			v := judged(Autodiscover, func(v *check.Verdict) { judgePrivate(v, tc.external, tc.names) })
			assert.Empty(t, cmp.Diff(tc.want, reasonsOf(v)))
			assert.Empty(t, cmp.Diff(tc.unevaluated, reasonNames(v.unevaluated)))
		})
	}
}
