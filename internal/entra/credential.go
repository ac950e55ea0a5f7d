// Package entra gets tokens of the target's tenant from Microsoft Entra ID, and
// reads who signed them and when. No error of it holds a secret or a token.
package entra

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

// ScopeExchangeOnline is the scope of Exchange Online's tokens in the worldwide
// cloud.
const ScopeExchangeOnline = "https://outlook.office365.com/.default"

const (
	maxSecretFile = 64 << 10 // of a certificate with its key, or a secret
	maxTokenHead  = 8 << 10  // of a JWT's header, coded
	maxTokenBody  = 64 << 10 // of its claims, coded
	maxUnix       = 1 << 35  // seconds, a thousand years
)

// The kinds of credential, for labels and messages.
const (
	KindCertificate      = "certificate"
	KindSecret           = "secret"
	KindManagedIdentity  = "managed_identity"
	KindWorkloadIdentity = "workload_identity"
)

// Credential gets tokens of the target's tenant with the one credential that
// the config names. It keeps tokens until shortly before they expire, and reads
// the changed file of a certificate, secret or federated token before the next token. It is safe for
// concurrent use. Its errors are of class token and name Microsoft's error code,
// never a secret.
type Credential struct {
	section  string // of the config
	settings config.App
	tenant   string
	env      check.Env
	client   *http.Client

	mu       sync.Mutex
	read     [sha256.Size]byte // of the file that source was built from
	source   azcore.TokenCredential
	notAfter time.Time
	secret   config.Secret // removed from errors, in case Entra echoes it
}

// New builds the target's credential for Exchange Online, reading its file but
// asking nothing. The errors name the setting at fault.
func New(t config.Target, env check.Env) (*Credential, error) {
	return Of(t, "exchange_online", t.ExchangeOnline.App, env)
}

// Of builds the credential of an app of the target's, which stands in a section
// of the config, as New does.
func Of(t config.Target, section string, app config.App, env check.Env) (*Credential, error) {
	if !app.Configured() {
		return nil, &config.FieldError{Path: section, Msg: "no credential is configured"}
	}
	way, err := transport.New(t, env)
	if err != nil {
		return nil, err
	}
	c := &Credential{section: section, settings: app, tenant: t.Tenant, env: env, client: way.Client()}
	return c, c.load()
}

// Kind returns the kind of the credential: KindCertificate, ...
func (c *Credential) Kind() string {
	switch e := c.settings; {
	case e.CertificateFile != "":
		return KindCertificate
	case e.SecretFile != "":
		return KindSecret
	case e.ManagedIdentity:
		return KindManagedIdentity
	default:
		return KindWorkloadIdentity
	}
}

// NotAfter returns when the credential's certificate expires; false without a
// certificate.
func (c *Credential) NotAfter() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.notAfter, !c.notAfter.IsZero()
}

// GetToken implements azcore.TokenCredential.
func (c *Credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.mu.Lock()
	err := c.load()
	source, secret := c.source, c.secret
	c.mu.Unlock()
	if err != nil {
		return azcore.AccessToken{}, check.Errorf(check.Token, "the credential cannot be read: %w", err)
	}
	last := new(lastRequest)
	token, err := source.GetToken(context.WithValue(ctx, lastKey{}, last), o)
	if err != nil {
		return azcore.AccessToken{}, tokenError(ctx, err, last.last(), secret)
	}
	return token, nil
}

// Fresh gets a token that the authority issues now, never a kept one: the caller
// wants to know which key signs at present. For a managed identity the platform
// keeps tokens too, for up to a day: see IssuedAt.
func (c *Credential) Fresh(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.Forget()
	return c.GetToken(ctx, o)
}

// Forget discards all kept tokens, so that the next one comes from Entra.
func (c *Credential) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.source = nil // load builds it anew
}

// load builds the credential again when its file has changed. A file that cannot
// be used is an error, although the older copy would still work: otherwise nobody
// would notice before the next start.
func (c *Credential) load() error {
	data, err := c.file()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	if c.source != nil && sum == c.read {
		return nil
	}
	if err := c.build(data); err != nil {
		return err
	}
	c.read = sum
	return nil
}

// file reads the credential's file; nothing for a managed identity.
func (c *Credential) file() ([]byte, error) {
	setting, name := c.where()
	if name == "" {
		return nil, nil
	}
	data, err := c.env.ReadFile(name, maxSecretFile)
	if err != nil {
		return nil, &config.FieldError{Path: setting, Msg: err.Error()}
	}
	return data, nil
}

// where returns the setting that names the credential's file, and its name.
func (c *Credential) where() (setting, name string) {
	switch c.Kind() {
	case KindCertificate:
		return c.section + ".certificate_file", c.settings.CertificateFile
	case KindSecret:
		return c.section + ".secret_file", c.settings.SecretFile
	case KindWorkloadIdentity:
		return c.section + ".workload_identity_file", c.settings.WorkloadIdentityFile
	default:
		return "", ""
	}
}

// keep keeps the text of the credential's file, which is the secret itself.
func (c *Credential) keep(data []byte) error {
	c.secret = config.NewSecret(string(bytes.TrimSpace(data)))
	if c.secret.Reveal() == "" {
		setting, name := c.where()
		return &config.FieldError{Path: setting, Msg: config.ShownFile(name) + " is empty"}
	}
	return nil
}

func (c *Credential) build(data []byte) (err error) {
	o := azcore.ClientOptions{
		Transport: tokenClient{c.client},
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: c.settings.AuthorityHost.String()},
		Retry:     policy.RetryOptions{MaxRetries: 1, RetryDelay: time.Second, MaxRetryDelay: 5 * time.Second},
	}
	e, off := c.settings, c.settings.DisableAuthorityCheck
	switch c.Kind() {
	case KindCertificate:
		return c.buildCertificate(data, &azidentity.ClientCertificateCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: off})
	case KindSecret:
		if err := c.keep(data); err != nil {
			return err
		}
		c.source, err = azidentity.NewClientSecretCredential(c.tenant, e.ClientID, c.secret.Reveal(),
			&azidentity.ClientSecretCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: off})
	case KindManagedIdentity:
		mo := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: o}
		if e.ClientID != "" {
			mo.ID = azidentity.ClientID(e.ClientID)
		}
		c.source, err = azidentity.NewManagedIdentityCredential(mo)
	default:
		if err := c.keep(data); err != nil {
			return err
		}
		federated := c.secret
		c.source, err = azidentity.NewClientAssertionCredential(c.tenant, e.ClientID, func(context.Context) (string, error) { return federated.Reveal(), nil },
			&azidentity.ClientAssertionCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: off})
	}
	if err != nil {
		return &config.FieldError{Path: c.section, Msg: redacted(err.Error(), c.secret)}
	}
	return nil
}

func (c *Credential) buildCertificate(data []byte, o *azidentity.ClientCertificateCredentialOptions) error {
	certs, key, err := parseCertificate(data)
	if err == nil {
		c.source, err = azidentity.NewClientCertificateCredential(c.tenant, c.settings.ClientID, certs, key, o)
	}
	if err != nil {
		return &config.FieldError{Path: c.section + ".certificate_file", Msg: config.ShownFile(c.settings.CertificateFile) + ": " + check.Line(err.Error(), 200)}
	}
	c.notAfter = certs[0].NotAfter
	return nil
}

// parseCertificate reads the certificate and its RSA key from PEM, with clear
// errors for what azidentity's own parser rejects without a reason.
func parseCertificate(data []byte) ([]*x509.Certificate, *rsa.PrivateKey, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // Notepad's byte order mark
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")):
		return nil, nil, errors.New("the file is UTF-16, as Windows PowerShell's > writes it: want ASCII or UTF-8")
	case bytes.Contains(data, []byte("ENCRYPTED PRIVATE KEY")) || bytes.Contains(data, []byte("Proc-Type: 4,ENCRYPTED")):
		return nil, nil, errors.New("the key is encrypted: want PEM without a passphrase, mode 0600")
	case !bytes.Contains(data, []byte("-----BEGIN ")):
		return nil, nil, errors.New("want PEM with certificate and key (of a PFX: openssl pkcs12 -in FILE -nodes)")
	}
	if bytes.Contains(data, []byte("EC PRIVATE KEY")) {
		return nil, nil, errNoRSA("EC")
	}
	certs, key, err := azidentity.ParseCertificates(data, nil)
	if err != nil {
		return nil, nil, errors.New("want PEM with a certificate and its key")
	}
	rsaKey, ok := key.(*rsa.PrivateKey)
	switch key.(type) {
	case *ecdsa.PrivateKey:
		return nil, nil, errNoRSA("EC")
	case ed25519.PrivateKey:
		return nil, nil, errNoRSA("Ed25519")
	}
	if !ok {
		return nil, nil, errNoRSA("unknown")
	}
	for i, c := range certs {
		if rsaKey.PublicKey.Equal(c.PublicKey) {
			certs[0], certs[i] = certs[i], certs[0]
			return certs, rsaKey, nil
		}
	}
	return nil, nil, errors.New("the key belongs to none of the certificates")
}

// errNoRSA is the error of a key of another kind: assertions are signed by PS256
// (learn.microsoft.com, «Microsoft identity platform application authentication
// certificate credentials»).
func errNoRSA(kind string) error {
	return fmt.Errorf("the key is an %s key, and Entra wants assertions signed with RSA: the key must be an RSA key (openssl req -x509 -newkey rsa:2048)", kind)
}

// KeyID returns the id of the key that signed a token: x5t of the JWT's header,
// else kid (RFC 7515 sections 4.1.7 and 4.1.4); see report.Thumbprint.
// No error holds any part of the token.
func KeyID(token string) (string, error) {
	head, _, ok := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if !ok || len(head) > maxTokenHead || err != nil {
		return "", check.Errorf(check.Token, "the token is not a JWT")
	}
	var h struct{ X5t, Kid string }
	if json.Unmarshal(raw, &h) != nil || h.X5t == "" && h.Kid == "" {
		return "", check.Errorf(check.Token, "the token's header names no key")
	}
	if h.X5t == "" {
		h.X5t = h.Kid
	}
	return check.Line(h.X5t, 200), nil
}

// IssuedAt returns when a token was issued, by its claim iat (RFC 7519 section
// 4.1.6). Entra writes five minutes before the true time. No error holds any
// part of the token.
func IssuedAt(token string) (time.Time, error) {
	parts := strings.Split(token, ".")
	if len(parts) < 2 || len(parts[1]) > maxTokenBody {
		return time.Time{}, check.Errorf(check.Token, "the token is not a JWT")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Iat float64 }
	switch {
	case err != nil || json.Unmarshal(raw, &claims) != nil:
		return time.Time{}, check.Errorf(check.Token, "the token's claims cannot be read")
	case claims.Iat <= 0 || claims.Iat > maxUnix:
		return time.Time{}, check.Errorf(check.Token, "the token does not say when it was issued")
	}
	return time.Unix(int64(claims.Iat), 0).UTC(), nil
}
