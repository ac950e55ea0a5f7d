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
		"request_length_too_small", "exchange_too_old", "legacy_exchange_present", "exchange_unsupported", "security_update_old", "hybrid_configuration_missing", "hybrid_agent_in_use",
		"virtual_directory_mismatch", "oauth_missing_on_virtual_directory", "tls_offloading_configured", "client_certificate_required",
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
		why      string // why it is not judged
		class    *check.Class
	}{
		"met":                              {check.Critical, met("x"), 0, "", nil},
		"not met":                          {check.Critical, unmet(nil, "x"), 1, "", nil},
		"a critical one that is not known": {check.Critical, open(unread), 0, "the section cannot be read", check.ReportInput},
		"a critical one that is moot":      {check.Critical, moot("x"), 0, "x", nil},
		"one that cannot arise":            {check.Critical, never("x"), 0, "x", nil},
		"a warning that is not known":      {check.Warning, open(unread), 0, "the section cannot be read", check.ReportInput},
		"a warning, as is told elsewhere":  {check.Warning, open(toldError{unread}), 0, "the section cannot be read", nil},
		"a critical one, told elsewhere":   {check.Critical, open(toldError{unread}), 0, "the section cannot be read", check.ReportInput},
		"nobody judged":                    {check.Warning, answer{}, 0, "a defect of hmad: guide did not judge it", check.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := verdictOn(stands(c.severity, c.answer))
			assert.Len(t, got.Findings, c.findings)
			if c.why == "" {
				assert.Empty(t, got.Unjudged)
			} else if assert.Len(t, got.Unjudged, 1) {
				assert.Equal(t, c.why, got.Unjudged[0].Why)
				assert.Equal(t, c.answer.state == isNever, got.Unjudged[0].Ends)
			}
			if c.class == nil {
				assert.NoError(t, err)
			} else {
				assert.Equal(t, c.class, check.ClassOf(err))
			}
		})
	}
}

// verdictOn judges requirements by one empty report.
func verdictOn(all ...requirement) (check.Report, error) {
	d := &check.Def{Name: "guide", Reasons: reasonsOf(all)}
	v := d.Judge()
	judgeAll(v, all, estate{Evidence: report.Evidence{Reports: []report.Report{{Host: "EX01"}}}})
	return v.Report()
}

func TestTextsAreBoundedAndOneLine(t *testing.T) {
	words := slices.Repeat([]string{strings.Repeat("é", 300) + "\n\x1b[31m"}, 20)
	report, _ := verdictOn(stands(check.Warning, unmet(words, "%s", check.List(words))))
	assert.Less(t, len(report.Findings[0].Detail), maxSeen+50)
	assert.NotContains(t, report.Findings[0].Detail, "\x1b")
	for _, n := range report.Texts() {
		assert.NotContains(t, n, "\n")
	}
}

func TestAnEmptyEstateMeetsNothing(t *testing.T) {
	for _, r := range requirements {
		assert.NotEqual(t, isMet.String(), r.judge(estate{now: buildTableDate()}).state.String(), r.reason.Name)
	}
}

func TestWhatIsNotMetIsNamed(t *testing.T) {
	old := "Version 15.2 (Build 221.12)"
	for reason, c := range map[string]struct {
		edits []edit
		about []string
	}{
		"outlook_service_blocked":            {[]edit{rules("UserAgent", "OutlookService/1.0", "Block")}, []string{`UserAgent "OutlookService/1.0"`}},
		"basic_outlook_allowed":              {[]edit{rules("DeviceModel", basicOutlook, "Allow")}, []string{`DeviceModel "Outlook for iOS and Android"`}},
		"request_length_too_small":           {[]edit{of("EX02", data(report.SectionWebConfig, `[{"maxRequestLength":1}]`))}, []string{"EX02"}},
		"exchange_too_old":                   {versionsOf("Version 15.1 (Build 2375.7)", old, "Version 15.1 (Build 1261.35)"), []string{"EX03", "EX02"}},
		"legacy_exchange_present":            {versionsOf("Version 15.2 (Build 2562.17)", "Version 14.3 (Build 123.4)"), []string{"EX02"}},
		"hybrid_agent_in_use":                {[]edit{data(report.SectionRelationships, `[{"name":"O365","enabled":true,"targetSharingEpr":"https://x.msappproxy.net/"}]`)}, []string{"O365"}},
		"virtual_directory_mismatch":         {[]edit{urls("https://mail.contoso.com/EAS", mail), sites("HQ", "Branch")}, []string{"EX01"}},
		"oauth_missing_on_virtual_directory": {[]edit{data(report.SectionDirectories, `[{"kind":"Mapi","server":"EX01"},{"kind":"WebServices","server":"EX01"},{"kind":"OAB","server":"EX02"},{"kind":"Autodiscover","server":"EX02"}]`)}, []string{"EX01", "EX01", "EX02", "EX02"}},
		"tls_offloading_configured":          {[]edit{of("EX01", data(report.SectionIIS, `[{"location":"x","sslFlags":"None"}]`))}, []string{"EX01"}},
		"client_certificate_required":        {[]edit{of("EX02", data(report.SectionIIS, `{"location":"x","sslFlags":"Ssl, SslNegotiateCert, SslRequireCert"}`))}, []string{"EX02"}},
		"auth_certificate_expiring":          {[]edit{certs(cert(thumb, day24, true))}, []string{thumb}},
		"auth_certificate_missing":           {[]edit{of("EX02", certs())}, []string{"EX02"}},
		"build_table_old":                    {versionsOf("Version 15.3 (Build 1.0)"), []string{"EX01"}},
		"cloud_unsupported":                  {[]edit{data(report.SectionHybrid, `[{"serviceInstance":1}]`)}, []string{tenant}},
	} {
		t.Run(reason, func(t *testing.T) {
			a := requirementOf(t, reason).judge(estateOf(t, c.edits...))
			assert.Equal(t, isUnmet.String(), a.state.String(), a.seen)
			assert.Equal(t, c.about, a.about)
		})
	}
}
