package audit

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// The sections that a row says it reads are those without which it is open, no
// more and no less.
func TestRequirementsReadWhatTheySay(t *testing.T) {
	for _, section := range report.SectionNames() {
		for how, lose := range map[string]func(string) edit{"absent": absent, "failed": failed} {
			e := estateOf(t, lose(section))
			for _, r := range requirements {
				want := isMet
				if slices.Contains(r.reads, section) {
					want = isOpen
				}
				a := r.judge(e)
				assert.Equal(t, want.String(), a.state.String(), "%s with %s %s: %s", r.reason.Name, section, how, a.seen)
			}
		}
	}
}

func TestRequirementsNameSectionsOfReports(t *testing.T) {
	for _, r := range requirements {
		for _, s := range r.reads {
			assert.Contains(t, report.SectionNames(), s, r.reason.Name)
		}
	}
}

func TestReasonsAreThoseOfTheTable(t *testing.T) {
	var names []string
	for _, r := range Configuration.Reasons {
		assert.NotContains(t, names, r.Name)
		names = append(names, r.Name)
		assert.NotEmpty(t, r.Summary, r.Name)
		assert.NotEmpty(t, r.Fix, r.Name)
		assert.Zero(t, strings.Count(r.Fix, "`")%2, "%s: every command of the fix ends", r.Name)
	}
	assert.Equal(t, []string{
		"outlook_service_blocked", "outlook_service_not_allowed", "basic_outlook_allowed", "oauth_profile_disabled",
		"request_length_too_small", "exchange_too_old", "legacy_exchange_present", "hybrid_configuration_missing", "hybrid_agent_in_use",
		"virtual_directory_mismatch", "oauth_missing_on_virtual_directory", "tls_offloading_configured",
		"auth_certificate_expiring", "auth_certificate_missing", "dedicated_app_missing", "build_table_old", "cloud_unsupported",
	}, names)
}

// stands is a requirement whose answer a test gives.
func stands(severity check.Severity, a answer) requirement {
	return requirement{name: "it", reason: &check.Reason{Name: "it", Severity: severity}, wanted: "so", judge: func(estate) answer { return a }}
}

func TestWhatAnOpenRequirementLeadsTo(t *testing.T) {
	unread := check.Errorf(check.ReportInput, "the section cannot be read")
	for name, c := range map[string]struct {
		severity check.Severity
		answer   answer
		findings int
		open     int
		err      bool
	}{
		"met":                              {check.Critical, met("x"), 0, 0, false},
		"not met":                          {check.Critical, unmet("x"), 1, 0, false},
		"a critical one that is not known": {check.Critical, open(unread), 0, 1, true},
		"a critical one that is moot":      {check.Critical, moot("x"), 0, 1, false},
		"a warning that is not known":      {check.Warning, open(unread), 0, 1, true},
		"a warning, as is told elsewhere":  {check.Warning, open(toldError{unread}), 0, 1, false},
		"a critical one, told elsewhere":   {check.Critical, open(toldError{unread}), 0, 1, true},
		"nobody judged":                    {check.Warning, answer{}, 0, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := judgeAll([]requirement{stands(c.severity, c.answer)}, estate{Evidence: report.Evidence{Reports: []report.Report{{Host: "EX01"}}}})
			assert.Len(t, got.Findings, c.findings)
			assert.Len(t, got.Unevaluated(), c.open)
			assert.Equal(t, c.err, err != nil)
			if err != nil {
				assert.Equal(t, check.ReportInput, check.ClassOf(err))
			}
		})
	}
}

func TestTextsAreBoundedAndOneLine(t *testing.T) {
	words := slices.Repeat([]string{strings.Repeat("é", 300) + "\n\x1b[31m"}, 20)
	report, _ := judgeAll([]requirement{stands(check.Warning, unmet("%s", list(words)))}, estate{})
	assert.Less(t, len(report.Findings[0].Detail), maxSeen+50)
	assert.NotContains(t, report.Findings[0].Detail, "\x1b")
	for _, n := range report.Texts() {
		assert.NotContains(t, n, "\n")
	}
	assert.Equal(t, "a, b", list([]string{"a", "b"}))
	assert.Equal(t, "1, 2, 3, 4, 5, 6, 7, 8, and 2 more", list(strings.Split("1234567890", "")))
}
