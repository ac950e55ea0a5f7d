package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
)

func TestImplicationsNameWhatThereIs(t *testing.T) {
	for _, d := range catalog.Defs() {
		for _, i := range d.Implies {
			for _, cause := range i.Causes {
				assert.Contains(t, d.Reasons, cause, "%s does not declare %s", d.Name, cause.Name)
				for _, effect := range i.Effects {
					implies(t, d.Name+"."+cause.Name, cause.Severity, effect)
				}
			}
		}
	}
}

// implies holds one implication: its effect is there, and no graver than a cause
// of its severity can explain.
func implies(t *testing.T, cause string, severity check.Severity, effect string) {
	t.Helper()
	name, reason, _ := strings.Cut(effect, ".")
	def := catalog.Find(name)
	if def == nil {
		t.Errorf("%s implies %s: no such check", cause, effect)
		return
	}
	if reason == check.UndecidedReason {
		return
	}
	r := def.Reason(reason)
	if r == nil {
		t.Errorf("%s implies %s: no such reason", cause, effect)
		return
	}
	assert.NotEqual(t, cause, effect, "it implies itself")
	if r.Severity == check.Critical && severity != check.Critical {
		t.Errorf("%s implies %s, which is graver", cause, effect)
	}
}

func TestNothingImpliesItsOwnCause(t *testing.T) {
	causes := check.CausesOf(catalog.Defs())
	for effect, all := range causes {
		for _, cause := range all {
			assert.False(t, slices.Contains(causes[cause], effect), "%s and %s imply each other", cause, effect)
		}
	}
}
