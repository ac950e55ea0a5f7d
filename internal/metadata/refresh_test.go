package metadata

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/report"
)

// event is one of MSExchange AuthAdmin or OAuth, so long before now.
func (w *world) event(id int, ago time.Duration, message string) map[string]any {
	return w.events(id, ago, ago, 1, message)
}

func (w *world) events(id int, first, last time.Duration, count int, message string) map[string]any {
	return map[string]any{"id": id, "time": w.now.Add(-last).Format(time.RFC3339), "first": w.now.Add(-first).Format(time.RFC3339),
		"level": "Information", "source": "MSExchange", "message": message, "count": count}
}

// refused is an event of tokens refused, signed by a key.
func (w *world) refused(count int, ago time.Duration, der []byte) map[string]any {
	e := w.events(oauthRefused, 20*time.Hour, ago, count, "Failed to authenticate a token.")
	e["keyId"] = keyIDFor(ThumbprintOf(der))
	return e
}

func mailbox(name, database string, capabilities ...string) map[string]any {
	return map[string]any{"name": name, "database": database, "persistedCapabilities": capabilities}
}

func dbCopy(database, server, status string) map[string]any {
	return map[string]any{"name": database + `\` + server, "databaseName": database, "mailboxServer": server, "status": status}
}

// newRefreshWorld is one where MBX01 runs the job, last an hour ago, with
// MBX02 beside it; evosts_metadata has run.
func newRefreshWorld(t *testing.T) *world {
	w := newWorld(t)
	for _, host := range []string{"MBX01", "MBX02"} {
		w.hosts[host] = map[string]any{"authAdminEvents": ok([]any{}), "oauthEvents": ok([]any{}),
			"arbitration":    ok([]any{mailbox("Migration.8f3e7716", "DB01", "OrganizationCapabilityManagement", "OrganizationCapabilityMailRouting")}),
			"databaseCopies": ok([]any{dbCopy("DB01", "MBX01", "Mounted"), dbCopy("DB01", "MBX02", "Healthy")})}
	}
	w.job("MBX01", w.event(2015, time.Hour, "completed"), w.event(2015, 9*time.Hour, "completed"))
	w.run()
	return w
}

// job sets a host's events of the job, from a log of 26 hours.
func (w *world) job(host string, events ...any) { w.logged(host, 26*time.Hour, events...) }

func (w *world) logged(host string, reach time.Duration, events ...any) {
	section := ok(append([]any{}, events...))
	if reach > 0 {
		section["since"] = w.now.Add(-reach).Format(time.RFC3339)
	}
	w.hosts[host]["authAdminEvents"] = section
}

func (w *world) oauth(host string, events ...any) {
	w.hosts[host]["oauthEvents"] = ok(append([]any{}, events...))
}

// both sets an organisation's section in the reports of both hosts.
func (w *world) both(section string, data any) {
	for _, h := range w.hosts {
		h[section] = data
	}
}

func (w *world) refresh() check.Result {
	return judged(w.t, MetadataRefresh, buildRefresh(w.target, w.env(), w.fetch).run)
}

func TestMetadataRefresh(t *testing.T) {
	for name, tc := range map[string]struct {
		change      func(*world)
		want        string
		says        string
		unevaluated []string
	}{
		"a good run an hour ago": {change: func(*world) {}, want: "good"},
		"a run that updated": {change: func(w *world) {
			w.job("MBX01", w.event(2013, time.Hour, "updated"), w.event(2015, time.Hour, "completed"))
		}, want: "good"},
		"no good run for 13 hours": {change: func(w *world) { w.job("MBX01", w.event(2015, 13*time.Hour, "")) },
			want: "refresh_overdue", says: "the last good run was on MBX01 at 2026-11-21 23:00 UTC, over 13 h ago"},
		"just within 13 hours": {change: func(w *world) { w.job("MBX01", w.event(2015, 13*time.Hour-time.Minute, "")) }, want: "good"},
		"no run at all": {change: func(w *world) { w.job("MBX01") },
			want: "refresh_overdue", says: "no good run is among the events of the last 1 d 2 h", unevaluated: []string{"refresh_failing"}},
		"no run among the events, and a longer window than they reach": {change: func(w *world) { w.job("MBX01"); w.target.Metadata.OverdueAfter = 30 * time.Hour },
			want: "error:state", unevaluated: []string{"refresh_failing", "refresh_overdue"}},
		"no run in a log of five hours": {change: func(w *world) { w.memory = new(checktest.Memory); w.logged("MBX01", 5*time.Hour) },
			want: "error:state", says: "of the last 5 h, which is less", unevaluated: []string{"refresh_failing", "refresh_overdue"}},
		"an old run in a log of ten hours": {change: func(w *world) {
			w.logged("MBX01", 10*time.Hour)
			RememberRun(w.memory, "MBX01", w.now.Add(-20*time.Hour))
		}, want: "error:state", unevaluated: []string{"refresh_failing", "refresh_overdue"}},
		"no run in a log of 13 hours": {change: func(w *world) { w.logged("MBX01", 13*time.Hour) },
			want: "refresh_overdue", says: "among the events of the last 13 h", unevaluated: []string{"refresh_failing"}},
		"no run in a log of unknown length": {change: func(w *world) { w.logged("MBX01", 0) },
			want: "error:report", says: "how far back", unevaluated: []string{"refresh_failing", "refresh_overdue"}},
		"a good run in a log of unknown length": {change: func(w *world) { w.logged("MBX01", 0, w.event(2015, time.Hour, "")) }, want: "good"},
		"the last run had an error": {change: func(w *world) {
			w.job("MBX01", w.event(2015, time.Hour, ""), w.event(2010, time.Hour+time.Minute, "metadata unreachable"), w.event(2015, 9*time.Hour, ""))
		}, want: "refresh_failing", says: "on MBX01 at 2026-11-22 11:00 UTC, had event 2010: metadata unreachable"},
		"the last run was aborted": {change: func(w *world) {
			w.job("MBX01", w.event(2003, time.Hour, "permanent exception"), w.event(2015, 9*time.Hour, ""))
		}, want: "refresh_failing", says: "had event 2003"},
		"tried again after a transient error, and good": {change: func(w *world) {
			w.job("MBX01", w.event(2004, time.Hour+15*time.Minute, "transient"), w.event(2015, time.Hour, ""))
		}, want: "good"},
		"an error of the run before": {change: func(w *world) {
			w.job("MBX01", w.event(2010, 9*time.Hour, ""), w.event(2015, 9*time.Hour, ""), w.event(2015, time.Hour, ""))
		}, want: "good"},
		"every run fails for a day": {change: func(w *world) {
			w.job("MBX01", w.events(2010, 25*time.Hour, time.Hour, 4, "unreachable"), w.events(2015, 25*time.Hour, time.Hour, 4, ""))
		}, want: "refresh_failing refresh_overdue"},
		"an error that names ACS alone": {change: func(w *world) {
			w.others = []map[string]any{server("ACS - {GUID}", "MicrosoftACS", testTenant, true, false)}
			w.job("MBX01", w.event(2010, time.Hour, "Unable to reach the metadata of 'ACS - {GUID}'."), w.event(2015, time.Hour, ""))
		}, want: "good"},
		"an error that names both": {change: func(w *world) {
			w.others = []map[string]any{server("ACS - {GUID}", "MicrosoftACS", testTenant, true, false)}
			w.job("MBX01", w.event(2010, time.Hour, "Unable to reach "+testURL+" and 'ACS - {GUID}'."), w.event(2015, time.Hour, ""), w.event(2015, 9*time.Hour, ""))
		}, want: "refresh_failing"},
		"2014 is the server's own certificate": {change: func(w *world) {
			w.job("MBX01", w.event(2014, time.Hour, ""), w.event(2015, time.Hour, ""))
		}, want: "good"},
		"the job moved, and its last run was elsewhere": {change: func(w *world) {
			w.job("MBX01")
			w.job("MBX02", w.event(2015, 2*time.Hour, ""))
		}, want: "good"},
		"the server that runs it does not report, a good run elsewhere": {change: func(w *world) { w.both("databaseCopies", ok([]any{dbCopy("DB01", "MBX03.contoso.com", "Mounted")})) },
			want: "error:report", unevaluated: []string{"refresh_failing"}},
		"the server that runs it does not report, no run": {change: func(w *world) {
			w.both("databaseCopies", ok([]any{dbCopy("DB01", "MBX03", "Mounted")}))
			w.job("MBX01")
		}, want: "error:report", unevaluated: []string{"refresh_failing", "refresh_overdue"}},
		"its name is qualified": {change: func(w *world) { w.both("databaseCopies", ok([]any{dbCopy("db01", "mbx01.contoso.com", "Mounted")})) }, want: "good"},
		"its events cannot be read": {change: func(w *world) {
			w.hosts["MBX01"]["authAdminEvents"] = failed("Attempted to perform an unauthorized operation.")
		},
			want: "error:report", unevaluated: []string{"refresh_failing", "refresh_overdue"}},
		"another's events cannot be read": {change: func(w *world) { w.hosts["MBX02"]["authAdminEvents"] = failed("no") }, want: "good"},

		"no arbitration mailbox":   {change: func(w *world) { w.both("arbitration", ok([]any{})) }, want: "arbitration_mailbox_missing", unevaluated: []string{"database_not_mounted", "refresh_failing"}},
		"none with the capability": {change: func(w *world) { w.both("arbitration", ok([]any{mailbox("x", "DB01", "OrganizationCapabilityOABGen")})) }, want: "arbitration_mailbox_missing", unevaluated: []string{"database_not_mounted", "refresh_failing"}},
		"two with the capability": {change: func(w *world) {
			w.both("arbitration", ok([]any{mailbox("a", "DB01", "OrganizationCapabilityManagement"), mailbox("b", "DB01", "organizationcapabilitymanagement")}))
		}, want: "arbitration_mailbox_multiple", says: "a in DB01, b in DB01", unevaluated: []string{"refresh_failing"}},
		"the section cannot be read":        {change: func(w *world) { w.both("arbitration", failed("no")) }, want: "error:report", unevaluated: []string{"arbitration_mailbox_missing", "arbitration_mailbox_multiple", "database_not_mounted", "refresh_failing"}},
		"one host's section cannot be read": {change: func(w *world) { w.hosts["MBX01"]["arbitration"] = failed("no") }, want: "good"},
		"mounted nowhere": {change: func(w *world) {
			w.both("databaseCopies", ok([]any{dbCopy("DB01", "MBX01", "Dismounted"), dbCopy("DB01", "MBX02", "Failed")}))
		}, want: "database_not_mounted", says: "DB01 of Migration.8f3e7716: Dismounted on MBX01, Failed on MBX02", unevaluated: []string{"refresh_failing"}},
		"no copy is shown":          {change: func(w *world) { w.both("databaseCopies", ok([]any{dbCopy("DB02", "MBX01", "Mounted")})) }, want: "error:report", unevaluated: []string{"database_not_mounted", "refresh_failing"}},
		"the copies cannot be read": {change: func(w *world) { w.both("databaseCopies", failed("no")) }, want: "error:report", unevaluated: []string{"database_not_mounted", "refresh_failing"}},

		"tokens refused, a published key": {change: func(w *world) { w.oauth("MBX02", w.refused(10, 30*time.Minute, w.published[0])) }, want: "tokens_refused",
			says: "10 on MBX02, key "},
		"tokens refused on two servers": {change: func(w *world) {
			w.oauth("MBX01", w.refused(5, 0, w.published[0]))
			w.oauth("MBX02", w.refused(5, 0, w.published[1]))
		}, want: "tokens_refused"},
		"a few tokens refused":               {change: func(w *world) { w.oauth("MBX02", w.refused(9, 0, w.published[0])) }, want: "good"},
		"tokens refused, a key of anybody's": {change: func(w *world) { w.oauth("MBX02", w.refused(1000, 0, newDER(w.t, "own", noon))) }, want: "good"},
		"tokens refused two hours ago":       {change: func(w *world) { w.oauth("MBX02", w.refused(100, 2*time.Hour, w.published[0])) }, want: "good"},
		"tokens refused, in a first look": {change: func(w *world) { w.memory = new(checktest.Memory); w.oauth("MBX02", w.refused(10, 0, w.published[0])) },
			want: "tokens_refused"},
		"tokens refused in a first look, a key of anybody's": {change: func(w *world) {
			w.memory = new(checktest.Memory)
			w.oauth("MBX02", w.refused(1000, 0, newDER(w.t, "own", noon)))
		}, want: "good"},
		"tokens refused, and what is published cannot be had": {change: func(w *world) {
			w.memory = new(checktest.Memory)
			w.oauth("MBX02", w.refused(10, 0, w.published[0]))
			w.published = nil
		}, want: "error:metadata", says: "it is not known which keys are published: ", unevaluated: []string{"tokens_refused"}},
		"tokens refused, and the keys cannot be read": {change: func(w *world) { w.oauth("MBX02", w.events(oauthRefused, time.Hour, 0, 10, "")) },
			want: "error:report", says: "which keys signed them", unevaluated: []string{"tokens_refused"}},
		"a few refused whose keys cannot be read": {change: func(w *world) { w.oauth("MBX02", w.events(oauthRefused, time.Hour, 0, 9, "")) }, want: "good"},
		"tokens refused, of some the keys cannot be read": {change: func(w *world) {
			w.oauth("MBX02", w.refused(10, 0, w.published[0]), w.events(oauthRefused, time.Hour, 0, 10, ""))
		}, want: "tokens_refused"},
		"OAuth events cannot be read": {change: func(w *world) { w.hosts["MBX02"]["oauthEvents"] = failed("no") },
			want: "error:report", unevaluated: []string{"tokens_refused", "stale_copy_proven"}},
		"OAuth events of one cannot be read, the other's are bad": {change: func(w *world) {
			w.hosts["MBX02"]["oauthEvents"] = failed("no")
			w.oauth("MBX01", w.refused(10, 0, w.published[0]))
		}, want: "tokens_refused error:report", unevaluated: []string{"stale_copy_proven"}},

		"new keys told nine hours ago, never an update": {change: func(w *world) { w.oauth("MBX02", w.event(2008, 9*time.Hour, "new certificates")) },
			want: "stale_copy_proven", says: "MBX02 has said so since 2026-11-22 03:00 UTC"},
		"new keys told seven hours ago": {change: func(w *world) { w.oauth("MBX02", w.event(2008, 7*time.Hour, "")) }, want: "good"},
		"new keys told, updated since": {change: func(w *world) {
			w.oauth("MBX02", w.event(2008, 9*time.Hour, ""))
			w.job("MBX01", w.event(2013, 8*time.Hour, ""), w.event(2015, time.Hour, ""))
		}, want: "good"},
		"new keys told, written since": {change: func(w *world) {
			w.oauth("MBX02", w.event(2008, 9*time.Hour, ""))
			w.server["whenChanged"] = w.now.Add(-5 * time.Hour).Format(time.RFC3339)
		}, want: "good"},
		"told again just after an update": {change: func(w *world) {
			w.oauth("MBX02", w.event(2008, 9*time.Hour, ""))
			w.job("MBX01", w.event(2013, 9*time.Hour+30*time.Minute, ""), w.event(2015, time.Hour, ""))
		}, want: "good"},
		"told again long after an update": {change: func(w *world) {
			w.oauth("MBX02", w.event(2008, 9*time.Hour, ""))
			w.job("MBX01", w.event(2013, 11*time.Hour, ""), w.event(2015, time.Hour, ""))
		}, want: "stale_copy_proven"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRefreshWorld(t)
			tc.change(w)
			r := w.refresh()
			require.Equal(t, tc.want, outcome(r), "%v", r.Err)
			assert.ElementsMatch(t, tc.unevaluated, reasonNames(r.Report.Unevaluated()))
			switch {
			case tc.says != "" && strings.HasPrefix(tc.want, "error"):
				assert.ErrorContains(t, r.Err, tc.says)
			case tc.says != "":
				assert.Contains(t, r.Report.Findings[0].Detail, tc.says)
			}
		})
	}
}

func TestRefreshShowsWhoRunsTheJob(t *testing.T) {
	w := newRefreshWorld(t)
	r := w.refresh()
	at, there := sample(r, LastRefresh)
	require.True(t, there)
	assert.Equal(t, unix(noon.Add(-time.Hour)), at)
	_, there = sample(r, RefreshServer, "MBX01", "DB01")
	assert.True(t, there)
	assert.Equal(t, []string{
		"now                   MBX01 runs the job: it has the mounted copy of DB01",
		"2026-11-22 03:00 UTC  MBX01: a good run",
		"2026-11-22 11:00 UTC  MBX01: a good run",
	}, timelineOf(r))
}

func TestTheLastGoodRunIsRemembered(t *testing.T) {
	w := newRefreshWorld(t)
	w.target.Metadata.OverdueAfter = 40 * time.Hour
	w.refresh()
	w.job("MBX01")
	for at, want := range map[time.Duration]string{30 * time.Hour: "good", 39 * time.Hour: "refresh_overdue", -2 * time.Hour: "error:state"} {
		w.now = noon.Add(at)
		assert.Equal(t, want, outcome(w.refresh()), at)
	}
}

// A small log that is read often enough reaches as far as a large one.
func TestReportsThatFollowEachOtherReachFurther(t *testing.T) {
	for name, tc := range map[string]struct {
		step time.Duration
		want string
	}{"without a gap": {4 * time.Hour, "refresh_overdue"}, "with gaps": {6 * time.Hour, "error:state"}} {
		t.Run(name, func(t *testing.T) {
			w := newRefreshWorld(t)
			w.job("MBX01", w.event(2015, time.Hour, ""))
			require.Equal(t, "good", outcome(w.refresh()))
			for w.now.Before(noon.Add(20 * time.Hour)) {
				w.now = w.now.Add(tc.step)
				w.logged("MBX01", 5*time.Hour)
				w.refresh()
			}
			assert.Equal(t, tc.want, outcome(w.refresh()))
		})
	}
}

func TestRefreshWithoutReports(t *testing.T) {
	w := newRefreshWorld(t)
	w.written = w.now.Add(-time.Hour)
	r := w.refresh()
	assert.Equal(t, "error:report", outcome(r))
	assert.Equal(t, refreshReasons, r.Report.Unevaluated())
	assert.Empty(t, r.Report.Samples)
}

func TestRunsOf(t *testing.T) {
	at := func(s string) time.Time {
		x, err := time.Parse(time.DateTime, "2026-11-22 "+s)
		require.NoError(t, err)
		return x
	}
	one := func(id int, s string) report.Event {
		return report.Event{ID: id, First: at(s), Time: at(s), Count: 1}
	}
	for name, tc := range map[string]struct {
		events []report.Event
		want   string
	}{
		"nothing":                         {nil, ""},
		"a run":                           {[]report.Event{one(2015, "08:00:00")}, "08:00:00 good"},
		"in any order":                    {[]report.Event{one(2015, "16:00:00"), one(2015, "08:00:00")}, "08:00:00 good, 16:00:00 good"},
		"an error within":                 {[]report.Event{one(2015, "08:00:30"), one(2009, "08:00:10")}, "08:00:30 2009"},
		"an error at the same second":     {[]report.Event{one(2012, "08:00:30"), one(2015, "08:00:30")}, "08:00:30 2012"},
		"an error long before":            {[]report.Event{one(2004, "07:45:00"), one(2015, "08:00:30")}, "08:00:30 good"},
		"an error of the run just before": {[]report.Event{one(2004, "07:59:00"), one(2015, "07:59:10"), one(2015, "08:00:30")}, "07:59:10 2004, 08:00:30 good"},
		"an error behind the last run":    {[]report.Event{one(2015, "08:00:00"), one(2003, "16:00:00")}, "08:00:00 good, 16:00:00 2003"},
		"errors alone":                    {[]report.Event{one(2003, "08:00:00"), one(2003, "16:00:00")}, "16:00:00 2003"},
		"events that are no errors":       {[]report.Event{one(2002, "08:00:00"), one(2013, "08:00:00"), one(2014, "08:00:00"), one(2015, "08:00:01")}, "08:00:01 good"},
		"runs counted as one":             {[]report.Event{{ID: 2015, First: at("08:00:00"), Time: at("16:00:00"), Count: 2}}, "08:00:00 good, 16:00:00 good"},
		"errors counted as one span a run": {[]report.Event{{ID: 2010, First: at("01:00:00"), Time: at("16:00:00"), Count: 3}, one(2015, "08:00:00"), one(2015, "16:00:01")},
			"08:00:00 2010, 16:00:01 2010"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range runsOf("MBX01", tc.events, serverNames{}) {
				word := "good"
				if r.Error != nil {
					word = fmt.Sprint(r.Error.ID)
				}
				got = append(got, r.At.Format("15:04:05")+" "+word)
			}
			assert.Equal(t, tc.want, strings.Join(got, ", "))
		})
	}
}
