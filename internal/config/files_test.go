package config_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// Every setting that names a file is one of a secret, but for these.
func TestEveryFileWithASecretIsKnownAsOne(t *testing.T) {
	public := map[string]bool{"ca_file": true, "onprem.report.cert_file": true, "onprem.report.client_ca_file": true, "onprem.ldap.ca_file": true,
		"allow_list.endpoints_file": true, "allow_list.version_file": true}
	var tree any
	want := map[string]string{}
	for _, path := range checktest.Settings() {
		setting := strings.ReplaceAll(strings.Trim(fmt.Sprint(path[min(2, len(path)):]), "[]"), " ", ".")
		if strings.HasSuffix(setting, "_file") && !public[setting] {
			want[setting] = "/" + setting
			tree = checktest.Set(tree, path, want[setting])
		}
	}
	text, err := yaml.Marshal(tree)
	require.NoError(t, err)
	f, _ := config.Parse("hmad.yaml", text)
	got := map[string]string{}
	for _, s := range f.Targets[0].SecretFiles() {
		got[s.Setting] = s.Name
	}
	assert.Equal(t, want, got)
	assert.Contains(t, slices.Collect(maps.Keys(want)), "onprem.ldap.password_file")
	assert.Empty(t, config.Target{}.SecretFiles())
}
