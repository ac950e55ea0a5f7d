package lab

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// tokenLife is that of most tokens, as Entra has it in short.
const tokenLife = time.Hour

// eventedLife is that of tokens for clients that understand claims challenges
// (continuous access evaluation, capability CP1): those can be revoked, so they
// live long.
const eventedLife = 24 * time.Hour

// maxForm bounds a request for a token, in bytes.
const maxForm = 64 << 10

// serveToken answers the client credentials grant (RFC 6749, section 4.4), with
// a token that the key in use signs.
func (e *entra) serveToken(b *behaviour, w http.ResponseWriter, r *http.Request, endpoint string, using *signingKey) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		writeJSON(w, http.StatusBadRequest, oauthError{"invalid_request", aadsts(900144, "The request body could not be read.")})
		return
	}
	if status, refused := e.refuse(r.PostForm, endpoint); status != 0 {
		writeJSON(w, status, refused)
		return
	}
	if host := resourceOf(r.PostForm.Get("scope")); host != "" && host == b.cloud.unregistered {
		writeJSON(w, http.StatusBadRequest, oauthError{"invalid_resource", aadsts(500011, "The resource principal named https://%s was not found in the "+
			"tenant named Contoso.", host)})
		return
	}
	life := tokenLife
	if strings.Contains(r.PostForm.Get("claims"), `"CP1"`) {
		life = eventedLife
	}
	token, err := e.sign(r.PostForm.Get("client_id"), r.PostForm.Get("scope"), using, life)
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, oauthError{"server_error", aadsts(90033, "A transient error has occurred.")})
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "access_token": token,
		"expires_in": int(life.Seconds()), "ext_expires_in": int(life.Seconds())})
}

// refuse judges a token request; the status 0 lets it pass.
func (e *entra) refuse(form url.Values, endpoint string) (int, oauthError) {
	secret, assertion := form.Get("client_secret"), form.Get("client_assertion")
	switch {
	case form.Get("grant_type") != "client_credentials":
		return http.StatusBadRequest, oauthError{"unsupported_grant_type", aadsts(70003, "The app requested an unsupported grant type "+
			"'%s'.", form.Get("grant_type"))}
	case form.Get("client_id") != clientID && form.Get("client_id") != acceptanceID:
		return http.StatusBadRequest, oauthError{"unauthorized_client",
			aadsts(700016, "Application with identifier '%s' was not found in the directory 'Contoso'.", form.Get("client_id"))}
	case !strings.HasSuffix(form.Get("scope"), "/.default") && !strings.Contains(form.Get("scope"), "/.default "):
		return http.StatusBadRequest, oauthError{"invalid_scope", aadsts(1002012, "The provided value for scope %s is not valid.", form.Get("scope"))}
	case assertion != "":
		if err := e.client.prove(assertion, form.Get("client_id"), endpoint); err != nil {
			return http.StatusUnauthorized, oauthError{"invalid_client",
				aadsts(700027, "The certificate with identifier used to sign the client assertion is not valid: %s.", err)}
		}
	case subtle.ConstantTimeCompare([]byte(secret), []byte(e.client.secret)) != 1:
		return http.StatusUnauthorized, oauthError{"invalid_client", aadsts(7000215, "Invalid client secret provided.")}
	}
	return 0, oauthError{}
}

// sign makes an access token for the application (RFC 9068 is not what Entra
// follows: this is its version 1.0).
func (e *entra) sign(app, scope string, using *signingKey, life time.Duration) (string, error) {
	audience, _, _ := strings.Cut(scope, "/.default")
	now := e.now()
	return e.signed(map[string]any{"typ": "JWT", "alg": "RS256", "x5t": using.id(), "kid": using.id()},
		map[string]any{"aud": audience, "iss": "https://sts.windows.net/" + e.tenant + "/", "iat": now.Unix(), "nbf": now.Unix(),
			"exp": now.Add(life).Unix(), "appid": app, "appidacr": "2", "idtyp": "app", "tid": e.tenant, "uti": guid(), "ver": "1.0", "wids": []string{everyApp}})
}

// signed signs a JWT by RS256 (RFC 7515, section 3).
func (r *keyring) signed(head, claims map[string]any) (string, error) {
	text := encodePart(head) + "." + encodePart(claims)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, r.rsa, crypto.SHA256, digest[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), err
}
