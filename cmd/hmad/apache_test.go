package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/lab"
)

// A real Apache that asks for client certificates stands before the lab, as IIS
// does with SslNegotiateCert: for one path it asks once the request is there, in
// TLS 1.2 by renegotiation, which Go's own server and nginx do not know.
func TestApacheInFrontAsksForACertificate(t *testing.T) {
	l := startLab(t)
	const path = "<Location /Microsoft-Server-ActiveSync>\nSSLVerifyClient %s\n</Location>"
	for name, c := range map[string]struct {
		protocol, verify string
		reasons          []string
		words            string // in the findings, or in the error
	}{
		"of the whole site, if there is one": {"TLSv1.2", "SSLVerifyClient optional", []string{}, ""},
		"of the whole site":                  {"TLSv1.2", "SSLVerifyClient require", []string{"tls_failed"}, "requires a client certificate"},
		"of the whole site in TLS 1.3":       {"TLSv1.3", "SSLVerifyClient require", []string{"tls_failed"}, "requires a client certificate"},
		"after the request, if there is one": {"TLSv1.2", fmt.Sprintf(path, "optional"), []string{}, ""},
		"after the request":                  {"TLSv1.2", fmt.Sprintf(path, "require"), []string{"tls_failed"}, "requires a client certificate"},
		"after the request in TLS 1.3, if any": {"TLSv1.3", fmt.Sprintf(path, "optional"), []string{},
			"asks for a client certificate after the handshake of TLS 1.3"},
		"after the request in either, if any":      {"-all +TLSv1.2 +TLSv1.3", fmt.Sprintf(path, "optional"), []string{}, ""},
		"after the request in either version, all": {"-all +TLSv1.2 +TLSv1.3", fmt.Sprintf(path, "require"), []string{"tls_failed"}, "requires a client certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			r := checkOnce(t, behind(t, l, lab.Good, apache(c.protocol, c.verify)), "activesync")
			assert.Equal(t, c.reasons, r.reasons(), "%v", r)
			said := ""
			for _, f := range r.Findings {
				said += f.Detail
			}
			if r.Error != nil {
				said += r.Error.Message
			}
			assert.Contains(t, said, c.words)
			assert.Equal(t, c.words == "", r.Outcome == "passed", "%v", r)
		})
	}
}

// apache returns what runs an Apache of the test's own, in one process, that passes
// requests on.
func apache(protocol, verify string) func(*testing.T, string, []front) {
	return func(t *testing.T, dir string, fronts []front) {
		t.Helper()
		text := fmt.Sprintf("ServerRoot %[1]s\nUser nobody\nGroup nogroup\nPidFile %[1]s/pid\nErrorLog /dev/stderr\nMutex file:%[1]s\n"+
			"ServerName lab\nDefaultRuntimeDir %[1]s\n", dir)
		for _, name := range strings.Fields("mpm_event authz_core ssl proxy proxy_http") {
			text += fmt.Sprintf("LoadModule %[1]s_module /usr/lib/apache2/modules/mod_%[1]s.so\n", name)
		}
		for _, f := range fronts {
			text += fmt.Sprintf(`Listen %[1]s
<VirtualHost %[1]s>
	ServerName %[2]s
	SSLEngine on
	SSLProtocol %[3]s
	SSLCertificateFile %[4]s
	SSLCertificateKeyFile %[5]s
	SSLCACertificateFile %[4]s
	%[6]s
	SSLProxyEngine on
	SSLProxyVerify none
	SSLProxyCheckPeerName off
	SSLProxyCheckPeerExpire off
	ProxyPreserveHost on
	ProxyPass / https://%[7]s/
</VirtualHost>
`, f.address, f.host, protocol, f.certificate, f.key, verify, f.upstream)
		}
		file := filepath.Join(dir, "apache.conf")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		startServer(t, "apache2", "apache2-bin", "-X", "-f", file)
	}
}
