package exporter

import (
	"errors"
	"fmt"
	"html"
	"math"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/state"
)

func render(t *testing.T, o Options, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	New(o).Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	require.Equal(t, 200, w.Code)
	require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	return w.Body.String()
}

var tags = regexp.MustCompile(`<[^>]*>`)

// text is what a reader sees, blanks squeezed.
func text(page string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(page, ""))), " ")
}

func TestThePageTellsWhatIsWrongAndHowToMendIt(t *testing.T) {
	page := render(t, estateOptions(), "/")
	seen := text(page)
	for _, want := range []string{
		"1 of 5 checks failing",
		"failed for 23 min · since 2026-11-22 11:37:00 UTC",
		"critical bearer_missing for 23 min", "401 from 192.0.2.10 offers Basic and Negotiate, no Bearer",
		bearerMissing.Summary, strings.ReplaceAll(bearerMissing.Fix, "`", ""),
		"warning certificate_chain_incomplete", chainIncomplete.Summary,
		"accepted warning certificate_expiring until 2026-12-04", "the renewal is ordered",
		"could not tell", "hmad's own way out is closed", "login.microsoftonline.com: connect: no route to host", "vantage_offline",
		"Last verdict: ✕ failed, 7 min ago (2026-11-22 11:53:00 UTC). It found:",
		"not run yet", "in 8 s", "Schedule*/5 * * * * UTC", "dns 0.7 ms", "5 failed, 15 passed",
		"hmad_challenge_scheme_offered", "WWW-Authenticate: Negotiate", "2026-12-04 12:00:00 UTC (in 12 d)",
	} {
		assert.Contains(t, seen, want)
	}
	assert.Contains(t, page, `<code class="copy">Get-OrganizationConfig | Format-List OAuth2ClientProfileEnabled</code>`)
	assert.Contains(t, page, `<pre class="copy" tabindex="0">curl -sv --http1.1 -H &#39;Authorization: Bearer&#39;`)
	assert.Equal(t, 5, strings.Count(page, "<form "))
	assert.NotContains(t, page, "disabled")
}

// runbookLink leaves hmad, but only when it is followed, and does not tell from
// where.
var runbookLink = regexp.MustCompile(`<a href="(https://docs\.example\.test/[^"]*)" target="_blank" rel="noreferrer">`)

func TestEveryFindingLinksToItsRunbook(t *testing.T) {
	page := render(t, estateOptions(), "/")
	var to []string
	for _, m := range runbookLink.FindAllStringSubmatch(page, -1) {
		to = append(to, strings.TrimPrefix(m[1], "https://docs.example.test/checks.md#"))
	}
	assert.ElementsMatch(t, []string{"activesyncbearer_missing", "activesynccertificate_chain_incomplete", "autodiscovercertificate_expiring", "activesyncbearer_missing"}, to, "also of what is accepted, and of the last verdict")
	assert.Contains(t, text(page), "Runbook of bearer_missing, in a new tab")
	o := estateOptions()
	o.Runbook = nil
	assert.NotContains(t, render(t, o, "/"), "Runbook")
}

func TestThePageNeedsNothingFromElsewhere(t *testing.T) {
	page := runbookLink.ReplaceAllString(render(t, estateOptions(), "/"), "<a>")
	for _, m := range regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		assert.NotRegexp(t, `^(//|[a-z]+:|/)`, m[1], "relative, so that it holds behind a proxy that adds a path")
	}
	assert.NotContains(t, page, "<script")
	assert.NotRegexp(t, `\s(style|on[a-z]+)=`, page)
	css, err := files.ReadFile("assets/style.css")
	require.NoError(t, err)
	assert.NotRegexp(t, `url\(|@import|https?:`, string(css))
	for name, policy := range map[string]string{"viewport": `name="viewport" content="width=device-width`, "language": `<html lang="en">`, "main": "<main", "nav": "<nav"} {
		assert.Contains(t, page, policy, name)
	}
}

func TestThePageIsWellFormed(t *testing.T) {
	var open []string
	for _, tag := range tags.FindAllString(render(t, estateOptions(), "/"), -1) {
		name := strings.Fields(strings.Trim(tag, "</>"))[0]
		switch {
		case strings.HasPrefix(tag, "<!"), strings.HasSuffix(tag, "/>"), name == "meta", name == "link", name == "input":
		case strings.HasPrefix(tag, "</"):
			require.NotEmpty(t, open, tag)
			require.Equal(t, open[len(open)-1], name)
			open = open[:len(open)-1]
		default:
			open = append(open, name)
		}
	}
	assert.Empty(t, open)
}

func TestIdsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(render(t, estateOptions(), "/"), -1) {
		assert.False(t, seen[m[1]], m[1])
		seen[m[1]] = true
	}
}

func TestHostileTextIsShownAndDoesNothing(t *testing.T) {
	const evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[2J\u202e\u2066\x00\xff{{.}}javascript:"
	r := check.Result{Start: noon, Err: check.Errorf(check.State, "%s", evil), Report: check.Report{
		Findings: []check.Finding{{Reason: bearerMissing, Detail: evil}, {Reason: &check.Reason{Name: evil, Severity: check.Warning}, Accepted: true}},
		Unjudged: checktest.Unjudged(&check.Reason{Name: evil}),
		Samples:  append(phaseSamples(evil, evil, 1, 1, 1, 1, 1), check.Sample{Metric: offered, Labels: []string{evil}}),
		Notes:    append(checktest.Seen(evil), check.Note{Kind: check.Repeat, Text: "curl " + evil}),
	}}
	o := estateOptions()
	o.Version = evil
	o.Store = snapshot{[]state.Status{told(check.ID{Check: evil, Target: evil}, r)}, state.Health{Problem: evil, SetAside: evil}}
	s := New(o)
	s.Reloaded(errors.New(evil))
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/?refresh=on", nil))
	page := w.Body.String()
	assert.True(t, utf8.ValidString(page))
	for _, bad := range []string{"<script", "<img", "\x1b", "\u202e", "\u2066", "\x00", "\ufffd"} {
		assert.NotContains(t, page, bad)
	}
	assert.NotRegexp(t, `<[a-z]+(\s+[a-z-]+(="[^"]*")?)*\s+onerror`, page)
	assert.NotRegexp(t, `href="javascript`, page)
	assert.Greater(t, strings.Count(text(page), `<script>alert(1)</script>"'><img src=x onerror=alert(1)>\x1b[2J\u202e\u2066\x00\xff{{.}}`), 8)
}

func TestEndlessTextIsCut(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	r := foundAt(noon, check.Finding{Reason: bearerMissing, Detail: long})
	r.Err = errors.New(long)
	r.Report.Notes = checktest.Seen(long, long, long)
	for i := range 5000 {
		r.Report.Samples = append(r.Report.Samples, check.Sample{Metric: offered, Labels: []string{fmt.Sprint(i)}})
	}
	o := estateOptions()
	o.Store = snapshot{[]state.Status{told(contoso, r)}, healthy}
	assert.Less(t, len(render(t, o, "/")), 512<<10)
}

func TestBanners(t *testing.T) {
	for name, c := range map[string]struct {
		health state.Health
		reload error
		want   []string
	}{
		"none in good health":    {health: healthy},
		"memory only on purpose": {health: state.Health{OK: true}},
		"the disk is full":       {health: state.Health{Problem: "no space left on device"}, want: []string{"Results are not kept on disk", "no space left on device. Checks continue"}},
		"a file set aside":       {health: state.Health{OK: true, SetAside: "/var/lib/hmad/state.db.corrupt-1"}, want: []string{"The state file could not be used", "state.db.corrupt-1"}},
		"damaged lines":          {health: state.Health{OK: true, Damaged: 3}, want: []string{"The state file was damaged", "3 of its lines are lost"}},
		"a reload refused":       {health: healthy, reload: errors.New("config.yaml:3: unknown key"), want: []string{"The last reload was refused", "2026-11-22 12:00:00 UTC: config.yaml:3: unknown key"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := estateOptions()
			o.Store = snapshot{estate(), c.health}
			s := New(o)
			s.Reloaded(c.reload)
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			assert.Equal(t, (len(c.want)+1)/2, strings.Count(w.Body.String(), `class="banner"`))
			for _, want := range c.want {
				assert.Contains(t, text(w.Body.String()), want)
			}
		})
	}
}

func TestCheckAgainIsOffWhereItWouldBeRefused(t *testing.T) {
	o := estateOptions()
	o.MayPost = nil
	page := render(t, o, "/")
	assert.Equal(t, 5, strings.Count(page, `<button disabled aria-describedby="whynot"`))
	assert.Contains(t, text(page), "«Check again» is off: the request shows neither a password")
}

func TestThePageRefreshesOnlyWhenAsked(t *testing.T) {
	assert.NotContains(t, render(t, estateOptions(), "/"), "http-equiv")
	assert.Contains(t, render(t, estateOptions(), "/?refresh=on"), `<meta http-equiv="refresh" content="30">`)
}

func TestOverall(t *testing.T) {
	p, w, f, u, s := check.Passed, check.Warned, check.Failed, check.Undecided, check.Skipped
	for want, outcomes := range map[string][]check.Outcome{
		"No checks are configured":             {},
		"The first runs have not finished yet": {"", ""},
		"1 of 2 checks passed so far":          {p, ""},
		"The check passed":                     {p},
		"All 3 checks passed":                  {p, p, p},
		"1 of 3 checks with warnings":          {p, w, p},
		"2 of 3 checks could not tell":         {u, s, w},
		"2 of 4 checks failing":                {f, u, w, f},
		"1 of 1 check failing":                 {f},
	} {
		t.Run(want, func(t *testing.T) {
			got, _, _ := overall(outcomes)
			assert.Equal(t, want, got)
		})
	}
}

func TestOverdue(t *testing.T) {
	st := told(contoso, passedAt(noon))
	st.Next = noon.Add(-10 * time.Minute)
	o := estateOptions()
	o.Store = snapshot{[]state.Status{st}, healthy}
	assert.Contains(t, text(render(t, o, "/")), "overdue by 10 min")
}

func TestPhasesFillTheBar(t *testing.T) {
	got := newPhases(append(phaseSamples("mail.contoso.com", "", 1, 2, 3, 4, 0.0001), check.Sample{Metric: check.Phase, Value: -1, Labels: []string{"dns", "x", ""}}))
	require.Len(t, got, 1)
	at := 0
	for _, p := range got[0].Parts {
		assert.Equal(t, at, p.X)
		at += p.Width
	}
	assert.InDelta(t, 1000, at, 1)
	assert.Equal(t, "10 ms", got[0].Total)
}

func TestAPhaseHasItsColourInEveryBar(t *testing.T) {
	first := phaseSamples("mail.contoso.com", "192.0.2.10", 1, 2, 3, 4, 5)
	second := phaseSamples("mail.contoso.com", "192.0.2.11", 1, 2, 3, 4, 5)[1:] // its name was looked up already
	strange := check.Sample{Metric: check.Phase, Value: 1, Labels: []string{`"x`, "y", ""}}
	var got [][]string
	for _, p := range newPhases(slices.Concat(first, second, []check.Sample{strange})) {
		var classes []string
		for _, x := range p.Parts {
			classes = append(classes, x.Class)
		}
		got = append(got, classes)
	}
	assert.Equal(t, [][]string{{"phase-dns", "phase-connect", "phase-tls", "phase-processing", "phase-transfer"},
		{"phase-connect", "phase-tls", "phase-processing", "phase-transfer"}, {"phase-other"}}, got)
	css, err := files.ReadFile("assets/style.css")
	require.NoError(t, err)
	for _, class := range slices.Concat(got...) {
		assert.Contains(t, string(css), "."+class+" { fill: var(--")
	}
}

func TestValuesAreForPeople(t *testing.T) {
	gauge, moment := &check.Metric{Name: "hmad_sync_sampled_mailboxes"}, &check.Metric{Name: "hmad_x_timestamp_seconds"}
	for want, s := range map[string]check.Sample{
		"20": {Metric: gauge, Value: 19.999999999999993}, "0.3": {Metric: gauge, Value: 0.1 + 0.2}, "0.25": {Metric: gauge, Value: 0.25},
		"1234567": {Metric: gauge, Value: 1234567}, "-1": {Metric: gauge, Value: -1}, "NaN": {Metric: gauge, Value: math.NaN()},
		"2026-11-22 11:00:00 UTC (1 h ago)": {Metric: moment, Value: float64(noon.Add(-time.Hour).Unix())},
	} {
		assert.Equal(t, want, value(s, noon))
	}
}

func TestOldRunsAreMarked(t *testing.T) {
	var all []check.Result
	all = append(all, foundAt(noon.Add(-48*time.Hour), check.Finding{Reason: dnsFailed}))
	for i := range 25 {
		all = append(all, passedAt(noon.Add(time.Duration(i-25)*time.Minute)))
	}
	got, tally := runs(told(contoso, all...).History, noon)
	require.Len(t, got, 21)
	assert.True(t, got[20].Old)
	assert.Equal(t, "dns_failed", got[20].Why)
	assert.False(t, got[19].Old)
	assert.Equal(t, "20 passed", tally)
}

func TestNotes(t *testing.T) {
	var c card
	c.setNotes(check.Report{Notes: []check.Note{{Kind: check.Attempt, Text: "attempt 1"}, {Kind: check.Repeat, Text: "curl -i https://mail.contoso.com/"},
		{Kind: check.Seen, Text: "HTTP/1.1 401\r\nX: y\r\n"}, {Kind: check.Timeline, Text: "stored yesterday"}, {Kind: check.Attempt, Text: "attempt 2"},
		{Kind: check.Repeat, Text: "curl -i https://mail.contoso.com/"}, {Kind: check.Repeat, Text: "Get-AuthServer"}}})
	assert.Equal(t, []string{"curl -i https://mail.contoso.com/", "Get-AuthServer"}, c.Repeat)
	assert.Equal(t, "stored yesterday\n", c.Timeline)
	assert.Equal(t, "attempt 1\nHTTP/1.1 401\nX: y\n\nattempt 2\n", c.Notes)
}

func TestWorstChecksComeFirst(t *testing.T) {
	of := func(target, name string, err error, severity check.Severity) state.Status {
		r := check.Result{Check: name, Target: target, Start: time.Unix(1, 0), Err: err}
		if severity != "" {
			r.Report.Findings = []check.Finding{{Reason: &check.Reason{Severity: severity}}}
		}
		return state.Status{ID: r.ID(), Last: r}
	}
	var got []string
	for _, st := range worstFirst([]state.Status{
		of("contoso", "vantage", nil, ""), of("contoso", "autodiscover", nil, check.Warning),
		of("contoso", "activesync", nil, check.Critical), of("contoso", "evosts_metadata", errors.New("no document"), ""),
		of("fabrikam", "activesync", nil, ""),
	}) {
		got = append(got, st.ID.Target+" "+st.ID.Check)
	}
	assert.Equal(t, []string{"contoso activesync", "contoso evosts_metadata", "contoso autodiscover", "contoso vantage", "fabrikam activesync"}, got)
}
