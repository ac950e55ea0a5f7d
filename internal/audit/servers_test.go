package audit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// versionsOf makes the section of servers: EX01, EX02, ... with these versions.
func versionsOf(versions ...string) []edit {
	var rows []string
	for i, v := range versions {
		rows = append(rows, fmt.Sprintf(`{"name":"EX%02d","adminDisplayVersion":%q}`, i+1, v))
	}
	return []edit{data(report.SectionServers, "["+strings.Join(rows, ",")+"]"), absent("localServer")}
}

func TestExchangeTooOld(t *testing.T) {
	run(t, "exchange_too_old", []judged{
		{"SE, by what the servers say themselves", nil, isMet, "EX01 15.2.2562.53 (SE RTM), EX02 15.2.2562.53 (SE RTM)"},
		{"SE, by the directory", versionsOf("Version 15.2 (Build 2562.17)"), isMet, "15.2.2562.17 (SE RTM)"},
		{"the current CU of 2019", versionsOf("Version 15.2 (Build 1748.10)"), isMet, "(2019 CU15 out of support since 2025-10-14)"},
		{"the one before", versionsOf("Version 15.2 (Build 1544.4)"), isMet, "CU14"},
		{"two before", versionsOf("Version 15.2 (Build 1258.12)"), isUnmet, "EX01 15.2.1258.12 (2019 out of support since 2025-10-14) is older than CU14 (15.2.1544.4)"},
		{"below the least of 2019", versionsOf("Version 15.2 (Build 221.12)"), isUnmet, "below CU1 (15.2.330.5)"},
		{"below the least of SE is 2019's", versionsOf("Version 15.2 (Build 2561.99)"), isMet, "2019"},
		{"a preview of SE", versionsOf("Version 15.2 (Build 2562.1)"), isUnmet, "below RTM (15.2.2562.17)"},
		{"the last CU of 2016", versionsOf("Version 15.1 (Build 2507.6)"), isMet, "2016 CU23"},
		{"an old CU of 2016", versionsOf("Version 15.1 (Build 1415.2)"), isUnmet, "older than CU22"},
		{"below the least of 2016", versionsOf("Version 15.1 (Build 1261.35)"), isUnmet, "below CU8"},
		{"the last CU of 2013", versionsOf("Version 15.0 (Build 1497.2)"), isMet, "2013 CU23"},
		{"below the least of 2013", versionsOf("Version 15.0 (Build 1347.2)"), isUnmet, "below CU19"},
		{"a build newer than the table", versionsOf("Version 15.2 (Build 2999.1)"), isMet, "15.2.2999.1 (SE)"},
		{"a product newer than the table", versionsOf("Version 15.3 (Build 1.0)"), isMet, "15.3.1.0"},
		{"2010 is the other reason's business", versionsOf("Version 14.3 (Build 123.4)"), isMet, "(2010)"},
		{"in other case", versionsOf("VERSION 15.2 (BUILD 221.12)"), isUnmet, "CU1"},
		{"one of several", versionsOf("Version 15.2 (Build 2562.17)", "Version 15.1 (Build 1261.35)"), isUnmet, "EX02 15.1.1261.35"},
		{"the server's own build counts more", append(versionsOf("Version 15.2 (Build 1258.12)"), of("EX01", data("localServer", `{"build":"15.02.1748.039"}`))), isMet, "15.2.1748.39 (2019 CU15"},
		{"a version that cannot be read", versionsOf("Version 15.2 (Build 2562.17)", "unknown"), isOpen, "EX02 unknown"},
		{"a version that cannot be read beside an old one", versionsOf("Version 15.2 (Build 221.12)", "unknown"), isUnmet, "EX01"},
		{"no servers", []edit{data(report.SectionServers, `[]`)}, isOpen, "no Exchange server"},
		{"section failed", []edit{failed(report.SectionServers)}, isOpen, "access denied"},
	})
}

func TestLegacyExchangePresent(t *testing.T) {
	run(t, "legacy_exchange_present", []judged{
		{"none", nil, isMet, "SE"},
		{"2010", versionsOf("Version 15.2 (Build 2562.17)", "Version 14.3 (Build 123.4)"), isUnmet, "EX02 14.3.123.4 (2010)"},
		{"2007", versionsOf("Version 8.3 (Build 83.6)"), isUnmet, "8.3.83.6 (2007)"},
		{"2003", versionsOf("Version 6.5 (Build 7638.2)"), isUnmet, "6.5.7638.2"},
		{"an old 2013 is not legacy", versionsOf("Version 15.0 (Build 516.32)"), isMet, "2013"},
		{"a version that cannot be read", versionsOf(""), isOpen, "adminDisplayVersion"},
		{"section failed", []edit{failed(report.SectionServers)}, isOpen, "access denied"},
	})
}

func TestBuildTable(t *testing.T) {
	for name, c := range map[string]struct {
		age  time.Duration
		want state
	}{
		"on its day":            {0, isMet},
		"at 180 days":           {180 * 24 * time.Hour, isMet},
		"a second later":        {180*24*time.Hour + time.Second, isUnmet},
		"dated after this host": {-24 * time.Hour, isMet},
	} {
		t.Run(name, func(t *testing.T) {
			e := estateOf(t)
			e.now = buildTableDate().Add(c.age)
			a := requirementOf(t, "build_table_old").judge(e)
			assert.Equal(t, c.want.String(), a.state.String(), a.seen)
		})
	}
}

func TestServersThatTheTableDoesNotKnow(t *testing.T) {
	run(t, "build_table_old", []judged{
		{"none", nil, isMet, "the table is of " + check.Day(buildTableDate())},
		{"one", versionsOf("Version 15.2 (Build 3100.1)", "Version 15.2 (Build 2562.17)"), isUnmet, "does not know the update of EX01 15.2.3100.1"},
		{"a version that cannot be read", versionsOf("unknown"), isOpen, "EX01 unknown"},
		{"section failed", []edit{failed(report.SectionServers)}, isOpen, "access denied"},
	})
	old := estate{now: buildTableDate().Add(MaxTableAge + day24), tableDate: buildTableDate()}
	assert.Equal(t, isUnmet, judgeTable(old).state, "the date alone is enough to find")
}

func TestTheTableOfALabDoesNotGrowOld(t *testing.T) {
	for mailbox, old := range map[string]bool{
		"hmad-probe@contoso.test":      false,
		"hmad-probe@MAIL.CONTOSO.TEST": false,
		"hmad-probe@contoso.com":       true,
		"hmad-probe@test":              true, // no domain under .test
		"hmad.test@contoso.com":        true,
		"hmad-probe@contoso-test":      true,
	} {
		t.Run(mailbox, func(t *testing.T) {
			e := estateOf(t)
			e.now = time.Date(2028, time.January, 1, 0, 0, 0, 0, time.UTC)
			e.tableDate = tableDate(buildTableDate(), mailbox, e.now)
			a := requirementOf(t, "build_table_old").judge(e)
			assert.Equal(t, old, a.state == isUnmet, a.seen)
		})
	}
}

func TestBuildsThatTheTableDoesNotKnow(t *testing.T) {
	for text, want := range map[string]bool{
		"15.2.2562.99": false, // a security update
		"15.2.3100.1":  true,  // a CU of SE after RTM
		"15.3.100.1":   true,  // a product after SE
		"15.1.2507.66": false,
		"14.3.123.4":   false, // older than all that it knows
	} {
		v, ok := parseVersion(text)
		require.True(t, ok, text)
		assert.Equal(t, want, newerThanTable(v), text)
	}
}

func TestBuildTableIsInOrder(t *testing.T) {
	for i, p := range builds {
		assert.False(t, p.minimum.build.before(p.from), p.name)
		assert.False(t, p.newest.build.before(p.before.build), p.name)
		assert.Same(t, &builds[i], productOf(p.newest.build), p.name)
		assert.Same(t, &builds[i], productOf(p.minimum.build), p.name)
		if i > 0 {
			assert.True(t, builds[i-1].newest.build.before(p.from), p.name)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]string{
		"Version 15.2 (Build 1748.10)": "15.2.1748.10",
		"15.02.1748.039":               "15.2.1748.39",
		"version 8.3 (build 83.6)":     "8.3.83.6",
		"15.2.1748":                    "",
		"Version 15.2":                 "",
		"15.2.1748.10.1":               "",
		"Version 15.2 (Build 99999999999999999999.1)": "",
		"": "",
	} {
		v, ok := parseVersion(text)
		assert.Equal(t, want != "", ok, text)
		if ok {
			assert.Equal(t, want, v.String(), text)
		}
	}
}
