package lab

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
)

var varying = regexp.MustCompile(`request-id: [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`)

// raw returns the answer to one request as it stands on the wire, with the
// request's id and the date replaced.
func raw(t *testing.T, l *Lab, r *http.Request) string {
	t.Helper()
	c, err := tls.Dial("tcp", "127.0.0.1:"+r.URL.Port(), &tls.Config{ServerName: r.URL.Hostname(), InsecureSkipVerify: true})
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(checktest.Patience)))
	r.Close = true
	require.NoError(t, r.Write(c))
	answer, err := io.ReadAll(c)
	require.NoError(t, err)
	return varying.ReplaceAllString(string(answer), "~")
}

// The spelling of names and the order and form of the challenges are those of
// the recorded answers of Exchange Server SE.
func TestHealthyAnswersOnTheWire(t *testing.T) {
	l := start(t)
	for name, c := range map[string]struct {
		check string
		want  []string
	}{
		"ActiveSync's challenge": {"activesync", []string{
			"HTTP/1.1 401 Unauthorized",
			"Date: ~",
			"Server: Microsoft-IIS/10.0",
			`WWW-Authenticate: Bearer client_id="00000002-0000-0ff1-ce00-000000000000", trusted_issuers="00000001-0000-0000-c000-000000000000@` + tenant +
				`", token_types="app_asserted_user_v1 service_asserted_app_v1", ` +
				`authorization_uri="https://login.windows.net/common/oauth2/authorize", issuer_kind="AzureAD"`,
			`WWW-Authenticate: Basic realm="mail.contoso.test"`,
			"X-FEServer: EX01",
			"X-OWA-Version: 15.2.2562.37",
			"X-Powered-By: ASP.NET",
			"~",
			"Content-Length: 0",
			"Connection: close",
			"", "",
		}},
		"AutoDiscover's answer": {"autodiscover", []string{
			"HTTP/1.1 200 OK",
			"Content-Type: application/json; charset=utf-8",
			"Date: ~",
			"Server: Microsoft-IIS/10.0",
			"X-AspNet-Version: 4.0.30319",
			"X-BEServer: EX01",
			"X-CalculatedBETarget: ex01.contoso.test",
			"X-DiagInfo: EX01",
			"X-FEServer: EX01",
			"X-Powered-By: ASP.NET",
			"~",
			fmt.Sprintf("Content-Length: %d", len(`{"Protocol":"activesync","Url":""}`+l.Facts().ActiveSyncURL)),
			"Connection: close",
			"", `{"Protocol":"activesync","Url":"` + l.Facts().ActiveSyncURL + `"}`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, strings.Join(c.want, "\r\n"), raw(t, l, request(t, l, c.check)))
		})
	}
}

func TestActiveSyncChallenges(t *testing.T) {
	const diagnosed = `X-Ms-Diagnostics: 2000001;reason="Unable to read or process token.";error_category="invalid_token"`
	l := start(t)
	bearer := func(more map[string]any) map[string]string {
		return map[string]string{"Authorization": "Bearer " + foreignToken(more)}
	}
	for name, c := range map[string]struct {
		method, path string
		header       map[string]string
		status       int
		has, hasNot  []string
	}{
		"no credentials: Basic alone":    {status: 401, has: []string{`Basic realm="mail.contoso.test"`}, hasNot: []string{"Bearer"}},
		"Basic credentials: Basic alone": {header: map[string]string{"Authorization": "Basic dTpw"}, status: 401, has: []string{"Basic realm"}, hasNot: []string{"Bearer"}},
		"an empty bearer":                {header: map[string]string{"Authorization": "Bearer"}, status: 401, has: []string{"authorization_uri"}, hasNot: []string{"error=", "X-Ms-Diagnostics"}},
		"in any case":                    {header: map[string]string{"Authorization": "bearer "}, status: 401, has: []string{"authorization_uri"}},
		"with a mailbox":                 {header: map[string]string{"Authorization": "Bearer", "X-User-Identity": mailbox}, status: 401, has: []string{"authorization_uri", "AzureAD"}, hasNot: []string{"error="}},
		"by OPTIONS":                     {method: "OPTIONS", header: map[string]string{"Authorization": "Bearer"}, status: 401, has: []string{"authorization_uri"}},
		"a token":                        {header: map[string]string{"Authorization": "Bearer opaque"}, status: 401, has: []string{`error="invalid_token"`, diagnosed}},
		"a token of another profile":     {header: bearer(map[string]any{"scp": ""}), status: 401, has: []string{"2000001;", "token profile is not applicable"}},
		"a token for another audience":   {header: bearer(map[string]any{"iss": "https://nobody.invalid/"}), status: 401, has: []string{audienceRefused("https://mail.contoso.test")}},
		"a token of an unknown issuer":   {header: bearer(map[string]any{"aud": "https://mail.contoso.test/", "iss": "https://nobody.invalid/"}), status: 401, has: []string{"2000001;", "Issuer was 'https://nobody.invalid/'."}},
		"a forged token":                 {header: bearer(map[string]any{"aud": "https://mail.contoso.test"}), status: 401, has: []string{"2000000;", "invalid_signature"}},
		"the path in small letters":      {path: "/microsoft-server-activesync/", header: map[string]string{"Authorization": "Bearer"}, status: 401, has: []string{"authorization_uri"}},
		"another path":                   {path: "/owa/", status: 404, has: []string{"X-Feserver: EX01"}, hasNot: []string{"Www-Authenticate"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, l, "activesync")
			r.Header = http.Header{}
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			if c.method != "" {
				r.Method = c.method
			}
			if c.path != "" {
				r.URL.Path = c.path
			}
			s := ask(t, l, r, checktest.Patience)
			require.NoError(t, s.err)
			assert.Equal(t, c.status, s.status)
			for _, w := range c.has {
				assert.Contains(t, s.text(), w)
			}
			for _, w := range c.hasNot {
				assert.NotContains(t, s.text(), w)
			}
		})
	}
}

func TestAutodiscoverAnswers(t *testing.T) {
	l := start(t)
	good := func(protocol string) string {
		return `{"Protocol":"` + protocol + `","Url":"` + l.Facts().ActiveSyncURL + `"}`
	}
	for name, c := range map[string]struct {
		uri    string
		status int
		want   string // the JSON, or for errors the beginning of ErrorCode and ErrorMessage
	}{
		"the caller's spelling comes back":       {"?Email=hmad-probe%40contoso.test&Protocol=ActiveSync", 200, good("ActiveSync")},
		"names of parameters in small letters":   {"?email=hmad-probe%40contoso.test&protocol=activesync", 200, good("activesync")},
		"the older form":                         {"/v1.0/hmad-probe@contoso.test?Protocol=activesync", 200, good("activesync")},
		"an unknown address of a known domain":   {"?Email=nobody%40contoso.test&Protocol=activesync", 200, good("activesync")},
		"Ews":                                    {"?Email=hmad-probe%40contoso.test&Protocol=Ews", 200, strings.Replace(good("Ews"), activeSyncPath, "/EWS/Exchange.asmx", 1)},
		"no Email":                               {"?Protocol=activesync", 400, "MandatoryParameterMissing A valid value must be provided for the query parameter 'Email'"},
		"no Protocol":                            {"?Email=hmad-probe%40contoso.test", 400, "MandatoryParameterMissing A valid value must be provided for the query parameter 'Protocol'"},
		"no address":                             {"?Email=hmad-probe&Protocol=activesync", 400, "InvalidUserId The given SMTP address is invalid 'hmad-probe'"},
		"a name beside the address":              {"?Email=Probe+%3Chmad-probe%40contoso.test%3E&Protocol=activesync", 400, "InvalidUserId "},
		"a protocol that does not exist":         {"?Email=hmad-probe%40contoso.test&Protocol=gopher", 400, "InvalidProtocol The given protocol value 'gopher' is invalid. Supported values are 'ActiveSync, Ews'"},
		"Rest, which Exchange does not serve":    {"?Email=hmad-probe%40contoso.test&Protocol=Rest", 404, "MailboxNotEnabledForRESTAPI "},
		"redirected too often":                   {"?Email=hmad-probe%40contoso.test&Protocol=activesync&RedirectCount=10", 404, "UserNotFound The given user is not found"},
		"an unknown domain":                      {"?Email=hmad-probe%40contoso.com&Protocol=activesync", 404, "DomainNotFound "},
		"a redirect count that is not a number":  {"?Email=hmad-probe%40contoso.test&Protocol=activesync&RedirectCount=x", 200, good("activesync")},
		"a protocol with characters of HTML":     {"?Email=hmad-probe%40contoso.test&Protocol=%3Cb%3E", 400, "InvalidProtocol The given protocol value '<b>' is invalid."},
		"more path than there is, in the folder": {"/v2.0/x", 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodGet, "https://"+l.Facts().AutodiscoverHost+"/Autodiscover/autodiscover.json"+c.uri, nil)
			require.NoError(t, err)
			s := ask(t, l, r, checktest.Patience)
			require.NoError(t, s.err)
			assert.Equal(t, c.status, s.status)
			assert.Equal(t, "EX01", s.header.Get("X-FEServer"))
			checkDiscovery(t, s, c.want)
		})
	}
}

func checkDiscovery(t *testing.T, s seen, want string) {
	t.Helper()
	switch {
	case s.status == 200:
		assert.JSONEq(t, want, s.body)
		assert.Empty(t, s.header.Get("jsonerror"))
	case want == "":
		assert.Equal(t, "text/html; charset=utf-8", s.header.Get("Content-Type"))
	default:
		assert.Equal(t, "true", s.header.Get("jsonerror"))
		code, message, _ := strings.Cut(want, " ")
		e := unmarshal[map[string]string](t, s.body)
		assert.Len(t, e, 2)
		assert.Equal(t, code, e["ErrorCode"])
		assert.True(t, strings.HasPrefix(e["ErrorMessage"], message), e["ErrorMessage"])
	}
}

func TestEntraKnowsItsTenantOnly(t *testing.T) {
	l := start(t)
	ours := request(t, l, "vantage")
	for path, status := range map[string]int{
		ours.URL.Path: 200,
		"/00c118a9-2de9-41d3-b39a-81648a7a5e4d/v2.0/.well-known/openid-configuration": 400,
		"/" + tenant: 404,
	} {
		r := ours.Clone(t.Context())
		r.URL = &url.URL{Scheme: "https", Host: ours.URL.Host, Path: path}
		assert.Equal(t, status, ask(t, l, r, checktest.Patience).status, path)
	}
}

func TestEveryAnswerHasItsOwnRequestID(t *testing.T) {
	l := start(t)
	ids := map[string]bool{}
	for range 5 {
		ids[ask(t, l, request(t, l, "activesync"), checktest.Patience).header.Get("request-id")] = true
	}
	assert.Len(t, ids, 5)
}

// F5's logon page is what a client meets that follows the redirect.
func TestDevicesServeTheirLogonPage(t *testing.T) {
	l := start(t)
	require.NoError(t, l.Set("autodiscover.preauth_device", true))
	r := request(t, l, "autodiscover")
	r.URL.Path, r.URL.RawQuery = "/my.policy", ""
	s := ask(t, l, r, checktest.Patience)
	assert.Equal(t, 200, s.status)
	assert.Contains(t, s.body, `type="password"`)
}
