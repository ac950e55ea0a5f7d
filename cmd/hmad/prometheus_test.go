package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

func TestPromtoolFindsNothingWrongWithTheMetrics(t *testing.T) {
	e := startDemo(t, "--break=activesync.bearer_missing", "--break=autodiscover.certificate_expiring")
	status, body := request(t, http.MethodGet, e.page+"/metrics")
	require.Equal(t, http.StatusOK, status)
	path, err := exec.LookPath("promtool")
	require.NoError(t, err, "promtool is not installed: scripts/test-deps installs it (Debian package prometheus)")
	cmd := exec.CommandContext(t.Context(), path, "check", "metrics")
	cmd.Stdin = strings.NewReader(body)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Empty(t, strings.TrimSpace(string(out)))
}

// A real Prometheus scrapes the demo over TLS, with basic authentication.
func TestPrometheusScrapesOverTLSWithBasicAuth(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte("scrape-secret"), bcrypt.MinCost)
	require.NoError(t, err)
	web := write(t, dir, "web.yml", fmt.Sprintf("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\nbasic_auth_users: {prometheus: %q}\n", hash))
	e := startDemo(t, "--web.config.file="+web, "--break=activesync.bearer_missing")
	write(t, dir, "password", "scrape-secret")
	config := write(t, dir, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: hmad
    scheme: https
    tls_config: {ca_file: cert.pem}
    basic_auth: {username: prometheus, password_file: password}
    static_configs: [{targets: [%q]}]
`, strings.TrimPrefix(e.page, "https://")))
	address := freeAddress(t)
	startServer(t, "prometheus", "prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+address)
	awaitListener(t, address)
	for query, want := range map[string]map[string]string{
		`up{job="hmad"}`: {"": "1"},
		`hmad_check_success{check=~"vantage|autodiscover|activesync"}`: {"vantage": "1", "autodiscover": "1", "activesync": "0"},
		`hmad_finding == 1`: {"activesync": "1"},
	} {
		assert.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, want, query1(t, address, query)) }, waitLimit, waitTick, query)
	}
	assert.Equal(t, http.StatusUnauthorized, statusOf(t, dir, e.page+"/metrics"), "without a password")
}

// query1 asks Prometheus and gives the values by their label check.
func query1(t *testing.T, address, query string) map[string]string {
	_, body := request(t, http.MethodGet, "http://"+address+"/api/v1/query?query="+url.QueryEscape(query))
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if json.Unmarshal([]byte(body), &answer) != nil {
		return nil // not up yet
	}
	values := map[string]string{}
	for _, r := range answer.Data.Result {
		values[r.Metric["check"]] = fmt.Sprint(r.Value[1])
	}
	return values
}

// statusOf asks for url over TLS, trusting the certificate in dir.
func statusOf(t *testing.T, dir, url string) int {
	t.Helper()
	roots := x509.NewCertPool()
	data, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
	require.NoError(t, err)
	require.True(t, roots.AppendCertsFromPEM(data))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode
}

// writeCertificate writes cert.pem and key.pem for 127.0.0.1.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
}

// write writes a file and gives its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
