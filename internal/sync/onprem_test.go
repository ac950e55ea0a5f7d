package sync

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/sync/plan"
)

// servers are the reports of a test.
type servers struct {
	now   time.Time
	store *store
	files map[string]string
	build func() // anew, as after a restart
	run   func() (check.Report, error)
}

func newServers(t *testing.T, s config.Sync) *servers {
	t.Helper()
	w := &servers{now: monday, store: newStore(), files: map[string]string{}}
	if s.StaleAfter == 0 {
		s.StaleAfter = 24 * time.Hour
	}
	s.Inventory = true
	if s.Watch == nil {
		s.Watch = []config.Watch{{Mailbox: "jane@contoso.com", StaleAfter: s.StaleAfter}, {Mailbox: "Joe@contoso.com", StaleAfter: s.StaleAfter}, {Mailbox: "hmad-probe@contoso.com", StaleAfter: s.StaleAfter}}
	}
	w.build = func() {
		target := config.Target{Name: "contoso", Sync: s, OnPrem: config.OnPrem{Report: config.Report{Folder: "reports"}}}
		parts, err := OnPremSync.New(target, w.env())
		require.NoError(t, err)
		parts.Begin()
		w.run = func() (check.Report, error) { return look(t, OnPremSync, t.Context(), parts.Run) }
	}
	w.build()
	return w
}

// env is the world of the reports.
func (w *servers) env() check.Env {
	return check.Env{Now: func() time.Time { return w.now }, Memory: memory{w.store}, Reports: "reports",
		Table: func(...*check.Metric) check.Table { return table{w.store} },
		ReadDir: func(string) ([]string, error) {
			var names []string
			for name := range w.files {
				names = append(names, name)
			}
			return names, nil
		},
		ReadFile: func(name string, _ int64) ([]byte, error) {
			if text, ok := w.files[name]; ok {
				return []byte(text), nil
			}
			return nil, errors.New("no such file")
		}}
}

// counted is a row of the section.
func counted(start time.Time, status, count int) map[string]any {
	return map[string]any{"start": start, "status": status, "count": count}
}

// report lays the report of a host: requests of the last hour, and whatever
// sections more.
func (w *servers) report(host string, lastSuccess any, counts []map[string]any, more map[string]any) {
	sections := map[string]any{"frontEndRequests": map[string]any{"ok": true, "data": map[string]any{
		"since": w.now.Add(-time.Hour), "until": w.now, "slotSeconds": 300, "lastSuccess": lastSuccess, "counts": counts}}}
	for name, s := range more {
		sections[name] = s
	}
	text, _ := json.Marshal(map[string]any{"schema": 1, "collector": "1.0.0", "host": host, "intervalSeconds": 900, "generatedAt": w.now, "durationMs": 1, "sections": sections})
	w.files[host+".json"] = string(text)
}

// every returns the counts of each slot of the last hour.
func (w *servers) every(status, count int) (all []map[string]any) {
	for at := w.now.Add(-time.Hour); at.Before(w.now); at = at.Add(5 * time.Minute) {
		all = append(all, counted(at, status, count))
	}
	return all
}

func TestTheLegFromTheCloud(t *testing.T) {
	partners := func(ago time.Duration) map[string]any {
		return map[string]any{"partnerships": map[string]any{"ok": true, "data": []map[string]any{
			{"mailbox": "Jane@contoso.com", "deviceId": "old", "lastSuccessSync": monday.Add(-90 * day)},
			{"mailbox": "jane@contoso.com", "deviceId": "new", "deviceAccessState": "Allowed", "lastSuccessSync": monday.Add(-ago)},
			{"mailbox": "joe@contoso.com", "deviceId": "joe", "lastSuccessSync": monday.Add(-ago)},
			{"mailbox": "hmad-probe@contoso.com", "lastSuccessSync": monday.Add(-time.Minute)}}}}
	}
	for name, c := range map[string]struct {
		lay    func(*servers)
		found  []string
		open   []string
		failed bool
	}{
		"requests that succeed": {func(w *servers) { w.report("EX01", w.now, w.every(200, 40), partners(time.Minute)) }, nil, nil, false},
		"most are refused": {func(w *servers) {
			w.report("EX01", w.now, append(w.every(401, 30), w.every(200, 20)...), partners(time.Minute))
		}, []string{"cloud_sync_refused"}, nil, false},
		"half of them are": {func(w *servers) {
			w.report("EX01", w.now, append(w.every(403, 20), w.every(200, 20)...), partners(time.Minute))
		}, nil, nil, false},
		"one server of two refuses": {func(w *servers) {
			w.report("EX01", w.now, w.every(401, 90), partners(time.Minute))
			w.report("EX02", w.now, w.every(200, 40), nil)
		}, []string{"cloud_sync_refused"}, nil, false},
		"few requests are refused": {func(w *servers) { w.report("EX01", nil, w.every(401, 6), partners(time.Minute)) },
			[]string{"cloud_sync_stopped"}, []string{"cloud_sync_refused"}, false},
		"few succeed": {func(w *servers) { w.report("EX01", w.now, w.every(200, 6), partners(time.Minute)) }, nil, nil, false},
		"none at all": {func(w *servers) { w.report("EX01", nil, nil, partners(time.Minute)) },
			[]string{"cloud_sync_stopped"}, []string{"cloud_sync_refused"}, false},
		"none for half an hour": {func(w *servers) {
			w.report("EX01", w.now.Add(-31*time.Minute), nil, partners(time.Minute))
		}, []string{"cloud_sync_stopped"}, []string{"cloud_sync_refused"}, false},
		"none for a while": {func(w *servers) { w.report("EX01", w.now.Add(-29*time.Minute), nil, partners(time.Minute)) },
			nil, []string{"cloud_sync_refused"}, false},
		"none on one server of two": {func(w *servers) {
			w.report("EX01", nil, nil, partners(time.Minute))
			w.report("EX02", w.now, w.every(200, 1), nil)
		}, nil, nil, false},
		"a server whose logs cannot be read": {func(w *servers) {
			w.report("EX01", nil, nil, partners(time.Minute))
			w.report("EX02", nil, nil, map[string]any{"frontEndRequests": map[string]any{"ok": false, "error": "access denied"}})
		}, nil, []string{"cloud_sync_refused", "cloud_sync_stopped"}, true},
		"a server that is late": {func(w *servers) {
			w.report("EX02", nil, nil, nil)
			w.now = w.now.Add(time.Hour)
			w.report("EX01", nil, nil, partners(time.Minute))
		}, nil, []string{"cloud_sync_refused", "cloud_sync_stopped"}, false},
		"a server without front end": {func(w *servers) {
			w.report("EX01", w.now, w.every(200, 40), partners(time.Minute))
			w.files["EX02.json"] = fmt.Sprintf(`{"schema":1,"host":"EX02","intervalSeconds":900,"generatedAt":%q,"durationMs":1,"sections":{"localServer":{"ok":true,"data":{}}}}`, w.now.Format(time.RFC3339))
		}, nil, nil, false},
		"no report at all":       {func(*servers) {}, nil, []string{"cloud_sync_refused", "cloud_sync_stopped", "onprem_leg_stale"}, true},
		"partnerships not asked": {func(w *servers) { w.report("EX01", w.now, w.every(200, 40), nil) }, nil, []string{"onprem_leg_stale"}, false},
		"a partnership of a mailbox that is not watched": {func(w *servers) {
			w.report("EX01", w.now, w.every(200, 40), map[string]any{"partnerships": map[string]any{"ok": true, "data": []map[string]any{
				{"mailbox": "board@contoso.com", "lastSuccessSync": monday.Add(-90 * day)}}}})
		}, nil, []string{"onprem_leg_stale"}, false},
		"a partnership whose time is not known": {func(w *servers) {
			w.report("EX01", w.now, w.every(200, 40), map[string]any{"partnerships": map[string]any{"ok": true, "data": []map[string]any{
				{"mailbox": "jane@contoso.com", "lastSuccessSync": nil}}}})
		}, nil, []string{"onprem_leg_stale"}, false},
		"partnerships of a part of the watch list": {func(w *servers) {
			w.report("EX01", w.now, w.every(200, 40), map[string]any{"partnerships": map[string]any{"ok": true, "data": []map[string]any{
				{"mailbox": "jane@contoso.com", "lastSuccessSync": monday}, {"mailbox": "joe@contoso.com", "lastSuccessSync": nil}}}})
		}, nil, []string{"onprem_leg_stale"}, false},
		"a stale one of a part of the watch list": {func(w *servers) {
			w.report("EX01", w.now, w.every(200, 40), map[string]any{"partnerships": map[string]any{"ok": true, "data": []map[string]any{
				{"mailbox": "jane@contoso.com", "lastSuccessSync": monday.Add(-25 * time.Hour)}}}})
		}, []string{"onprem_leg_stale"}, nil, false},
		"a partnership is stale": {func(w *servers) { w.report("EX01", w.now, w.every(200, 40), partners(24*time.Hour)) }, []string{"onprem_leg_stale"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newServers(t, config.Sync{})
			rehearseOnPrem(memory{w.store}, monday, 400)
			c.lay(w)
			r, err := w.run()
			assert.Equal(t, c.failed, err != nil, err)
			if err != nil {
				assert.Equal(t, check.ReportInput, check.ClassOf(err))
			}
			assert.Empty(t, cmp.Diff(c.found, reasons(r)))
			assert.Empty(t, cmp.Diff(c.open, open(r)))
		})
	}
}

func TestWhyTheLegFromTheCloudIsNotJudged(t *testing.T) {
	counts := func(since, until, last time.Duration, rows ...report.RequestCount) frontEnd {
		at := func(ago time.Duration) time.Time { return monday.Add(-ago) }
		f := report.FrontEndRequests{Since: at(since), Until: at(until), Slot: 5 * time.Minute, Counts: rows}
		if last >= 0 {
			f.LastSuccess = at(last)
		}
		return frontEnd{"EX01", f}
	}
	requests := func(status, count int) report.RequestCount {
		return report.RequestCount{Start: monday.Add(-5 * time.Minute), Status: status, Count: count}
	}
	const never = -1
	late, broken := check.Errorf(check.ReportInput, "EX02: late"), check.Errorf(check.ReportInput, "EX02: access denied")
	for name, c := range map[string]struct {
		seen   onPrem
		reason *check.Reason
		want   string // empty: it is judged
	}{
		"no front end": {onPrem{}, cloudSyncRefused,
			"no report counts the OutlookService's requests: install this hmad's collector on the servers that receive them"},
		"no front end, and a late report": {onPrem{lacking: []error{late}}, cloudSyncStopped, "EX02: late"},
		"a late report": {onPrem{frontEnds: []frontEnd{counts(time.Hour, 0, 0, requests(200, 1))}, lacking: []error{late}}, cloudSyncStopped,
			"not all servers' requests are counted, see onprem_report: EX02: late"},
		"counts that cannot be read": {onPrem{frontEnds: []frontEnd{counts(time.Hour, 0, 0, requests(200, 1))}, failed: []error{broken}}, cloudSyncRefused,
			"EX02: access denied"},
		"no request": {onPrem{frontEnds: []frontEnd{counts(time.Hour, 0, 0)}}, cloudSyncRefused, "no request was counted in 15 min"},
		"few requests, most refused": {onPrem{frontEnds: []frontEnd{counts(time.Hour, 0, 0, requests(401, 9), requests(200, 1))}}, cloudSyncRefused,
			"of only 10 requests in 15 min 9 were refused; 20 requests or more are judged"},
		"few requests, few refused": {onPrem{frontEnds: []frontEnd{counts(time.Hour, 0, 0, requests(401, 1), requests(200, 9))}}, cloudSyncRefused, ""},
		"a short time": {onPrem{frontEnds: []frontEnd{counts(20*time.Minute, 0, never)}, usual: 400, usualKnown: true}, cloudSyncStopped,
			"not all servers' reports count the requests of the same 30 min"},
		"an hour that is not known": {onPrem{frontEnds: []frontEnd{counts(time.Hour, 0, never)}}, cloudSyncStopped,
			"it is not known yet how many requests usually succeed at this hour"},
		"a quiet hour": {onPrem{frontEnds: []frontEnd{counts(time.Hour, 0, never)}, usual: 19, usualKnown: true}, cloudSyncStopped,
			"at this hour so few requests usually succeed that a stop cannot be seen"},
		"a success in a quiet hour": {onPrem{frontEnds: []frontEnd{counts(time.Hour, 0, 29*time.Minute)}, usual: 1, usualKnown: true}, cloudSyncStopped, ""},
		"a success in a new hour":   {onPrem{frontEnds: []frontEnd{counts(time.Hour, 0, 29*time.Minute)}}, cloudSyncStopped, ""},
		"no watch list":             {onPrem{}, onPremLegStale, "no mailbox is watched"},
		"partnerships not reported": {onPrem{watched: 3, partners: []partner{{success: monday, asOf: monday, staleAfter: day}}}, onPremLegStale,
			"the reports do not show when 2 of 3 watched mailboxes last synchronised"},
		"partnerships not to be read": {onPrem{watched: 1, unread: []error{broken}}, onPremLegStale, "EX02: access denied"},
		"partnerships of all": {onPrem{watched: 1, partners: []partner{{success: monday, asOf: monday, staleAfter: day}}, unread: []error{broken}}, onPremLegStale,
			""},
	} {
		t.Run(name, func(t *testing.T) {
			r := judged(t, OnPremSync, func(v *check.Verdict) { judgeOnPrem(v, c.seen) })
			assert.Equal(t, c.want, whyNot(r, c.reason))
		})
	}
}

// Of several servers those are named that refuse.
func TestTheServersThatRefuseAreNamed(t *testing.T) {
	w := newServers(t, config.Sync{})
	w.report("EX01", w.now, w.every(200, 40), nil)
	w.report("EX02", w.now, append(w.every(401, 20), w.every(200, 1)...), nil)
	w.report("EX03", w.now, append(w.every(401, 30), w.every(403, 30)...), nil)
	r, err := w.run()
	require.NoError(t, err)
	require.Equal(t, []string{"cloud_sync_refused"}, reasons(r))
	assert.Equal(t, "of 363 requests in 15 minutes 150 were answered 401 and 90 403, by EX03 (180), EX02 (60)", r.Findings[0].Detail)
	assert.Equal(t, []string{"EX03", "EX02"}, r.Findings[0].About)
	assert.Equal(t, []check.Observed{{Fact: frontEndsCounted, Value: "EX01, EX02, EX03"}}, r.Facts)
}

// Of servers that succeed no more those come first that did so longest ago.
func TestTheServersOfAStopAreNamed(t *testing.T) {
	w := newServers(t, config.Sync{})
	rehearseOnPrem(memory{w.store}, monday, 400)
	w.report("EX01", w.now.Add(-31*time.Minute), nil, nil)
	w.report("EX02", w.now.Add(-40*time.Minute), nil, nil)
	w.report("EX03", nil, nil, nil)
	r, err := w.run()
	require.NoError(t, err)
	require.Equal(t, []string{"cloud_sync_stopped"}, reasons(r))
	assert.Equal(t, []string{"EX03", "EX02", "EX01"}, r.Findings[0].About)
}

func atWork(t time.Time) bool {
	return t.Weekday() != time.Saturday && t.Weekday() != time.Sunday && t.Hour() >= 7 && t.Hour() < 18
}

// A week of reports every quarter of an hour, which overlap: each request counts
// once, and what is usual is learnt.
func TestWhatIsUsualIsLearntFromReports(t *testing.T) {
	w := newServers(t, config.Sync{})
	w.now = monday.Add(-8 * day)
	for ; !w.now.After(monday); w.now = w.now.Add(15 * time.Minute) {
		if atWork(w.now.Add(-time.Hour)) && atWork(w.now) {
			w.report("EX01", w.now, w.every(200, 10), nil)
		} else {
			w.report("EX01", nil, nil, nil)
		}
		r, err := w.run()
		require.NoError(t, err)
		require.Empty(t, r.Findings, "%s: nights and weekends are quiet", w.now)
	}
	var kept map[int64][2]int
	weekAgo := monday.Add(-7*day).Unix() / 3600
	require.True(t, memory{w.store}.Get(partKey(onPremHours, weekAgo/24%plan.DaysKept), &kept))
	assert.Equal(t, [2]int{12, 120}, kept[weekAgo], "slots looked at, and successes")
	w.report("EX01", monday.Add(-time.Hour), nil, nil)
	r, err := w.run()
	require.NoError(t, err)
	assert.Equal(t, []string{"cloud_sync_stopped"}, reasons(r))
}

func TestSamplesOfTheLegFromTheCloud(t *testing.T) {
	w := newServers(t, config.Sync{MailboxLabel: config.LabelAddress})
	w.report("EX01", monday.Add(-time.Minute), append(w.every(200, 10), w.every(401, 1)...), map[string]any{"partnerships": map[string]any{"ok": true,
		"data": map[string]any{"mailbox": "Jane@contoso.com", "lastSuccessSync": monday.Add(-time.Hour)}}})
	w.report("EX02", nil, w.every(200, 2), nil)
	r, err := w.run()
	require.NoError(t, err)
	assert.Equal(t, 36.0, valueOf(r, OnPremRequests, "200"), "three slots of two servers")
	assert.Equal(t, 3.0, valueOf(r, OnPremRequests, "401"))
	assert.Equal(t, float64(monday.Add(-time.Minute).Unix()), valueOf(r, OnPremSuccess))
}

// The rows of partnerships are those of the watch list, and of now.
func TestPartnershipsOfWatchedMailboxesAreShown(t *testing.T) {
	w := newServers(t, config.Sync{MailboxLabel: config.LabelAddress})
	partners := func(mailboxes ...string) map[string]any {
		var rows []map[string]any
		for _, m := range mailboxes {
			rows = append(rows, map[string]any{"mailbox": m, "lastSuccessSync": monday.Add(-time.Hour)})
		}
		return map[string]any{"partnerships": map[string]any{"ok": true, "data": rows}}
	}
	at := []float64{float64(monday.Add(-time.Hour).Unix())}
	w.report("EX01", monday, nil, partners("Jane@contoso.com", "joe@contoso.com", "board@contoso.com"))
	r, err := w.run()
	require.NoError(t, err)
	assert.Equal(t, map[string][]float64{"jane@contoso.com": at, "joe@contoso.com": at}, w.store.rows, "the watch list alone")
	assert.Contains(t, r.Texts(), "1 of 3 watched mailboxes have no partnership in the reports: the collector reports those that its parameter "+
		"-Mailboxes names")

	w.store.rows = map[string][]float64{}
	w.build()
	assert.Len(t, w.store.rows, 2, "shown from the start on after a restart")

	w.report("EX01", monday, nil, partners("jane@contoso.com"))
	_, err = w.run()
	require.NoError(t, err)
	assert.Equal(t, map[string][]float64{"jane@contoso.com": at}, w.store.rows, "what is not reported any more is gone")

	w.now = w.now.Add(2 * time.Hour)
	_, err = w.run()
	require.Error(t, err)
	assert.Empty(t, w.store.rows, "a report that is late shows nothing as of now")
}

func TestStalePartnershipsAreNamed(t *testing.T) {
	w := newServers(t, config.Sync{MailboxLabel: config.LabelAddress})
	w.report("EX01", w.now, nil, map[string]any{"partnerships": map[string]any{"ok": true, "data": []map[string]any{
		{"mailbox": "Jane@contoso.com", "lastSuccessSync": monday.Add(-2 * day)}, {"mailbox": "joe@contoso.com", "lastSuccessSync": monday.Add(-3 * day)}}}})
	r, err := w.run()
	require.NoError(t, err)
	require.Equal(t, []string{"onprem_leg_stale"}, reasons(r))
	assert.Equal(t, []string{"joe@contoso.com", "jane@contoso.com"}, r.Findings[0].About, "the longest silent first")
}

func TestNoNamesOnTheLegFromTheCloudInModeNone(t *testing.T) {
	w := newServers(t, config.Sync{MailboxLabel: config.LabelNone})
	w.report("EX01", w.now, nil, map[string]any{"partnerships": map[string]any{"ok": true, "data": []map[string]any{
		{"mailbox": "jane@contoso.com", "lastSuccessSync": monday.Add(-2 * day)}, {"mailbox": "joe@contoso.com", "lastSuccessSync": monday}}}})
	r, err := w.run()
	require.NoError(t, err)
	require.Equal(t, []string{"onprem_leg_stale"}, reasons(r))
	assert.NotContains(t, fmt.Sprint(r), "jane")
	assert.Empty(t, w.store.rows)
	assert.Contains(t, r.Findings[0].Detail, check.UnnamedMailbox)
	assert.Empty(t, r.Findings[0].About)
}

func TestThereIsNoCheckWithoutAReport(t *testing.T) {
	parts, err := OnPremSync.New(config.Target{}, check.Env{})
	require.NoError(t, err)
	assert.Nil(t, parts.Run)
	parts, err = MailboxSync.New(config.Target{}, check.Env{})
	require.NoError(t, err)
	assert.Nil(t, parts.Run)
}

// Where every report is late the error says so: the collector is there.
func TestReportsThatAreAllLate(t *testing.T) {
	w := newServers(t, config.Sync{})
	w.report("EX01", w.now, w.every(200, 40), nil)
	w.now = w.now.Add(2 * time.Hour)
	_, err := w.run()
	require.ErrorContains(t, err, "is over 45 min old")
	assert.Equal(t, check.ReportInput, check.ClassOf(err))
}
