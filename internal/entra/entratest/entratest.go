// Package entratest is Microsoft Entra ID on loopback, for tests.
package entratest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// What an Authority knows and hands out.
const (
	TenantID       = "5de110f8-2e0f-4d45-891d-bcf2218e253d"
	ClientID       = "3f0b9b4e-1f0e-4b57-9c70-0c4c3f1d2a55"
	ClientSecret   = "planted-client-secret"
	FederatedToken = "planted.federated.token"
	AccessToken    = "eyJhbGciOiJSUzI1NiIsIng1dCI6Imlod3JQVTVmWUhHQ2s2UzF4dGZvLVFFalJXYyJ9.eyJwbGFudGVkIjoxfQ.cGxhbnRlZA"
)

// Authority is an authority that hands out tokens to whoever proves to be the
// client: by a secret, a federated token, or an assertion that cert signed.
type Authority struct {
	Cert *x509.Certificate
	Fail func(w http.ResponseWriter, form url.Values) bool // answers in place of a token where it returns true

	mu     sync.Mutex
	tokens int
	claims string
}

// Tokens returns how many tokens were handed out.
func (e *Authority) Tokens() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tokens
}

// Claims returns the claims that the last token was asked for with.
func (e *Authority) Claims() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.claims
}

// Target returns a target whose authority is this one, and its CA; it has no
// credential yet.
func (e *Authority) Target(t testing.TB) config.Target {
	t.Helper()
	ca := checktest.NewCA(t)
	port := checktest.Serve(t, ca, "login.contoso.test", e)
	return config.Target{Tenant: TenantID, CAFile: ca.File, ExchangeOnline: config.ExchangeOnline{App: config.App{ClientID: ClientID,
		AuthorityHost: checktest.Setting[config.URL]("https://login.contoso.test:" + port + "/"), DisableAuthorityCheck: true}}}
}

// ServeHTTP implements http.Handler.
func (e *Authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	base := "https://" + r.Host + "/" + TenantID
	switch r.URL.Path {
	case "/" + TenantID + "/v2.0/.well-known/openid-configuration":
		fmt.Fprintf(w, `{"authorization_endpoint":"%[1]s/oauth2/v2.0/authorize","token_endpoint":"%[1]s/oauth2/v2.0/token","issuer":"%[1]s/v2.0"}`, base)
	case "/" + TenantID + "/oauth2/v2.0/token":
		r.ParseForm()
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.Fail != nil && e.Fail(w, r.PostForm) {
			return
		}
		if err := e.verify(r.PostForm, base+"/oauth2/v2.0/token"); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":"invalid_client","error_description":"AADSTS700027: %s"}`, err)
			return
		}
		e.tokens++
		e.claims = r.PostForm.Get("claims")
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":%q}`, AccessToken)
	default:
		http.NotFound(w, r)
	}
}

// verify judges the client's proof.
func (e *Authority) verify(form url.Values, endpoint string) error {
	if form.Get("grant_type") != "client_credentials" || form.Get("client_id") != ClientID ||
		!strings.Contains(form.Get("scope"), "https://outlook.office365.com/.default") {
		return fmt.Errorf("unexpected form")
	}
	if form.Get("client_secret") == ClientSecret {
		return nil
	}
	assertion := form.Get("client_assertion")
	if assertion == FederatedToken {
		return nil
	}
	return verifyAssertion(e.Cert, assertion, endpoint)
}

// verifyAssertion checks a client assertion as Entra does: PS256 by the key of
// the registered certificate, that x5t#S256 names, for this client and endpoint.
func verifyAssertion(cert *x509.Certificate, assertion, endpoint string) error {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return fmt.Errorf("no JWT")
	}
	var head struct {
		Alg, Typ string
		X5t      string `json:"x5t#S256"`
	}
	var claims struct {
		Aud, Iss, Sub, Jti string
		Nbf, Exp           int64
	}
	for i, into := range []any{&head, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return fmt.Errorf("part %d is not readable", i)
		}
	}
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	thumbprint := sha256.Sum256(cert.Raw)
	now := time.Now().Unix()
	switch {
	case head.Alg != "PS256" || head.Typ != "JWT":
		return fmt.Errorf("alg %s", head.Alg)
	case !slices.Contains([]string{base64.StdEncoding.EncodeToString(thumbprint[:]), base64.RawURLEncoding.EncodeToString(thumbprint[:])}, head.X5t):
		return fmt.Errorf("the certificate is not registered")
	case claims.Aud != endpoint || claims.Iss != ClientID || claims.Sub != ClientID || claims.Jti == "":
		return fmt.Errorf("claims are wrong")
	case now < claims.Nbf-5 || now > claims.Exp || claims.Exp-claims.Nbf > 600:
		return fmt.Errorf("outside its time")
	case rsa.VerifyPSS(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature, nil) != nil:
		return fmt.Errorf("the signature is wrong")
	}
	return nil
}
