package exchange

import (
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"time"
)

// Event is an entry of a server's Application log, or several alike that the
// collector counted.
type Event struct {
	Time    time.Time // of the newest
	First   time.Time // of the oldest
	ID      int
	Level   string // Critical, Error, Warning, Information
	Source  string
	Message string // one line, without tokens and mail addresses
	Count   int    // at least 1. Exchange logs OAuth events at most once per period and key, so requests may be more
	KeyID   string // the key that the event names, as a thumbprint (see Thumbprint); empty: none
}

// AuthAdminEvents reads the events of MSExchange AuthAdmin, the job that
// refreshes the stored certificates, of the last 26 hours.
func (r Report) AuthAdminEvents() ([]Event, error) {
	return rowsOf(r, sectionAuthAdminEvents, readEvent)
}

// AuthAdminSince gives from when on the log was read for AuthAdminEvents, up to
// the report: later than 26 hours before where a full log has dropped its oldest
// records. The zero time says that the collector does not tell.
func (r Report) AuthAdminSince() time.Time { return r.Sections[sectionAuthAdminEvents].Since }

// OAuthEvents reads the events of MSExchange OAuth, which judges the tokens
// that arrive, of the last 26 hours.
func (r Report) OAuthEvents() ([]Event, error) { return rowsOf(r, sectionOAuthEvents, readEvent) }

func readEvent(w *row) Event {
	e := Event{Time: w.needTime("time"), First: w.when("first"), ID: w.number("id"), Level: w.text("level"),
		Source: w.text("source"), Message: shown(w.text("message")), Count: w.count("count")}
	if e.First.IsZero() {
		e.First = e.Time
	}
	if e.First.After(e.Time) {
		e.First, e.Time = e.Time, e.First
	}
	e.KeyID, _ = Thumbprint(w.text("keyId"))
	return e
}

// Thumbprint reads a key id as Microsoft's tokens carry it (x5t, and kid of
// v1.0 tokens: the SHA-1 of the certificate in base64url, RFC 7515 section
// 4.1.7), or a thumbprint in hex, and gives the thumbprint in upper-case hex.
// It gives false for anything else.
func Thumbprint(keyID string) (string, bool) {
	keyID = strings.TrimSpace(keyID)
	if raw, err := hex.DecodeString(keyID); err == nil && len(raw) == 20 {
		return strings.ToUpper(keyID), true
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(keyID, "="))
	if err != nil || len(raw) != 20 {
		return "", false
	}
	return strings.ToUpper(hex.EncodeToString(raw)), true
}

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

// withoutSecrets takes tokens, queries of URLs and mail addresses out of a
// message of others.
func withoutSecrets(s string) string {
	s = queryForm.ReplaceAllString(s, "${1}?(query)")
	s = schemeForm.ReplaceAllString(s, "${1}${2}(token)")
	return addressForm.ReplaceAllString(tokenForm.ReplaceAllString(s, "(token)"), "(address)")
}

// shown makes a message of others one line without secrets. What is very long
// is cut between words first, so that no half of a secret escapes.
func shown(s string) string {
	if len(s) > maxLong {
		s = s[:max(0, strings.LastIndexAny(s[:maxLong], " \t\r\n"))]
	}
	return cut(withoutSecrets(s), maxMessage)
}
