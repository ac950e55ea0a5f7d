package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net/http"
	"sync"
	"time"
)

const day = 24 * time.Hour

// Certificate says what is wrong with a certificate: Good, or any of the others
// joined by |.
type Certificate uint8

// The kinds of certificate.
const (
	Good         Certificate = 0         // ninety days left
	Expired      Certificate = 1 << iota // a day ago
	ExpiringSoon                         // in two days
	Expiring                             // in ten days
	WrongName                            // for webmail.contoso.test
	Incomplete                           // sent without its intermediate
	SelfSigned
)

func (c Certificate) has(kind Certificate) bool { return c&kind != 0 }

// left is how long the certificate is still valid.
func (c Certificate) left() time.Duration {
	switch {
	case c.has(Expired):
		return -day
	case c.has(ExpiringSoon):
		return 2 * day
	case c.has(Expiring):
		return 10 * day
	default:
		return 90 * day
	}
}

// Issue makes a certificate for a server that is not the lab's own, such as a
// proxy in front of it: the chain to send, leaf first, and its key (PKCS #8),
// both PEM.
func (l *Lab) Issue(host string, kind Certificate) (chain, key []byte, err error) {
	cert, err := l.ca.newLeaf(host, kind)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range cert.Certificate {
		chain = append(chain, certificatePEM(c)...)
	}
	return chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// authority is the lab's certification authority, made in memory: a root, one
// intermediate and the hosts' leaves, all ECDSA P-256.
type authority struct {
	now                func() time.Time
	root, intermediate *keyPair
	issuerURL          string // where a leaf says that its issuer is found

	mu     sync.Mutex
	leaves map[leafKey]issued
}

type leafKey struct {
	host string
	kind Certificate
}

type issued struct {
	at   time.Time
	cert *tls.Certificate
}

type keyPair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(now func() time.Time) (*authority, error) {
	a := &authority{now: now, leaves: map[leafKey]issued{}}
	var err error
	if a.root, err = a.issue(nil, a.caTemplate("hmad lab root")); err != nil {
		return nil, err
	}
	a.intermediate, err = a.issue(a.root, a.caTemplate("hmad lab issuing CA"))
	return a, err
}

func (a *authority) caTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: name, Organization: []string{"hmad lab"}},
		NotBefore:             a.now().Add(-365 * day),
		NotAfter:              a.now().Add(3650 * day),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
}

// issue signs a certificate with a fresh key; nil signs with that key itself.
func (a *authority) issue(by *keyPair, template *x509.Certificate) (*keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if by == nil {
		by = &keyPair{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &keyPair{cert, key}, err
}

// leaf returns a certificate for the host. It is made anew after an hour, so
// that «ten days left» stays true in a lab that runs for weeks.
func (a *authority) leaf(host string, kind Certificate) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := leafKey{host, kind}
	if have, ok := a.leaves[key]; ok && a.now().Sub(have.at).Abs() < time.Hour {
		return have.cert, nil
	}
	cert, err := a.newLeaf(host, kind)
	if err != nil {
		return nil, err
	}
	a.leaves[key] = issued{a.now(), cert}
	return cert, nil
}

func (a *authority) newLeaf(host string, kind Certificate) (*tls.Certificate, error) {
	if kind.has(WrongName) {
		host = "webmail." + domain
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: host},
		DNSNames:              []string{host},
		NotBefore:             a.now().Add(-60 * day),
		NotAfter:              a.now().Add(kind.left()),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IssuingCertificateURL: []string{a.issuerURL},
	}
	by := a.intermediate
	if kind.has(SelfSigned) {
		by, template.IssuingCertificateURL = nil, nil
	}
	pair, err := a.issue(by, template)
	if err != nil {
		return nil, err
	}
	chain := [][]byte{pair.cert.Raw}
	if by != nil && !kind.has(Incomplete) {
		chain = append(chain, by.cert.Raw)
	}
	return &tls.Certificate{Certificate: chain, PrivateKey: pair.key, Leaf: pair.cert}, nil
}

// rootPEM returns the certificate to trust.
func (a *authority) rootPEM() []byte { return certificatePEM(a.root.cert.Raw) }

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// ServeHTTP hands out the intermediate certificate, DER.
func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/intermediate.cer" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/pkix-cert") // RFC 2585, section 4.1
	_, _ = w.Write(a.intermediate.cert.Raw)
}
