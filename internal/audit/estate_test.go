package audit

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// reportOf is a report of a host that makes one every quarter of an hour.
func reportOf(host string, age time.Duration) report.Arrived {
	return report.Arrived{File: host + ".json", Report: report.Report{Host: host, Interval: 15 * time.Minute, GeneratedAt: now.Add(-age)}}
}

func TestWhichReportsAreEvidence(t *testing.T) {
	broken := report.Arrived{File: "ex03.json", Err: errors.New("ex03.json: the report ends in its middle")}
	kept := reportOf("EX01", time.Minute)
	kept.Err = errors.New("the newer file is half written")
	for name, c := range map[string]struct {
		arrived  []report.Arrived
		expected []string
		hosts    []string
		lacking  string
	}{
		"fresh, newest first":              {[]report.Arrived{reportOf("EX01", 5*time.Minute), reportOf("EX02", time.Minute)}, nil, []string{"EX02", "EX01"}, ""},
		"exactly three intervals old":      {[]report.Arrived{reportOf("EX01", 45*time.Minute)}, nil, []string{"EX01"}, ""},
		"over three intervals old":         {[]report.Arrived{reportOf("EX01", 45*time.Minute+time.Second)}, nil, nil, "over 3 intervals of 15m old"},
		"a clock that is a little ahead":   {[]report.Arrived{reportOf("EX01", -10*time.Minute)}, nil, []string{"EX01"}, ""},
		"dated next year":                  {[]report.Arrived{reportOf("EX01", -365*24*time.Hour)}, nil, nil, "in the future"},
		"a file that is no report":         {[]report.Arrived{broken, reportOf("EX01", 0)}, nil, []string{"EX01"}, "ex03.json: the report ends"},
		"the last good copy of a file":     {[]report.Arrived{kept}, nil, []string{"EX01"}, ""},
		"an expected host is silent":       {[]report.Arrived{reportOf("EX01", 0)}, []string{"ex01.contoso.com", "EX02"}, []string{"EX01"}, "EX02: no report"},
		"an expected host that is too old": {[]report.Arrived{reportOf("EX01", time.Hour), reportOf("EX02", 0)}, []string{"EX01", "EX02"}, []string{"EX02"}, "EX01: its report of"},
	} {
		t.Run(name, func(t *testing.T) {
			e := estate{now: now}
			e.sort(c.arrived, c.expected)
			var hosts []string
			for _, r := range e.reports {
				hosts = append(hosts, r.Host)
			}
			assert.Equal(t, c.hosts, hosts)
			assert.Equal(t, len(hosts) == 0, e.err != nil)
			if c.lacking == "" {
				assert.Empty(t, e.lacking)
			} else if assert.Len(t, e.lacking, 1) {
				assert.Contains(t, e.lacking[0], c.lacking)
			}
		})
	}
}

func TestNoReportAtAll(t *testing.T) {
	e := estate{now: now}
	e.sort(nil, nil)
	assert.Equal(t, check.ReportInput, check.ClassOf(e.err))
	assert.Contains(t, e.err.Error(), "none has arrived")
	for _, r := range requirements {
		if len(r.reads) > 0 {
			assert.Equal(t, isOpen, r.judge(e).state, r.reason.Name)
		}
	}
}

func TestTheNewestReportSpeaksForTheOrganisation(t *testing.T) {
	off := data(sectionOrganization, `[{"oAuth2ClientProfileEnabled":false}]`)
	assert.Equal(t, isUnmet, judgeOAuthProfile(estateOf(t, of("EX01", off))).state, "EX01 reported last")
	assert.Equal(t, isMet, judgeOAuthProfile(estateOf(t, of("EX02", off))).state)
	assert.Equal(t, isUnmet, judgeOAuthProfile(estateOf(t, of("EX02", off), of("EX02", made("2026-11-22T09:19:00Z")))).state)
	assert.Equal(t, isUnmet, judgeOAuthProfile(estateOf(t, of("EX02", off), of("EX01", failed(sectionOrganization)))).state, "what the newest lacks the other tells")
}
