package main

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/lab"
)

// planted are the secrets that a run of everything meets: none may show
// anywhere. (A JWT begins with eyJ; the lab's tokens are JWTs.)
const (
	plantedPush     = "planted-push-token-1f83c0"
	plantedWrong    = "planted-wrong-token-77ab21"
	plantedPassword = "planted-ldap-password-9d2e44"
	plantedInError  = "planted-in-error-text-5b7c10"
	plantedAddress  = "jane.planted@contoso.com"
	jwtBegins       = "eyJ"
)

// Logs, page, metrics, API, command line, stored reports' judgement and the
// state file of a daemon that met them all.
func TestNoSecretShowsAnywhere(t *testing.T) {
	l := startLab(t)
	dir := t.TempDir()
	text, listen := listening(t, l, dir, fmt.Sprintf(`      ldap:
        url: ldaps://%s
        bind_dn: CN=hmad,DC=contoso,DC=test
        password_file: %q
`, freeAddress(t), write(t, dir, "password", plantedPassword)))
	config := write(t, dir, "hmad.yaml", text)
	storage := filepath.Join(dir, "state")
	e := &estate{process: start(t, "run", "--config.file="+config, "--storage.path="+storage, "--web.listen-address=127.0.0.1:0",
		"--log.format=json", "--log.level=debug")}
	e.page = "http://" + e.await(t, e.stderr, `"addresses":\["([^"]+)"`)[1]

	assert.Equal(t, http.StatusUnauthorized, push(t, listen, plantedWrong))
	assert.Equal(t, http.StatusNoContent, push(t, listen, plantedPush))
	shown := map[string]string{}
	for _, c := range []string{"vantage", "autodiscover", "activesync", "tls_offload", "evosts_metadata", "metadata_refresh", "onprem_report", "configuration"} {
		_, shown["POST run "+c] = request(t, http.MethodPost, e.page+"/api/v1/run?check="+c+"&target=contoso")
	}
	assert.Contains(t, shown["POST run onprem_report"], "arbitration", "the failed section is told of")
	for _, path := range []string{"/", "/metrics", "/api/v1/results"} {
		_, shown[path] = request(t, http.MethodGet, e.page+path)
	}
	p := start(t, "check", "--config.file="+config, "--storage.path="+storage, "--verbose")
	<-p.exited
	shown["hmad check"] = p.stdout.String() + p.stderr.String()
	p = start(t, "doctor", "--web.listen-address=127.0.0.1:0", "--config.file="+config, "--storage.path="+storage)
	<-p.exited
	shown["hmad doctor"] = p.stdout.String() + p.stderr.String()
	p = start(t, "config", "show", config)
	<-p.exited
	shown["config show"] = p.stdout.String()
	e.stop()
	shown["log"] = e.stderr.String() + e.stdout.String()
	for name, data := range stateFiles(t, storage) {
		shown[name] = data
	}
	for where, text := range shown {
		for _, secret := range []string{plantedPush, plantedWrong, plantedPassword, plantedInError, plantedAddress, jwtBegins} {
			assert.False(t, strings.Contains(text, secret), "%s shows %s", where, secret)
		}
	}
}

// listening returns the lab's config with reports that are pushed to a listener,
// and what else shall stand under onprem.
func listening(t *testing.T, l *lab.Lab, dir, onprem string) (text, listen string) {
	t.Helper()
	writeCertificate(t, dir)
	listen = freeAddress(t)
	before, after, found := strings.Cut(string(lab.Config(l)), "        file: ")
	require.True(t, found)
	_, after, _ = strings.Cut(after, "\n")
	return before + fmt.Sprintf(`        listen: %q
        cert_file: %q
        key_file: %q
        token_file: %q
`, listen, dir+"/cert.pem", dir+"/key.pem", write(t, dir, "token", plantedPush)) + onprem + after, listen
}

// push sends a report whose collector failed with an error text that holds
// what no error should.
func push(t *testing.T, listen, token string) int {
	t.Helper()
	report := fmt.Sprintf(`{"schema":1,"collector":"1.0.0","host":"EX01","intervalSeconds":900,"generatedAt":%q,"durationMs":1,"sections":{
"arbitration":{"ok":false,"error":"failed for %s with Bearer %s and eyJhbGciOiJSUzI1NiJ9.%s.c2ln at https://contoso.com/x?sig=%s"}}}`,
		now().UTC().Format("2006-01-02T15:04:05Z"), plantedAddress, plantedInError, plantedInError, plantedInError)
	var body bytes.Buffer
	zip := gzip.NewWriter(&body)
	_, err := zip.Write([]byte(report))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+listen+"/api/v1/onprem-report", &body)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// stateFiles reads what the daemon stored, but for the reports themselves:
// those are the Exchange server's own words, kept as they came.
func stateFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.Name() == "reports" {
				return fs.SkipDir
			}
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	}))
	require.NotEmpty(t, files)
	return files
}
