package lab

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	onprem "github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/report/intake"
)

// env is the world of hmad's code for reports and tokens.
func env(l *Lab) check.Env {
	return check.Env{
		Now: time.Now, Dial: new(net.Dialer).DialContext,
		Resolve: resolver(l, "udp").LookupNetIP,
		Meter:   noMeter{},
		ReadFile: func(name string, _ int64) ([]byte, error) {
			return os.ReadFile(name)
		},
		ReadDir: func(name string) ([]string, error) { return filepath.Glob(filepath.Join(name, "*")) },
	}
}

type noMeter struct{}

func (noMeter) Add(*check.Metric, float64, ...string)     {}
func (noMeter) Observe(*check.Metric, float64, ...string) {}

// Every server reports every section that hmad reads, and hmad can read them.
func TestHealthyReports(t *testing.T) {
	l := start(t)
	arrived, err := onprem.ReadFolder(env(l), l.Facts().Reports)
	require.NoError(t, err)
	require.Len(t, arrived, 3)
	for i, a := range arrived {
		require.NoError(t, a.Err)
		assert.Equal(t, l.Facts().Hosts[i], a.Host)
		assert.Equal(t, reportInterval, a.Interval)
		assert.WithinDuration(t, time.Now(), a.GeneratedAt, checktest.Patience)
		for _, name := range onprem.SectionNames() {
			if name == "frontEndRequests" || name == "partnerships" {
				continue // this lab has no Exchange Online, whose requests they count
			}
			assert.True(t, a.Sections[name].OK, "%s: %s", a.Host, name)
		}
		for name, err := range read(a.Report) {
			assert.NoError(t, err, name)
		}
	}
}

// read reads every section by its type.
func read(r onprem.Report) map[string]error {
	errs := map[string]error{}
	_, errs["authServers"] = r.AuthServers()
	_, errs["arbitration"] = r.Arbitration()
	_, errs["databaseCopies"] = r.DatabaseCopies()
	_, errs["organizationConfig"] = r.OrganizationConfig()
	_, errs["activeSyncSettings"] = r.ActiveSyncSettings()
	_, errs["deviceAccessRules"] = r.DeviceAccessRules()
	_, errs["virtualDirectories"] = r.VirtualDirectories()
	_, errs["exchangeServers"] = r.ExchangeServers()
	_, errs["transportConfig"] = r.TransportConfig()
	_, errs["authConfig"] = r.AuthConfig()
	_, errs["exchangeCertificates"] = r.ExchangeCertificates()
	_, errs["hybridConfiguration"] = r.HybridConfiguration()
	_, errs["intraOrganizationConnectors"] = r.IntraOrganizationConnectors()
	_, errs["organizationRelationships"] = r.OrganizationRelationships()
	_, errs["migrationEndpoints"] = r.MigrationEndpoints()
	_, errs["settingOverrides"] = r.SettingOverrides()
	_, errs["authAdminEvents"] = r.AuthAdminEvents()
	_, errs["oauthEvents"] = r.OAuthEvents()
	_, errs["localServer"] = r.LocalServer()
	_, errs["webConfig"] = r.WebConfig()
	_, errs["iis"] = r.IIS()
	return errs
}

// moments are the times of reports that were made one after the other.
var moments = regexp.MustCompile(`20\d\d-\d\d-\d\dT[0-9:.]+Z`)

// folder returns the reports' files, moments left out.
func folder(t *testing.T, l *Lab) map[string]string {
	t.Helper()
	files, err := os.ReadDir(l.Facts().Reports)
	require.NoError(t, err)
	all := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(l.Facts().Reports, f.Name()))
		require.NoError(t, err)
		all[f.Name()] = moments.ReplaceAllString(string(text), "~")
	}
	return all
}

// Every fault in the reports changes them at once, and they are readable but
// where the fault is that they are not. What each leads to, cmd/hmad tests.
func TestFaultsOfReports(t *testing.T) {
	l := start(t)
	timeAlone := map[string]bool{"onprem_report.report_clock_skew": true, "onprem_report.report_late": true, "configuration.auth_certificate_expiring": true}
	for _, f := range l.faults {
		if f.where != onPremises {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			healthy := folder(t, l)
			require.NoError(t, l.Set(f.name, true))
			assert.Equal(t, timeAlone[f.name], assert.ObjectsAreEqual(healthy, folder(t, l)))
			for _, host := range servers {
				text, err := os.ReadFile(filepath.Join(l.Facts().Reports, strings.ToLower(host)+".json"))
				if f.name == "onprem_report.report_missing" && host == "EX03" {
					assert.ErrorIs(t, err, os.ErrNotExist)
					continue
				}
				require.NoError(t, err)
				r, err := onprem.Decode(text)
				require.NoError(t, err)
				for name, err := range read(r) {
					failed := f.name == "onprem_report.report_section_failed" && host == "EX03" && name == "migrationEndpoints"
					assert.Equal(t, failed, err != nil, "%s: %v", name, err)
				}
			}
			require.NoError(t, l.Set(f.name, false))
			if !strings.Contains(f.name, "metadata_refresh") { // the job's runs stay in its log
				assert.Equal(t, healthy, folder(t, l))
			}
		})
	}
}

// pushing returns a lab that pushes to a free port, the address, and hmad's
// settings for it.
func pushing(t *testing.T) (*Lab, config.Report) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	l, err := Start(Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Push: addr})
	require.NoError(t, err, "that nobody listens yet does not matter")
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	assert.Empty(t, l.Facts().Reports)
	p := l.Facts().Push
	return l, config.Report{Listen: checktest.Setting[config.AddrPort](p.Listen), CertFile: p.CertFile, KeyFile: p.KeyFile, TokenFile: p.TokenFile}
}

// taken keeps what an intake takes.
type taken struct {
	mu    sync.Mutex
	files map[string][]byte
	came  chan string
}

func (k *taken) put(name string, data []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files[name] = data
	k.came <- name
	return nil
}

func TestReportsArePushed(t *testing.T) {
	l, settings := pushing(t)
	e := env(l)
	e.Reports = t.TempDir()
	k := &taken{files: map[string][]byte{}, came: make(chan string, 100)}
	in := intake.New(settings, e, k.put)
	require.Empty(t, in.Check())
	ln, err := net.Listen("tcp", settings.Listen.String())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- in.Serve(ctx, ln) }()

	seen := map[string]bool{}
	for len(seen) < 3 { // the lab tries again each second
		select {
		case name := <-k.came:
			seen[name] = true
		case <-time.After(checktest.Patience):
			require.Fail(t, "no reports", "%v", seen)
		}
	}
	require.NoError(t, l.Set("configuration.oauth_profile_disabled", true))
	k.mu.Lock()
	r, err := onprem.Decode(k.files["ex02.json"])
	k.mu.Unlock()
	require.NoError(t, err)
	organization, err := r.OrganizationConfig()
	require.NoError(t, err)
	assert.False(t, organization.OAuth2ClientProfileEnabled, "a fault is pushed before Set returns")
	cancel()
	require.NoError(t, <-served)
	assert.NoError(t, l.Set("configuration.oauth_profile_disabled", false), "hmad is gone, the lab goes on")
}

// The push shows the token; the listener's certificate is the lab's.
func TestPushNeedsTheToken(t *testing.T) {
	l, settings := pushing(t)
	require.NoError(t, os.WriteFile(settings.TokenFile, []byte("another-token-of-twenty-six"), 0o600))
	e := env(l)
	e.Reports = t.TempDir()
	in := intake.New(settings, e, func(string, []byte) error { t.Error("taken"); return nil })
	ln, err := net.Listen("tcp", settings.Listen.String())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- in.Serve(ctx, ln) }()
	assert.ErrorContains(t, l.report(), "401")
	cancel()
	require.NoError(t, <-served)
}

func TestConfigOfAPushingLab(t *testing.T) {
	l, settings := pushing(t)
	f, err := config.Parse("lab.yaml", Config(l))
	require.NoError(t, err)
	settings.Hosts = l.Facts().Hosts
	assert.Equal(t, settings, f.Targets[0].OnPrem.Report)
	_, err = tls.LoadX509KeyPair(settings.CertFile, settings.KeyFile)
	assert.NoError(t, err)
}

func TestReportIsWhatTheCollectorWrites(t *testing.T) {
	l := start(t)
	all, stray := l.premises.reports(l.facts, cloudSide{})
	assert.Nil(t, stray)
	var text map[string]any
	require.NoError(t, json.Unmarshal(all[0].text(), &text))
	for _, key := range []string{"schema", "collector", "host", "intervalSeconds", "generatedAt", "durationMs", "sections"} {
		assert.Contains(t, text, key)
	}
	assert.Len(t, text, 7)
	events := text["sections"].(map[string]any)["authAdminEvents"].(map[string]any)
	assert.Nil(t, events["error"])
	assert.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$`, events["data"].([]any)[0].(map[string]any)["time"])
}
