package probes

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/transport"
)

// device is a product known to be used in front of Exchange, and its
// fingerprints (domain notes, section 4): any one names it.
type device struct {
	name string
	// signIn: the fingerprint comes from asking for a sign-in, so the device
	// answered by itself. Without it the device may only have let pass.
	signIn    bool
	cookies   []string // beginnings of names of cookies that it sets
	locations []string // parts of a redirect's Location, in lower case
	hosts     []string // endings of the host that was asked or is redirected to
	bodies    []string // parts of its pages, in lower case
	headers   []string // beginnings of names of headers, in Go's canonical spelling
	server    string   // the beginning of its value of Server, in lower case
	scheme    string   // an authentication scheme of its own
}

// devices, those that ask for a sign-in first: a device's sign-in part says
// more than its load balancing part.
var devices = []device{
	{name: "F5 BIG-IP APM", signIn: true,
		cookies: []string{"MRHSession", "LastMRH_Session", "F5_ST"}, locations: []string{"/my.policy"},
		bodies: []string{"/my.policy", "<title>authentication failured</title>", "error: authentication failure"}},
	{name: "Citrix NetScaler (AAA or Gateway)", signIn: true,
		cookies:   []string{"NSC_TMAA", "NSC_TMAS", "NSC_TASS", "NSC_TEMP", "NSC_AAAC", "NSC_PERS"},
		locations: []string{"/vpn/index.html", "/vpn/tmindex.html", "/logon/logonpoint/", "/nf/auth/"},
		bodies:    []string{"/vpn/index.html", "/vpn/tmindex.html", "/logon/logonpoint/", "/nf/auth/"},
		scheme:    "CitrixAGBasic"},
	{name: "Kemp LoadMaster ESP", signIn: true,
		locations: []string{"/lm_auth_proxy"}, bodies: []string{"/lm_auth_proxy"}},
	{name: "Entra application proxy", signIn: true,
		cookies:   []string{"AzureAppProxyAccessCookie_"},
		locations: []string{"//login.microsoftonline.com/", "//login.windows.net/"}},
	{name: "AD FS Web Application Proxy", signIn: true,
		cookies: []string{"EdgeAccessCookie"}, locations: []string{"/adfs/ls/", "urn:appproxy:com"}},
	{name: "Hybrid Agent or application proxy (msappproxy.net)", hosts: []string{".msappproxy.net"}},
	{name: "Entra application proxy", headers: []string{appProxyHeader}},
	{name: "Cloudflare", headers: []string{"Cf-Ray"}, server: "cloudflare"},
	{name: "F5 BIG-IP (LTM or ASM)", cookies: []string{"BIGipServer"}, server: "bigip",
		bodies: []string{"the requested url was rejected"}},
	{name: "FortiWeb", cookies: []string{"cookiesession1"}, bodies: []string{"fortiweb"}},
	{name: "Imperva", cookies: []string{"incap_ses", "visid_incap"}, headers: []string{"X-Iinfo"}, bodies: []string{"incapsula incident id"}},
	{name: "Barracuda", cookies: []string{"barra_counter_session", "BNI__BARRACUDA_LB_COOKIE", "BNI_persistence"}, server: "barracuda"},
	{name: "Sophos UTM", bodies: []string{"powered by utm web protection"}},
	{name: "SonicWall", bodies: []string{"nsa_banner"}},
	{name: "Azure Front Door", headers: []string{"X-Azure-Ref"}},
	{name: "Azure Application Gateway", server: "microsoft-azure-application-gateway"},
	{name: "Akamai", server: "akamaighost"},
	{name: "Amazon CloudFront", headers: []string{"X-Amz-Cf-Id"}, server: "cloudfront"},
	{name: "an AWS load balancer", server: "awselb"},
	{name: "Zscaler (it may stand on hmad's own way out)", server: "zscaler",
		hosts: []string{".zscaler.net", ".zscalertwo.net", ".zscalerthree.net", ".zscloud.net"}},
	{name: "HAProxy", bodies: []string{"no server is available to handle this request", "request forbidden by administrative rules"}},
	{name: "nginx", server: "nginx"},
	{name: "a squid proxy (it may stand on hmad's own way out)", server: "squid"},
}

// appProxyHeader begins the names of the headers that the Entra application
// proxy adds to every answer.
const appProxyHeader = "X-Ms-Proxy-"

// maxPage is how much of a page is searched for a fingerprint.
const maxPage = 64 << 10

// fingerprint returns the device whose marks the answer (with the challenges cs)
// bears; the zero device when there is none.
func fingerprint(a *Answer, cs []transport.Challenge) device {
	page := bytes.ToLower(a.Body[:min(len(a.Body), maxPage)])
	location := strings.ToLower(a.Header.Get("Location"))
	cookies := cookieNames(a.Header)
	for _, d := range devices {
		if d.marks(a, cookies, location, page) || d.scheme != "" && scheme(cs, d.scheme) != nil {
			// The application proxy's own Bearer challenge: it asks for a sign-in.
			d.signIn = d.signIn || hasHeader(a, appProxyHeader) && scheme(cs, "Bearer") != nil
			return d
		}
	}
	for _, c := range cookies {
		if isASMCookie(c) {
			return device{name: "F5 BIG-IP (LTM or ASM)"}
		}
	}
	return device{}
}

func (d device) marks(a *Answer, cookies []string, location string, page []byte) bool {
	for _, want := range d.cookies {
		for _, c := range cookies {
			if strings.HasPrefix(c, want) {
				return true
			}
		}
	}
	for _, want := range d.headers {
		if hasHeader(a, want) {
			return true
		}
	}
	if d.server != "" && strings.HasPrefix(strings.ToLower(a.Header.Get("Server")), d.server) {
		return true
	}
	for _, want := range d.locations {
		if strings.Contains(location, want) {
			return true
		}
	}
	for _, want := range d.hosts {
		if strings.HasSuffix(strings.ToLower(a.URL.Hostname()), want) || strings.HasSuffix(locationHost(a), want) {
			return true
		}
	}
	for _, want := range d.bodies {
		if len(page) > 0 && bytes.Contains(page, []byte(want)) {
			return true
		}
	}
	return false
}

// hasHeader reports whether a header's name begins so.
func hasHeader(a *Answer, beginning string) bool {
	for name := range a.Header {
		if strings.HasPrefix(name, beginning) {
			return true
		}
	}
	return false
}

// isASMCookie: TS and at least eight hexadecimal digits.
func isASMCookie(name string) bool {
	digits, ok := strings.CutPrefix(name, "TS")
	return ok && len(digits) >= 8 && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}

func cookieNames(h http.Header) (names []string) {
	for _, c := range h.Values("Set-Cookie") {
		name, _, _ := strings.Cut(c, "=")
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

// behind words a device for the end of a detail: "; F5 … stands in front".
func (d device) behind() string {
	if d.name == "" {
		return ""
	}
	return "; " + d.name + " stands in front"
}

// exchangeAnswered reports whether the answer surely comes from Exchange itself:
// what it bears is not added by devices (domain notes, section 4). Proxies
// strip headers, so a Bearer challenge in Exchange's name alone is enough.
func exchangeAnswered(a *Answer, cs []transport.Challenge) bool {
	h := a.Header
	return h.Get("X-Feserver") != "" || h.Get("X-Owa-Version") != "" ||
		h.Get("Request-Id") != "" && h.Get("X-Ms-Diagnostics") != "" ||
		exchangeBearer(cs) != nil
}

// exchangeHeader reports whether any header stands there that a device in front
// has no reason to make up, request-id alone among them.
func exchangeHeader(a *Answer) bool {
	for _, name := range []string{"X-Feserver", "X-Owa-Version", "Request-Id", "X-Ms-Diagnostics", "X-Calculatedbetarget", "X-Beserver", "X-Diaginfo"} {
		if a.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// The headers by which Exchange Online is known, in Go's canonical spelling
// (which any other is turned into at every look) and in Microsoft's.
var (
	cloudHeaders = []struct{ name, shown string }{
		{"X-Feproxyinfo", "X-FEProxyInfo"}, {"X-Feefzinfo", "X-FEEFZInfo"},
		{"X-Calculatedfetarget", "X-CalculatedFETarget"}, {"X-Proxy-Routingcorrectness", "X-Proxy-RoutingCorrectness"},
	}
	serverHeaders = []struct{ name, shown string }{
		{"X-Calculatedbetarget", "X-CalculatedBETarget"}, {"X-Beserver", "X-BEServer"}, {"X-Feserver", "X-FEServer"},
	}
)

// cloudMark names what in the answer's header only Exchange Online sends; ""
// when there is nothing of that kind (domain notes, section 2.3).
func cloudMark(a *Answer) string {
	for _, h := range cloudHeaders {
		if a.Header.Get(h.name) != "" {
			return "header " + h.shown
		}
	}
	for _, h := range serverHeaders {
		if v := a.Header.Get(h.name); strings.HasSuffix(strings.ToLower(v), ".prod.outlook.com") {
			return "header " + h.shown + ": " + check.Clean(v, 80)
		}
	}
	to := a.Header.Get("X-Ms-Location")
	if to == "" {
		return ""
	}
	if u, err := url.Parse(to); err == nil && isCloudHost(u.Hostname()) {
		return "redirect to " + check.Clean(u.Hostname(), 80)
	}
	return ""
}

// isCloudHost reports whether Exchange Online answers under the name.
func isCloudHost(host string) bool {
	host = "." + strings.ToLower(host)
	for _, domain := range []string{".outlook.com", ".office365.com", ".outlook.office.com", ".cloud.microsoft", ".office365.us", ".partner.outlook.cn"} {
		if strings.HasSuffix(host, domain) {
			return true
		}
	}
	return false
}

// isPage reports whether the answer's body is a web page.
func isPage(a *Answer) bool { return transport.IsPage(a.Header, a.Body) }
