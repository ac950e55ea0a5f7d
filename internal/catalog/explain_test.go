package catalog

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

func TestEveryClassAndEveryAlertHasItsWords(t *testing.T) {
	for _, c := range check.Classes {
		assert.NotEmpty(t, c.Means, c)
		assert.NotEmpty(t, c.Look, c)
	}
	var names []string
	for _, a := range OwnAlerts() {
		names = append(names, a.Name)
		for _, text := range []string{a.Severity, a.Summary, a.Fix, a.Runbook} {
			assert.NotEmpty(t, text, a.Name)
			assert.NotContains(t, text, "{{", a.Name)
		}
		if a.Name == "HmadCheckUndecided" {
			assert.Equal(t, a.Runbook, UndecidedRunbook)
		}
	}
	assert.Subset(t, names, []string{"HmadDown", "HmadCheckUndecided", "HmadServiceLevelMissed"})
}
