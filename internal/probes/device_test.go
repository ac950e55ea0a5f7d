package probes

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/transport"
)

func TestFingerprint(t *testing.T) {
	cookie := func(c string) *Answer { return answered(302, "Set-Cookie", c) }
	to := func(l string) *Answer { return answered(302, "Location", l) }
	agent := answered(401)
	agent.URL = mustURL("https://11111111-2222-3333-4444-555555555555.resource.mailboxmigration.his.msappproxy.net/")
	for name, tc := range map[string]struct {
		answer *Answer
		want   string
		signIn bool
	}{
		"nothing":                            {answered(401), "", false},
		"F5 APM by cookie":                   {cookie("LastMRH_Session=1; secure"), "F5 BIG-IP APM", true},
		"F5 APM by page":                     {answered(401).withBody("Error: Authentication Failure"), "F5 BIG-IP APM", true},
		"F5 APM before F5 LTM":               {cookie("BIGipServerpool=1").with("Set-Cookie", "MRHSession=1"), "F5 BIG-IP APM", true},
		"F5 LTM by cookie":                   {cookie("BIGipServerexchange_pool=1"), "F5 BIG-IP (LTM or ASM)", false},
		"F5 ASM by cookie":                   {cookie("TS01a32329=1"), "F5 BIG-IP (LTM or ASM)", false},
		"F5 ASM by page":                     {answered(200).withBody("<html>The requested URL was rejected. Your support ID is: 1"), "F5 BIG-IP (LTM or ASM)", false},
		"a cookie that only begins like TS":  {cookie("TSession=1"), "", false},
		"too few digits after TS":            {cookie("TS01a323=1"), "", false},
		"NetScaler by cookie":                {cookie("NSC_TMAS=1"), "Citrix NetScaler (AAA or Gateway)", true},
		"NetScaler by place":                 {to("https://gw.contoso.com/vpn/tmindex.html"), "Citrix NetScaler (AAA or Gateway)", true},
		"NetScaler by scheme":                {answered(401, "WWW-Authenticate", `CitrixAGBasic password_required="yes"`), "Citrix NetScaler (AAA or Gateway)", true},
		"NetScaler's persistence is no sign": {cookie("NSC_ex_vserver=1"), "", false},
		"Kemp by page":                       {answered(200).withBody(`<img src="/lm_auth_proxy?LMimage=logo">`), "Kemp LoadMaster ESP", true},
		"Entra application proxy by place":   {to("https://login.microsoftonline.com/x/oauth2/authorize?client_id=1"), "Entra application proxy", true},
		"Entra application proxy by cookie":  {cookie("AzureAppProxyAccessCookie_1_1.3=1"), "Entra application proxy", true},
		"AD FS by place":                     {to("https://sts.contoso.com/adfs/ls/?version=1.0&action=signin&realm=urn%3AAppProxy%3Acom"), "AD FS Web Application Proxy", true},
		"AD FS by cookie":                    {cookie("EdgeAccessCookie=1"), "AD FS Web Application Proxy", true},
		"Hybrid Agent by host":               {agent, "Hybrid Agent or application proxy (msappproxy.net)", false},
		"FortiWeb":                           {cookie("cookiesession1=1"), "FortiWeb", false},
		"Imperva":                            {cookie("incap_ses_1_2=1"), "Imperva", false},
		"Sophos":                             {answered(403).withBody("Powered by UTM Web Protection"), "Sophos UTM", false},
		"SonicWall":                          {answered(403).withBody(`<div id="nsa_banner">`), "SonicWall", false},
	} {
		t.Run(name, func(t *testing.T) {
			cs, _ := transport.ParseChallenges(tc.answer.Header.Values("WWW-Authenticate"))
			d := fingerprint(tc.answer, cs)
			assert.Equal(t, tc.want, d.name)
			assert.Equal(t, tc.signIn, d.signIn)
		})
	}
}

func TestExchangeAnswered(t *testing.T) {
	for name, tc := range map[string]struct {
		answer *Answer
		want   bool
	}{
		"its front end's name":            {answered(401, "X-FEServer", "EX01"), true},
		"its version":                     {answered(401, "X-OWA-Version", "15.2.2562.17"), true},
		"a request id with diagnostics":   {answered(401, "Request-Id", "1", "X-Ms-Diagnostics", "4000000"), true},
		"a request id alone":              {answered(401, "Request-Id", "1"), false},
		"a Bearer in Exchange's name":     {answered(401, "WWW-Authenticate", "Bearer "+cid), true},
		"a Bearer in another's":           {answered(401, "WWW-Authenticate", `Bearer client_id="x"`), false},
		"Basic in Exchange's name":        {answered(401, "WWW-Authenticate", "Basic "+cid), false},
		"headers that anyone may send":    {answered(401, "Server", "Microsoft-IIS/10.0", "X-Powered-By", "ASP.NET"), false},
		"a Bearer before something wrong": {answered(401, "WWW-Authenticate", "Bearer "+cid+", ="), true},
	} {
		t.Run(name, func(t *testing.T) {
			cs, _ := transport.ParseChallenges(tc.answer.Header.Values("WWW-Authenticate"))
			assert.Equal(t, tc.want, exchangeAnswered(tc.answer, cs))
		})
	}
}
