package entra

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra/entratest"
)

func getToken(ctx context.Context, c *Credential) (string, error) {
	token, err := c.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{ScopeExchangeOnline}})
	return token.Token, err
}

func TestACertificateGetsATokenByItsSignature(t *testing.T) {
	i := checktest.NewCA(t).Issue(t, "hmad")
	e := &entratest.Authority{Cert: i.Cert}
	target := e.Target(t)
	target.ExchangeOnline.CertificateFile = checktest.Written(t, "hmad.pem", i.KeyPEM+i.CertPEM)
	c, err := New(target, checktest.Env(time.Now))
	require.NoError(t, err)
	assert.Equal(t, KindCertificate, c.Kind())
	notAfter, ok := c.NotAfter()
	assert.True(t, ok)
	assert.Equal(t, i.Cert.NotAfter, notAfter)
	for range 3 {
		token, err := getToken(context.Background(), c)
		require.NoError(t, err)
		assert.Equal(t, entratest.AccessToken, token)
	}
	assert.Equal(t, 1, e.Tokens(), "a token serves until shortly before it expires")
	_, err = c.Fresh(context.Background(), policy.TokenRequestOptions{Scopes: []string{ScopeExchangeOnline}})
	require.NoError(t, err)
	assert.Equal(t, 2, e.Tokens(), "a fresh one is issued now")
}

func TestAChangedCertificateFileIsTakenIntoUse(t *testing.T) {
	ca := checktest.NewCA(t)
	first, second := ca.Issue(t, "hmad"), ca.Issue(t, "hmad")
	e := &entratest.Authority{Cert: second.Cert}
	target := e.Target(t)
	file := checktest.Written(t, "hmad.pem", first.CertPEM+first.KeyPEM)
	target.ExchangeOnline.CertificateFile = file
	c, err := New(target, checktest.Env(time.Now))
	require.NoError(t, err)
	_, err = getToken(context.Background(), c)
	require.ErrorContains(t, err, "no token: Entra answers 401: AADSTS700027: the certificate is not registered")
	assert.Equal(t, check.Token, check.ClassOf(err))

	require.NoError(t, os.WriteFile(file, []byte(second.CertPEM+second.KeyPEM), 0o600))
	_, err = getToken(context.Background(), c)
	require.NoError(t, err)
	notAfter, _ := c.NotAfter()
	assert.Equal(t, second.Cert.NotAfter, notAfter)

	require.NoError(t, os.WriteFile(file, []byte("half"), 0o600))
	_, err = getToken(context.Background(), c)
	require.ErrorContains(t, err, "the credential cannot be read: exchange_online.certificate_file:")
	assert.Equal(t, check.Token, check.ClassOf(err))
}

func TestASecretAndAFederatedTokenGetTokens(t *testing.T) {
	for name, c := range map[string]struct {
		kind string
		edit func(*config.ExchangeOnline)
	}{
		"secret": {KindSecret, func(e *config.ExchangeOnline) {
			e.SecretFile = checktest.Written(t, "secret", entratest.ClientSecret+"\n")
		}},
		"federated": {KindWorkloadIdentity, func(e *config.ExchangeOnline) {
			e.WorkloadIdentityFile = checktest.Written(t, "jwt", entratest.FederatedToken)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			target := new(entratest.Authority).Target(t)
			c.edit(&target.ExchangeOnline)
			credential, err := New(target, checktest.Env(time.Now))
			require.NoError(t, err)
			assert.Equal(t, c.kind, credential.Kind())
			_, ok := credential.NotAfter()
			assert.False(t, ok, "it has no certificate")
			token, err := getToken(context.Background(), credential)
			require.NoError(t, err)
			assert.Equal(t, entratest.AccessToken, token)
		})
	}
}

func TestAFederatedTokenThatIsNotThere(t *testing.T) {
	for name, want := range map[string]string{
		"/nonexistent/jwt":                      "exchange_online.workload_identity_file: open /nonexistent/jwt: no such file or directory",
		checktest.Written(t, "empty.txt", "\n"): "is empty",
	} {
		target := new(entratest.Authority).Target(t)
		target.ExchangeOnline.WorkloadIdentityFile = name
		_, err := New(target, checktest.Env(time.Now))
		require.ErrorContains(t, err, want)
	}
}

func TestAFederatedTokenThatChangesIsReadAnew(t *testing.T) {
	target := new(entratest.Authority).Target(t)
	file := checktest.Written(t, "jwt", "an.older.one")
	target.ExchangeOnline.WorkloadIdentityFile = file
	credential, err := New(target, checktest.Env(time.Now))
	require.NoError(t, err)
	_, err = getToken(context.Background(), credential)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "an.older.one")
	require.NoError(t, os.WriteFile(file, []byte(entratest.FederatedToken+"\n"), 0o600))
	token, err := getToken(context.Background(), credential)
	require.NoError(t, err)
	assert.Equal(t, entratest.AccessToken, token)
}

func TestAManagedIdentityAsksThisHost(t *testing.T) {
	var asked *http.Request
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		fmt.Fprintf(w, `{"access_token":%q,"expires_on":"%d","resource":"x","token_type":"Bearer"}`, entratest.AccessToken, time.Now().Add(time.Hour).Unix())
	}))
	t.Cleanup(srv.Close)
	env := checktest.Env(time.Now)
	env.Resolve = func(_ context.Context, _, host string) ([]netip.Addr, error) {
		a, err := netip.ParseAddr(host)
		return []netip.Addr{a}, err
	}
	target := config.Target{Tenant: entratest.TenantID, Proxy: checktest.Setting[config.Proxy]("http://127.0.0.1:1"),
		ExchangeOnline: config.ExchangeOnline{App: config.App{ManagedIdentity: true, ClientID: entratest.ClientID}},
		ConnectTo:      checktest.Setting[config.ConnectTo](map[string]string{"169.254.169.254:80": srv.Listener.Addr().String()})}
	c, err := New(target, env)
	require.NoError(t, err)
	assert.Equal(t, KindManagedIdentity, c.Kind())
	token, err := getToken(context.Background(), c)
	require.NoError(t, err)
	assert.Equal(t, entratest.AccessToken, token)
	assert.Equal(t, "true", asked.Header.Get("Metadata"))
	assert.Equal(t, "https://outlook.office365.com", asked.URL.Query().Get("resource"))
}

func TestATokenThatIsRefused(t *testing.T) {
	answer := func(code int, body string) func(http.ResponseWriter, url.Values) bool {
		return func(w http.ResponseWriter, _ url.Values) bool {
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(code)
			fmt.Fprint(w, body)
			return true
		}
	}
	for name, c := range map[string]struct {
		fail func(http.ResponseWriter, url.Values) bool
		want string
	}{
		"by a code":                      {answer(401, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Trace ID: x\r\nmore"}`), "Entra answers 401: AADSTS7000215: Invalid client secret provided."},
		"by a name":                      {answer(400, `{"error":"unauthorized_client","error_description":"none"}`), "Entra answers 400: unauthorized_client"},
		"by a page":                      {answer(403, `<html>blocked</html>`), "the token endpoint's answer (status 403) is a page of something else (a captive portal"},
		"by a captive portal":            {answer(200, `<!DOCTYPE html><html>Sign in to the planted-hotel network</html>`), "is a page of something else (a captive portal"},
		"by JSON of a stranger":          {answer(200, `{"planted-hotel":1}`), "no access token in it"},
		"by nothing":                     {answer(200, ``), "no access token in it"},
		"by half an answer":              {answer(200, `{"access_tok`), "no access token in it"},
		"by a body without end":          {endless(200, `{"access_token":"`), "no access token in it"},
		"by an error without end":        {endless(400, `{"error":"invalid_client","error_description":"`), "Entra answers 400: the answer is no OAuth error"},
		"by a page without end":          {endless(200, `<html>`), "is a page of something else (a captive portal"},
		"by deep JSON":                   {answer(200, strings.Repeat(`{"a":`, 1e5)), "no access token in it"},
		"by a token that is a list":      {answer(200, `{"access_token":["a"],"expires_in":3600,"token_type":"Bearer"}`), "no access token in it"},
		"by a life that is a text":       {answer(200, `{"access_token":"a","expires_in":"for ever","token_type":"Bearer"}`), "no access token in it"},
		"for a tenant that is not there": {answer(400, `{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant 'x' not found. Check to make sure."}`), "AADSTS90002: Tenant 'x' not found. Check to make sure.; Microsoft's sign-in service does not know the tenant (AADSTS90002)"},
		"for now":                        {answer(429, `{"error":"temporarily_unavailable","error_description":"AADSTS90055: too many"}`), "Entra answers 429: AADSTS90055"},
		"by an echo": {func(w http.ResponseWriter, form url.Values) bool {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"invalid_request","error_description":"AADSTS90014: got client_secret %s and %s"}`, form.Get("client_secret"), entratest.AccessToken)
			return true
		}, "AADSTS90014: got client_secret (secret) and (token)"},
	} {
		t.Run(name, func(t *testing.T) {
			target := (&entratest.Authority{Fail: c.fail}).Target(t)
			target.ExchangeOnline.SecretFile = checktest.Written(t, "secret", entratest.ClientSecret)
			credential, err := New(target, checktest.Env(time.Now))
			require.NoError(t, err)
			_, err = getToken(context.Background(), credential)
			require.ErrorContains(t, err, c.want)
			assert.Equal(t, check.Token, check.ClassOf(err))
			checktest.OneLine(t, err)
			assert.NotContains(t, err.Error(), entratest.ClientSecret)
			assert.NotContains(t, err.Error(), entratest.AccessToken)
			assert.NotContains(t, err.Error(), "planted-hotel")
		})
	}
}

// endless writes a body until the client is gone.
func endless(code int, begin string) func(http.ResponseWriter, url.Values) bool {
	return func(w http.ResponseWriter, _ url.Values) bool {
		w.WriteHeader(code)
		for _, err := io.WriteString(w, begin); err == nil; {
			_, err = io.WriteString(w, strings.Repeat("x", 64<<10))
		}
		return true
	}
}

func TestATokenThatDoesNotComeInTime(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	authority := &entratest.Authority{Fail: func(http.ResponseWriter, url.Values) bool { cancel(); return false }}
	target := authority.Target(t)
	target.ExchangeOnline.SecretFile = checktest.Written(t, "secret", "wrong")
	c, err := New(target, checktest.Env(time.Now))
	require.NoError(t, err)
	_, err = getToken(ctx, c)
	require.ErrorIs(t, err, context.Canceled)
}

func TestCredentialsThatCannotBeBuilt(t *testing.T) {
	i := checktest.NewCA(t).Issue(t, "hmad")
	other := checktest.NewCA(t).Issue(t, "hmad")
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ecDER, err := x509.MarshalPKCS8PrivateKey(ec)
	require.NoError(t, err)
	pem1 := func(content string) func(*config.ExchangeOnline) {
		return func(e *config.ExchangeOnline) { e.CertificateFile = checktest.Written(t, "hmad.pem", content) }
	}
	for name, c := range map[string]struct {
		edit func(*config.ExchangeOnline)
		want string
	}{
		"none":                      {func(*config.ExchangeOnline) {}, "no credential is configured"},
		"a file that is not there":  {func(e *config.ExchangeOnline) { e.CertificateFile = "/nowhere/hmad.pem" }, "certificate_file: "},
		"an encrypted key":          {pem1(i.CertPEM + string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}))), "the key is encrypted"},
		"a PFX":                     {pem1("\x30\x82\x0a"), "want PEM with certificate and key (of a PFX: openssl"},
		"a certificate without key": {pem1(i.CertPEM), "want PEM with a certificate and its key"},
		"a key without certificate": {pem1(i.KeyPEM), "want PEM with a certificate and its key"},
		"the key of another":        {pem1(i.CertPEM + other.KeyPEM), "the key belongs to none of the certificates"},
		"a SEC 1 EC key":            {pem1(i.CertPEM + checktest.PEM("EC PRIVATE KEY", ecDER)), "the key is an EC key, and Entra wants assertions signed with RSA"},
		"UTF-16":                    {pem1("\xff\xfe-\x00"), "the file is UTF-16"},
		"an EC key":                 {pem1(i.CertPEM + checktest.PEM("PRIVATE KEY", ecDER)), "the key is an EC key, and Entra wants"},
		"an empty secret":           {func(e *config.ExchangeOnline) { e.SecretFile = checktest.Written(t, "secret", " \n") }, "is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			target := config.Target{Tenant: entratest.TenantID, ExchangeOnline: config.ExchangeOnline{App: config.App{ClientID: entratest.ClientID,
				AuthorityHost: checktest.Setting[config.URL]("https://login.contoso.test/")}}}
			c.edit(&target.ExchangeOnline)
			_, err := New(target, checktest.Env(time.Now))
			require.ErrorContains(t, err, c.want)
			checktest.OneLine(t, err)
			assert.NotContains(t, err.Error(), entratest.ClientSecret)
			assert.NotContains(t, err.Error(), strings.Split(i.KeyPEM, "\n")[2])
		})
	}
}

func TestKeyID(t *testing.T) {
	got, err := KeyID(entratest.AccessToken)
	require.NoError(t, err)
	assert.Equal(t, "ihwrPU5fYHGCk6S1xtfo-QEjRWc", got)
	got, err = KeyID("eyJraWQiOiJhYmMifQ.e30.")
	require.NoError(t, err)
	assert.Equal(t, "abc", got, "kid where there is no x5t")
	for name, token := range map[string]string{
		"nothing": "", "opaque": "planted-opaque-token", "no base64": "e!.x.y", "no JSON": "cGxhbnRlZA.x.y",
		"no key": "e30.x.y", "a long header": strings.Repeat("A", maxTokenHead+1) + ".x.y",
	} {
		_, err := KeyID(token)
		require.Error(t, err, name)
		assert.Equal(t, check.Token, check.ClassOf(err), name)
		assert.NotContains(t, err.Error(), "planted", name)
	}
}

func TestIssuedAt(t *testing.T) {
	part := base64.RawURLEncoding.EncodeToString
	at, err := IssuedAt("e30." + part([]byte(`{"iat":1795338900}`)) + ".x")
	require.NoError(t, err)
	assert.Equal(t, time.Date(2026, 11, 22, 9, 15, 0, 0, time.UTC), at)
	for name, claims := range map[string]string{"none": `{}`, "a text": `{"iat":"planted"}`, "negative": `{"iat":-1}`, "far": `{"iat":1e300}`, "no JSON": `planted`} {
		_, err := IssuedAt("e30." + part([]byte(claims)) + ".x")
		require.Error(t, err, name)
		assert.Equal(t, check.Token, check.ClassOf(err), name)
		assert.NotContains(t, err.Error(), "planted", name)
	}
	_, err = IssuedAt("planted")
	assert.ErrorContains(t, err, "not a JWT")
}

func TestAnotherCloudIsNamed(t *testing.T) {
	for host, want := range map[string]string{
		"login.microsoftonline.com": "", "127.0.0.1": "",
		"login.partner.microsoftonline.cn": "; login.partner.microsoftonline.cn is the sign-in host of Microsoft's cloud in China (21Vianet), " +
			"for which hybrid Modern Authentication of Outlook mobile is not supported",
	} {
		assert.Equal(t, want, otherCloud(&http.Request{URL: &url.URL{Host: host}}))
	}
	assert.Empty(t, otherCloud(nil))
}
