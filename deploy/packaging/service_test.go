package packaging

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

// siteConfig is a target behind which nobody answers: verdicts come at once.
const siteConfig = `confirm_after: 100ms
targets:
  - name: contoso
    mailbox: hmad-probe@contoso.com
    tenant: 5de110f8-2e0f-4d45-891d-bcf2218e253d
    autodiscover: {host: autodiscover.contoso.com}
    activesync: {url: https://mail.contoso.com/Microsoft-Server-ActiveSync}
    connect_to:
      autodiscover.contoso.com:443: 127.0.0.1:1
      mail.contoso.com:443: 127.0.0.1:1
      login.microsoftonline.com:443: 127.0.0.1:1
`

// The page of the service, and who may see it.
const (
	page     = "https://127.0.0.1:9749"
	password = "prometheus:correct horse"
)

// The life of a service, from the package's installation to its purge.
func TestServiceUnderSystemd(t *testing.T) {
	t.Parallel()
	needRoot(t)
	first, second := deb(release(t), "1.0.0", arch), deb(next(t), "1.0.1", arch)
	m := boot(t)
	for _, step := range []struct {
		name string
		does func(*testing.T, machine)
	}{
		{"the first installation enables and does not start", func(t *testing.T, m machine) { installs(t, m, first) }},
		{"it starts under full hardening, with credentials", starts},
		{"it says how it is", saysHowItIs},
		{"it reloads", reloads},
		{"its lines carry their priority", logsWithPriority},
		{"the watchdog restarts it", isRestartedByTheWatchdog},
		{"it stops within five seconds", stops},
		{"an upgrade goes on with its state", func(t *testing.T, m machine) { upgrades(t, m, second) }},
		{"a removal stops it, a purge forgets", isRemoved},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.does(t, m) }) {
			all, _ := m.try("journalctl", "--no-pager", "--lines=100")
			t.Fatal(all)
		}
	}
}

func installs(t *testing.T, m machine, file string) {
	m.install(t, file)
	assert.Equal(t, "enabled", m.show(t, "UnitFileState"))
	assert.Equal(t, "inactive", m.show(t, "ActiveState"))
	assert.Empty(t, m.run(t, "sh", "-c", "systemd-analyze verify --man=no hmad.service 2>&1"))
}

func starts(t *testing.T, m machine) {
	dropIn, files := credentials(t)
	require.NotEmpty(t, files)
	for _, file := range files {
		m.write(t, file, "secret")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	require.NoError(t, err)
	certificate, key := selfSigned(t)
	m.write(t, "/etc/hmad/credentials/web.key", key)
	m.write(t, "/etc/hmad/credentials/web.yml", "tls_server_config: {cert_file: /etc/hmad/web.crt, key_file: web.key}\nbasic_auth_users: {prometheus: "+string(hash)+"}\n")
	m.write(t, "/etc/hmad/web.crt", certificate)
	m.run(t, "chmod", "-R", "go=", "/etc/hmad/credentials") // for root alone
	m.write(t, "/etc/systemd/system/hmad.service.d/site.conf", "[Service]\n"+dropIn)
	m.write(t, defaultFile, "ARGS=\"--web.config.file=/run/credentials/hmad.service/web.yml --log.level=debug\"\n")
	m.write(t, configFile, siteConfig)

	m.run(t, "systemctl", "daemon-reload")
	m.run(t, "systemctl", "start", "hmad")
	assert.Equal(t, "active", m.show(t, "ActiveState"))

	for _, file := range files {
		assert.Equal(t, "hmad 400", m.run(t, "stat", "-c", "%U %a", "/run/credentials/hmad.service/"+filepath.Base(file)))
	}
	status := m.run(t, "cat", "/proc/"+m.show(t, "MainPID")+"/status")
	assert.Regexp(t, `\nNoNewPrivs:\s1\n`, status)
	assert.Regexp(t, `\nSeccomp:\s2\n`, status)
	assert.Regexp(t, `\nCapBnd:\s0+\n`, status)
	assert.NotRegexp(t, `\nUid:\s0\s`, status)
	assert.Equal(t, "hmad 700", m.run(t, "stat", "-c", "%U %a", filepath.Dir(stateFile)))
	m.run(t, "systemd-analyze", "security", "--threshold=15", "hmad")
}

func awaitStatus(t *testing.T, m machine, want string) {
	t.Helper()
	await(t, "the status «"+want+"»", func() bool { return m.show(t, "StatusText") == want })
}

// metric returns the value of the first series whose name begins so, "" when
// there is none.
func metric(t *testing.T, m machine, series string) string {
	t.Helper()
	for _, line := range lines(m.curl(t, "-k", "-u", password, page+"/metrics")) {
		if strings.HasPrefix(line, series) {
			return line[strings.LastIndexByte(line, ' ')+1:]
		}
	}
	return ""
}

func saysHowItIs(t *testing.T, m machine) {
	awaitStatus(t, m, "3 checks: 1 warned, 2 failed")
	assert.Equal(t, "401", m.curl(t, "-k", "-o", "/dev/null", "-w", "%{http_code}", page+"/metrics"))
	assert.Equal(t, "1", metric(t, m, `hmad_finding{check="activesync",reason="connect_failed",severity="critical",target="contoso"}`))
	assert.NotEmpty(t, metric(t, m, "process_start_time_seconds"), "which ProcSubset=pid would hide")
	assert.Equal(t, "1", metric(t, m, "hmad_state_healthy"))
}

func reloads(t *testing.T, m machine) {
	pid := m.show(t, "MainPID")
	m.run(t, "sh", "-c", `printf '    checks: {activesync: {enabled: false}}\n' >>`+configFile)
	m.run(t, "systemctl", "reload", "hmad")
	awaitStatus(t, m, "2 checks: 1 warned, 1 failed")
	m.run(t, "sh", "-c", "cp "+configFile+" /root/good && echo 'nonsense: true' >>"+configFile)
	m.run(t, "systemctl", "reload", "hmad")
	await(t, "the refusal", func() bool {
		n, _ := logged(m.journal(t), "config refused")
		return n == 1
	})
	m.run(t, "cp", "/root/good", configFile)
	assert.Equal(t, "active", m.show(t, "ActiveState"))
	assert.Equal(t, pid, m.show(t, "MainPID"))
}

func logsWithPriority(t *testing.T, m machine) {
	entries := m.journal(t)
	for text, want := range map[string]int{"INFO\tstarted": 6, "INFO\tconfig reloaded": 6, "ERROR\tconfig refused": 3, "WARN\toutcome changed": 4} {
		n, priority := logged(entries, text)
		assert.Positive(t, n, text)
		assert.Equal(t, want, priority, text)
	}
}

func isRestartedByTheWatchdog(t *testing.T, m machine) {
	const dropIn = "/etc/systemd/system/hmad.service.d/impatient.conf"
	m.write(t, dropIn, "[Service]\nWatchdogSec=20\nRestartSec=100ms\n")
	m.run(t, "systemctl", "daemon-reload")
	m.run(t, "systemctl", "restart", "hmad")
	fed := m.show(t, "WatchdogTimestampMonotonic")
	await(t, "a sign of life", func() bool { return m.show(t, "WatchdogTimestampMonotonic") != fed })

	pid := m.show(t, "MainPID")
	m.run(t, "kill", "-STOP", pid)
	await(t, "the restart", func() bool {
		return m.show(t, "NRestarts") != "0" && m.show(t, "ActiveState") == "active"
	})
	assert.NotEqual(t, pid, m.show(t, "MainPID"))
	entries := m.journal(t)
	_, priority := logged(entries, "SIGABRT: abort")
	assert.Equal(t, 3, priority)
	stacks, _ := logged(entries, "goroutine ")
	assert.Greater(t, stacks, 3, "the stacks of all goroutines, to see what hung")
	m.run(t, "rm", dropIn)
	m.run(t, "systemctl", "daemon-reload")
}

func stops(t *testing.T, m machine) {
	m.run(t, "systemctl", "stop", "hmad")
	assert.Equal(t, "inactive", m.show(t, "ActiveState"))
	assert.Equal(t, "success", m.show(t, "Result"), "it ended by itself, within TimeoutStopSec")
	assert.Equal(t, "0", m.show(t, "ExecMainStatus"))
}

// In the journal only a change of outcome is told: a state that was kept knows
// the outcome, and there is nothing to tell.
func upgrades(t *testing.T, m machine, file string) {
	m.run(t, "systemctl", "start", "hmad")
	awaitStatus(t, m, "2 checks: 1 warned, 1 failed")
	pid := m.show(t, "MainPID")
	before, _ := logged(m.journal(t), "outcome changed")
	require.Positive(t, before)

	m.install(t, file)
	assert.Equal(t, "active", m.show(t, "ActiveState"))
	assert.NotEqual(t, pid, m.show(t, "MainPID"))
	await(t, "runs of the new version", func() bool {
		return metric(t, m, `hmad_check_runs_total{check="autodiscover",outcome="failed",target="contoso"}`) == "1"
	})
	awaitStatus(t, m, "2 checks: 1 warned, 1 failed")
	assert.Contains(t, m.run(t, "hmad", "version"), "hmad v1.0.1 ")
	after, _ := logged(m.journal(t), "outcome changed")
	assert.Equal(t, before, after)
	assert.Contains(t, m.run(t, "cat", configFile), "enabled: false", "and the config is this site's")
}

func isRemoved(t *testing.T, m machine) {
	pid := m.show(t, "MainPID")
	m.run(t, "dpkg", "-r", "hmad")
	_, err := m.try("kill", "-0", pid)
	assert.Error(t, err, "the process is gone")
	m.run(t, "test", "-s", stateFile)
	m.run(t, "dpkg", "-P", "hmad")
	for _, file := range []string{stateFile, configFile, wantsLink} {
		_, err := m.try("test", "-e", file)
		assert.Error(t, err, file)
	}
	assert.Equal(t, "not-found", m.show(t, "LoadState"))
}

// selfSigned makes a certificate and its key (PEM).
func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}
