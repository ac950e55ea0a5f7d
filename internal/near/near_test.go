package near

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNames(t *testing.T) {
	all := []string{"autodiscover", "activesync", "tls_offload"}
	for given, want := range map[string][]string{
		"activesinc": {"activesync", "autodiscover"},
		"offload":    {"tls_offload", "autodiscover"}, // which holds it
		"tls":        {"tls_offload", "activesync"},
		"":           {"autodiscover", "activesync"},
	} {
		assert.Equal(t, want, Names(given, all, 2), given)
	}
	assert.Len(t, Names("x", all, 9), 3)
	assert.Equal(t, []string{"autodiscover", "activesync", "tls_offload"}, all, "left as they were")
}
