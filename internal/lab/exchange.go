package lab

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// owaVersion is the build that the front ends tell: Exchange Server SE,
// February 2026.
const owaVersion = "15.2.2562.37"

// frontEndHeader sets what every answer of an Exchange front end carries. The
// names are spelt as on the wire, which is not Go's spelling.
func frontEndHeader(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["X-FEServer"] = []string{serverName(r)}
	h["request-id"] = []string{guid()}
	h["Server"] = []string{"Microsoft-IIS/10.0"}
	h["X-Powered-By"] = []string{"ASP.NET"}
}

// backEndHeader sets what an answer carries besides when the front end had it
// from the back end, as AutoDiscover's.
func backEndHeader(w http.ResponseWriter, r *http.Request) {
	frontEndHeader(w, r)
	h := w.Header()
	name := serverName(r)
	h["X-CalculatedBETarget"] = []string{strings.ToLower(name) + "." + domain}
	h["X-BEServer"] = []string{name}
	h["X-DiagInfo"] = []string{name}
	h["X-AspNet-Version"] = []string{"4.0.30319"}
}

// cloudHeader sets what only Exchange Online's answers carry.
func cloudHeader(w http.ResponseWriter) {
	h := w.Header()
	h["request-id"] = []string{guid()}
	h["X-CalculatedFETarget"] = []string{"AM9P250CU001.internal.outlook.com"}
	h["X-CalculatedBETarget"] = []string{"AS8PR04MB8001.EURPRD04.PROD.OUTLOOK.COM"}
	h["X-FEProxyInfo"] = []string{"AM0PR04CA0012.EURPRD04.PROD.OUTLOOK.COM"}
	h["X-FEEFZInfo"] = []string{"AMS"}
	h["X-Proxy-RoutingCorrectness"] = []string{"1"}
	h["X-FEServer"] = []string{"AM9P250CA0001", "AM0PR04CA0012"}
	h["Server"] = []string{"Microsoft-IIS/10.0"}
	h["X-Powered-By"] = []string{"ASP.NET"}
}

// member returns the front end that a request came to: the last octet of the
// address, 1 to 3.
func member(r *http.Request) int {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || a.IP.To4() == nil {
		return 1
	}
	return int(a.IP.To4()[3])
}

func serverName(r *http.Request) string { return fmt.Sprintf("EX%02d", member(r)) }

// guid makes a random GUID (RFC 9562, version 4).
func guid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// iisError returns one of IIS's own pages, on a genuine front end.
func iisError(status int, title string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		frontEndHeader(w, r)
		page(w, status, fmt.Sprintf("<!DOCTYPE html><html><head><title>%d - %s</title></head><body><h2>%[1]d - %[2]s</h2></body></html>", status, title))
	}
}

// stoppedPool is what the kernel's HTTP driver answers while the application
// pool is stopped: no module of Exchange had a say in it.
func stoppedPool(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Server", "Microsoft-HTTPAPI/2.0")
	page(w, http.StatusServiceUnavailable, "<!DOCTYPE html><html><head><title>Service Unavailable</title></head><body>"+
		"<h2>Service Unavailable</h2><hr><p>HTTP Error 503. The service is unavailable.</p></body></html>")
}

func page(w http.ResponseWriter, status int, html string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, html) // the client may have gone
}
