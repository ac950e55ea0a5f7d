package config_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

func TestTLSOffloadSettings(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		want  config.TLSOffload
		fault string
	}{
		"left out":           {"", config.TLSOffload{Every: time.Hour}, ""},
		"set":                {"    tls_offload: {url: https://mobile.contoso.com/Microsoft-Server-ActiveSync, every: 2h}\n", config.TLSOffload{URL: checktest.Setting[config.URL]("https://mobile.contoso.com/Microsoft-Server-ActiveSync"), Every: 2 * time.Hour}, ""},
		"a negative time":    {"    tls_offload: {every: -1s}\n", config.TLSOffload{}, `hmad.yaml:7: targets[0].tls_offload.every: got -1s, want a duration of at least 0`},
		"a URL without TLS":  {"    tls_offload: {url: http://mobile.contoso.com/}\n", config.TLSOffload{}, `hmad.yaml:7: targets[0].tls_offload.url: got "http://mobile.contoso.com", want an https URL without query`},
		"an unknown setting": {"    tls_offload: {enabled: true}\n", config.TLSOffload{}, `hmad.yaml:7: targets[0].tls_offload: unknown key "enabled"`},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := config.Parse("hmad.yaml", []byte(six+c.text))
			if c.fault != "" {
				require.EqualError(t, err, c.fault)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, f.Targets[0].TLSOffload)
		})
	}
}
