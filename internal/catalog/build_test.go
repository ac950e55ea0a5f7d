package catalog_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// A check that is off by default waits for enabled: true; any other ends with
// enabled: false.
func TestWhichChecksATargetHas(t *testing.T) {
	for name, c := range map[string]struct {
		checks string
		has    map[string]bool
	}{
		"nothing said": {"", map[string]bool{"activesync": true, "tls_offload": false}},
		"switched on":  {"    checks: {tls_offload: {enabled: true}}\n", map[string]bool{"activesync": true, "tls_offload": true}},
		"settings alone do not switch on": {"    checks: {tls_offload: {timeout: 5s}}\n",
			map[string]bool{"tls_offload": false}},
		"switched off": {"    checks: {activesync: {enabled: false}, tls_offload: {enabled: false}}\n",
			map[string]bool{"activesync": false, "tls_offload": false}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := config.Parse("hmad.yaml", []byte(`targets:
  - name: contoso
    mailbox: hmad-probe@contoso.com
    tenant: 5de110f8-2e0f-4d45-891d-bcf2218e253d
    autodiscover: {host: autodiscover.contoso.com}
    activesync: {url: https://mail.contoso.com/Microsoft-Server-ActiveSync}
`+c.checks))
			require.NoError(t, err)
			checks, err := catalog.Build(f, func(config.Target, string) check.Env { return check.Env{Now: time.Now} })
			require.NoError(t, err)
			got := map[string]bool{}
			for _, ch := range checks {
				got[ch.Name] = true
			}
			for name, want := range c.has {
				assert.Equal(t, want, got[name], name)
			}
		})
	}
}
