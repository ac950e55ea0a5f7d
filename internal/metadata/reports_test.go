package metadata

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report/intake"
)

func (w *world) onPremReport() check.Result {
	w.whole = true
	return w.built(OnPremReport, w.env())
}

func TestOnPremReport(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		want   string
		says   string
	}{
		"on time":             {func(*world) {}, "good", ""},
		"three intervals old": {func(w *world) { w.written = w.now.Add(-45 * time.Minute) }, "good", ""},
		"over three intervals old": {func(w *world) { w.written = w.now.Add(-46 * time.Minute) }, "report_late", "MBX01's is of 2026-11-22 " +
			"11:14 UTC, and comes every 15 min"},
		"daily, two hours old":      {func(w *world) { w.every, w.written = 24*time.Hour, w.now.Add(-2*time.Hour) }, "good", ""},
		"daily, over two hours old": {func(w *world) { w.every, w.written = 24*time.Hour, w.now.Add(-121*time.Minute) }, "report_late", "MBX01's is of 2026-11-22 09:59 UTC, and comes every 1 d"},
		"no report at all":          {func(w *world) { w.hosts = nil }, "report_missing", "no report of any host"},
		"a named host is missing":   {func(w *world) { w.target.OnPrem.Report.Hosts = []string{"mbx01.contoso.com", "MBX02"} }, "report_missing", "MBX02"},
		"a stranger's report beside": {func(w *world) {
			w.hosts["MBX09"] = map[string]any{"iis": failed("no access")}
			w.target.OnPrem.Report.Hosts = []string{"MBX01"}
		}, "good", ""},
		"a stranger's report alone": {func(w *world) { w.target.OnPrem.Report.Hosts = []string{"MBX02"} }, "report_missing", "MBX02"},
		"a section failed": {func(w *world) {
			w.hosts["MBX01"]["oauthEvents"] = failed("Access is " +
				"denied.")
		}, "report_section_failed", "MBX01: oauthEvents: Access is denied."},
		"a section is missing": {func(w *world) { w.hosts["MBX01"]["iis"] = nil }, "report_section_failed", "MBX01: section iis: the " +
			"section is missing"},
		"a section of another form": {func(w *world) { w.hosts["MBX01"]["oauthEvents"] = ok([]any{map[string]any{"id": "x"}}) }, "report_section_failed", "MBX01: section oauthEvents: row 0: time: missing"},
		"a size that cannot be read": {func(w *world) {
			w.hosts["MBX01"]["transportConfig"] = ok(map[string]any{"maxSendSize": "35 MB", "maxReceiveSize": "Unlimited"})
		}, "report_section_failed", "MBX01: section transportConfig: row 0: maxSendSize: want a size"},
		"a section that is null": {func(w *world) { w.hosts["MBX01"]["databaseCopies"] = ok(nil) }, "report_section_failed", "MBX01: " +
			"section databaseCopies: ok, but its data is null"},
		"an optional section is missing": {func(w *world) { w.hosts["MBX01"]["partnerships"] = nil }, "good", ""},
		"no report at all of a file": {func(w *world) { w.hosts = map[string]map[string]any{"not a host!": {}} }, "report_invalid", "host: " +
			"want the server's name"},
		"a minute ahead":    {func(w *world) { w.written = w.now.Add(time.Minute) }, "good", ""},
		"two minutes ahead": {func(w *world) { w.written = w.now.Add(2 * time.Minute) }, "report_clock_skew", "MBX01's is dated 2 min ahead"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w)
			r := w.onPremReport()
			require.Equal(t, tc.want, outcome(r))
			if tc.says != "" {
				assert.Contains(t, r.Report.Findings[0].Detail, tc.says)
			}
			if _, reports := w.hosts["MBX01"]; !reports {
				assert.Contains(t, r.Report.Unevaluated(), reportLate, "what is not there is not judged")
			}
		})
	}
}

func TestAStrangersReportIsNoted(t *testing.T) {
	for name, hosts := range map[string][]string{"named alone": {"MBX01"}, "nobody named": nil} {
		w := newWorld(t)
		w.hosts["MBX09"] = map[string]any{}
		w.target.OnPrem.Report.Hosts = hosts
		told := slices.Contains(w.onPremReport().Report.Texts(check.Seen), "MBX09: its report, mbx09.json, is not used: it is not among `hosts` of the config")
		assert.Equal(t, hosts != nil, told, name)
	}
}

// refusedPush has the intake remember a push that it refused so long ago.
func (w *world) refusedPush(host string, ago time.Duration, code int) {
	w.memory.Put("onprem_report.refused", intake.Refused{Hosts: map[string]intake.Refusal{host: {At: w.now.Add(-ago), Code: code}},
		Addresses: []intake.Address{{Address: "10.0.0.5", Count: 3, Last: w.now.Add(-ago), Code: 401, Claimed: "MBX01"}}})
}

func TestARefusedPushIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		says   string
		never  string
	}{
		"later than the late report": {func(w *world) {
			w.written = w.now.Add(-46 * time.Minute)
			w.refusedPush("mbx01", time.Minute, 409)
		}, "and comes every 15 min; a push of 2026-11-22 11:59 UTC was refused with 409: not newer than the report before", ""},
		"earlier than the late report": {func(w *world) {
			w.written = w.now.Add(-46 * time.Minute)
			w.refusedPush("mbx01", time.Hour, 409)
		}, "and comes every 15 min", "refused"},
		"of a host that never reported": {func(w *world) {
			w.target.OnPrem.Report.Hosts = []string{"MBX01", "mbx02.contoso.com", "MBX03"}
			w.refusedPush("mbx02", time.Minute, 422)
		}, "mbx02.contoso.com (a push of 2026-11-22 11:59 UTC was refused with 422: not a usable report); MBX03", "MBX03 ("},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w)
			r := w.onPremReport()
			require.Len(t, r.Report.Findings, 1)
			assert.Contains(t, r.Report.Findings[0].Detail, tc.says)
			if tc.never != "" {
				assert.NotContains(t, r.Report.Findings[0].Detail, tc.never)
			}
			assert.Contains(t, strings.Join(r.Report.Texts(check.Seen), "\n"), "refused before it showed who it is: 10.0.0.5: 3 times")
		})
	}
}

func TestReportTime(t *testing.T) {
	w := newWorld(t)
	w.written = w.now.Add(-10 * time.Minute)
	r := w.onPremReport()
	at, there := sample(r, ReportTime, "MBX01")
	require.True(t, there)
	assert.Equal(t, unix(w.written), at)
	assert.Equal(t, []string{"MBX01: report of 2026-11-22 11:50 UTC (10 min ago), collector 1.2.0, every 15 min, made in 1.2 s, 24 sections, 0 " +
		"failed"}, r.Report.Texts(check.Seen))
}

func TestAnIntervalThatEndsTheEvidenceIsNoted(t *testing.T) {
	for every, want := range map[time.Duration]bool{15 * time.Minute: false, 40 * time.Minute: false, time.Hour: true} {
		w := newWorld(t)
		w.every = every
		r := w.onPremReport()
		require.Equal(t, "good", outcome(r))
		assert.Equal(t, want, strings.Contains(strings.Join(r.Report.Texts(), "\n"), "MBX01 reports every 1 h"), every)
	}
}

func TestAHostThatVanishesIsMissedForAWeek(t *testing.T) {
	w := newWorld(t)
	w.hosts["MBX02"] = map[string]any{}
	require.Equal(t, "good", outcome(w.onPremReport()))
	delete(w.hosts, "MBX02")
	r := w.onPremReport()
	require.Equal(t, "report_missing", outcome(r))
	assert.Equal(t, "MBX02", r.Report.Findings[0].Detail)
	w.now = w.now.Add(7*24*time.Hour + time.Hour)
	assert.Equal(t, "good", outcome(w.onPremReport()))
}

// TestAFileThatIsBeingWritten holds that a half-written file is not called
// invalid while its earlier copy speaks for the present.
func TestAFileThatIsBeingWritten(t *testing.T) {
	w := newWorld(t)
	w.whole = true
	cut := 0
	env := w.env()
	readFile := env.ReadFile
	env.ReadFile = func(name string, max int64) ([]byte, error) {
		data, err := readFile(name, max)
		return data[:len(data)-cut], err
	}
	parts, err := OnPremReport.New(w.target, env)
	require.NoError(t, err)
	see := func() string {
		report, err := OnPremReport.Look(t.Context(), parts.Run)
		return outcome(check.Result{Report: report, Err: err})
	}
	require.Equal(t, "good", see())
	cut = 30
	w.now = w.now.Add(step)
	assert.Equal(t, "good", see())
	w.now = w.now.Add(time.Hour)
	assert.Equal(t, "report_invalid report_late", see())
	cut = 0
	assert.Equal(t, "good", see())
}

func TestAFolderThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	env := w.env()
	env.ReadDir = func(string) ([]string, error) { return nil, fs.ErrPermission }
	env.ReadFile = func(string, int64) ([]byte, error) { return nil, fs.ErrPermission }
	for _, d := range []*check.Def{OnPremReport, MetadataRefresh} {
		parts, err := d.New(w.target, env)
		require.NoError(t, err)
		report, err := d.Look(t.Context(), parts.Run)
		assert.Equal(t, check.ReportInput, check.ClassOf(err))
		assert.Equal(t, d.Reasons, report.Unevaluated())
	}
}
