package near

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHint(t *testing.T) {
	all := []string{"activesync.bearer_missing", "activesync", "tls_offload", "token"}
	for given, want := range map[string]string{
		"activesinc":                "; did you mean activesync?",
		"activesync.bearer_mising":  "; did you mean activesync.bearer_missing?",
		"bearer_missing":            "; did you mean activesync.bearer_missing?", // by its last part
		"tls-offload":               "; did you mean tls_offload?",
		"tokne":                     "; did you mean token?", // two letters of five
		"foken":                     "; did you mean token?",
		"fobar":                     "",
		"tokens":                    "; did you mean token?",
		"foo":                       "",
		"":                          "",
		"activesync_and_many_words": "",
	} {
		assert.Equal(t, want, Hint(given, all), given)
	}
	assert.Empty(t, Hint("token", nil))
}
