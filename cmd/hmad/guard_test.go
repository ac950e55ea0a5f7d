package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/hmad/hmad/internal/check/checktest"
)

// Web configs of the tests of who may post.
const (
	asksNothing  = "{}\n"
	everyAddress = "--web.listen-address=0.0.0.0:0"
	loopbackOnly = "--web.listen-address=127.0.0.1:0"
)

func asksPassword(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	return fmt.Sprintf("basic_auth_users: {sre: %q}\n", hash)
}

// encrypts is a web config that demands certificates as auth says.
func encrypts(ca *checktest.CA, server *checktest.Cert, auth string) string {
	return fmt.Sprintf("tls_server_config: {cert_file: %s, key_file: %s, client_ca_file: %s, client_auth_type: %s}\n",
		server.CertFile, server.KeyFile, ca.File, auth)
}

// A POST is answered by the proof that the web config demanded at start,
// whatever stands in the file now.
func TestWebConfigThatIsEditedUnderTheDaemon(t *testing.T) {
	config, ca := labConfig(t, startLab(t), ""), checktest.NewCA(t)
	server, phone := ca.Issue(t), ca.Issue(t)
	old, certificates := asksPassword(t, "old"), encrypts(ca, server, "RequireAndVerifyClientCert")
	for name, c := range map[string]struct {
		address, start, edited string
		password               string
		certificate            bool
		want                   int
	}{
		"password, unchanged":                           {everyAddress, old, old, "old", false, http.StatusOK},
		"password, none given":                          {everyAddress, old, old, "", false, http.StatusUnauthorized},
		"password, taken out":                           {everyAddress, old, asksNothing, "", false, http.StatusForbidden},
		"password, taken out, given":                    {everyAddress, old, asksNothing, "old", false, http.StatusOK},
		"password, taken out, a wrong one given":        {everyAddress, old, asksNothing, "new", false, http.StatusForbidden},
		"password, taken out, on loopback":              {loopbackOnly, old, asksNothing, "", false, http.StatusForbidden},
		"password, then certificates, none given":       {everyAddress, old, certificates, "", false, http.StatusForbidden},
		"password, another one, not reloaded":           {everyAddress, old, asksPassword(t, "new"), "new", false, http.StatusForbidden},
		"nothing, then a password":                      {everyAddress, asksNothing, old, "old", false, http.StatusForbidden},
		"nothing, then certificates":                    {everyAddress, asksNothing, certificates, "", false, http.StatusForbidden},
		"certificate, unchanged":                        {everyAddress, certificates, certificates, "", true, http.StatusOK},
		"certificate, then only if given, none given":   {everyAddress, certificates, encrypts(ca, server, "VerifyClientCertIfGiven"), "", false, http.StatusForbidden},
		"certificate, then only if given, given":        {everyAddress, certificates, encrypts(ca, server, "VerifyClientCertIfGiven"), "", true, http.StatusOK},
		"certificate, then a password alone":            {everyAddress, certificates, encrypts(ca, server, "VerifyClientCertIfGiven") + old, "old", false, http.StatusForbidden},
		"certificate, then any, not verified, loopback": {loopbackOnly, certificates, encrypts(ca, server, "RequireAnyClientCert"), "", true, http.StatusForbidden},
		"certificate if given, then demanded, kept":     {everyAddress, encrypts(ca, server, "VerifyClientCertIfGiven"), certificates, "", true, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			web := write(t, t.TempDir(), "web.yml", c.start)
			e := startRun(t, config, "--web.config.file="+web, c.address)
			e.await(t, e.stderr, `"TLS is [^}]+`+strings.TrimPrefix(e.page, "http://")) // it serves, by the first file
			require.NoError(t, os.WriteFile(web, []byte(c.edited), 0o600))
			client := clientOf(ca, nil)
			if c.certificate {
				client = clientOf(ca, phone)
			}
			defer client.CloseIdleConnections()
			assert.Equal(t, c.want, postBy(t, client, e.page, c.start, c.password))
		})
	}
}

// A connection that was opened while nobody had to show a certificate shows none later.
func TestKeptConnectionWithoutACertificate(t *testing.T) {
	ca := checktest.NewCA(t)
	server := ca.Issue(t)
	start := encrypts(ca, server, "VerifyClientCertIfGiven")
	web := write(t, t.TempDir(), "web.yml", start)
	e := startRun(t, labConfig(t, startLab(t), ""), "--web.config.file="+web, everyAddress)
	client := clientOf(ca, nil)
	defer client.CloseIdleConnections()
	assert.Equal(t, http.StatusForbidden, postBy(t, client, e.page, start, ""))
	require.NoError(t, os.WriteFile(web, []byte(encrypts(ca, server, "RequireAndVerifyClientCert")), 0o600))
	assert.Equal(t, http.StatusForbidden, postBy(t, client, e.page, start, ""))
}

// A reload takes up a rotated password; another kind of proof needs a restart.
func TestReloadReadsTheUsersAnew(t *testing.T) {
	path := write(t, t.TempDir(), "web.yml", asksPassword(t, "old"))
	g, err := newGuard(path)
	require.NoError(t, err)
	proves := func(password string) bool {
		r, err := http.NewRequest(http.MethodPost, "http://hmad/", nil)
		require.NoError(t, err)
		r.SetBasicAuth("sre", password)
		return g.proves(r)
	}
	assert.True(t, proves("old"))
	assert.True(t, proves("old"), "again, as it was proved")
	require.NoError(t, os.WriteFile(path, []byte(asksPassword(t, "new")), 0o600))
	assert.False(t, proves("new"))
	require.NoError(t, g.reload())
	assert.True(t, proves("new"))
	assert.False(t, proves("old"))
	for _, edited := range []string{asksNothing, "tls_server_config: {client_auth_type: RequireAndVerifyClientCert}\n", "basic_auth_users: [\n"} {
		require.NoError(t, os.WriteFile(path, []byte(edited), 0o600))
		assert.ErrorContains(t, g.reload(), path)
		assert.True(t, proves("new"), edited)
		assert.False(t, proves(""), edited)
	}
}

func TestNamesOfLoopback(t *testing.T) {
	for host, want := range map[string]bool{"localhost": true, "LOCALHOST": true, "LocalHost.": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true,
		"::ffff:127.0.0.1": true, "": false, "localhost.evil.example": false, "10.0.0.1": false, "0.0.0.0": false} {
		assert.Equal(t, want, isLoopbackName(host), host)
	}
}

// clientOf trusts the CA, and shows the certificate where there is one.
func clientOf(ca *checktest.CA, cert *checktest.Cert) *http.Client {
	conf := &tls.Config{RootCAs: x509.NewCertPool()}
	conf.RootCAs.AddCert(ca.Cert)
	if cert != nil {
		conf.Certificates = []tls.Certificate{cert.TLS()}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: conf}}
}

// postBy asks for a reload and gives the status.
func postBy(t *testing.T, client *http.Client, page, web, password string) int {
	t.Helper()
	port := page[strings.LastIndex(page, ":"):]
	scheme := "http"
	if strings.Contains(web, "cert_file") {
		scheme = "https"
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, scheme+"://127.0.0.1"+port+"/-/reload", nil)
	require.NoError(t, err)
	if password != "" {
		r.SetBasicAuth("sre", password)
	}
	resp, err := client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode
}
