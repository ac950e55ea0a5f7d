package transport

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// aadsts is the number of an error of Microsoft Entra, as its description begins.
var aadsts = regexp.MustCompile(`AADSTS[0-9]{1,9}`)

// unknownTenant holds the errors by which Microsoft Entra says that it has no such
// tenant (learn.microsoft.com, «Microsoft Entra authentication and authorization
// error codes»): not found, in this cloud; an identifier that is none; of another
// cloud.
var unknownTenant = map[string]bool{"AADSTS90002": true, "AADSTS900021": true, "AADSTS900023": true, "AADSTS900382": true}

// SignInError is an OAuth error answer (RFC 6749, section 5.2) of Microsoft Entra.
type SignInError struct {
	Name string // invalid_tenant, invalid_client, ...
	Code string // AADSTS90002; empty where the description has none
	Text string // one line: the description up to its first line break or trace id, else the name
}

// ReadSignInError reads an OAuth error answer; false for anything else.
func ReadSignInError(body []byte) (SignInError, bool) {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error == "" {
		return SignInError{}, false
	}
	text, _, _ := strings.Cut(answer.Description, "\n")
	text, _, _ = strings.Cut(text, "Trace ID:")
	e := SignInError{Name: check.Line(answer.Error, 100), Code: aadsts.FindString(text)}
	e.Text = check.Line(text, 300)
	if e.Code == "" {
		e.Text = e.Name
	}
	return e, true
}

// UnknownTenant returns what to say of an answer that there is no such tenant;
// empty for any other.
func (e SignInError) UnknownTenant() string {
	if !unknownTenant[e.Code] && e.Name != "invalid_tenant" {
		return ""
	}
	code := e.Code
	if code == "" {
		code = e.Name
	}
	return "Microsoft's sign-in service does not know the tenant (" + code + "): is `tenant` mistyped, deleted, or in another Microsoft cloud?"
}

// NotTheHosts is what to say of an answer that Microsoft's sign-in service does
// not give. Nothing of a stranger's page is quoted.
const NotTheHosts = "a page of something else (a captive portal, a proxy or a filter on the way), not Microsoft's sign-in service"

// PageStart is how much of a body IsPage looks at, in bytes.
const PageStart = 512

// IsPage reports whether an answer is a page for people, as captive portals,
// proxies and filters send it in place of a host's own answer.
func IsPage(h http.Header, body []byte) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	start := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(string(body[:min(len(body), PageStart)]), "\ufeff")))
	return strings.EqualFold(strings.TrimSpace(kind), "text/html") || strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html")
}
