package probes

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

// Answers that servers and devices give in their makers' own words. None of these
// words is shown.
func TestWhatDevicesAnswer(t *testing.T) {
	html := func(status int, body string, header ...string) *Answer {
		return answered(status, append([]string{"Content-Type", "text/html"}, header...)...).withBody("<html>" + body + "</html>")
	}
	for name, c := range map[string]struct {
		answer                   *Answer
		activesync, autodiscover string // the reasons
		words                    []string
	}{
		"F5 APM's sign-in": {answered(302, "Location", "/my.policy", "Set-Cookie", "MRHSession=1"), "preauth_device", "preauth_device",
			[]string{"F5 BIG-IP APM answered 302"}},
		"F5 ASM's page with 200": {html(200, "<title>Request Rejected</title>The requested URL was rejected. Your support ID is: 1"), "blocked", "blocked",
			[]string{"F5 BIG-IP (LTM or ASM) stands in front"}},
		"Citrix ADC's sign-in": {answered(302, "Location", "https://gw.contoso.com/logon/LogonPoint/tmindex.html", "Set-Cookie", "NSC_TASS=1"), "preauth_device",
			"preauth_device", []string{"Citrix NetScaler"}},
		"Imperva's page with 200": {html(200, "Incapsula incident ID: 1", "X-Iinfo", "1"), "blocked", "blocked", []string{"Imperva stands in front"}},
		"FortiWeb's page":         {html(200, "Web Page Blocked! Attack ID: 20000051", "Set-Cookie", "cookiesession1=1"), "blocked", "blocked", []string{"FortiWeb"}},
		"Sophos's page":           {html(403, "Powered by UTM Web Protection"), "blocked", "blocked", []string{"Sophos UTM"}},
		"Barracuda":               {answered(403, "Set-Cookie", "barra_counter_session=1"), "blocked", "blocked", []string{"Barracuda"}},
		"Kemp's sign-in":          {answered(302, "Location", "/lm_auth_proxy?DO=1"), "preauth_device", "preauth_device", []string{"Kemp LoadMaster ESP"}},
		"HAProxy without a server": {html(503, "<h1>503 Service Unavailable</h1> No server is available to handle this request."), "server_error", "server_error",
			[]string{"HAProxy has no healthy server"}},
		"a rule of HAProxy": {html(403, "Request forbidden by administrative rules."), "blocked", "blocked", []string{"a rule of HAProxy"}},
		"nginx without an upstream": {html(502, "<center>nginx</center>", "Server", "nginx/1.26.0"), "server_error", "server_error",
			[]string{"nginx stands in front"}},
		"nginx wants a certificate": {html(400, "<center>No required SSL certificate was sent</center>", "Server", "nginx"), "unexpected_status", "unexpected_status",
			[]string{"requires a client certificate, which Microsoft's cloud does not have"}},
		"Cloudflare's challenge": {html(403, "<title>Just a moment...</title>", "Server", "cloudflare", "Cf-Mitigated", "challenge"), "blocked", "blocked",
			[]string{"Cloudflare wants a browser", "Cloudflare stands in front"}},
		"Cloudflare's firewall rule": {answered(403, "Server", "cloudflare").withBody("error code: 1020"), "blocked", "blocked", []string{"a firewall rule of Cloudflare"}},
		"a limit of Cloudflare's": {answered(429, "Server", "cloudflare").withBody("error code: 1015"), "unexpected_status", "unexpected_status",
			[]string{"limits how often this address may ask"}},
		"Zscaler": {html(403, "blocked", "Server", "Zscaler/6.2"), "blocked", "blocked", []string{"Zscaler (it may stand on hmad's own way out)"}},
		"the application proxy without Exchange": {html(504, "This corporate app can't be accessed.", "X-Ms-Proxy-Service-Name", "proxy"), "server_error",
			"server_error", []string{"the Entra application proxy does not reach Exchange"}},
		"AD FS in front": {answered(307, "Location", "https://sts.contoso.com/adfs/ls/?client-request-id=1"), "preauth_device", "preauth_device",
			[]string{"AD FS Web Application Proxy"}},
		"the Azure gateway": {html(502, "502 Bad Gateway", "Server", "Microsoft-Azure-Application-Gateway/v2"), "server_error", "server_error",
			[]string{"Azure Application Gateway stands in front"}},
		"a stopped application pool": {html(503, "<h2>Service Unavailable</h2><p>HTTP Error 503. The service is unavailable.</p>"), "server_error", "server_error",
			[]string{"application pool is stopped"}},
		"a host name that IIS does not know": {html(400, "<h2>Bad Request - Invalid Hostname</h2>"), "unexpected_status", "unexpected_status",
			[]string{"passes another Host header on"}},
		"a path that IIS does not know": {html(404, "<p>HTTP Error 404. The requested resource is not found.</p>"), "unexpected_status", "unexpected_status",
			[]string{"no web site of IIS is bound"}},
		"a proxy that wants credentials": {answered(407), "unexpected_status", "unexpected_status", []string{"a proxy in front wants credentials"}},
		"an MDM gateway's own challenge": {answered(401, "WWW-Authenticate", `Bearer realm="gateway"`), "preauth_device", "authentication_required", []string{"Bearer"}},
	} {
		t.Run(name, func(t *testing.T) {
			atActiveSync := judged(ActiveSync, func(v *check.Verdict) { judgeChallenge(v, c.answer, testTenant) })
			atAutodiscover := judged(Autodiscover, func(v *check.Verdict) {
				judgeAutodiscover(v, discovery{hops: []*Answer{c.answer}, allowed: func(*url.URL) bool { return false }})
			})
			require.Equal(t, []string{c.activesync}, foundNames(atActiveSync.findings))
			require.Equal(t, []string{c.autodiscover}, foundNames(atAutodiscover.findings))
			for _, detail := range []string{atActiveSync.findings[0].Detail, atAutodiscover.findings[0].Detail} {
				for _, w := range c.words {
					assert.Contains(t, detail, w)
				}
				assert.NotContains(t, detail, "support ID")
				assert.NotContains(t, detail, "Just a moment")
			}
		})
	}
}
