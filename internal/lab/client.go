package lab

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"time"
)

// clientID is that of hmad's application in the lab's tenant.
const clientID = "3f0b9b4e-1f0e-4b57-9c70-0c4c3f1d2a55"

// client is an application that is registered with the lab's Entra, with a
// certificate and a secret.
type client struct {
	now    func() time.Time
	cert   *x509.Certificate
	key    *rsa.PrivateKey
	secret string
}

func newClient(now func() time.Time) (*client, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048) // Entra takes no other kind
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "hmad in the lab"},
		NotBefore: now().Add(-day), NotAfter: now().Add(365 * day)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &client{now, cert, key, rand.Text()}, err
}

// pem returns certificate and key, as exchange_online.certificate_file wants
// them.
func (c *client) pem() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return nil, err
	}
	return append(certificatePEM(c.cert.Raw), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...), nil
}

// prove judges a client assertion (RFC 7523, section 3): signed by the
// registered certificate's key, for this client and endpoint, and of now.
func (c *client) prove(assertion, id, endpoint string) error {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return errors.New("the assertion is no JWT")
	}
	var head struct {
		Alg     string
		X5t     string
		X5tS256 string `json:"x5t#S256"`
	}
	var claims struct {
		Aud, Iss, Sub, Jti string
		Nbf, Exp           int64
	}
	if !decodePart(parts[0], &head) || !decodePart(parts[1], &claims) {
		return errors.New("the assertion cannot be read")
	}
	now := c.now().Unix()
	switch {
	case !c.named(head.X5t, head.X5tS256):
		return errors.New("the certificate is not registered")
	case claims.Aud != endpoint || claims.Iss != id || claims.Sub != id || claims.Jti == "":
		return errors.New("the assertion is for another audience or client")
	case now < claims.Nbf-300 || now > claims.Exp+300:
		return errors.New("the assertion is outside its time")
	case !c.signed(head.Alg, parts):
		return errors.New("the signature is wrong")
	}
	return nil
}

// named reports whether a header names the registered certificate, by SHA-1 or
// SHA-256, in either base64 that clients use.
func (c *client) named(x5t, x5tS256 string) bool {
	small, large := sha1.Sum(c.cert.Raw), sha256.Sum256(c.cert.Raw)
	is := func(s string, sum []byte) bool {
		return s == base64.RawURLEncoding.EncodeToString(sum) || s == base64.StdEncoding.EncodeToString(sum)
	}
	return is(x5t, small[:]) || is(x5tS256, large[:])
}

func (c *client) signed(alg string, parts []string) bool {
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	switch {
	case err != nil:
		return false
	case alg == "PS256":
		return rsa.VerifyPSS(&c.key.PublicKey, crypto.SHA256, digest[:], signature, nil) == nil
	default:
		return alg == "RS256" && rsa.VerifyPKCS1v15(&c.key.PublicKey, crypto.SHA256, digest[:], signature) == nil
	}
}
