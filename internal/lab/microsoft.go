package lab

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// atMicrosoft is the host of Microsoft's services that need no sign-in, each below
// a path of its own.
const (
	atMicrosoft   = "microsoft"
	endpointsPath = "/endpoints-service"
	detectPath    = "/autodetect/detect"
)

// servicesSide is how they act at present.
type servicesSide struct {
	endpoints endpointsSide
	placement placementSide
	detect    detectSide
}

// serveMicrosoft answers for all of them.
func (l *Lab) serveMicrosoft(b *behaviour, w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, endpointsPath+"/"); ok {
		l.serveEndpoints(b.services.endpoints, w, r, rest)
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, autodiscoverPath+"/v1.0/"); ok {
		l.servePlacement(b.services.placement, w, r, rest)
		return
	}
	if r.URL.Path == detectPath {
		l.serveDetect(b.services.detect, w, r)
		return
	}
	http.NotFound(w, r)
}

// detectSide is how AutoDetect answers.
type detectSide struct {
	status    int    // in place of 200
	onprem    string // the host of the ActiveSync URL, in place of the estate's own; "-": none
	authority string // in place of Entra's
	legacy    bool   // old protocols alone
	failed    string // the error of its own question to AutoDiscover
}

// serveDetect answers as AutoDetect does (public captures of 2025 and 2026).
func (l *Lab) serveDetect(s detectSide, w http.ResponseWriter, r *http.Request) {
	type row map[string]any
	w.Header().Set("x-olm-source-endpoint", "/detect")
	w.Header().Set("x-feedback-token", "eyJhbGciOiJIUzI1NiJ9.e30.bm9uZQ")
	if s.failed != "" {
		w.Header().Set("x-autodv2-error", s.failed)
	}
	if s.status != 0 {
		w.WriteHeader(s.status)
		return
	}
	onprem := l.facts.ActiveSyncURL
	if s.onprem != "" {
		onprem = "https://" + s.onprem + activeSyncPath
	}
	if s.onprem == "-" {
		onprem = ""
	}
	services := []row{{"service": "office365", "protocol": "rest", "hostname": "outlook.office365.com", "onprem": onprem,
		"aad": cmp.Or(s.authority, "https://login.windows.net/common/oauth2/authorize")}}
	if s.legacy {
		services = []row{}
	}
	address := r.Header.Get("x-email")
	writeJSON(w, http.StatusOK, row{"email": address, "services": services, "protocols": []row{{"protocol": "eas", "hostname": mailName, "port": 443,
		"encryption": "SSL", "username": address, "validated": true}}})
}

// placementSide is how Exchange Online's AutoDiscover answers for the probe
// mailbox.
type placementSide struct {
	host    string           // of the redirect, in place of AutoDiscover's on premises
	scheme  string           // in place of https
	cloud   bool             // it has a mailbox of that address
	unknown bool             // it knows no such address
	answer  http.HandlerFunc // in place of all that
}

// servePlacement answers as outlook.office365.com does (public captures of 2019
// and 2020): a redirect to AutoDiscover on premises for a mailbox that is there,
// one to itself for an unknown address, and a URL for a mailbox in the cloud.
func (l *Lab) servePlacement(s placementSide, w http.ResponseWriter, r *http.Request, address string) {
	moved := func(scheme, host string) {
		q := url.Values{"Email": {address}, "Protocol": {"ActiveSync"}, "RedirectCount": {"1"}}
		w.Header().Set("X-CalculatedBETarget", "am0pr04mb0001.eurprd04.prod.outlook.com")
		http.Redirect(w, r, scheme+"://"+host+autodiscoverPath+"?"+q.Encode(), http.StatusFound)
	}
	own := strings.EqualFold(address, l.facts.Mailbox)
	switch {
	case strings.HasPrefix(address, "Migration.") || own && s.cloud:
		writeJSON(w, http.StatusOK, endpoint{"ActiveSync", "https://outlook.office365.com" + activeSyncPath})
	case !own || s.unknown:
		moved("https", r.Host)
	case s.answer != nil:
		s.answer(w, r)
	default:
		moved(cmp.Or(s.scheme, "https"), cmp.Or(s.host, l.facts.AutodiscoverHost))
	}
}

// endpointsSide is how the web service of Microsoft's addresses acts.
type endpointsSide struct {
	more string        // a range beside the usual
	in   time.Duration // when it is used
	old  time.Duration // the age of what a cache answers in the service's place
}

// allowedRanges is the firewall's list: it has all but the IPv6 ranges, which
// nobody needs whose names have none.
const allowedRanges = `# Exchange Online, set 1
13.107.6.152/31
13.107.18.10/31
40.96.0.0/13
52.96.0.0/14
# AutoDetect
52.125.128.0/20
52.127.96.0/23
`

// serveEndpoints answers as endpoints.office.com does (Microsoft, «Microsoft 365
// IP address and URL web service»). Its version changes with its list.
func (l *Lab) serveEndpoints(s endpointsSide, w http.ResponseWriter, r *http.Request, path string) {
	type row map[string]any
	version := l.opt.Now().Add(-s.old).UTC().Format("20060102") + "00"
	set := row{"id": 1, "serviceArea": "Exchange", "serviceAreaDisplayName": "Exchange Online", "tcpPorts": "80,443", "category": "Optimize",
		"urls": []string{"outlook.cloud.microsoft", "outlook.office.com", "outlook.office365.com"}, "required": true, "expressRoute": true,
		"ips": []string{"13.107.6.152/31", "13.107.18.10/31", "40.96.0.0/13", "52.96.0.0/14", "2603:1006::/40"}}
	changes := []row{}
	if s.more != "" {
		version = version[:8] + "01"
		set["ips"] = append(set["ips"].([]string), s.more)
		changes = append(changes, row{"id": 1, "endpointSetId": 1, "disposition": "Change", "impact": "AddedIp", "version": version,
			"add": row{"effectiveDate": l.opt.Now().Add(s.in).UTC().Format("20060102"), "ips": []string{s.more}}})
	}
	switch {
	case r.URL.Query().Get("ClientRequestId") == "":
		http.Error(w, "ClientRequestId is missing", http.StatusBadRequest)
	case path == "version/Worldwide":
		writeJSON(w, http.StatusOK, row{"instance": "Worldwide", "latest": version})
	case path == "endpoints/Worldwide":
		writeJSON(w, http.StatusOK, []row{set})
	case strings.HasPrefix(path, "changes/Worldwide/"):
		writeJSON(w, http.StatusOK, changes)
	default:
		http.NotFound(w, r)
	}
}
