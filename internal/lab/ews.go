package lab

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

const (
	// ewsHost is where Exchange Web Services stand among the lab's hosts.
	ewsHost = "ews"
	ewsName = "ews." + domain
	ewsPath = "/EWS/Exchange.asmx"

	// acceptanceID is that of hmad's application without any permission.
	acceptanceID = "8c1d3f52-6f0a-4d0e-9a57-1f5b0c7e4d21"
	// everyApp is the directory role that every app-only token names.
	everyApp = "0997a1d0-0d1d-4acb-b408-d5ca73121e90"
)

// serveEWS answers as the front end of Exchange Web Services does to a token of an
// application without any role.
func (l *Lab) serveEWS(b *behaviour, w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.URL.Path, ewsPath) {
		iisError(http.StatusNotFound, "File or directory not found.")(w, r)
		return
	}
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case b.ewsBasic:
		refuse(w, r, challenge{})
	case !bearer:
		refuse(w, r, b.challenge)
	default:
		refuse(w, r, l.refuseRoleless(b, token, b.seen(r)))
	}
}

// refuseRoleless says why Exchange refuses an application's token, in the order in
// which it looks: audience, issuer, signature, lifetime, roles.
func (l *Lab) refuseRoleless(b *behaviour, token string, seen seenURL) challenge {
	t, ok := readToken(token)
	c, tenant := b.challenge, l.facts.Tenant
	if b.ewsTenant != "" {
		tenant = b.ewsTenant
	}
	switch {
	case !ok:
		return c.refused(2000001, "Unable to read or process token.", "invalid_token")
	case !strings.EqualFold(strings.TrimSuffix(t.Audience, "/"), seen.String()):
		return c.refused(2000003, "The hostname component of the audience claim value is invalid. Expected '"+t.Audience+"'. Actual '"+seen.String()+"'.",
			"invalid_resource")
	case t.Issuer != "https://sts.windows.net/"+tenant+"/":
		return c.refused(2000001, "The issuer of the token is unknown. Issuer was '"+t.Issuer+"'.", "invalid_token")
	case b.ewsForgot || !l.signedByEntra(token):
		return c.refused(2000000, "The token has an invalid signature.", "invalid_signature")
	case l.opt.Now().Add(b.skew).Unix() > t.Expires:
		return c.refused(2000002, "The token has expired.", "invalid_token")
	default:
		return c.refused(2000001, "The value for claim type 'roles' is invalid.", "invalid_token")
	}
}

// signedByEntra reports whether the lab's Entra signed a token.
func (l *Lab) signedByEntra(token string) bool {
	at := strings.LastIndex(token, ".")
	signature, err := base64.RawURLEncoding.DecodeString(token[at+1:])
	digest := sha256.Sum256([]byte(token[:max(at, 0)]))
	return err == nil && rsa.VerifyPKCS1v15(&l.keys.rsa.PublicKey, crypto.SHA256, digest[:], signature) == nil
}

// resourceOf returns the host of the resource that a scope names.
func resourceOf(scope string) string {
	at, _, _ := strings.Cut(scope, "/.default")
	u, err := url.Parse(at)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// acceptanceFaults are those of Exchange's acceptance of a real token.
func acceptanceFaults() []fault {
	at := func(where, name, doc string, change func(*behaviour)) fault {
		return fault{where, "token_acceptance." + name, doc, change}
	}
	return []fault{
		at(atEntra, "audience_not_registered", "Entra knows no resource by the name of the ActiveSync host.",
			func(b *behaviour) { b.cloud.unregistered = mailName }),
		at(atEntra, "ews_audience_not_registered", "Entra knows no resource by the name of Exchange Web Services.",
			func(b *behaviour) { b.cloud.unregistered = ewsName }),
		at(ewsHost, "oauth_off_on_directory", "OAuth is off on the directory of Exchange Web Services.", func(b *behaviour) { b.ewsBasic = true }),
		at(ewsHost, "audience_mismatch", "The load balancer speaks plain HTTP to Exchange Web Services.",
			func(b *behaviour) { b.sees = &seenURL{"http", ewsName} }),
		at(ewsHost, "issuer_unknown", "Exchange's auth server is that of another tenant.", func(b *behaviour) { b.ewsTenant = otherTenant }),
		at(ewsHost, "signature_refused", "A worker of Exchange does not know the key that Entra signs with.", func(b *behaviour) { b.ewsForgot = true }),
		at(ewsHost, "expired_on_arrival", "The server's clock is two days ahead.", func(b *behaviour) { b.skew = 2 * day }),
	}
}
