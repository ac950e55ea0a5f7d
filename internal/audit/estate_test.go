package audit

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

func TestNoReportAtAll(t *testing.T) {
	e := estate{now: now, tableDate: buildTableDate()}
	assert.Equal(t, check.ReportInput, check.ClassOf(e.Err()))
	for _, r := range requirements {
		if len(r.reads) > 0 {
			assert.Equal(t, isOpen, r.judge(e).state, r.reason.Name)
		}
	}
}

func TestTheNewestReportSpeaksForTheOrganisation(t *testing.T) {
	off := data(report.SectionOrganization, `[{"oAuth2ClientProfileEnabled":false}]`)
	assert.Equal(t, isUnmet, judgeOAuthProfile(estateOf(t, of("EX01", off))).state, "EX01 reported last")
	assert.Equal(t, isMet, judgeOAuthProfile(estateOf(t, of("EX02", off))).state)
	assert.Equal(t, isUnmet, judgeOAuthProfile(estateOf(t, of("EX02", off), of("EX02", made("2026-11-22T09:19:00Z")))).state)
	assert.Equal(t, isUnmet, judgeOAuthProfile(estateOf(t, of("EX02", off), of("EX01", failed(report.SectionOrganization)))).state, "what the newest lacks the other tells")
}
