package exporter

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

func TestTheRunbookPageHasEveryReason(t *testing.T) {
	page := render(t, estateOptions(), "/runbook")
	for _, d := range testDefs {
		for _, r := range d.Reasons {
			assert.Contains(t, page, `id="`+d.Name+"."+r.Name+`"`)
		}
	}
	for part, want := range map[string]string{
		"a cause":       "<li>A rule was changed in <code class=\"copy\">nft</code>.</li>",
		"how to verify": `<code class="copy">curl -v &#39;&lt;address&gt;&#39;</code>`,
		"who":           "hmad&#39;s host and its config; network (DNS, firewall, load balancer)",
		"mended":        "The address answers.",
		"source":        "How hmad works.",
	} {
		assert.Contains(t, page, want, part)
	}
	assert.NotContains(t, page, "<script")
}

func TestTheRunbookPageHasTheAlertsAboutHmadItself(t *testing.T) {
	o := estateOptions()
	o.Alerts = []Alert{{"HmadDown", "critical", "Nobody watches.", "Look: `systemctl status hmad`.", "https://docs.example.test/alerting.md#hmaddown"}}
	page := render(t, o, "/runbook")
	for _, want := range []string{`id="HmadDown"`, "Nobody watches.", `<code class="copy">systemctl status hmad</code>`, `href="https://docs.example.test/alerting.md#hmaddown"`} {
		assert.Contains(t, page, want)
	}
}

func TestAFindingLeadsToItsPlaceInTheRunbook(t *testing.T) {
	o := estateOptions()
	assert.NotContains(t, render(t, o, "/"), "Usual causes", "a reason without a runbook has no link")
	book := *bearerMissing
	book.Runbook = &check.Runbook{Causes: []string{"The build is old."}}
	status := told(check.ID{Check: "activesync", Target: "fabrikam"}, foundAt(noon, check.Finding{Reason: &book, Detail: "only Basic is offered"}))
	o.Store = snapshot{append(estate()[:0:0], status), healthy}
	assert.Contains(t, render(t, o, "/"), `<a href="runbook#activesync.bearer_missing">Usual causes, and how to verify`)
}
