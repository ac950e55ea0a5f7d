package report

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

// aged is a report of a host that makes one so often, and made the last so long
// before sampleTime.
func aged(host string, every, age time.Duration) Arrived {
	return Arrived{File: host + ".json", Report: Report{Host: host, Interval: every, GeneratedAt: sampleTime.Add(-age)}}
}

func TestHowLongAReportIsEvidence(t *testing.T) {
	const quarter, day = 15 * time.Minute, 24 * time.Hour
	for name, c := range map[string]struct {
		every, age time.Duration
		want       string // fresh, late or ahead
	}{
		"three intervals old":                  {quarter, 3 * quarter, "fresh"},
		"over three intervals old":             {quarter, 3*quarter + time.Second, "late"},
		"one of every 40 minutes, one is lost": {MaxInterval, 2*MaxInterval + time.Minute, "fresh"},
		"one of every 40 minutes, two hours":   {MaxInterval, 2 * time.Hour, "fresh"},
		"hourly, two hours old":                {time.Hour, 2 * time.Hour, "fresh"},
		"hourly, one is lost":                  {time.Hour, 2*time.Hour + time.Minute, "late"},
		"daily, two hours old":                 {day, 2 * time.Hour, "fresh"},
		"daily, over two hours old":            {day, 2*time.Hour + time.Second, "late"},
		"daily, two days old":                  {day, 2 * day, "late"},
		"ten minutes ahead":                    {quarter, -MaxAhead, "fresh"},
		"over ten minutes ahead":               {quarter, -MaxAhead - time.Second, "ahead"},
		"dated next year":                      {quarter, -365 * day, "ahead"},
	} {
		t.Run(name, func(t *testing.T) {
			r := aged("EX01", c.every, c.age).Report
			assert.Equal(t, c.want == "fresh", r.Fresh(sampleTime))
			assert.Equal(t, c.want == "late", r.Late(sampleTime))
		})
	}
	assert.False(t, Report{}.Fresh(sampleTime), "no report")
}

func TestWhichReportsAreEvidence(t *testing.T) {
	const quarter = 15 * time.Minute
	broken := Arrived{File: "ex03.json", Err: errors.New("ex03.json: the report is incomplete")}
	kept := aged("EX01", quarter, time.Minute)
	kept.Err = errors.New("the newer file is half written")
	for name, c := range map[string]struct {
		arrived  []Arrived
		expected []string
		hosts    []string
		lacking  string
	}{
		"the newest first": {[]Arrived{aged("EX01", quarter, 5*time.Minute), aged("EX02", quarter, time.Minute)}, nil, []string{"EX02", "EX01"}, ""},
		"one too old": {[]Arrived{aged("EX01", quarter, 46*time.Minute)}, nil, nil, "EX01: its report of 2026-11-22 08:29 UTC " +
			"is over 45 min old"},
		"a daily one too old": {[]Arrived{aged("EX01", 24*time.Hour, 3*time.Hour)}, nil, nil, "is over 2 h old"},
		"one dated in the future": {[]Arrived{aged("EX01", quarter, -11*time.Minute)}, nil, nil, "EX01: its report is dated in the " +
			"future, 2026-11-22 09:26 UTC"},
		"a file that never held one":       {[]Arrived{broken, aged("EX01", quarter, 0)}, nil, []string{"EX01"}, "ex03.json: the report is incomplete"},
		"a file without report or error":   {[]Arrived{{File: "ex03.json"}}, nil, nil, "ex03.json: no report"},
		"a broken file over a good report": {[]Arrived{kept}, nil, []string{"EX01"}, ""},
		"an expected host is silent":       {[]Arrived{aged("EX01", quarter, 0)}, []string{"ex01.contoso.com", "EX02"}, []string{"EX01"}, "EX02: no report"},
		"an expected host is late":         {[]Arrived{aged("EX01", quarter, time.Hour), aged("EX02", quarter, 0)}, []string{"EX01", "EX02"}, []string{"EX02"}, "EX01: its report of"},
	} {
		t.Run(name, func(t *testing.T) {
			e := EvidenceOf(c.arrived, sampleTime, c.expected...)
			var hosts []string
			for _, r := range e.Reports {
				hosts = append(hosts, r.Host)
			}
			assert.Equal(t, c.hosts, hosts)
			assert.Equal(t, len(hosts) == 0, e.Err() != nil)
			if c.lacking == "" {
				assert.Empty(t, e.Lacking)
			} else if assert.Len(t, e.Lacking, 1) {
				assert.ErrorContains(t, e.Lacking[0], c.lacking)
			}
		})
	}
}

func TestWhyThereIsNoEvidence(t *testing.T) {
	unreadable := check.Errorf(check.ReportInput, "the folder cannot be read")
	for want, e := range map[string]Evidence{
		"no on-premises report has arrived yet": EvidenceOf(nil, sampleTime),
		"no on-premises report is recent enough to judge by: EX01: its report of 2026-11-22 07:15 UTC is over 45 min old; EX02: no report": EvidenceOf(
			[]Arrived{aged("EX01", 15*time.Minute, 2*time.Hour)}, sampleTime, "EX02"),
		"the folder cannot be read": {Failed: unreadable},
	} {
		assert.ErrorContains(t, e.Err(), want)
		assert.Equal(t, check.ReportInput, check.ClassOf(e.Err()))
	}
}

func TestTheNewestReportThatHasASectionSpeaks(t *testing.T) {
	read := func(says string, err error) func() (string, error) {
		return func() (string, error) { return says, err }
	}
	unread, damaged := ErrUnread, errors.New("row 0: no text")
	for name, c := range map[string]struct {
		newest, older func() (string, error)
		want          string
		err           error
	}{
		"both have it":                      {read("new", nil), read("old", nil), "new", nil},
		"the newest lacks it":               {read("", ErrMissing), read("old", nil), "old", nil},
		"neither has it":                    {read("", ErrMissing), read("", unread), "", ErrMissing},
		"what the collector has not told":   {read("", unread), read("", damaged), "", damaged},
		"the newest where both are damaged": {read("", damaged), read("", ErrMissing), "", damaged},
	} {
		t.Run(name, func(t *testing.T) {
			e := EvidenceOf([]Arrived{aged("EX01", time.Hour, time.Minute), aged("EX02", time.Hour, 2*time.Minute)}, sampleTime)
			got, err := Newest(e, func(r Report) (string, error) {
				if r.Host == "EX01" {
					return c.newest()
				}
				return c.older()
			})
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.err, err)
		})
	}
	_, err := Newest(EvidenceOf(nil, sampleTime), Report.AuthServers)
	assert.ErrorContains(t, err, "no on-premises report has arrived")
}

func TestTheNamesOfAHost(t *testing.T) {
	for name, c := range map[string]struct {
		a, b string
		want bool
	}{
		"the same":             {"EX01", "EX01", true},
		"in another case":      {"EX01", "ex01", true},
		"one qualified":        {"EX01", "ex01.contoso.com", true},
		"of two domains":       {"EX01.contoso.com", "ex01.contoso.test", true},
		"with white space":     {" EX01", "EX01 ", true},
		"another":              {"EX01", "EX02", false},
		"one that goes on":     {"EX01", "EX011", false},
		"none is not a server": {"", "EX01", false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, SameHost(c.a, c.b))
		})
	}
}

func TestTheTenantsAuthServers(t *testing.T) {
	const tenant = "5de110f8-2e0f-4d45-891d-bcf2218e253d"
	for name, c := range map[string]struct {
		server AuthServer
		want   bool
	}{
		"its own":                  {AuthServer{Type: TypeAzureAD, Realm: tenant}, true},
		"whatever it is called":    {AuthServer{Name: "ADFS", Type: TypeAzureAD, Realm: tenant}, true},
		"in another case":          {AuthServer{Type: "azuread", Realm: "5DE110F8-2E0F-4D45-891D-BCF2218E253D"}, true},
		"a realm with white space": {AuthServer{Type: TypeAzureAD, Realm: " " + tenant + " "}, true},
		"another tenant's":         {AuthServer{Type: TypeAzureAD, Realm: "7c0f0a4e-7d3a-4b5e-9d0e-0a3c1a5c8f11"}, false},
		"of another type":          {AuthServer{Type: TypeMicrosoftACS, Realm: tenant}, false},
		"without a realm":          {AuthServer{Type: TypeAzureAD}, false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, len(OfTenant([]AuthServer{c.server}, tenant)) == 1)
		})
	}
	got := OfTenant([]AuthServer{{Name: "b", Type: TypeAzureAD, Realm: tenant}, {Name: "a", Type: TypeAzureAD, Realm: tenant}}, tenant)
	assert.Equal(t, "a", got[0].Name, "sorted by name")
}

func TestAnIntervalThatIsTooLong(t *testing.T) {
	for every, want := range map[time.Duration]string{15 * time.Minute: "", 40 * time.Minute: "", 41 * time.Minute: "EX01 reports every 41 " +
		"min", 24 * time.Hour: "40 min or less"} {
		got := aged("EX01", every, 0).IntervalAdvice()
		assert.Equal(t, want == "", got == "", every)
		assert.Contains(t, got, want)
	}
}
