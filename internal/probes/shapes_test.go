package probes

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/transport"
)

const (
	testTenant  = "5de110f8-2e0f-4d45-891d-bcf2218e253d"
	otherTenant = "00c118a9-2de9-41d3-b39a-81648a7a5e4d"

	cid = `client_id="00000002-0000-0ff1-ce00-000000000000"`
	tt  = `token_types="app_asserted_user_v1 service_asserted_app_v1"`
	az  = `authorization_uri="https://login.windows.net/common/oauth2/authorize"`
	ti  = `trusted_issuers="00000001-0000-0000-c000-000000000000@` + testTenant + `"`

	// The guide's two samples.
	healthyBearer   = `Bearer ` + cid + `, trusted_issuers="00000001-0000-0000-c000-000000000000@` + testTenant + `,00000004-0000-0ff1-ce00-000000000000@contoso.com", ` + tt + `, ` + az
	offloadedBearer = `Bearer ` + cid + `, trusted_issuers="00000001-0000-0000-c000-000000000000@` + otherTenant + `", ` + az + `, error="invalid_token"`

	flighting = `4000000;reason="Flighting is not enabled for domain 'mail.contoso.test'.";error_category="oauth_not_available"`
)

// shape is a challenge as it was recorded, with the verdict that it deserves.
type shape struct {
	name        string
	challenges  []string
	diagnostics string
	parsed      []string // scheme and names of parameters of each challenge
	want        []string // reasons
}

// recordedShapes are the domain notes' section 3.2, in its order; dots there
// are filled in.
var recordedShapes = []shape{
	{"1 Exchange 2016 of 2018", []string{healthyBearer, `Basic realm="mail.contoso.com"`}, "",
		[]string{"Bearer client_id trusted_issuers token_types authorization_uri", "Basic realm"}, nil},
	{"2 Exchange 2016 behind TLS offloading", []string{offloadedBearer, `Basic realm="mail.contoso.com"`}, offloadedDiagnostics,
		[]string{"Bearer client_id trusted_issuers authorization_uri error", "Basic realm"}, []string{"tls_offloaded"}},
	{"2 without its diagnostics", []string{offloadedBearer, `Basic realm="mail.contoso.com"`}, "",
		[]string{"Bearer client_id trusted_issuers authorization_uri error", "Basic realm"}, []string{"tenant_mismatch", "token_error"}},
	{"3 Exchange SE", []string{`Bearer ` + cid + `, ` + ti + `, ` + tt + `, ` + az + `, issuer_kind="AzureAD"`, `Basic realm="mail.contoso.com"`}, "",
		[]string{"Bearer client_id trusted_issuers token_types authorization_uri issuer_kind", "Basic realm"}, nil},
	{"3 Exchange SE, joined into one line", []string{`Bearer ` + cid + `, ` + ti + `, ` + tt + `, ` + az + `, issuer_kind="AzureAD",Basic realm="mail.contoso.com"`}, "",
		[]string{"Bearer client_id trusted_issuers token_types authorization_uri issuer_kind", "Basic realm"}, nil},
	{"4 Exchange SE with AD FS, mailbox allowed", []string{`Basic realm="mail.contoso.test"`, `Bearer ` + cid + `, ` + tt + `, authorization_uri="https://adfs.contoso.test/adfs/oauth2/authorize", issuer_kind="ADFS"`}, "",
		[]string{"Basic realm", "Bearer client_id token_types authorization_uri issuer_kind"}, []string{"authorization_uri_foreign"}},
	{"5 Exchange SE with AD FS, host-level", []string{`Basic realm="mail.contoso.test"`, `Bearer ` + cid + `, ` + tt + `, error="invalid_token"`}, flighting,
		[]string{"Basic realm", "Bearer client_id token_types error"}, []string{"oauth_not_available"}},
	{"6 Exchange 2019 behind F5, broken", []string{`Bearer ` + cid + `, ` + ti + `, ` + tt + `, error="invalid_token",Basic realm="mail.dummy.uk"`}, flighting,
		[]string{"Bearer client_id trusted_issuers token_types error", "Basic realm"}, []string{"oauth_not_available"}},
	{"7 AD FS, four fields", []string{`Bearer ` + cid + `, ` + tt + `, error="invalid_token"`, `Negotiate`, `NTLM`, `Basic realm="ex01.contoso.test"`}, "",
		[]string{"Bearer client_id token_types error", "Negotiate", "NTLM", "Basic realm"}, []string{"authorization_uri_missing"}},
	{"8 Exchange 2013 AutoDiscover", []string{`Bearer ` + cid + `, trusted_issuers="00000004-0000-0ff1-ce00-000000000000@contoso.com", token_types="app_asserted_user_v1service_asserted_app_v1", error="invalid_token",Negotiate,NTLM,Basic realm="ex01.contoso.test"`}, `2000004;..;error_category="invalid_tenant"`,
		[]string{"Bearer client_id trusted_issuers token_types error", "Negotiate", "NTLM", "Basic realm"}, []string{"authorization_uri_missing"}},
	{"9 Exchange Online of 2026", []string{`Bearer ` + cid + `, trusted_issuers="00000001-0000-0000-c000-000000000000@*", ` + tt + `, authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="invalid_token"`}, "",
		[]string{"Bearer client_id trusted_issuers token_types authorization_uri error"}, []string{"points_to_cloud"}},
	{"10 Exchange Online of 2017", []string{`Bearer ` + cid + `, trusted_issuers="00000001-0000-0000-c000-000000000000@*", ` + tt + `, ` + az + `, error="invalid_token",Basic Realm="",Basic Realm="",Basic Realm=""`}, "",
		[]string{"Bearer client_id trusted_issuers token_types authorization_uri error", "Basic Realm", "Basic Realm", "Basic Realm"}, []string{"points_to_cloud"}},
	{"11 SharePoint", []string{`Bearer realm="` + testTenant + `",client_id="00000003-0000-0ff1-ce00-000000000000",trusted_issuers="00000001-0000-0000-c000-000000000000@*,D3776938-0000-0000-0000-000000000000@*,https://sts.windows.net/*/,00000003-0000-0ff1-ce00-000000000000@90140122-8516-11e1-8eff-49304924019b",authorization_uri="https://login.windows.net/common/oauth2/authorize",error="insufficient_claims",claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="`}, "",
		[]string{"Bearer realm client_id trusted_issuers authorization_uri error claims"}, []string{"points_to_cloud"}},
}

func TestRecordedShapes(t *testing.T) {
	for _, s := range recordedShapes {
		t.Run(s.name, func(t *testing.T) {
			cs, err := transport.ParseChallenges(s.challenges)
			require.NoError(t, err)
			var parsed []string
			for _, c := range cs {
				line := c.Scheme
				for _, p := range c.Params {
					line += " " + p.Name
				}
				parsed = append(parsed, line)
			}
			assert.Empty(t, cmp.Diff(s.parsed, parsed))

			a := answered(401, "Request-Id", "5ca2c827-5147-474c-8457-63c4e5099c6e")
			a.Header["Www-Authenticate"] = s.challenges
			if s.diagnostics != "" {
				a.Header.Set("X-Ms-Diagnostics", s.diagnostics)
			}
			assert.Empty(t, cmp.Diff(s.want, reasonsOf(judged(ActiveSync, func(v *check.Verdict) { judgeChallenge(v, a, testTenant) }))))
		})
	}
}

// A value holds commas and a URL without being cut there.
func TestRecordedValuesAreWhole(t *testing.T) {
	cs, err := transport.ParseChallenges([]string{healthyBearer})
	require.NoError(t, err)
	assert.Equal(t, "00000001-0000-0000-c000-000000000000@"+testTenant+",00000004-0000-0ff1-ce00-000000000000@contoso.com", cs[0].Param("trusted_issuers"))
	assert.Equal(t, "https://login.windows.net/common/oauth2/authorize", cs[0].Param("authorization_uri"))
}

// answered makes an answer of the ActiveSync host; header is a list of names
// and values in turn.
func answered(status int, header ...string) *Answer {
	a := &Answer{URL: mustURL("https://mail.contoso.com/Microsoft-Server-ActiveSync"), Proto: "HTTP/1.1", Status: status, Header: http.Header{}}
	for i := 0; i < len(header); i += 2 {
		a.Header.Add(header[i], header[i+1])
	}
	return a
}

func (a *Answer) withBody(body string) *Answer {
	a.Body = []byte(body)
	return a
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

// seen is what a judge said of a part of the reasons.
type seen struct {
	findings    []check.Finding
	unevaluated []*check.Reason // that the judge mentions and did not judge
	notes       []string
	err         error
}

// judged lets a judge fill a verdict of def.
func judged(def *check.Def, judge func(*check.Verdict)) seen {
	v := def.Judge()
	judge(v)
	report, err := v.Report()
	out := seen{findings: report.Findings, notes: report.Texts(), err: err}
	for _, u := range report.Unjudged {
		if !strings.HasPrefix(u.Why, "a defect of hmad") { // not mentioned: another judge's
			out.unevaluated = append(out.unevaluated, u.Reason)
		}
	}
	return out
}

// reasonsOf returns the reasons found, in order.
func reasonsOf(v seen) (ns []string) {
	for _, f := range v.findings {
		ns = append(ns, f.Reason.Name)
	}
	return ns
}

func reasonNames(rs []*check.Reason) (ns []string) {
	for _, r := range rs {
		ns = append(ns, r.Name)
	}
	return ns
}
