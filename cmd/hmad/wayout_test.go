package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/lab"
)

// A real outage stands whatever Microsoft's sign-in service thinks of the tenant:
// only a way out that is closed puts it in doubt.
func TestAnOutageStandsWhileTheSignInHostAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		tenant  string // empty: the lab's own
		faults  []string
		outcome string
		reasons []string
		class   string
	}{
		"the tenant is known":           {"", []string{"activesync.connect_failed"}, "failed", []string{"connect_failed"}, ""},
		"the tenant is unknown to it":   {"11111111-2222-3333-4444-555555555555", []string{"activesync.connect_failed"}, "failed", []string{"connect_failed"}, ""},
		"the way out is closed as well": {"", []string{"activesync.connect_failed", "vantage.vantage_offline"}, "undecided", []string{}, "vantage_offline"},
	} {
		t.Run(name, func(t *testing.T) {
			l := startLab(t)
			for _, f := range c.faults {
				require.NoError(t, l.Set(f, true))
			}
			text := string(lab.Config(l))
			require.Contains(t, text, "vantage: external")
			if c.tenant != "" {
				text = strings.ReplaceAll(text, l.Facts().Tenant, c.tenant)
			}
			config := write(t, t.TempDir(), "hmad.yaml", text)
			r := checkOnce(t, config, "activesync")
			assert.Equal(t, c.outcome, r.Outcome, "%v", r)
			assert.Equal(t, c.reasons, r.reasons())
			if c.class != "" {
				require.NotNil(t, r.Error)
				assert.Equal(t, c.class, r.Error.Class)
				return
			}
			vantage := checkOnce(t, config, "vantage")
			assert.Equal(t, "passed", vantage.Outcome, "%v", vantage)
			unknown := strings.Contains(strings.Join(vantage.Notes, "\n"), "does not know the tenant (AADSTS90002)")
			assert.Equal(t, c.tenant != "", unknown)
		})
	}
}
