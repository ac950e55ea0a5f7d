package directory

import (
	"bytes"
	"context"
	"encoding/base64"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// bindPassword is that of every account of the tests' directory.
const bindPassword = "planted-bind-password"

// slapd is OpenLDAP's server on two free ports of loopback, with a folder of
// its own.
type slapd struct {
	ca           *checktest.CA
	certificates [2]*checktest.Cert // the stored signing certificates
	ldaps, ldap  string             // URLs
	passwordFile string
}

// startSlapd loads schema and data and runs slapd until the test ends.
func startSlapd(t *testing.T) *slapd {
	t.Helper()
	s := &slapd{ca: checktest.NewCA(t), passwordFile: checktest.Written(t, "password", bindPassword+"\n")}
	s.certificates = [2]*checktest.Cert{s.ca.Issue(t, "first.sts.windows.test"), s.ca.Issue(t, "second.sts.windows.test")}
	server := s.ca.Issue(t, "dc01.contoso.test")
	dir := t.TempDir()
	fill := strings.NewReplacer("{dir}", dir, "{password}", bindPassword,
		"{certificate1}", base64.StdEncoding.EncodeToString(s.certificates[0].Cert.Raw),
		"{certificate2}", base64.StdEncoding.EncodeToString(s.certificates[1].Cert.Raw))
	lay := func(name, content string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(fill.Replace(content)), 0o600))
		return file
	}
	for _, name := range []string{"slapd.conf", "data.ldif", "rootdse.ldif"} {
		content, err := os.ReadFile(filepath.Join("testdata/slapd", name))
		require.NoError(t, err)
		lay(name, string(content))
	}
	lay("cert.pem", server.CertPEM)
	lay("key.pem", server.KeyPEM)
	conf := filepath.Join(dir, "slapd.conf")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "db"), 0o700))
	out, err := exec.Command(checktest.Program(t, "slapadd", "slapd"), "-f", conf, "-l", filepath.Join(dir, "data.ldif")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	s.run(t, conf)
	return s
}

// run starts slapd and waits until it takes connections. A port may be lost
// between finding it free and using it: then once more.
func (s *slapd) run(t *testing.T, conf string) {
	t.Helper()
	var out bytes.Buffer
	for range 3 {
		secure, plain := freePort(t), freePort(t)
		ctx, cancel := context.WithCancel(context.Background())
		cmd := exec.CommandContext(ctx, checktest.Program(t, "slapd", "slapd"), "-d", "0", "-f", conf,
			"-h", "ldaps://"+secure+" ldap://"+plain)
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, cmd.Start())
		exited := make(chan struct{})
		go func() { defer close(exited); cmd.Wait() }()
		stop := func() { cancel(); <-exited }
		if answers(secure, exited) && answers(plain, exited) {
			t.Cleanup(stop)
			s.ldaps, s.ldap = "ldaps://"+named(secure), "ldap://"+named(plain)
			return
		}
		stop()
	}
	t.Fatalf("slapd does not start: %s", out.String())
}

// answers waits until addr takes connections, or the process is gone.
func answers(addr string, exited <-chan struct{}) bool {
	for deadline := time.Now().Add(checktest.Patience); time.Now().Before(deadline); {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
			return true
		}
		select {
		case <-exited:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return false
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

// named is a loopback address under the domain controller's name.
func named(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return "dc01.contoso.test:" + port
}

// settings are those of a healthy reading.
func (s *slapd) settings(url string) config.LDAP {
	return config.LDAP{URL: parsed(url), BindDN: "cn=reader,dc=contoso,dc=test", PasswordFile: s.passwordFile, CAFile: s.ca.File}
}
