package catalog_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// each calls f for every reason once: one that several checks share says the
// same in each.
func each(f func(name string, r *check.Reason)) {
	seen := map[*check.Reason]bool{}
	for _, d := range catalog.Defs() {
		for _, r := range d.Reasons {
			if !seen[r] {
				seen[r] = true
				f(d.Name+"."+r.Name, r)
			}
		}
	}
}

func TestEveryReasonHasAWholeRunbook(t *testing.T) {
	each(func(name string, r *check.Reason) {
		require.NotNil(t, r.Runbook, name)
		b := r.Runbook
		assert.GreaterOrEqual(t, len(b.Causes), 2, "%s: causes", name)
		assert.NotEmpty(t, b.Owners, "%s: who mends it", name)
		assert.Subset(t, check.Owners, b.Owners, name)
		for _, text := range append([]string{b.Verify, b.Mended, b.Source}, b.Causes...) {
			assert.Regexp(t, `^\S.*[.?!]\)?$`, text, "%s: not a sentence", name)
			assert.Zero(t, strings.Count(text, "`")%2, "%s: a backtick without its pair: %s", name, text)
			assert.NotContains(t, text, "the detail", "%s: the runbook has no detail beside it", name)
		}
	})
}

// The sources may be the same: many reasons rest on one page.
func TestNoTwoReasonsShareARunbooksText(t *testing.T) {
	of := map[string]string{}
	each(func(name string, r *check.Reason) {
		texts := append([]string{r.Runbook.Verify, r.Runbook.Mended}, r.Runbook.Causes...)
		for _, text := range append(texts, strings.ToLower(r.Runbook.Verify)) {
			if other, taken := of[text]; taken {
				assert.Equal(t, name, other, "both say: %s", text)
			}
			of[text] = name
		}
		assert.NotContains(t, []string{r.Summary, r.Fix}, r.Runbook.Verify, "%s: verifying repeats the alert", name)
	})
}

var unquoted = regexp.MustCompile(`(^|[ =])<[^>]+>`)

func TestPlaceholdersStandInQuotes(t *testing.T) {
	each(func(name string, r *check.Reason) {
		for _, line := range checktest.PowerShell(r.Fix + " " + r.Runbook.Verify + " " + r.Runbook.Mended) {
			assert.NotRegexp(t, unquoted, line, name)
		}
	})
}
