package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/lab"
)

// What an nginx in front of the lab does with a request.
const (
	proxies = `proxy_pass https://{upstream}; proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection "";
		proxy_ssl_server_name on; proxy_ssl_name {host};`
	dropsBearer = proxies + ` proxy_hide_header WWW-Authenticate; add_header WWW-Authenticate 'Basic realm="mail.contoso.test"' always;`
	asksItself  = `auth_basic "mail.contoso.test"; auth_basic_user_file /dev/null; ` + proxies
	redirects   = `return 302 https://login.contoso.test/my.policy;`
	blocks      = `deny all; ` + proxies
	nobodyHome  = `proxy_pass https://{closed};`
)

// A real nginx stands before the lab, as a reverse proxy does before Exchange.
func TestNginxInFront(t *testing.T) {
	l := startLab(t)
	for name, c := range map[string]struct {
		does        string
		certificate lab.Certificate
		code        int
		reasons     []string
	}{
		"a plain reverse proxy":               {proxies, lab.Good, exitOK, []string{}},
		"it drops Bearer and answers Basic":   {dropsBearer, lab.Good, exitFailed, []string{"bearer_missing"}},
		"it asks for a password itself":       {asksItself, lab.Good, exitFailed, []string{"preauth_device"}},
		"it redirects to a login page":        {redirects, lab.Good, exitFailed, []string{"preauth_device"}},
		"it answers 403 by address":           {blocks, lab.Good, exitFailed, []string{"blocked"}},
		"its upstream is down":                {nobodyHome, lab.Good, exitFailed, []string{"server_error"}},
		"its certificate has expired":         {proxies, lab.Expired, exitFailed, []string{"certificate_expired"}},
		"its certificate is for another name": {proxies, lab.WrongName, exitFailed, []string{"certificate_name_mismatch"}},
		"it leaves out the intermediate":      {proxies, lab.Incomplete, exitWarned, []string{"certificate_chain_incomplete"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := behind(t, l, c.certificate, nginx("location / { "+c.does+" }"))
			for _, check := range []string{"autodiscover", "activesync"} {
				want := c.reasons
				if check == "autodiscover" && c.does == dropsBearer {
					want = []string{} // AutoDiscover asks for no authentication
				}
				r := checkOnce(t, config, check)
				assert.Equal(t, want, forAutodiscover(check, c.does, r.reasons()), "%s: %+v", check, r)
			}
		})
	}
}

// A server that is limited to one cipher suite is read where Go has the suite;
// where it has none nothing is blamed on the server.
func TestNginxWithASingleSuite(t *testing.T) {
	l := startLab(t)
	for suite, known := range map[string]bool{
		"ECDHE-ECDSA-AES128-GCM-SHA256": true,
		"ECDHE-ECDSA-AES128-SHA256":     true,
		"ECDHE-ECDSA-AES256-SHA":        true,
		"ECDHE-ECDSA-AES256-SHA384":     false,
		"ECDHE-ECDSA-AES256-CCM":        false,
	} {
		t.Run(suite, func(t *testing.T) {
			config := behind(t, l, lab.Good, nginx("ssl_protocols TLSv1.2; ssl_ciphers "+suite+"; location / { "+proxies+" }"))
			for _, check := range []string{"autodiscover", "activesync"} {
				r := checkOnce(t, config, check)
				assert.Empty(t, r.reasons(), "%v", r)
				if known {
					assert.Equal(t, "passed", r.Outcome, "%v", r)
					continue
				}
				require.NotNil(t, r.Error, "%v", r)
				assert.Equal(t, "other", r.Error.Class)
				assert.Contains(t, r.Error.Message, "no cipher suite in common with hmad; Microsoft's client may have one")
			}
		})
	}
}

// forAutodiscover maps what AutoDiscover calls the same thing.
func forAutodiscover(check, does string, reasons []string) []string {
	if check == "autodiscover" && does == asksItself && len(reasons) == 1 && reasons[0] == "authentication_required" {
		return []string{"preauth_device"}
	}
	return reasons
}

func startLab(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.Start(lab.Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

// front is what a server of somebody else's needs to stand before one of the lab's
// hosts.
type front struct {
	host, address    string // the name, and where the front listens
	certificate, key string // files
	upstream, closed string // the lab's address, and one where nobody listens
}

// behind starts a front for AutoDiscover and one for ActiveSync, and gives a config
// that connects to them.
func behind(t *testing.T, l *lab.Lab, certificate lab.Certificate, start func(t *testing.T, dir string, fronts []front)) (config string) {
	t.Helper()
	facts, dir := l.Facts(), t.TempDir()
	mail := strings.TrimSuffix(strings.TrimPrefix(facts.ActiveSyncURL, "https://"), "/Microsoft-Server-ActiveSync")
	var fronts []front
	var connect []string
	for _, hostPort := range []string{facts.AutodiscoverHost, mail} {
		host, port, err := net.SplitHostPort(hostPort)
		require.NoError(t, err)
		cert, key, err := l.Issue(host, certificate)
		require.NoError(t, err)
		base := filepath.Join(dir, host)
		require.NoError(t, os.WriteFile(base+".pem", cert, 0o600))
		require.NoError(t, os.WriteFile(base+".key", key, 0o600))
		f := front{host, freeAddress(t), base + ".pem", base + ".key", "127.0.0.1:" + port, freeAddress(t)}
		fronts = append(fronts, f)
		connect = append(connect, fmt.Sprintf("%q: %q", hostPort, f.address))
	}
	start(t, dir, fronts)
	for _, f := range fronts {
		awaitListener(t, f.address)
	}
	config = filepath.Join(dir, "hmad.yaml")
	text := fmt.Sprintf(`targets:
  - name: contoso
    mailbox: %s
    tenant: %s
    autodiscover: {host: %q}
    activesync: {url: %q}
    connect_to: {%s}
    ca_file: %q
confirm_after: 10ms
`, facts.Mailbox, facts.Tenant, facts.AutodiscoverHost, facts.ActiveSyncURL, strings.Join(connect, ", "), facts.CAFile)
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	return config
}

// nginx returns what runs an nginx of the test's own that does the same with every
// request.
func nginx(does string) func(*testing.T, string, []front) {
	return func(t *testing.T, dir string, fronts []front) {
		t.Helper()
		var servers []string
		for _, f := range fronts {
			action := strings.NewReplacer("{upstream}", f.upstream, "{host}", f.host, "{closed}", f.closed).Replace(does)
			servers = append(servers, fmt.Sprintf("server { listen %s ssl; server_name %s; ssl_certificate %s; ssl_certificate_key %s; %s }",
				f.address, f.host, f.certificate, f.key, action))
		}
		text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr warn;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	%[2]s
}
`, dir, strings.Join(servers, "\n\t"))
		file := filepath.Join(dir, "nginx.conf")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		startServer(t, "nginx", "nginx-light", "-p", dir, "-c", file)
	}
}

// checkOnce runs `hmad check` and gives its one result; the exit code must fit
// the outcome.
func checkOnce(t *testing.T, config, check string) result {
	t.Helper()
	p := start(t, "check", check, "--config.file="+config, "--output=json")
	<-p.exited
	var doc struct{ Results []result }
	require.NoError(t, json.Unmarshal([]byte(p.stdout.String()), &doc), p.stderr)
	require.Len(t, doc.Results, 1)
	codes := map[string]int{"passed": exitOK, "warned": exitWarned, "failed": exitFailed, "undecided": exitUndecided}
	assert.Equal(t, codes[doc.Results[0].Outcome], p.code, doc.Results[0].Outcome)
	return doc.Results[0]
}

// startServer runs a program of Debian's until the test ends.
func startServer(t *testing.T, program, pkg string, args ...string) *output {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program)
	}
	require.NoError(t, err, "%s is not installed: scripts/test-deps installs it (Debian package %s)", program, pkg)
	log := newOutput()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, log)
		}
	})
	return log
}

// freeAddress returns a loopback address on which nothing listens. Its port is
// below those that systems give to outgoing connections (32768 and up on Linux):
// none of these takes it before a program listens there.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 2000+rand.IntN(10000)))
		if err == nil {
			require.NoError(t, l.Close())
			return l.Addr().String()
		}
	}
	require.FailNow(t, "no port is free")
	return ""
}

// awaitListener waits until something listens at address.
func awaitListener(t *testing.T, address string) {
	t.Helper()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, waitLimit, waitTick, "nothing listens at %s", address)
}
