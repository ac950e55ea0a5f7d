package probes

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

// statusWords are statuses whose meaning the registry of HTTP does not give: 449
// and 451 as Exchange ActiveSync uses them (MS-ASHTTP section 2.2.2.1.1.3), 520 to 526 of Cloudflare
// (its page on 5xx errors).
var statusWords = map[int]string{
	407: "a proxy in front wants credentials of its own",
	429: "a device or IIS limits how often this address may ask",
	449: "Exchange ActiveSync asks for a PROVISION command",
	451: "Exchange ActiveSync sends the client to another address",
	520: "Cloudflare got an answer from the server that it cannot read",
	521: "the server refuses Cloudflare's connection",
	522: "the server does not accept Cloudflare's connection in time",
	523: "Cloudflare has no route to the server",
	524: "the server does not answer Cloudflare in time",
	525: "the TLS handshake between Cloudflare and the server fails",
	526: "Cloudflare does not accept the server's certificate",
}

// phrase returns the answer's reason phrase as the server wrote it, the
// registry's where it wrote none.
func (a *Answer) phrase() string {
	if a.Phrase != "" {
		return check.Clean(check.Redact(a.Phrase), 80)
	}
	return registered(a.Status)
}

// subStatus finds IIS's sub-status in the text of its error page.
var subStatus = regexp.MustCompile(`\b403\.([0-9]{1,3})\b`)

// forbiddenWords are IIS's sub-statuses of 403 (Microsoft's page «HTTP status code overview»).
var forbiddenWords = map[string]string{
	"4":   "IIS wants TLS: Exchange may receive plain HTTP",
	"5":   "IIS wants stronger TLS",
	"6":   "IIS refuses this client's address (IP Address and Domain Restrictions)",
	"7":   "IIS requires a client certificate, which Microsoft's cloud does not have: set client certificates to «ignore» in the directory's SSL settings",
	"8":   "IIS refuses this client's name (IP Address and Domain Restrictions)",
	"12":  "IIS's mapping of client certificates refuses access",
	"13":  "IIS calls the client certificate revoked, or could not check it",
	"16":  "IIS does not trust the client certificate",
	"17":  "IIS calls the client certificate expired",
	"501": "IIS refuses too many requests of one address (Dynamic IP Restrictions)",
	"502": "IIS refuses too many requests of one address (Dynamic IP Restrictions)",
	"503": "IIS refuses this client's address (IP Address and Domain Restrictions)",
}

// forbidden words why a 403 was given, as far as the answer or its connection
// tells, for the end of a detail.
func (a *Answer) forbidden() string {
	if m := subStatus.FindSubmatch(a.Body); m != nil {
		number := string(m[1])
		if words := forbiddenWords[number]; words != "" {
			return fmt.Sprintf("; sub-status 403.%s: %s", number, words)
		}
		return "; sub-status 403." + number
	}
	if words := a.pageMeans(); words != "" {
		return words
	}
	if a.CertificateAsked {
		return "; the server asked for a client certificate in the TLS handshake"
	}
	return ""
}

// ownSignIn words a redirect to, or a page of, the sign-in of Outlook on the
// web, for the end of a detail: a redirect of the web site that the directory
// inherits leads there.
func ownSignIn(path string) string {
	path = strings.ToLower(path)
	if path != "/owa" && !strings.HasPrefix(path, "/owa/") && path != "/ecp" && !strings.HasPrefix(path, "/ecp/") {
		return ""
	}
	return "; that is Exchange's own sign-in page: the directory inherits a redirect of the web site. Turn HTTP Redirect off for this directory in IIS"
}

// leadsToSignIn is ownSignIn of where a redirect leads.
func leadsToSignIn(a *Answer) string {
	if to := location(a); to != nil {
		return ownSignIn(to.Path)
	}
	return ""
}

// oldXML words the answer of Exchange's older AutoDiscover service, which speaks
// XML (MS-OXDSCLI); empty for any other body.
func oldXML(body []byte) string {
	start := bytes.TrimSpace(body)
	if !bytes.HasPrefix(start, []byte("<?xml")) && !bytes.HasPrefix(start, []byte("<Autodiscover")) {
		return ""
	}
	var answer struct {
		XMLName xml.Name
		Code    int `xml:"Response>Error>ErrorCode"`
	}
	if xml.Unmarshal(start, &answer) != nil || answer.XMLName.Local != "Autodiscover" {
		return "it is XML"
	}
	words := "it is the XML of the older AutoDiscover service (autodiscover.xml)"
	if answer.Code != 0 {
		words += fmt.Sprintf(", with its error %d", answer.Code)
	}
	return words + ": a rewrite rule sends the JSON path to it, or Exchange is older than 2016 CU3"
}

// notDiscovery says what a body is that is not AutoDiscover's, without any of
// its text.
func notDiscovery(a *Answer, unreadable error) string {
	if a.Coding != "" {
		return "it is compressed (Content-Encoding: " + check.Clean(a.Coding, 40) + "), which was not asked for and which hmad cannot read"
	}
	if len(bytes.TrimSpace(a.Body)) == 0 {
		return "it is empty"
	}
	if words := oldXML(a.Body); words != "" {
		return words
	}
	if isPage(a) {
		return "it is a web page" + ownSignIn(a.URL.Path)
	}
	return "it is not AutoDiscover's JSON: " + unreadable.Error()
}

// otherCloud words that a sign-in host is one of another cloud of Microsoft's,
// for the end of a detail.
func otherCloud(host string) string {
	if c, ok := config.CloudOf(host); ok {
		return "; this is the sign-in host of " + c.String()
	}
	return ""
}

// policyWords words the claims challenge of continuous access evaluation
// (Microsoft's page «Claims challenges, claims requests, and client capabilities»).
func policyWords(b transport.Challenge) string {
	if !strings.EqualFold(b.Param("error"), "insufficient_claims") && b.Param("claims") == "" {
		return ""
	}
	return "; a claims challenge (continuous access evaluation): a policy of the tenant refuses the token, not Exchange"
}
