package catalog_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
)

const (
	// bare has what every target must have.
	bare = `targets:
  - name: contoso
    mailbox: ` + checktest.ProbeMailbox + `
    tenant: 5de110f8-2e0f-4d45-891d-bcf2218e253d
    autodiscover: {host: autodiscover.contoso.com}
    checks: {tls_offload: {enabled: true}}
`
	// full has the inputs of every check; %s are files.
	full = bare + `    vantage: external
    activesync: {url: https://mail.contoso.com/Microsoft-Server-ActiveSync}
    onprem:
      report: {file: %[1]s/reports, hosts: [EX01]}
      ldap: {url: ldaps://dc01.contoso.com, bind_dn: "cn=hmad", password_file: %[1]s/secret}
    exchange_online: {client_id: 7c0f0a4e-7d3a-4b5e-9d0e-0a3c1a5c8f11, secret_file: %[1]s/secret}
    token_acceptance: {client_id: 9c0f0a4e-7d3a-4b5e-9d0e-0a3c1a5c8f11, secret_file: %[1]s/secret}
    graph: {client_id: 7c0f0a4e-7d3a-4b5e-9d0e-0a3c1a5c8f11, secret_file: %[1]s/secret}
    sync: {file: %[1]s/mailboxes.txt, watch: [{mailbox: jane@contoso.com}]}
    allow_list: {file: %[1]s/allow-list.txt}
    cloud_autodiscover: {tenant_domain: contoso.onmicrosoft.com}
    autodetect: {ask: true}
`
)

func TestEveryCheckKeepsWhatChecksPromise(t *testing.T) {
	for name, text := range map[string]string{"a target with no more than it must have": bare, "a target with everything": full} {
		for _, def := range catalog.Defs() {
			t.Run(name+"/"+def.Name, func(t *testing.T) {
				target, env := conformTarget(t, text)
				checktest.Conform(t, def, target, env)
			})
		}
	}
}

// Reports whose lists are all empty show nothing that could be in order.
func TestAnEmptyReportClearsNothing(t *testing.T) {
	// What a report answers although its lists are empty: that it is there, and
	// that there is no such event, mailbox or rule.
	answered := map[string][]string{
		"onprem_report":    {"report_missing", "report_late", "report_invalid", "report_clock_skew"},
		"metadata_refresh": {"arbitration_mailbox_multiple", "tokens_refused", "stale_copy_proven"},
		"configuration":    {"outlook_service_blocked"},
	}
	for _, def := range catalog.Defs() {
		t.Run(def.Name, func(t *testing.T) {
			target, env := conformTarget(t, full)
			writeReport(t, env.Reports, `[]`)
			checktest.ConformEmpty(t, def, target, env, answered[def.Name]...)
		})
	}
}

// Reports whose objects have no properties show that the objects are there, and
// nothing about them.
func TestAReportWithoutPropertiesClearsNothing(t *testing.T) {
	answered := map[string][]string{
		"onprem_report": {"report_missing", "report_late", "report_invalid", "report_clock_skew"},
		"configuration": {"hybrid_configuration_missing"},
	}
	for _, def := range catalog.Defs() {
		if def.Needs != config.ReportNeeds {
			continue // what else it needs nobody answers, and TestAnEmptyReportClearsNothing has it
		}
		t.Run(def.Name, func(t *testing.T) {
			target, env := conformTarget(t, full)
			writeReport(t, env.Reports, `[{}]`)
			found := checktest.ConformEmpty(t, def, target, env, answered[def.Name]...)
			for _, f := range found {
				assert.Equal(t, "report_section_failed", f.Reason.Name, f.Detail)
			}
		})
	}
}

// conformTarget returns the target of a config, with its files.
func conformTarget(t *testing.T, text string) (config.Target, check.Env) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "reports"), 0o700))
	for name, content := range map[string]string{"secret": "s3cret", "mailboxes.txt": "joe@contoso.com\n", "allow-list.txt": "0.0.0.0/0\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	if text == full {
		text = fmt.Sprintf(full, dir)
	}
	f, err := config.Parse("hmad.yaml", []byte(text))
	require.NoError(t, err)
	env := checktest.Env(time.Now)
	env.Memory, env.Meter = new(checktest.Memory), checktest.Discard{}
	if f.Targets[0].OnPrem.Report.Configured() {
		env.Reports = filepath.Join(dir, "reports")
	}
	return f.Targets[0], env
}

// writeReport writes a report of EX01 whose sections all have this data.
func writeReport(t *testing.T, dir, sectionData string) {
	t.Helper()
	sections := map[string]any{}
	for _, name := range report.SectionNames() {
		sections[name] = map[string]any{"ok": true, "data": json.RawMessage(sectionData)}
	}
	data, err := json.Marshal(map[string]any{"schema": 1, "collector": "9.9.9", "host": "EX01", "intervalSeconds": 900,
		"generatedAt": time.Now().UTC().Format(time.RFC3339), "durationMs": 1, "sections": sections})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ex01.json"), data, 0o600))
}
