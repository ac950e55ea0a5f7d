package probes

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// actualURL finds in Exchange's sentence «The hostname component of the
// audience claim value is invalid. Expected 'https://…'. Actual 'http://…'.»
// the URL that Exchange saw. Builds moved the sentence between numbers, so
// the text alone decides (domain notes, sections 5 and 7).
var actualURL = regexp.MustCompile(`(?i)\bactual '((https?)://[^']*)'`)

// judgeTLSOffload judges one address's answer to the worthless token. Where the
// answer tells nothing of what Exchange saw, why says so and every reason is
// left unevaluated.
func judgeTLSOffload(asked *url.URL, a *Answer) (v verdict, why string) {
	if forgedAccepted(a) {
		return stop(tlsOffloadReasons, found(forgedTokenAccepted, "a token without a signature drew %s", statusLine(a))).
			add(verdict{unevaluated: []*check.Reason{tlsOffloaded, hostRewritten}}), ""
	}
	diag := diagnosticsOf(a.Header)
	actual := actualURL.FindStringSubmatch(diag.Reason)
	if a.Status != http.StatusUnauthorized || actual == nil {
		return verdict{unevaluated: []*check.Reason{tlsOffloaded, hostRewritten, forgedTokenAccepted}}, inconclusive(a, diag)
	}
	if strings.EqualFold(actual[2], "http") {
		v.findings = append(v.findings, found(tlsOffloaded, "x-ms-diagnostics: %s", diag))
	}
	switch saw, err := url.Parse(actual[1]); {
	case err != nil || saw.Hostname() == "":
		v.unevaluated = append(v.unevaluated, hostRewritten)
	case !strings.EqualFold(saw.Hostname(), asked.Hostname()):
		v.findings = append(v.findings, found(hostRewritten, "asked as %s; x-ms-diagnostics: %s", asked.Hostname(), diag))
	}
	return v, ""
}

// forgedAccepted: a success that is no page (a page is a device's sign-in), or
// a header that only ActiveSync behind the sign-in sends (domain notes, section
// 2.3) beside anything but a refusal.
func forgedAccepted(a *Answer) bool {
	switch {
	case cloudMark(a) != "", a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		return false
	case a.Header.Get("Ms-Server-Activesync") != "":
		return true
	default:
		return a.Status/100 == 2 && !isPage(a) && !fingerprint(a, nil).signIn
	}
}

// inconclusive words an answer that tells nothing.
func inconclusive(a *Answer, diag Diagnostics) string {
	if mark := cloudMark(a); mark != "" {
		return "Microsoft's cloud answered: " + mark
	}
	text := check.Clean(statusLine(a), maxDetail)
	if diag.Number != 0 {
		return fmt.Sprintf("%s, x-ms-diagnostics: %s", text, check.Clean(diag.String(), maxDetail))
	}
	return text + " without x-ms-diagnostics" + fingerprint(a, nil).behind()
}
