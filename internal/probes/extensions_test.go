package probes

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What Go alone refuses of a certificate is no critical fault of the endpoint.
func TestCertificatesThatGoAloneRefuses(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	critical := func(id ...int) tls.Certificate {
		return ca.leaf(t, func(c *x509.Certificate) {
			c.DNSNames = []string{discoveryHost, testHost}
			c.ExtraExtensions = []pkix.Extension{{Id: id, Critical: true, Value: []byte{5, 0}}}
		})
	}
	for name, c := range map[string]struct {
		cert  tls.Certificate
		want  []string
		open  bool
		words string
	}{
		"a negative serial number":               {ca.negative(t), []string{}, false, ""},
		"a critical extension of PKIX":           {critical(1, 3, 6, 1, 5, 5, 7, 1, 24), []string{}, true, "1.3.6.1.5.5.7.1.24, in the certificate CN=mail.contoso.test"},
		"a critical extension of Microsoft's":    {critical(1, 3, 6, 1, 4, 1, 311, 21, 7), []string{}, true, "1.3.6.1.4.1.311.21.7"},
		"a critical extension of somebody's own": {critical(1, 3, 6, 1, 4, 1, 99999, 1), []string{"certificate_untrusted"}, false, "that clients do not know, so they refuse it: 1.3.6.1.4.1.99999.1"},
	} {
		t.Run(name, func(t *testing.T) {
			e := &estate{address: serveTLS(t, c.cert, answers(recorded(t, "26-waf-x-user-identity"))).String()}
			report := mustRun(t, ActiveSync, e.target(), envFor(ca))
			assert.Equal(t, c.want, foundNames(report.Findings))
			texts := strings.Join(report.Texts(), "\n")
			for _, f := range report.Findings {
				texts += "\n" + f.Detail
			}
			assert.Contains(t, texts, c.words)
			assert.Equal(t, c.open, strings.Contains(strings.Join(reasonNames(report.Unevaluated()), " "), "certificate_untrusted"))
		})
	}
}

// negative issues a certificate with a negative serial number, which
// x509.CreateCertificate does not make.
func (a *authority) negative(t *testing.T) tls.Certificate {
	t.Helper()
	cert := a.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{discoveryHost, testHost} })
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	require.NoError(t, err)
	tbs := append([]byte(nil), leaf.RawTBSCertificate...)
	serial, err := asn1.Marshal(leaf.SerialNumber)
	require.NoError(t, err)
	at := strings.Index(string(tbs), string(serial))
	require.Positive(t, at)
	tbs[at+2] |= 0x80
	sum := sha256.Sum256(tbs)
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, sum[:])
	require.NoError(t, err)
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}},
		asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: cert.PrivateKey}
}
