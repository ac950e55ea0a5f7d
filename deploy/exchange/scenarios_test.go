package collector

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/report"
)

// exchangeSections are those that ask Exchange, by the script's own sections.
var exchangeSections = []string{"activeSyncSettings", "arbitration", "authConfig", "authServers", "databaseCopies", "deviceAccessRules",
	"exchangeCertificates", "exchangeServers", "hybridConfiguration", "intraOrganizationConnectors", "organizationConfig",
	"organizationRelationships", "partnerships", "transportConfig", "virtualDirectories"}

func TestScenarios(t *testing.T) {
	for name, c := range map[string]struct {
		scenario string
		env      []string
		args     []string
		failed   []string // sections that are not ok
		absent   []string // sections that are left out
	}{
		"a healthy server":                        {args: []string{"-Mailboxes", "a@contoso.com,b@contoso.com"}},
		"no session":                              {scenario: "no-session", args: []string{"-Mailboxes", "a@contoso.com"}, failed: exchangeSections, absent: []string{"migrationEndpoints", "settingOverrides"}},
		"no events":                               {scenario: "no-events"},
		"an optional cmdlet is not offered":       {scenario: "without:Get-MigrationEndpoint", absent: []string{"migrationEndpoints"}},
		"one cmdlet fails":                        {scenario: "fail:Get-TransportConfig", failed: []string{"transportConfig"}},
		"one cmdlet fails that two sections need": {scenario: "fail:Get-AuthConfig", failed: []string{"authConfig", "exchangeCertificates"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newBed(t).run(t, c.scenario, c.env, c.args...)
			assert.Zero(t, o.status, o.complaints)
			assert.Empty(t, o.left, "no session outlives its client")
			assert.Equal(t, c.failed, o.failed(t))
			r, err := report.Decode(o.data)
			require.NoError(t, err)
			for _, name := range report.SectionNames() {
				_, has := r.Sections[name]
				missing := slices.Contains(c.absent, name) || name == "partnerships" && len(c.args) == 0
				assert.Equal(t, !missing, has, name)
			}
			for name, err := range r.Unreadable() {
				assert.Contains(t, c.failed, name, err)
			}
		})
	}
}
