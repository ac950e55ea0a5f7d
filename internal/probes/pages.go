package probes

import (
	"bytes"
	"net/http"
)

// pageWords are parts of pages, in lower case, that servers and devices send in
// their makers' own words, and what they mean. Nothing of a page itself is shown.
var pageWords = []struct{ part, means string }{
	// HTTP.sys, the part of Windows below IIS.
	{"http error 503. the service is unavailable", "IIS's application pool is stopped, or its queue is full"},
	{"the request hostname is invalid", "no web site of IIS has this host name: the load balancer passes another Host header on"},
	{"bad request - invalid hostname", "no web site of IIS has this host name: the load balancer passes another Host header on"},
	{"http error 404. the requested resource is not found", "no web site of IIS is bound to this name and path"},
	{"acting as a gateway or proxy server", "IIS stands in front as a proxy (Application Request Routing) and got no answer of Exchange that it can use"},
	// nginx.
	{"no required ssl certificate was sent", "nginx requires a client certificate, which Microsoft's cloud does not have"},
	{"the plain http request was sent to https port", "a device in front speaks plain HTTP to a port for TLS"},
	// HAProxy.
	{"no server is available to handle this request", "HAProxy has no healthy server behind it"},
	{"request forbidden by administrative rules", "a rule of HAProxy refuses it"},
	// Entra application proxy.
	{"this corporate app can't be accessed", "the Entra application proxy does not reach Exchange: see its connector"},
	// Cloudflare.
	{"error code: 1020", "a firewall rule of Cloudflare refuses it"},
	{"error code: 1010", "Cloudflare refuses the client by its signature or User-Agent"},
	{"error code: 1006", "Cloudflare bans this client's address"},
	{"error code: 1015", "Cloudflare limits how often this address may ask"},
}

// pageMeans words what a page says, for the end of a detail; empty where it is
// none of the known ones.
func (a *Answer) pageMeans() string {
	page := bytes.ToLower(a.Body[:min(len(a.Body), maxPage)])
	for _, w := range pageWords {
		if bytes.Contains(page, []byte(w.part)) {
			return "; " + w.means
		}
	}
	if a.Header.Get("Cf-Mitigated") != "" {
		return "; Cloudflare wants a browser that solves its challenge: exempt the path from it"
	}
	return ""
}

// refusalPages are parts of pages, in lower case, by which firewalls for web
// applications refuse a request, with 200 as well as with 403.
var refusalPages = []string{
	"the requested url was rejected", // F5 ASM
	"incapsula incident id",          // Imperva
	"powered by utm web protection",  // Sophos
	"web page blocked",               // FortiWeb, FortiGate
	"request rejected",               // F5 ASM's title
	"attack id:",                     // FortiWeb
}

// isRefusal reports whether an answer is a refusal: 403, or a firewall's page in
// place of an answer.
func (a *Answer) isRefusal() bool {
	if a.Status == http.StatusForbidden || a.Status == http.StatusUnauthorized || a.Status >= 500 || !isPage(a) {
		return a.Status == http.StatusForbidden
	}
	page := bytes.ToLower(a.Body[:min(len(a.Body), maxPage)])
	for _, part := range refusalPages {
		if bytes.Contains(page, []byte(part)) {
			return true
		}
	}
	return false
}
