package probes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const testHost = "mail.contoso.test"

// authority is a certificate authority of a test.
type authority struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	parent *authority // nil: a root
}

// newAuthority makes a root, or an intermediate under parent.
func newAuthority(t testing.TB, name string, parent *authority) *authority {
	t.Helper()
	return newAuthorityUntil(t, name, parent, time.Now().AddDate(5, 0, 0))
}

func newAuthorityUntil(t testing.TB, name string, parent *authority, end time.Time) *authority {
	t.Helper()
	a := &authority{parent: parent}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
		KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = sign(t, template, parent)
	return a
}

// leaf issues a certificate for testHost, good for a year, with its chain up
// to and without the root; change may spoil it.
func (a *authority) leaf(t testing.TB, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: testHost}, DNSNames: []string{testHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	cert, key := sign(t, template, a)
	chain := [][]byte{cert.Raw}
	for up := a; up != nil && up.parent != nil; up = up.parent {
		chain = append(chain, up.cert.Raw)
	}
	return tls.Certificate{Certificate: chain, PrivateKey: key}
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// sign makes a key and its certificate; without a parent it signs itself.
func sign(t testing.TB, template *x509.Certificate, parent *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	issuer, signer := template, key
	if parent != nil {
		issuer, signer = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert, key
}
