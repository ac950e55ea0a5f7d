package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRulesPrintsWhatShips(t *testing.T) {
	shipped, err := os.ReadFile("../../deploy/prometheus/hmad.rules.yaml")
	require.NoError(t, err)
	p := start(t, "rules")
	<-p.exited
	assert.Equal(t, exitOK, p.stop())
	assert.Equal(t, string(shipped), p.stdout.String())
}

func TestRulesForATrial(t *testing.T) {
	p := start(t, "rules", "--scale=0.1")
	<-p.exited
	assert.Equal(t, exitOK, p.stop())
	assert.Contains(t, p.stdout.String(), "hmad_finding{check=\"activesync\",reason=\"bearer_missing\"}[1m]")
	assert.Contains(t, p.stdout.String(), "hmad_finding_since_timestamp_seconds{check=\"activesync\",reason=\"bearer_missing\"} >= bool 42)[1m18s:3s]")
}

func TestRulesRefusesAScaleThatIsNone(t *testing.T) {
	for _, scale := range []string{"0", "-1", "2", "NaN", "soon"} {
		p := start(t, "rules", "--scale="+scale)
		<-p.exited
		assert.Equal(t, exitUndecided, p.stop(), scale)
		assert.Contains(t, p.stderr.String(), "hmad: ", scale)
		assert.Empty(t, p.stdout.String(), scale)
	}
}
