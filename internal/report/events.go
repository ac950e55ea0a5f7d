package report

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/powershell"
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
	return rowsOf(r, SectionAuthAdminEvents, readEvent)
}

// AuthAdminSince returns from when on the log was read for AuthAdminEvents, up to
// the report: later than 26 hours before where a full log has dropped its oldest
// records. Zero: the collector did not say.
func (r Report) AuthAdminSince() time.Time { return r.Sections[SectionAuthAdminEvents].Since }

// OAuthEvents reads the events of MSExchange OAuth, which judges the tokens
// that arrive, of the last 26 hours.
func (r Report) OAuthEvents() ([]Event, error) { return rowsOf(r, SectionOAuthEvents, readEvent) }

func readEvent(w *powershell.Fields) Event {
	e := Event{Time: w.NeedTime("time"), First: powershell.Alone(w, "first", w.Row.Time), ID: w.Number("id"), Level: w.Text("level"),
		Source: w.Text("source"), Message: shown(w.Text("message")), Count: w.Count("count")}
	if e.First.IsZero() {
		e.First = e.Time
	}
	if e.First.After(e.Time) {
		e.First, e.Time = e.Time, e.First
	}
	e.KeyID, _ = Thumbprint(w.Text("keyId"))
	return e
}

// Thumbprint reads a key id as Microsoft's tokens carry it (x5t, and kid of
// v1.0 tokens: the SHA-1 of the certificate in base64url, RFC 7515 section
// 4.1.7), or a thumbprint in hex, and returns the thumbprint in upper-case hex;
// false for anything else.
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

const (
	maxMessage = 1000 // runes of a message or error in a report
	maxLong    = 8000 // bytes of it that are looked at
)

// shown makes a message from outside one line without secrets. A very long one
// is first cut between words, so that no part of a secret remains.
func shown(s string) string {
	if len(s) > maxLong {
		s = s[:max(0, strings.LastIndexAny(s[:maxLong], " \t\r\n"))]
	}
	return check.Line(check.Redact(s), maxMessage)
}
