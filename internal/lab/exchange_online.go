package lab

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/lab/online"
	"github.com/hmad/hmad/internal/phones"
)

// outlookName is Exchange Online's host, where the admin API is.
const outlookName = "outlook." + domain

// watchedNames are the mailboxes that the lab's config watches: the probe
// mailbox with severity warning, the board's with critical.
var watchedNames = []string{strings.TrimSuffix(mailbox, "@"+domain), "board"}

// Online says what Exchange Online the lab has.
type Online struct {
	Mailboxes      int           // of the fleet; 0: there is no Exchange Online
	Phones         phones.Fleet  // how they live; its zero value: day and night, from a week ago
	Latency        time.Duration // of an answer on average; in earnest 0.6 to 1 s
	CallsPerSecond float64       // that the tenant allows; 0: any number
}

// onlineHost is Exchange Online's name among the lab's hosts: the check that
// asks it.
const onlineHost = "mailbox_sync"

// openOnline makes the tenant's Exchange Online and its host.
func (l *Lab) openOnline() *host {
	o := l.opt.Online
	l.online = online.New(online.Options{ID: l.facts.Tenant, Domain: domain, Named: watchedNames, Mailboxes: o.Mailboxes, Phones: o.Phones,
		Latency: o.Latency, CallsPerSecond: o.CallsPerSecond, Now: l.opt.Now, Trust: func(token string) bool { return l.trusts(token, "https://outlook.office365.com") }})
	return &host{check: onlineHost, name: outlookName, app: l.serveOnline, addrs: frontEnds[:1]}
}

func (l *Lab) serveOnline(_ *behaviour, w http.ResponseWriter, r *http.Request) {
	l.online.ServeHTTP(w, r)
}

// trusts judges an access token as Microsoft's services do: signed by Entra, for
// the audience, the tenant and its time.
func (l *Lab) trusts(token, audience string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	var c struct {
		Aud, Tid, Appid string
		Exp             int64
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !decodePart(parts[1], &c) {
		return false
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return c.Aud == audience && c.Tid == l.facts.Tenant && c.Appid == clientID && l.opt.Now().Unix() < c.Exp &&
		rsa.VerifyPKCS1v15(&l.keys.rsa.PublicKey, crypto.SHA256, digest[:], signature) == nil
}
