package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/powershell"
)

// The reports under testdata/recorded are the collector's own, made on its test bed
// (deploy/exchange, where a test renews them).
func TestRecordedReports(t *testing.T) {
	for name, want := range map[string]struct {
		unreadable []string
		size       bool // the section of sizes is there
	}{
		"healthy":           {size: true},
		"de-CH":             {size: true},
		"ar-SA":             {size: true},
		"without-a-mailbox": {unreadable: []string{"autodetectVisits", "frontEndRequests", "localServer", "webConfig"}, size: true},
		"no-session": {unreadable: []string{"activeSyncSettings", "arbitration", "authConfig", "authServers", "databaseCopies", "deviceAccessRules",
			"exchangeCertificates", "exchangeServers", "hybridConfiguration", "intraOrganizationConnectors", "migrationEndpoints", "organizationConfig",
			"organizationRelationships", "partnerships", "settingOverrides", "transportConfig", "virtualDirectories"}},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata/recorded", name+".json"))
			require.NoError(t, err)
			r, err := Decode(data)
			require.NoError(t, err)
			assert.Equal(t, CollectorVersion, r.Collector)
			var bad []string
			for section := range r.Unreadable() {
				bad = append(bad, section)
			}
			slices.Sort(bad)
			assert.Equal(t, want.unreadable, bad)
			limits, err := r.TransportConfig()
			assert.Equal(t, want.size, err == nil)
			if want.size {
				assert.Equal(t, int64(36700160), limits.MaxSendSize.Bytes)
			}
			for section := range r.Sections {
				assert.Contains(t, SectionNames(), section)
			}
		})
	}
}

// The sample is a whole report written by hand; its rows have the keys that the
// collector writes.
func TestTheSampleHasTheCollectorsKeys(t *testing.T) {
	data, err := os.ReadFile("testdata/recorded/healthy.json")
	require.NoError(t, err)
	recorded, err := Decode(data)
	require.NoError(t, err)
	made, err := Decode([]byte(sample(t)))
	require.NoError(t, err)
	for name, s := range made.Sections {
		keys := keysOf(t, recorded.Sections[name].Data)
		if len(keys) == 0 {
			continue
		}
		for _, key := range keysOf(t, s.Data) {
			assert.Contains(t, keys, key, "section %s", name)
		}
	}
}

// keysOf returns the names of the properties of a section's rows.
func keysOf(t *testing.T, data json.RawMessage) []string {
	t.Helper()
	rows, err := powershell.Rows(data)
	require.NoError(t, err)
	var keys []string
	for _, row := range rows {
		for key := range row {
			keys = append(keys, key)
		}
	}
	return keys
}
