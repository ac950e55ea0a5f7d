package probes

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/entra/entratest"
)

// The answers of Exchange Web Services to a token without any role, and what each
// proves (facts C2).
func TestJudgeAcceptance(t *testing.T) {
	refused := func(diagnostics string) *Answer { return exchange(healthyBearer).with("X-Ms-Diagnostics", diagnostics) }
	all := []string{"oauth_off_on_directory", "audience_mismatch", "issuer_unknown", "signature_refused", "expired_on_arrival"}
	ews := func(a *Answer) *Answer {
		a.URL = testURL(t, "https://mail.contoso.com/EWS/Exchange.asmx")
		return a
	}
	for name, tc := range map[string]struct {
		answer  *Answer
		found   string
		open    []string
		undone  bool // undecided
		sampled []float64
	}{
		"the role is missing, so all before it is good": {refused(`2000001;reason="The value for claim type 'roles' is invalid.";error_category="invalid_token"`), "", nil, false, []float64{1}},
		"no permission":                       {refused(`2000008;reason="The caller has not enough scope.";error_category="invalid_grant"`), "", nil, false, []float64{1}},
		"forbidden, with the same number":     {answered(403, "X-FEServer", "EX01", "X-Ms-Diagnostics", `2000008;reason="no";error_category="invalid_token"`), "", nil, false, []float64{1}},
		"another tenant, after the signature": {refused(`2000004;reason="The tenant is not accepted.";error_category="invalid_tenant"`), "issuer_unknown", nil, false, []float64{1}},
		"expired":                             {refused(`2000002;reason="The token has expired.";error_category="invalid_lifetime"`), "expired_on_arrival", nil, false, []float64{1}},
		"the signature":                       {refused(`2000000;reason="Invalid signature.";error_category="invalid_signature"`), "signature_refused", all[4:], false, []float64{0}},
		"the issuer":                          {refused(`2000001;reason="The issuer of the token is unknown. Issuer was 'x'.";error_category="invalid_issuer"`), "issuer_unknown", all[3:], false, nil},
		"offloaded":                           {refused(sentence("http://mail.contoso.com")), "audience_mismatch", all[2:], false, nil},
		"rewritten":                           {refused(sentence("https://ex01.corp.local")), "audience_mismatch", all[2:], false, nil},
		"OAuth is not on offer":               {refused(`4000000;reason="Flighting is not enabled.";error_category="oauth_not_available"`), "oauth_off_on_directory", all[1:], false, nil},
		"Basic alone":                         {answered(401, "X-FEServer", "EX01", "Www-Authenticate", "Basic realm=x", "Www-Authenticate", "Negotiate"), "oauth_off_on_directory", all[1:], false, nil},
		"accepted":                            {answered(200, "X-FEServer", "EX01"), "", nil, false, []float64{1}},
		"a SOAP fault":                        {answered(500, "X-FEServer", "EX01").withBody("<s:Envelope><s:Fault/></s:Envelope>"), "", nil, false, []float64{1}},
		"another verb is wanted":              {answered(405, "X-FEServer", "EX01"), "", nil, false, []float64{1}},
		"a redirect within":                   {answered(302, "X-FEServer", "EX01", "Location", "/ews/Services.wsdl"), "", nil, false, []float64{1}},

		"a wrong profile":                     {refused(`2000001;reason="This token profile is not applicable for the current protocol.";error_category="invalid_token"`), "", all, true, nil},
		"2000001 with another text":           {refused(`2000001;reason="Unable to read or process token.";error_category="invalid_token"`), "", all, true, nil},
		"2000000 of another category":         {refused(`2000000;reason="x";error_category="invalid_user"`), "", all, true, nil},
		"2000003 without a URL":               {refused(`2000003;reason="The audience claim value is invalid 'aud'.";error_category="invalid_resource"`), "", all, true, nil},
		"a number that nobody knows":          {refused(`2000999;reason="x"`), "", all, true, nil},
		"a challenge without diagnostics":     {exchange(healthyBearer), "", all, true, nil},
		"a device in front":                   {answered(200, "Set-Cookie", "MRHSession=1"), "", all, true, nil},
		"a device that says Exchange's words": {answered(401, "X-Ms-Diagnostics", `2000000;reason="x";error_category="invalid_signature"`), "", all, true, nil},
		"the cloud":                           {answered(401, "X-FEServer", "AM9P250CA0001", "X-FEProxyInfo", "AM6PR0102.EURPRD01.PROD.OUTLOOK.COM"), "", all, true, nil},
		"a redirect elsewhere":                {answered(302, "X-FEServer", "EX01", "Location", "https://sts.contoso.com/ews/"), "", all, true, nil},
		"a fault that is a page":              {answered(500, "X-FEServer", "EX01").withBody("<html>sorry</html>"), "", all, true, nil},
		"a stopped pool":                      {answered(503), "", all, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			v := TokenAcceptance.Judge()
			v.Clear(audienceNotRegistered)
			v.NotApplicable("the same name", ewsAudienceNotRegistered)
			judgeAcceptance(v, "192.0.2.1:443", ews(tc.answer))
			report, err := v.Report()
			found := ""
			for _, f := range report.Findings {
				found += f.Reason.Name
			}
			assert.Equal(t, tc.found, found)
			var open []string
			for _, u := range report.Unjudged {
				if u.Reason != ewsAudienceNotRegistered {
					open = append(open, u.Reason.Name)
				}
			}
			assert.Equal(t, tc.open, open)
			assert.Equal(t, tc.undone, err != nil, "%v", err)
			var values []float64
			for _, s := range report.Samples {
				values = append(values, s.Value)
			}
			assert.Equal(t, tc.sampled, values)
			if tc.undone {
				assert.Equal(t, check.Token, check.ClassOf(err))
			}
		})
	}
}

func TestATokenThatMayDoSomethingIsNotSent(t *testing.T) {
	const host = "mail.contoso.com"
	for name, tc := range map[string]struct {
		claims entra.Claims
		want   string
	}{
		"without anything":         {entra.Claims{Audience: "https://mail.contoso.com"}, ""},
		"a final slash":            {entra.Claims{Audience: "https://Mail.contoso.com/"}, ""},
		"the role of every app":    {entra.Claims{Audience: "https://mail.contoso.com", Wids: []string{strings.ToUpper(everyApp)}}, ""},
		"full access":              {entra.Claims{Audience: "https://mail.contoso.com", Roles: []string{"full_access_as_app"}}, "application permissions (full_access_as_app): take them away"},
		"a delegated permission":   {entra.Claims{Audience: "https://mail.contoso.com", Scope: "EWS.AccessAsUser.All"}, "the scope EWS.AccessAsUser.All"},
		"a directory role":         {entra.Claims{Audience: "https://mail.contoso.com", Wids: []string{everyApp, "29232cdf-9323-42fd-ade2-1d097af3e4de"}}, "directory roles (29232cdf"},
		"another audience":         {entra.Claims{Audience: "https://graph.microsoft.com"}, "another audience"},
		"another host that begins": {entra.Claims{Audience: "https://mail.contoso.com.evil.test"}, "another audience"},
		"by plain http":            {entra.Claims{Audience: "http://mail.contoso.com"}, "another audience"},
	} {
		t.Run(name, func(t *testing.T) {
			err := powerless(tc.claims, host)
			if tc.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorIs(t, err, errPowerful)
			assert.ErrorContains(t, err, tc.want)
			assert.Equal(t, check.Permission, check.ClassOf(err))
		})
	}
}

// acceptor is an estate with an Entra and Exchange Web Services.
type acceptor struct {
	target  config.Target
	env     check.Env
	mu      sync.Mutex
	claims  string // of the token, JSON; %s is the audience
	refuse  string // Entra's answer in place of a token, for the host of refuseFor
	only    string
	shown   []*http.Request
	answers http.HandlerFunc
}

func (a *acceptor) token(scope string) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"RS256","x5t":"key-of-today"}`)) + "." + part(fmt.Appendf(nil, a.claims, strings.TrimSuffix(scope, "/.default"))) + ".c2lnbmF0dXJl"
}

func newAcceptor(t *testing.T, trusted bool) *acceptor {
	a := &acceptor{claims: `{"aud":%q}`, answers: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-FEServer", "EX01")
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		w.Header().Set("WWW-Authenticate", healthyBearer)
		w.Header().Set("X-Ms-Diagnostics", `2000001;reason="The value for claim type 'roles' is invalid.";error_category="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
	}}
	authority := &entratest.Authority{Fail: func(w http.ResponseWriter, form url.Values) bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		scope, _, _ := strings.Cut(form.Get("scope"), " ")
		if a.refuse != "" && strings.Contains(scope, a.only) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"invalid_resource","error_description":%q}`, a.refuse)
			return true
		}
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":%q}`, a.token(scope))
		return true
	}}
	ca, server := checktest.NewCA(t), checktest.NewCA(t)
	if trusted {
		server = ca
	}
	logins := checktest.Serve(t, ca, "login.contoso.test", authority)
	port := checktest.Serve(t, server, "mail.contoso.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.shown = append(a.shown, r)
		a.mu.Unlock()
		a.answers(w, r)
	}))
	a.target = config.Target{Tenant: entratest.TenantID, CAFile: ca.File, ActiveSync: config.ActiveSync{
		URL: checktest.Setting[config.URL]("https://mail.contoso.test:" + port + "/Microsoft-Server-ActiveSync")},
		TokenAcceptance: config.TokenAcceptance{App: config.App{ClientID: entratest.ClientID, SecretFile: checktest.Written(t, "secret", entratest.ClientSecret),
			DisableAuthorityCheck: true, AuthorityHost: checktest.Setting[config.URL]("https://login.contoso.test:" + logins + "/")}}}
	a.env = checktest.Env(time.Now)
	a.env.Meter, a.env.Memory = checktest.Discard{}, new(checktest.Memory)
	return a
}

func (a *acceptor) run(t *testing.T) (check.Report, error) {
	t.Helper()
	parts, err := TokenAcceptance.New(a.target, a.env)
	require.NoError(t, err)
	report, err := TokenAcceptance.Look(t.Context(), parts.Run)
	texts := append(report.Texts(), fmt.Sprint(report.Findings, report.Facts, err))
	assert.NotContains(t, strings.Join(texts, "\n"), "c2lnbmF0dXJl", "no part of the token is shown")
	return report, err
}

func TestTokenAcceptanceShowsTheTokenToExchangeWebServicesAlone(t *testing.T) {
	a := newAcceptor(t, true)
	report, err := a.run(t)
	require.NoError(t, err)
	assert.Empty(t, report.Findings)
	require.Len(t, a.shown, 1)
	assert.Equal(t, ewsPath, a.shown[0].URL.Path)
	assert.True(t, strings.HasPrefix(a.shown[0].Header.Get("Authorization"), "Bearer ey"))
	require.Len(t, report.Facts, 1)
	assert.Equal(t, "key-of-today", report.Facts[0].Value)
	assert.Equal(t, []check.Sample{{Metric: TokenSignatureAccepted, Value: 1, Labels: report.Samples[0].Labels}}, report.Samples)

	t.Run("a redirect is not followed", func(t *testing.T) {
		a := newAcceptor(t, true)
		a.answers = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+r.Host+"/elsewhere", http.StatusFound)
		}
		_, err := a.run(t)
		assert.ErrorContains(t, err, "does not show whether Exchange accepts the token")
		assert.Len(t, a.shown, 1)
	})
	t.Run("a host that cannot prove its name gets none", func(t *testing.T) {
		a := newAcceptor(t, false)
		report, err := a.run(t)
		assert.ErrorContains(t, err, "certificate")
		assert.Empty(t, a.shown)
		assert.Empty(t, report.Findings)
	})
	t.Run("a token with a permission is not sent", func(t *testing.T) {
		a := newAcceptor(t, true)
		a.claims = `{"aud":%q,"roles":["full_access_as_app"]}`
		report, err := a.run(t)
		assert.ErrorContains(t, err, "take them away from the app")
		assert.Equal(t, check.Permission, check.ClassOf(err))
		assert.Empty(t, a.shown)
		assert.Empty(t, report.Findings)
	})
	t.Run("a token that cannot be read is not sent", func(t *testing.T) {
		a := newAcceptor(t, true)
		a.claims = `{"roles":%q}`
		_, err := a.run(t)
		assert.ErrorContains(t, err, "cannot be read")
		assert.Empty(t, a.shown)
	})
}

func TestARefusedTokenRequestTellsOfTheName(t *testing.T) {
	const unknown = "AADSTS500011: The resource principal named https://mail.contoso.test was not found in the tenant."
	for name, tc := range map[string]struct {
		refuse, only, ews string
		want, errText     string
	}{
		"the name of ActiveSync":        {unknown, "mail.", "", "audience_not_registered", ""},
		"assignment required":           {"AADSTS501051: Application is not assigned to a role.", "mail.", "", "", "AADSTS501051"},
		"the app is not there":          {"AADSTS700016: Application was not found.", "mail.", "", "", "AADSTS700016"},
		"another name for web services": {unknown, "ews.", "https://ews.contoso.test/EWS/Exchange.asmx", "ews_audience_not_registered", ""},
		"the other name stays a page":   {unknown, "mail.", "https://ews.contoso.test:1/EWS/Exchange.asmx", "audience_not_registered", "connect"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAcceptor(t, true)
			a.refuse, a.only = tc.refuse, tc.only
			if tc.ews != "" {
				a.target.TokenAcceptance.URL = checktest.Setting[config.URL](tc.ews)
			}
			report, err := a.run(t)
			found := ""
			for _, f := range report.Findings {
				found += f.Reason.Name
			}
			assert.Equal(t, tc.want, found)
			if tc.errText == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, tc.errText)
			}
			assert.Empty(t, a.shown)
		})
	}
}

func TestEveryMemberIsShownTheToken(t *testing.T) {
	a := newAcceptor(t, true)
	u := a.target.ActiveSync.URL.Value()
	a.target.ActiveSync.Members = []config.AddrPort{checktest.Setting[config.AddrPort]("127.0.0.1:" + u.Port()), checktest.Setting[config.AddrPort]("127.0.0.2:1")}
	report, err := a.run(t)
	assert.ErrorContains(t, err, "127.0.0.2:1")
	assert.Len(t, a.shown, 1, "the name and the first member are one address")
	assert.Empty(t, report.Findings)
}
