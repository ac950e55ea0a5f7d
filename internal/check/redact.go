package check

import (
	"regexp"
	"strings"
)

var (
	// queryForm is what follows a path in an address: it names users and devices,
	// and carries codes.
	queryForm = regexp.MustCompile(`([^\s?#"'<>]*/[^\s?#"'<>]*)[?#][^\s"'<>]+`)
	// schemeForm is what an Authorization header holds (RFC 9110 section 11.6.2).
	// The words Basic authentication are too short for it.
	schemeForm = regexp.MustCompile(`(?i)\b(bearer\s+)[a-z0-9._~+/=-]{8,}|\b((?:basic|negotiate|ntlm)\s+)[a-z0-9._~+/=-]{16,}`)
	// tokenForm is a JWT in its usual coding, the base64url of {"... , or three
	// long parts that may be one.
	tokenForm = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)*|[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`)
	// addressForm is a mail address; the issuers 00000001-...@GUID have no dot
	// behind the sign and stay.
	addressForm = regexp.MustCompile(`[^\s@"'<>(),;:=/]+(?:@|%40)[\pL\pN-]+(\.[\pL\pN-]+)+`)
)

// Redact takes tokens, queries of URLs, mail addresses and the given secrets
// out of a text that came from outside.
func Redact(s string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "(secret)")
		}
	}
	s = queryForm.ReplaceAllString(s, "${1}?(query)")
	s = schemeForm.ReplaceAllString(s, "${1}${2}(token)")
	return addressForm.ReplaceAllString(tokenForm.ReplaceAllString(s, "(token)"), "(address)")
}
