package collector

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report/intake"
)

// hmads starts the real intake and returns its URL and the folder of its reports.
func hmads(t *testing.T, ca *checktest.CA, settings config.Report) (url, folder string, in *checktest.Memory) {
	t.Helper()
	folder, in = t.TempDir(), new(checktest.Memory)
	server := ca.Issue(t)
	settings.CertFile, settings.KeyFile = server.CertFile, server.KeyFile
	env := checktest.Env(time.Now)
	env.Reports, env.Memory = folder, in
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- intake.New(settings, env, func(name string, data []byte) error {
			return os.WriteFile(filepath.Join(folder, name), data, 0o600)
		}).Serve(ctx, listener)
	}()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	return "https://" + listener.Addr().String() + intake.Path, folder, in
}

// The collector's pushes over TLS to hmad's own listener, and what hmad says of them.
func TestPushesAreTakenByHmad(t *testing.T) {
	ca := checktest.NewCA(t)
	client := ca.Issue(t, "ex01.contoso.com")
	tokenFile := checktest.Written(t, "token", bearer+"\r\n")
	both := checktest.Written(t, "client.pem", client.CertPEM+client.KeyPEM)
	strange := checktest.NewCA(t).Issue(t, "ex01.contoso.com")
	for name, c := range map[string]struct {
		settings config.Report
		env      []string
		args     []string
		taken    bool
	}{
		"with the token":             {config.Report{TokenFile: tokenFile}, nil, []string{"-TokenFile", tokenFile}, true},
		"with a client certificate":  {config.Report{ClientCAFile: ca.File}, []string{"TESTBED_CERTIFICATE=" + both}, []string{"-CertificateThumbprint", thumbprint(client)}, true},
		"with a wrong token":         {config.Report{TokenFile: tokenFile}, nil, []string{"-TokenFile", checktest.Written(t, "token", "another-token-0123456789")}, false},
		"with a strange certificate": {config.Report{ClientCAFile: checktest.NewCA(t).File}, []string{"TESTBED_CERTIFICATE=" + checktest.Written(t, "strange.pem", strange.CertPEM+strange.KeyPEM)}, []string{"-CertificateThumbprint", thumbprint(strange)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, folder, memory := hmads(t, ca, c.settings)
			words := "no-session"
			if c.taken {
				words = "healthy"
			}
			o := newBed(t).run(t, words, append(c.env, "SSL_CERT_FILE="+ca.File), append([]string{"-Url", url}, c.args...)...)
			data, err := os.ReadFile(filepath.Join(folder, "ex01.json"))
			assert.Equal(t, c.taken, err == nil)
			assert.Equal(t, c.taken, o.status == 0, o.complaints)
			refused := intake.RefusedOf(memory, time.Now())
			if !c.taken {
				assert.Contains(t, o.log(t), "not delivered: ")
				assert.Len(t, refused.Addresses, 1)
				return
			}
			assert.Empty(t, refused.Addresses)
			assert.Equal(t, ofHealthy, said(t, data))
		})
	}
}

// thumbprint returns a certificate's as Windows writes it.
func thumbprint(c *checktest.Cert) string {
	sum := sha1.Sum(c.Cert.Raw)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}
