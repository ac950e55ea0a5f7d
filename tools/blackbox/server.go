package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// What is asked for.
const (
	host   = "mail.contoso.com"
	path   = "/Microsoft-Server-ActiveSync"
	tenant = "5de110f8-2e0f-4d45-891d-bcf2218e253d"
)

// caName is the file, in the folder of the measurement, with the root that
// issued the server's certificate.
const caName = "ca.pem"

// server is the TLS server on loopback that both daemons ask. It serves in this
// process, so that its own CPU time counts for neither.
type server struct {
	*httptest.Server
	caFile   string
	requests atomic.Int64
}

// serve starts a server that gives Exchange's bearer challenge, over HTTP/2 or
// HTTP/1.1 as the client likes, and writes its root to dir.
func serve(dir string) (*server, error) {
	s := &server{caFile: filepath.Join(dir, caName)}
	chain, err := certificate(s.caFile)
	if err != nil {
		return nil, err
	}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.challenge))
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{chain}}
	s.StartTLS()
	return s, nil
}

func (s *server) challenge(w http.ResponseWriter, _ *http.Request) {
	s.requests.Add(1)
	h := w.Header()
	h.Set("X-FEServer", "EX01")
	h.Set("Request-Id", "0a7ac4a4-3c1c-4c1a-8a55-b1d2a4d5f9b1")
	h.Add("WWW-Authenticate", `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", `+
		`trusted_issuers="00000001-0000-0000-c000-000000000000@`+tenant+`", `+
		`token_types="app_asserted_user_v1 service_asserted_app_v1", `+
		`authorization_uri="https://login.windows.net/common/oauth2/authorize"`)
	h.Add("WWW-Authenticate", `Basic realm="`+host+`"`)
	w.WriteHeader(http.StatusUnauthorized)
}

// certificate makes a root and a certificate of it for the server, and writes
// the root to caFile (PEM).
func certificate(caFile string) (tls.Certificate, error) {
	year := time.Now().AddDate(1, 0, 0)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench root"}, NotAfter: year,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, NotAfter: year, DNSNames: []string{host},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, leafKey.Public(), rootKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	err = os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), 0o600)
	return tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}, err
}
