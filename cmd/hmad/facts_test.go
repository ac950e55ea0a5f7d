package main

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/catalog"
)

// What a person compares when something broke: each kind is declared by a check,
// and recorded where there is such a thing.
func TestEveryKindOfFactIsRecordedInAHealthyLab(t *testing.T) {
	wanted := []string{
		"activesync_url", "addresses", "auth_certificate", "certificate", "challenge", "collector_version", "default_access_level",
		"default_auth_server", "device", "exchange_build", "front_end", "published_keys", "refresh_server", "stored_keys", "tls_version",
	}
	none := []string{"device"} // no device stands in front of a healthy lab
	declared, recorded := map[string]bool{}, map[string]bool{}
	for _, d := range catalog.Defs() {
		for _, f := range d.Facts {
			declared[f.Name] = true
			assert.NotEmpty(t, f.Doc, "%s.%s", d.Name, f.Name)
		}
	}
	for _, c := range labChecksAt(t, now()) {
		report, err := c.Look(t.Context(), c.Run)
		if !ofSync(c.Name) { // which take a round of the fleet
			assert.NoError(t, err, c.Name)
		}
		for _, f := range report.Facts {
			recorded[f.Fact.Name] = true
		}
	}
	all := slices.Sorted(maps.Keys(declared))
	assert.Subset(t, all, wanted)
	assert.Subset(t, append(slices.Collect(maps.Keys(recorded)), none...), all, "declared and never recorded")
}
