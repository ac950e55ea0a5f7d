package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/lab"
	"github.com/hmad/hmad/internal/online"
	hmadsync "github.com/hmad/hmad/internal/sync"
)

func TestDoctor(t *testing.T) {
	l := startLab(t)
	sixOnly := write(t, t.TempDir(), "hmad.yaml", sixLines+"    resolver: "+l.Facts().Resolver+"\n")
	for name, c := range map[string]diagnosis{
		"a healthy estate": {labConfig(t, l, ""), "", exitOK, []string{
			`works +DNS of AutoDiscover +autodiscover\.contoso\.test is `,
			`works +check evosts_metadata +passed`,
			`off +directory \(LDAP\) +needs onprem\.ldap\.url`,
			`off +check mailbox_sync +needs exchange_online, and sync\.mailboxes`,
			`off +check onprem_sync +needs onprem\.report\.listen or onprem\.report\.file, and sync\.mailboxes`,
			`^this host\n  off +web config +--web\.config\.file is not set: no TLS, no password\n  works +web listener +127\.0\.0\.1:0 is free`,
			`works +on-premises report +of \S`,
			`works +metadata document +https://login\.contoso\.test:\d+/\S+federationmetadata\.xml \(certificates: \d`,
			`works +token from Entra +certificate`,
			`off +cmdlets +needs sync\.mailboxes`,
			`works +token for Microsoft Graph +certificate`,
			`works +Graph: Application\.Read\.All +for service principal names`,
			`works +Graph: Organization\.Read\.All +for `,
			`works +Graph: Policy\.Read\.All +for `,
			`works +Graph: DeviceManagementApps\.Read\.All +for `,
			`works +Graph: User\.Read\.All +for licences`,
			`works +check tenant +passed`,
			`works +check token_acceptance +passed`,
			`works +probe mailbox +AutoDiscover knows hmad-probe@contoso\.test`,
		}},
		"a fault is broken, with its fix": {labConfig(t, l, ""), "autodiscover.probe_mailbox_unknown", exitWarned, []string{
			`warning +check autodiscover +probe_mailbox_unknown: .*\n +→ \S`,
			`warning +probe mailbox +hmad-probe@contoso\.test: probe_mailbox_unknown\n +→ set .mailbox.`,
		}},
		"a check that could not be asked counts as in check": {write(t, t.TempDir(), "hmad.yaml", activeSyncURL.ReplaceAllString(string(lab.Config(l)), "")), "autodiscover.probe_mailbox_unknown", exitWarned, []string{
			`warning +probe mailbox`, `skipped +check activesync +\S`,
		}},
		"AutoDiscover that does not answer": {labConfig(t, l, ""), "autodiscover.blocked", exitFailed, []string{
			`skipped +probe mailbox +AutoDiscover did not get as far as hmad-probe@contoso\.test`,
			`broken +check autodiscover +blocked: `,
		}},
		"nobody has reported": {write(t, t.TempDir(), "hmad.yaml", reportFile.ReplaceAllString(string(lab.Config(l)), "        file: "+
			""+t.TempDir())), "", exitFailed, []string{
			`broken +on-premises report +none that is recent enough to judge by in \S+ \(files: 0\)\n +→ install the collector`,
		}},
		"the metadata cannot be reached": {labConfig(t, l, "    metadata: {url: \"https://"+freeAddress(t)+"/metadata\"}\n"), "", exitFailed, []string{
			`broken +metadata document +https://127\.0\.0\.1:\d+/metadata: .*\n +→ let this host reach it`,
		}},
		"settings of another cloud": {write(t, t.TempDir(), "hmad.yaml", sixLines+"    resolver: "+l.Facts().Resolver+"\n    metadata: {url: \"https://login.microsoftonline.us/x\"}\n"),
			"", exitFailed, []string{`warning +cloud +metadata\.url \(login\.microsoftonline\.us\) is of Microsoft's cloud for the US government, for which`}},
		"six lines alone": {sixOnly, "", exitFailed, []string{
			`broken +DNS of AutoDiscover +autodiscover\.contoso\.com does not resolve\n +→ check the name in public DNS`,
			`off +listener for reports +needs onprem\.report\.listen`,
			`off +token from Entra +needs exchange_online\.certificate_file`,
			`off +cmdlets +needs a credential`,
			`off +token for Microsoft Graph +needs graph \(client_id`,
			`off +check tenant +needs graph \(client_id`,
			`off +on-premises report +needs onprem\.report\.listen or onprem\.report\.file`,
			`off +metadata document +needs onprem\.report\.listen`,
			`off +check evosts_metadata +needs onprem\.report\.listen, onprem\.report\.file or onprem\.ldap\.url`,
			`off +check configuration +needs onprem\.report\.listen or onprem\.report\.file`,
			`off +check tls_offload +needs checks\.tls_offload\.enabled: true`,
		}},
	} {
		t.Run(name, func(t *testing.T) { c.of(t, l) })
	}
}

// Lines of the lab's config.
var (
	activeSyncURL = regexp.MustCompile(`(?m)^ +url: .*ActiveSync.*\n`)
	reportFile    = regexp.MustCompile(`(?m)^        file: .*`)
)

// diagnosis is what the doctor must say of a config, while a fault is on.
type diagnosis struct {
	config, fault string
	code          int
	lines         []string
}

func (d diagnosis) of(t *testing.T, l *lab.Lab) {
	t.Helper()
	if d.fault != "" {
		require.NoError(t, l.Set(d.fault, true))
		defer func() { require.NoError(t, l.Set(d.fault, false)) }()
	}
	d.shown(t, "--web.listen-address=127.0.0.1:0")
}

// shown runs the doctor with these flags beside the config.
func (d diagnosis) shown(t *testing.T, flags ...string) {
	t.Helper()
	p := start(t, append([]string{"doctor", "--config.file=" + d.config}, flags...)...)
	<-p.exited
	assert.Equal(t, d.code, p.code, p.stdout)
	for _, line := range d.lines {
		assert.Regexp(t, regexp.MustCompile(line), p.stdout.String())
	}
}

// The doctor of a target with a credential says of the token, and of each
// cmdlet that the config asks for, whether it may be had.
func TestDoctorInExchangeOnline(t *testing.T) {
	l := startOnlineLab(t)
	config := labConfig(t, l, "")
	edited := func(pattern, text string) string {
		form := regexp.MustCompile(pattern)
		require.Regexp(t, form, string(lab.Config(l)))
		return write(t, t.TempDir(), "hmad.yaml", form.ReplaceAllString(string(lab.Config(l)), text))
	}
	inventoryAlone := edited(`(?m)^      watch:\n(        - .*\n)+`, "")
	for name, d := range map[string]diagnosis{
		"all may be asked": {config, "", exitOK, []string{
			`works +token from Entra +certificate`,
			`works +Get-MailboxLocation +asked about the first mailbox of sync\.watch \(rows: 1\)`,
			`works +Get-MailboxStatistics +asked .*\(rows: 1\)`, `works +Get-MobileDeviceStatistics +asked .*\(rows: 1\)`,
			`works +Get-MobileDevice +asked about the tenant \(rows: [1-9]`}},
		"no token": {edited(`exchange_online:\n +client_id: .*`, "exchange_online:\n      client_id: 00000000-1111-2222-3333-444444444444"), "", exitFailed, []string{
			`broken +token from Entra .*AADSTS700016.*\n +→ exchange_online: check client_id`, `unclear +cmdlets +without a token`}},
		"a closed way out": {config, "vantage.vantage_offline", exitFailed, []string{
			`broken +token from Entra +no token: the token endpoint cannot be reached: dial tcp .*connection refused\n +→ let this host reach it: firewall, proxy, resolver`,
			`unclear +check mailbox_sync +\d of \d watched mailboxes could not be asked; .*connection refused`}},
		"no consent": {config, "consent_missing.exchange_online", exitFailed, []string{
			`works +token from Entra`,
			`broken +Get-MailboxLocation .*\n +→ .*Exchange\.ManageAsApp .*with admin consent`, `broken +Get-MobileDevice `}},
		"no role with a cmdlet": {config, "role_missing.exchange_online", exitFailed, []string{
			`works +Get-MailboxLocation`, `broken +Get-MobileDeviceStatistics .*\n +→ .*Get-ManagementRole -Cmdlet Get-MobileDeviceStatistics`}},
		"no role with the gauges' cmdlet": {config, "statistics_role_missing.exchange_online", exitFailed, []string{
			`works +Get-MailboxLocation`, `broken +Get-MailboxStatistics .*\n +→ .*Get-ManagementRole -Cmdlet Get-MailboxStatistics`, `works +Get-MobileDeviceStatistics`}},
		"the mailbox has no part there": {config, "mailbox_sync.watched_mailbox_not_provisioned", exitWarned, []string{
			`works +Get-MailboxLocation +asked .*\(rows: 0\)`, `works +Get-MailboxStatistics +the first mailbox of sync.watch is not known there`}},
		"busy": {config, "throttled.exchange_online", exitUndecided, []string{`(works|unclear) +Get-MailboxLocation`, `unclear +Get-\S+ .*answers 429: too many requests \(throttled`}},
		"an inventory alone": {inventoryAlone, "", exitOK, []string{
			`works +Get-MailboxLocation +asked about the probe mailbox \(rows: 1\)`, `off +Get-MailboxStatistics +needs sync\.watch`,
			`works +Get-MobileDeviceStatistics +asked about the probe mailbox`, `works +Get-MobileDevice `,
			`skipped +check mailbox_sync +the daemon asks the fleet over time`}},
		"an inventory has no role": {inventoryAlone, "role_missing.exchange_online", exitFailed, []string{`broken +Get-MobileDeviceStatistics `}},
		"no inventory":             {edited(`inventory: true`, "inventory: false"), "", exitOK, []string{`off +Get-MobileDevice +needs sync\.inventory: true`}},
	} {
		t.Run(name, func(t *testing.T) { d.of(t, l) })
	}
}

// The doctor says whether hmad run can serve by the same flags, or does.
func TestDoctorOfTheWebListener(t *testing.T) {
	l := startLab(t)
	config, dir := labConfig(t, l, ""), t.TempDir()
	writeCertificate(t, dir)
	users := "basic_auth_users: {prometheus: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}\n"
	web := map[string]string{
		"nothing":    write(t, dir, "empty.yml", ""),
		"TLS":        write(t, dir, "tls.yml", "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"),
		"a password": write(t, dir, "users.yml", users),
		"a certificate": write(t, dir, "client.yml", "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_auth_type: "+
			"RequireAndVerifyClientCert, client_ca_file: cert.pem}\n"),
	}
	for name, file := range web {
		t.Run("the running hmad, which wants "+name, func(t *testing.T) {
			e := startRun(t, config, "--web.config.file="+file)
			address := strings.TrimPrefix(e.page, "http://")
			says := `is used by the running hmad, which is healthy`
			if name == "a password" || name == "a certificate" {
				says = `is taken, and requires what the web config sets`
			}
			diagnosis{config, "", exitOK, []string{`works +web config +` + regexp.QuoteMeta(file), `works +web listener +` + address + " " + says}}.
				shown(t, "--web.listen-address="+address, "--web.config.file="+file)
		})
	}
	stranger := httptest.NewServer(http.NotFoundHandler())
	defer stranger.Close()
	taken := strings.TrimPrefix(stranger.URL, "http://")
	for name, c := range map[string]struct {
		flags []string
		code  int
		line  string
	}{
		"somebody else": {[]string{"--web.listen-address=" + taken}, exitFailed, `broken +web listener +` + taken + ` is used by something other than an hmad with these settings\n +→ stop what uses it`},
		"somebody else, and a web config with a password": {[]string{"--web.listen-address=" + taken, "--web.config.file=" + web["a "+
			"password"]}, exitFailed, `broken +web listener `},
		"another's address":  {[]string{"--web.listen-address=192.0.2.1:9749"}, exitFailed, `broken +web listener .*\n +→ choose an address of this host`},
		"no such web config": {[]string{"--web.listen-address=127.0.0.1:0", "--web.config.file=/nonexistent/web.yml"}, exitFailed, `broken +web config +/nonexistent/web\.yml: no such file`},
		"a wrong web config": {[]string{"--web.listen-address=127.0.0.1:0", "--web.config.file=" + write(t, dir, "bad.yml", "users: "+
			"{}\n")}, exitFailed, `broken +web config .*users`},
		"systemd's sockets": {[]string{"--web.systemd-socket"}, exitOK, `off +web listener +by --web\.systemd-socket`},
		"two, and one for health": {[]string{"--web.listen-address=127.0.0.1:0", "--web.listen-address=[::1]:0", "--web.health-listen-address=" + taken}, exitFailed,
			`works +web listener +127\.0\.0\.1:0 is free for hmad run\n +works +web listener +\[::1\]:0 .*\n +broken +health listener .*\n +→ .*--web\.health-listen-address`},
	} {
		t.Run(name, func(t *testing.T) {
			diagnosis{config, "", c.code, []string{c.line}}.shown(t, c.flags...)
		})
	}
}

func TestReachableAtHome(t *testing.T) {
	for address, want := range map[string]string{":9749": "localhost:9749", "0.0.0.0:9749": "localhost:9749", "[::]:9749": "localhost:9749",
		"127.0.0.1:9749": "127.0.0.1:9749", "jump1.contoso.com:9749": "jump1.contoso.com:9749"} {
		assert.Equal(t, want, reachable(address), address)
	}
}

// Both commands give the same code for the same results.
func TestTheDoctorsExitCode(t *testing.T) {
	for status, code := range map[string]int{works: exitOK, off: exitOK, skipped: exitOK, warned: exitWarned, unclear: exitUndecided, broken: exitFailed} {
		assert.Equal(t, code, worse(exitOK, []step{{Status: works}, {Status: status}}), status)
	}
	assert.Equal(t, exitFailed, worse(exitFailed, []step{{Status: unclear}}), "failed outranks undecided")
	assert.Equal(t, exitUndecided, worst(exitUndecided, exitWarned), "undecided outranks warned")
	for _, outcome := range []check.Result{
		{Report: check.Report{}},
		{Report: check.Report{Findings: []check.Finding{{Reason: &check.Reason{Severity: check.Warning}}}}},
		{Report: check.Report{Findings: []check.Finding{{Reason: &check.Reason{Severity: check.Critical}}}}},
		{Err: check.Errorf(check.Token, "no token")},
	} {
		assert.Equal(t, exitCode([]check.Result{outcome}), worse(exitOK, []step{resultStep(outcome)}), outcome.Outcome())
	}
}

func TestTheDoctorShowsTheGravestFinding(t *testing.T) {
	finding := func(name string, severity check.Severity, accepted bool) check.Finding {
		return check.Finding{Reason: &check.Reason{Name: name, Severity: severity, Fix: "mend " + name}, Detail: "seen", Accepted: accepted}
	}
	r := check.Result{Check: "activesync", Report: check.Report{Findings: []check.Finding{
		finding("accepted", check.Critical, true), finding("warned", check.Warning, false), finding("failed", check.Critical, false)}}}
	assert.Equal(t, step{"check activesync", broken, "failed: seen", "mend failed"}, resultStep(r))
	r.Report.Findings = r.Report.Findings[:2]
	assert.Equal(t, step{"check activesync", warned, "warned: seen", "mend warned"}, resultStep(r))
	r.Report.Findings = r.Report.Findings[:1]
	assert.Equal(t, step{"check activesync", works, "passed", ""}, resultStep(r))
	r.Err, r.Report.Findings = check.Errorf(check.Timeout, "no answer\nin time"), nil
	assert.Equal(t, step{"check activesync", unclear, "no answer in time", ""}, resultStep(r))
}

// asker is an Invoker that remembers which columns were asked for.
type asker struct{ columns map[string][]string }

func (a asker) Invoke(_ context.Context, name string, _ map[string]any, o online.Options) (online.Rows, error) {
	a.columns[name] = o.Select
	return online.Rows{}, nil
}

func TestTheDoctorAsksForNoMoreThanTheCheck(t *testing.T) {
	a := asker{map[string][]string{}}
	for _, name := range []string{"Get-MobileDeviceStatistics", "Get-MailboxStatistics", "Get-MobileDevice"} {
		desk{t.Context(), a, "board@contoso.com", "the mailbox"}.ask(name, "Mailbox", "board@contoso.com")
		require.NotEmpty(t, a.columns[name], "%s: all columns, IMEI and phone number among them", name)
		assert.Equal(t, hmadsync.Columns(name), a.columns[name], name)
	}
}
