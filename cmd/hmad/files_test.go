package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/lab"
)

// quiet is a target that asks nobody: every check is off.
func quiet() string {
	text := strings.ReplaceAll(sixLines, "contoso.com", "contoso.test") + "    checks:\n"
	for _, name := range catalog.Names() {
		text += "      " + name + ": {enabled: false}\n"
	}
	return text
}

// naming returns, for each setting that names a file, a config that sets it, and
// the file, which is in order.
func naming(t *testing.T) map[string][2]string {
	ca, dir := checktest.NewCA(t), t.TempDir()
	cert := ca.Issue(t)
	secret := write(t, dir, "secret", strings.Repeat("s", 32))
	pem := write(t, dir, "pem", read(t, cert.CertFile)+read(t, cert.KeyFile))
	account := write(t, dir, "account", "hmad:secret\n")
	lists := fmt.Sprintf("    allow_list: {file: %s, endpoints_file: %s, version_file: %s}\n", account, cert.CertFile, cert.KeyFile)
	reports := filepath.Join(dir, "reports")
	require.NoError(t, os.Mkdir(reports, 0o700))
	const app = "    exchange_online: {client_id: 5de110f8-2e0f-4d45-891d-bcf2218e253d, "
	const own = "    token_acceptance: {client_id: 5de110f8-2e0f-4d45-891d-bcf2218e253d, "
	const graph = "    graph: {client_id: 5de110f8-2e0f-4d45-891d-bcf2218e253d, "
	listens := fmt.Sprintf("    onprem: {report: {listen: %q, cert_file: %s, key_file: %s, token_file: %s, client_ca_file: %s}}\n",
		freeAddress(t), cert.CertFile, cert.KeyFile, secret, ca.File)
	ldap := fmt.Sprintf("    onprem: {ldap: {url: \"ldaps://dc.contoso.com\", bind_dn: \"CN=hmad\", password_file: %s, ca_file: %s}}\n", secret, ca.File)
	return map[string][2]string{
		"ca_file":                                 {"    ca_file: " + ca.File + "\n", ca.File},
		"onprem.report.cert_file":                 {listens, cert.CertFile},
		"onprem.report.key_file":                  {listens, cert.KeyFile},
		"onprem.report.token_file":                {listens, secret},
		"onprem.report.client_ca_file":            {listens, ca.File},
		"onprem.report.file":                      {"    onprem: {report: {file: " + reports + "}}\n", reports},
		"onprem.ldap.password_file":               {ldap, secret},
		"onprem.ldap.ca_file":                     {ldap, ca.File},
		"exchange_online.certificate_file":        {app + "certificate_file: " + pem + "}\n", pem},
		"exchange_online.secret_file":             {app + "secret_file: " + secret + "}\n", secret},
		"exchange_online.workload_identity_file":  {app + "workload_identity_file: " + secret + "}\n", secret},
		"graph.certificate_file":                  {graph + "certificate_file: " + pem + "}\n", pem},
		"graph.secret_file":                       {graph + "secret_file: " + secret + "}\n", secret},
		"graph.workload_identity_file":            {graph + "workload_identity_file: " + secret + "}\n", secret},
		"token_acceptance.certificate_file":       {own + "certificate_file: " + pem + "}\n", pem},
		"token_acceptance.secret_file":            {own + "secret_file: " + secret + "}\n", secret},
		"token_acceptance.workload_identity_file": {own + "workload_identity_file: " + secret + "}\n", secret},
		"proxy_credentials_file":                  {"    proxy: http://proxy.contoso.com:3128\n    proxy_credentials_file: " + account + "\n", account},
		"allow_list.file":                         {"    allow_list: {file: " + account + "}\n", account},
		"allow_list.endpoints_file":               {lists, cert.CertFile},
		"allow_list.version_file":                 {lists, cert.KeyFile},
		"sync.file":                               {app + "secret_file: " + secret + "}\n    sync: {file: " + cert.CertFile + "}\n", cert.CertFile},
	}
}

// verdicts are what config check and run say of a config.
type verdicts struct {
	check, run           int
	stdout, stderr, told string
}

// bothOf runs both; run is stopped once it has started.
func bothOf(t *testing.T, file string) verdicts {
	t.Helper()
	p := start(t, "config", "check", file)
	<-p.exited
	v := verdicts{check: p.code, stdout: p.stdout.String(), stderr: p.stderr.String()}
	p = start(t, "run", "--config.file="+file, "--storage.path="+t.TempDir(), "--web.listen-address=127.0.0.1:0")
	p.await(t, p.stderr, `(started|hmad: )`)
	v.run, v.told = p.stop(), p.stderr.String()
	return v
}

// What config check calls in order starts, and what it refuses does not, for every
// setting that names a file, whether or not a check reads it.
func TestConfigCheckIsWhatRunWillDo(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	bad := map[string]string{"missing": "/nonexistent/file", "a FIFO": fifo, "a directory": t.TempDir(), "a device": "/dev/null"}
	texts := naming(t)
	for _, f := range (config.Target{}).FileSettings() {
		good, ok := texts[f.Setting]
		require.True(t, ok, "no config that sets %s", f.Setting)
		t.Run(f.Setting+", in order", func(t *testing.T) {
			v := bothOf(t, write(t, t.TempDir(), "hmad.yaml", quiet()+good[0]))
			assert.Equal(t, exitOK, v.check, v.stderr)
			assert.Equal(t, exitOK, v.run, v.told)
			assert.Empty(t, v.stderr)
			assert.Contains(t, v.stdout, "is in order: 0 checks; its files were read as user "+config.User())
		})
		for kind, name := range bad {
			t.Run(f.Setting+", "+kind, func(t *testing.T) {
				if f.Folder && kind == "a directory" {
					return // which is right
				}
				v := bothOf(t, write(t, t.TempDir(), "hmad.yaml", quiet()+strings.Replace(good[0], f.Setting[strings.LastIndex(f.Setting, ".")+1:]+": "+good[1],
					f.Setting[strings.LastIndex(f.Setting, ".")+1:]+": "+name, 1)))
				if f.Later && kind == "missing" {
					assert.Equal(t, exitOK, v.check, v.stderr)
					assert.Equal(t, exitOK, v.run, v.told)
					assert.Regexp(t, `^hmad: warning: \S+: targets\[0\]\.`+regexp.QuoteMeta(f.Setting)+`: /nonexistent/file: no such file or directory\n$`, v.stderr)
					assert.Contains(t, v.told, f.Setting+": /nonexistent/file: no such file")
					return
				}
				assert.Equal(t, exitUndecided, v.check)
				assert.Equal(t, exitError, v.run)
				assert.Equal(t, v.stderr, v.told)
				assert.Regexp(t, `^hmad: \S+: targets\[0\]\.`+regexp.QuoteMeta(f.Setting)+`: `+name+`: [^\n]+\n$`, v.stderr)
			})
		}
	}
}

// An address that this host does not have is refused by both, one that is in use by
// run alone: it may be the running hmad's.
func TestConfigCheckOfAListener(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	text := naming(t)["onprem.report.cert_file"][0]
	listens := regexp.MustCompile(`listen: "[^"]*"`)
	for address, code := range map[string]int{"192.0.2.1:9751": exitUndecided, taken.Addr().String(): exitOK} {
		v := bothOf(t, write(t, t.TempDir(), "hmad.yaml", quiet()+listens.ReplaceAllString(text, fmt.Sprintf("listen: %q", address))))
		assert.Equal(t, code, v.check, v.stderr)
		assert.Equal(t, exitError, v.run)
		assert.Contains(t, v.told, "onprem.report.listen: listen tcp "+address+": bind: ")
		if code != exitOK {
			assert.Equal(t, v.told, v.stderr)
		}
	}
}

// What stands in a file is judged at the start too, and all files at once.
func TestEveryFileThatCannotBeUsedIsToldAtOnce(t *testing.T) {
	junk := write(t, t.TempDir(), "junk", "\n")
	file := write(t, t.TempDir(), "hmad.yaml", quiet()+fmt.Sprintf(`    ca_file: /nonexistent/ca
    onprem:
      report: {listen: %q, cert_file: /nonexistent/cert, key_file: /nonexistent/key, token_file: %s, client_ca_file: %s}
      ldap: {url: "ldaps://dc.contoso.com", bind_dn: "CN=hmad", password_file: %s, ca_file: %s}
    exchange_online: {client_id: 5de110f8-2e0f-4d45-891d-bcf2218e253d, secret_file: /nonexistent/secret}
    sync: {file: /nonexistent/mailboxes}
`, freeAddress(t), junk, junk, junk, junk))
	v := bothOf(t, file)
	assert.Equal(t, exitUndecided, v.check)
	assert.Equal(t, exitError, v.run)
	for _, setting := range []string{"ca_file: /nonexistent/ca: no such", "report.cert_file: ", "report.key_file: ", "report.token_file: ", "report.client_ca_file: ",
		"ldap.password_file: ", "ldap.ca_file: ", "secret_file: /nonexistent/secret: no such"} {
		assert.Equal(t, 1, strings.Count(v.told, setting), "%s\n%s", setting, v.told)
	}
	assert.Equal(t, 8, strings.Count(v.told, "\n"), v.told)
	assert.Contains(t, v.stderr, "hmad: warning: ")
}

// A file that this user may not read is told apart from one that is not there,
// with the user.
func TestAFileThatThisUserMayNotRead(t *testing.T) {
	dir := t.TempDir()
	closed := write(t, dir, "closed", strings.Repeat("s", 32))
	require.NoError(t, os.Chmod(closed, 0))
	config := write(t, dir, "hmad.yaml", quiet()+"    exchange_online: {client_id: 5de110f8-2e0f-4d45-891d-bcf2218e253d, secret_file: "+closed+"}\n")
	code, text := asAnother(t, dir, "config", "check", config)
	assert.Equal(t, exitUndecided, code)
	assert.Regexp(t, `: targets\[0\]\.exchange_online\.secret_file: `+closed+`: permission denied: user \S+ may not read it\n$`, text)
}

// asAnother runs hmad as a user who is not root, for whom everything below dir is
// opened that has a mode, and gives the exit code and what it wrote to stderr.
func asAnother(t *testing.T, dir string, args ...string) (int, string) {
	t.Helper()
	program := filepath.Join(dir, "hmad")
	data, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, data, 0o755))
	encoded, err := json.Marshal(args)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env, cmd.Dir = append(os.Environ(), childEnv+"="+string(encoded)), "/"
	if os.Geteuid() == 0 {
		for folder := dir; folder != os.TempDir() && folder != "/"; folder = filepath.Dir(folder) {
			require.NoError(t, os.Chmod(folder, 0o755))
		}
		require.NoError(t, os.Chmod(filepath.Join(dir, "hmad.yaml"), 0o644))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	var text strings.Builder
	cmd.Stderr = &text
	_ = cmd.Run() // its code is compared
	return cmd.ProcessState.ExitCode(), text.String()
}

// The doctor goes on past a file that cannot be read, and shows it.
func TestDoctorPastAFileThatCannotBeRead(t *testing.T) {
	l := startLab(t)
	without := func(setting string) string {
		form := regexp.MustCompile(`(?m)^( +` + setting + `: ).*$`)
		return write(t, t.TempDir(), "hmad.yaml", form.ReplaceAllString(string(lab.Config(l)), "${1}/nonexistent/file"))
	}
	for name, d := range map[string]diagnosis{
		"no credential": {without("certificate_file"), "", exitFailed, []string{
			`broken +files +exchange_online\.certificate_file: /nonexistent/file: no such file or directory\n +→ put it there`,
			`broken +token from Entra +exchange_online\.certificate_file: `,
			`works +check activesync +passed`,
		}},
		"no roots": {without("ca_file"), "", exitFailed, []string{
			`broken +files +ca_file: /nonexistent/file: no such file`,
			`works +DNS of AutoDiscover`,
			`unclear +check activesync +ca_file: /nonexistent/file`,
		}},
		"all is there": {labConfig(t, l, ""), "", exitOK, []string{`works +files +user \S+ can read those that the config names \(files: \d\)`}},
	} {
		t.Run(name, func(t *testing.T) { d.of(t, l) })
	}
}
