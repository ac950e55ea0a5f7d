package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who may read a file with a secret is told by the doctor, and once by run.
func TestSecretFilesThatAllMayRead(t *testing.T) {
	l, dir := startLab(t), t.TempDir()
	text, _ := listening(t, l, dir, fmt.Sprintf(`      ldap:
        url: ldaps://%s
        bind_dn: CN=hmad,DC=contoso,DC=test
        password_file: %q
`, freeAddress(t), write(t, dir, "password", plantedPassword)))
	config := write(t, dir, "hmad.yaml", text)
	client := l.Facts().CertificateFile
	web := write(t, dir, "web.yml", "tls_server_config: {cert_file: cert.pem, key_file: web.key}\n"+
		"basic_auth_users: {prometheus: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}\n")
	key, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	require.NoError(t, err)
	files := map[string]string{
		web: "--web.config.file", write(t, dir, "web.key", string(key)): "key_file of the web config",
		filepath.Join(dir, "key.pem"): "onprem.report.key_file", filepath.Join(dir, "token"): "onprem.report.token_file",
		filepath.Join(dir, "password"): "onprem.ldap.password_file", client: "exchange_online.certificate_file",
	}
	require.NoError(t, os.Chmod(filepath.Join(dir, "cert.pem"), 0o644), "a certificate is no secret")
	flags := []string{"--config.file=" + config, "--web.config.file=" + web, "--web.listen-address=127.0.0.1:0"}
	look := func() string {
		p := start(t, append([]string{"doctor"}, flags...)...)
		<-p.exited
		return p.stdout.String()
	}
	says := look()
	assert.Regexp(t, `works +secret files +none is readable by all \(files: 2\)`, says)
	assert.Regexp(t, `works +secret files +none is readable by all \(files: 4\)`, says)
	for file := range files {
		mode := os.FileMode(0o644)
		if file == client {
			mode = 0o604
		}
		require.NoError(t, os.Chmod(file, mode))
	}
	says = look()
	for file, setting := range files {
		assert.Contains(t, says, setting+": "+file+" is readable by all")
		assert.Contains(t, says, "chmod o= "+file)
	}
	assert.NotContains(t, says, "none is readable by all")

	storage := filepath.Join(dir, "state")
	p := start(t, append([]string{"run", "--storage.path=" + storage, "--log.format=json"}, flags...)...)
	p.await(t, p.stderr, `"started"`)
	require.NoError(t, os.Chmod(filepath.Join(dir, "token"), 0o640))
	p.stop()
	for file := range files {
		assert.Equal(t, 1, strings.Count(p.stderr.String(), `"file":"`+file+`"`), "%s in %s", file, p.stderr)
	}
}

func TestAReloadTellsAgainOfNoFile(t *testing.T) {
	l := startLab(t)
	require.NoError(t, os.Chmod(l.Facts().CertificateFile, 0o644))
	e := startRun(t, labConfig(t, l, ""))
	for range 2 {
		status, body := request(t, http.MethodPost, e.page+"/-/reload")
		require.Equal(t, http.StatusOK, status, body)
	}
	e.stop()
	assert.Equal(t, 1, strings.Count(e.stderr.String(), "readable by all"), e.stderr)
}

// Whoever writes a password where the web config wants something else does not
// read it in an error.
func TestTheWebConfigsErrorsShowNoValue(t *testing.T) {
	config := write(t, t.TempDir(), "hmad.yaml", sixLines)
	for name, text := range map[string]string{
		"a password for the users":      "basic_auth_users: S3cret\n",
		"a user without a mapping":      "basic_auth_users: [prometheus, S3cret]\n",
		"a password for the hash":       "basic_auth_users: {prometheus: S3cret}\n",
		"a password for a section":      "tls_server_config: S3cret\n",
		"a password for a key":          "S3cret: prometheus\n",
		"a password for a cipher":       "tls_server_config: {cipher_suites: [S3cret]}\n",
		"a password for a version":      "tls_server_config: {min_version: S3cret}\n",
		"a password for a curve":        "tls_server_config: {curve_preferences: [S3cret]}\n",
		"a password for a switch":       "http_server_config: {http2: S3cret}\n",
		"a password for a header":       "http_server_config: {headers: {S3cret: x}}\n",
		"a password in a header":        "http_server_config: {headers: {X-Frame-Options: S3cret}}\n",
		"a password for the key's file": "tls_server_config: {cert_file: cert.pem, key_file: S3cret}\n",
		"a key's file of another kind":  "tls_server_config: {cert_file: block.pem, key_file: key.pem}\n",
		"a password for client's kind":  "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_auth_type: S3cret}\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeCertificate(t, dir)
			write(t, dir, "block.pem", contents["a file with another block"])
			web := write(t, dir, "web.yml", text)
			p := start(t, "run", "--config.file="+config, "--web.config.file="+web, "--web.listen-address=127.0.0.1:0", "--storage.path="+dir)
			<-p.exited
			for _, says := range []string{p.stderr.String(), fmt.Sprint(webConfig(web))} {
				assert.Contains(t, says, web)
				assert.NotContains(t, says, "S3c")
			}
		})
	}
}

func TestAWebConfigThatIsEditedUnderARunningHmad(t *testing.T) {
	l, dir := startLab(t), t.TempDir()
	web := write(t, dir, "web.yml", "")
	e := startRun(t, labConfig(t, l, ""), "--web.config.file="+web)
	_, _ = request(t, http.MethodGet, e.page+"/-/healthy") // the server has read the file
	write(t, dir, "web.yml", "basic_auth_users: S3cret\n")
	status, body := request(t, http.MethodGet, e.page+"/")
	assert.Equal(t, http.StatusInternalServerError, status)
	assert.NotContains(t, body, "S3cret")
	e.await(t, e.stderr, "Unable to parse configuration")
	_, _ = request(t, http.MethodPost, e.page+"/-/reload")
	e.stop()
	assert.NotContains(t, e.stderr.String(), "S3cret")
}
