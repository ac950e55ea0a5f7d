package audit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/report"
)

func TestExchangeUnsupported(t *testing.T) {
	run(t, "exchange_unsupported", []judged{
		{"SE", nil, isMet, "SE"},
		{"2019 with its last CU", versionsOf("Version 15.2 (Build 1748.10)"), isUnmet, "EX01 15.2.1748.10 (2019 CU15 out of support since 2025-10-14)"},
		{"2016", versionsOf("Version 15.1 (Build 2507.6)"), isUnmet, "2016 CU23 out of support since 2025-10-14"},
		{"2013", versionsOf("Version 15.0 (Build 1497.2)"), isUnmet, "2023-04-11"},
		{"too old is another reason's business", versionsOf("Version 15.2 (Build 1258.12)"), isMet, "2019"},
		{"so is 2010", versionsOf("Version 14.3 (Build 123.4)"), isMet, "2010"},
		{"newer than the table", versionsOf("Version 15.2 (Build 3100.1)"), isMet, "15.2.3100.1"},
		{"a version that cannot be read", versionsOf("unknown"), isOpen, "EX01 unknown"},
		{"section failed", []edit{failed(report.SectionServers)}, isOpen, "access denied"},
	})
}

func TestSecurityUpdateOld(t *testing.T) {
	own := func(build string) []edit {
		return []edit{of("EX02", data(report.SectionLocalServer, `{"build":"`+build+`"}`))}
	}
	run(t, "security_update_old", []judged{
		{"the newest", nil, isMet, "EX01 15.2.2562.53"},
		{"the one before", own("15.02.2562.049"), isUnmet, "EX02 15.2.2562.49 (SE RTM) is older than Sep26SU v2 (15.2.2562.53)"},
		{"none at all", own("15.02.2562.017"), isUnmet, "EX02"},
		{"newer than the table", own("15.02.2562.060"), isMet, "15.2.2562.60"},
		{"a cumulative update newer than the table", own("15.02.3100.001"), isMet, "15.2.3100.1"},
		{"a product out of support is another reason's business", own("15.02.1748.010"), isMet, "2019"},
		{"a build that cannot be read", own("soon"), isOpen, "EX02: section localServer: the build cannot be read"},
		{"one that cannot be read beside an old one", []edit{of("EX01", data(report.SectionLocalServer, `{"build":"15.02.2562.049"}`)),
			of("EX02", data(report.SectionLocalServer, `{"build":"soon"}`))}, isUnmet, "EX01"},
		{"section failed", []edit{failed(report.SectionLocalServer)}, isOpen, "access denied"},
	})
}

func TestAnOldTableOfUpdatesJudgesNothing(t *testing.T) {
	for age, want := range map[time.Duration]state{MaxUpdatesAge: isMet, MaxUpdatesAge + time.Second: isOpen, -day24: isMet} {
		e := estateOf(t)
		e.updatesDate = e.now.Add(-age)
		a := requirementOf(t, "security_update_old").judge(e)
		assert.Equal(t, want.String(), a.state.String(), a.seen)
		assert.NoError(t, a.err, "nothing failed")
	}
}

func TestTablesOfBuildsAgree(t *testing.T) {
	for _, u := range updates {
		p := productOf(u.build)
		assert.Empty(t, p.ended, "%s is of a product in support", u.name)
		assert.False(t, u.build.before(p.newest.build), u.name)
	}
	assert.False(t, updatesDate().Before(buildTableDate()))
}
