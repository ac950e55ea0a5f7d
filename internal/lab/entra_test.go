package lab

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	tokens "github.com/hmad/hmad/internal/entra"
	onprem "github.com/hmad/hmad/internal/report"
)

// get asks the lab's Entra.
func get(t *testing.T, l *Lab, path string, header ...string) seen {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, l.Facts().AuthorityHost+path, nil)
	require.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	s := ask(t, l, r, checktest.Patience)
	require.NoError(t, s.err)
	return s
}

const federationPath = tenant + "/federationmetadata/2007-06/federationmetadata.xml"

// federated returns the ids of the keys in the federation metadata, and its
// issuer.
func federated(t *testing.T, l *Lab) (ids []string, issuer string) {
	t.Helper()
	s := get(t, l, federationPath)
	require.Equal(t, 200, s.status)
	var doc struct {
		ID    string `xml:"entityID,attr"`
		Roles []struct {
			Type string   `xml:"type,attr"`
			Keys []string `xml:"KeyDescriptor>KeyInfo>X509Data>X509Certificate"`
		} `xml:"RoleDescriptor"`
		IDP []string `xml:"IDPSSODescriptor>KeyDescriptor>KeyInfo>X509Data>X509Certificate"`
	}
	require.NoError(t, xml.Unmarshal([]byte(s.body), &doc))
	require.Equal(t, "fed:SecurityTokenServiceType", doc.Roles[0].Type)
	assert.Equal(t, doc.Roles[0].Keys, doc.IDP, "each role has them")
	for _, text := range doc.Roles[0].Keys {
		der, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		_, err = x509.ParseCertificate(der)
		require.NoError(t, err)
		ids = append(ids, (&signingKey{der}).id())
	}
	return ids, doc.ID
}

// keyIDs returns those of the OpenID keys, found as clients find them.
func keyIDs(t *testing.T, l *Lab) (ids []string) {
	t.Helper()
	var doc struct {
		KeysURL string `json:"jwks_uri"`
	}
	require.NoError(t, json.Unmarshal([]byte(get(t, l, tenant+"/v2.0/.well-known/openid-configuration").body), &doc))
	path, ours := strings.CutPrefix(doc.KeysURL, l.Facts().AuthorityHost)
	require.True(t, ours, "nothing leads out of the lab: %s", doc.KeysURL)
	var keys struct {
		Keys []struct {
			Kid, X5t, Use string
			X5c           []string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(get(t, l, path).body), &keys))
	for _, k := range keys.Keys {
		der, err := base64.StdEncoding.DecodeString(k.X5c[0])
		require.NoError(t, err)
		assert.Equal(t, []string{(&signingKey{der}).id(), k.Kid, "sig"}, []string{k.Kid, k.X5t, k.Use})
		ids = append(ids, k.Kid)
	}
	return ids
}

// tokenKey gets a token as hmad does, with the given proof, and gives the id of
// the key that signed it.
func tokenKey(t *testing.T, l *Lab, e config.ExchangeOnline) string {
	t.Helper()
	f := l.Facts()
	e.ClientID, e.AuthorityHost, e.DisableAuthorityCheck = f.ClientID, checktest.Setting[config.URL](f.AuthorityHost), true
	credential, err := tokens.New(config.Target{Tenant: f.Tenant, CAFile: f.CAFile, ExchangeOnline: e}, env(l))
	require.NoError(t, err)
	token, err := credential.Fresh(t.Context(), policy.TokenRequestOptions{Scopes: []string{tokens.ScopeExchangeOnline}})
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(time.Hour), token.ExpiresOn, time.Minute)
	claims, ok := readToken(token.Token)
	require.True(t, ok)
	assert.Equal(t, "https://outlook.office365.com", claims.Audience)
	id, err := tokens.KeyID(token.Token)
	require.NoError(t, err)
	return id
}

func TestEntraPublishesItsKeysAndSignsWithOne(t *testing.T) {
	l := start(t)
	certificate := config.ExchangeOnline{App: config.App{CertificateFile: l.Facts().CertificateFile}}
	ids, issuer := federated(t, l)
	assert.Len(t, ids, 2)
	assert.Equal(t, "https://sts.windows.net/"+tenant+"/", issuer)
	assert.Equal(t, ids, keyIDs(t, l))
	assert.Equal(t, ids[0], tokenKey(t, l, certificate))
	assert.Equal(t, ids[0], tokenKey(t, l, config.ExchangeOnline{App: config.App{SecretFile: l.Facts().SecretFile}}), "by the secret as well")

	l.Roll(false)
	later, _ := federated(t, l)
	assert.Equal(t, ids, later[:2])
	assert.Len(t, later, 3)
	assert.Equal(t, ids[1], tokenKey(t, l, certificate), "the one that was published ahead signs now")

	l.Roll(true)
	at, _ := federated(t, l)
	assert.Len(t, at, 4)
	assert.Equal(t, at, keyIDs(t, l))
	assert.Equal(t, at[3], tokenKey(t, l, certificate))
}

func TestFaultsOfEntra(t *testing.T) {
	l := start(t)
	before, _ := federated(t, l)
	certificate := config.ExchangeOnline{App: config.App{CertificateFile: l.Facts().CertificateFile}}
	type entra struct {
		published, stored int
		newKeySigns       bool
		issuer            string
		past              []time.Duration // of the published
	}
	own := "https://sts.windows.net/" + tenant + "/"
	for name, want := range map[string]entra{
		"evosts_metadata.realm_mismatch":      {2, 2, false, "https://sts.windows.net/" + otherTenant + "/", nil},
		"evosts_metadata.certificate_limit":   {9, 9, false, own, nil},
		"evosts_metadata.signing_key_missing": {3, 2, true, own, []time.Duration{time.Minute}},
		"evosts_metadata.metadata_stale":      {3, 2, false, own, []time.Duration{9 * time.Hour}},
		"evosts_metadata.metadata_long_stale": {3, 2, false, own, []time.Duration{14 * time.Hour}},
		"configuration.cloud_unsupported":     {2, 2, false, own, nil},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, l.Set(name, true))
			ids, issuer := federated(t, l)
			var past []time.Duration
			for _, p := range l.Past().Published {
				past = append(past, p.For)
				assert.Equal(t, ids[len(ids)-1], (&signingKey{p.DER}).id())
			}
			assert.Equal(t, want, entra{len(ids), stored(t, l), tokenKey(t, l, certificate) == ids[len(ids)-1], issuer, past})
			scope := get(t, l, tenant+"/v2.0/.well-known/openid-configuration").body
			assert.Equal(t, name == "configuration.cloud_unsupported", strings.Contains(scope, `"tenant_region_sub_scope":"GCC"`))
			require.NoError(t, l.Set(name, false))
			ids, _ = federated(t, l)
			assert.Equal(t, before, ids)
			assert.Empty(t, l.Past().Published)
		})
	}
}

// stored counts the certificates that the servers report as stored.
func stored(t *testing.T, l *Lab) int {
	t.Helper()
	arrived, err := onprem.ReadFolder(env(l), l.Facts().Reports)
	require.NoError(t, err)
	all, err := arrived[0].AuthServers()
	require.NoError(t, err)
	for _, a := range all {
		if a.Type == onprem.TypeAzureAD {
			return len(a.Certificates)
		}
	}
	return 0
}

func TestPastOfAStoppedJob(t *testing.T) {
	l := start(t)
	assert.Equal(t, Past{Server: "EX01"}, l.Past())
	require.NoError(t, l.Set("metadata_refresh.refresh_overdue", true))
	assert.Equal(t, Past{LastRefresh: 14 * time.Hour, Server: "EX01"}, l.Past())
}

func TestUnchangedMetadataIsNotSentAgain(t *testing.T) {
	l := start(t)
	tag := get(t, l, federationPath).header.Get("ETag")
	require.NotEmpty(t, tag)
	again := get(t, l, federationPath, "If-None-Match", tag)
	assert.Equal(t, http.StatusNotModified, again.status)
	assert.Empty(t, again.body)
	l.Roll(false)
	assert.Equal(t, http.StatusOK, get(t, l, federationPath, "If-None-Match", tag).status)
}

func TestEntraKnowsOneTenant(t *testing.T) {
	l := start(t)
	assert.Equal(t, 404, get(t, l, "").status)
	assert.Equal(t, 404, get(t, l, tenant+"/other").status)
	other := get(t, l, otherTenant+"/v2.0/.well-known/openid-configuration")
	assert.Equal(t, 400, other.status)
	assert.Contains(t, other.body, "AADSTS90002")
}

// Whoever does not prove to be the client gets no token.
func TestTokensRefused(t *testing.T) {
	l := start(t)
	endpoint := l.Facts().AuthorityHost + tenant + "/oauth2/v2.0/token"
	good := func() url.Values {
		return url.Values{"grant_type": {"client_credentials"}, "client_id": {l.Facts().ClientID},
			"scope": {tokens.ScopeExchangeOnline}, "client_secret": {l.client.secret}}
	}
	claims := func(change map[string]any) map[string]any {
		c := map[string]any{"aud": endpoint, "iss": clientID, "sub": clientID, "jti": "1", "nbf": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
		for k, v := range change {
			c[k] = v
		}
		return c
	}
	stranger, err := newClient(time.Now)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change map[string]string
		want   string
	}{
		"nothing wrong":         {nil, `"access_token"`},
		"a good assertion":      {map[string]string{"client_assertion": assertion(t, l.client, claims(nil))}, `"access_token"`},
		"another secret":        {map[string]string{"client_secret": "wrong"}, "AADSTS7000215"},
		"no proof":              {map[string]string{"client_secret": ""}, "AADSTS7000215"},
		"another application":   {map[string]string{"client_id": otherTenant}, "AADSTS700016"},
		"another grant":         {map[string]string{"grant_type": "password"}, "AADSTS70003"},
		"a single permission":   {map[string]string{"scope": "https://graph.microsoft.com/User.Read"}, "AADSTS1002012"},
		"another's certificate": {map[string]string{"client_assertion": assertion(t, stranger, claims(nil))}, "not registered"},
		"another audience":      {map[string]string{"client_assertion": assertion(t, l.client, claims(map[string]any{"aud": "https://login.contoso.test/"}))}, "another audience"},
		"another issuer":        {map[string]string{"client_assertion": assertion(t, l.client, claims(map[string]any{"iss": otherTenant}))}, "another audience or client"},
		"an old assertion":      {map[string]string{"client_assertion": assertion(t, l.client, claims(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}))}, "outside its time"},
		"a spoilt signature":    {map[string]string{"client_assertion": assertion(t, l.client, claims(nil)) + "AA"}, "signature is wrong"},
		"no JWT":                {map[string]string{"client_assertion": "x"}, "no JWT"},
		"parts that are none":   {map[string]string{"client_assertion": "a.b.c"}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			form := good()
			for k, v := range c.change {
				form.Set(k, v)
			}
			r, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(form.Encode()))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			s := ask(t, l, r, checktest.Patience)
			require.NoError(t, s.err)
			assert.Contains(t, s.body, c.want)
			assert.Equal(t, name == "nothing wrong" || name == "a good assertion", s.status == 200)
			assert.NotContains(t, s.body, l.client.secret)
		})
	}
}

// assertion signs claims as a client with a certificate does (RS256).
func assertion(t *testing.T, c *client, claims map[string]any) string {
	t.Helper()
	signer := entra{keyring: &keyring{now: time.Now, rsa: c.key}}
	id := (&signingKey{c.cert.Raw}).id()
	token, err := signer.signed(map[string]any{"typ": "JWT", "alg": "RS256", "x5t": id}, claims)
	require.NoError(t, err)
	return token
}

func TestRollAndRefreshThroughTheControlPort(t *testing.T) {
	l := start(t)
	post := func(path string) int {
		resp, err := http.Post(l.Facts().Control+path, "", nil)
		require.NoError(t, err)
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		return resp.StatusCode
	}
	defer http.DefaultClient.CloseIdleConnections()
	assert.Equal(t, http.StatusNoContent, post("/roll?use=now"))
	published, using := l.keys.keys()
	assert.Len(t, published, 3)
	assert.Same(t, published[2], using)
	assert.Equal(t, 2, stored(t, l))
	assert.Equal(t, http.StatusNoContent, post("/refresh"))
	assert.Equal(t, 3, stored(t, l))
}
