//go:build e2e

package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
)

var (
	updateTables  = flag.Bool("update", false, "rewrite the tables in docs")
	onlyScenarios = flag.String("scenarios", "", "a regular expression: try these alone, and leave the table in docs alone")
)

// A real Prometheus and a real Alertmanager, with the rules and the config that
// ship, watch demos: every fault of the lab, switched on while all runs, fires
// its alert and no other, is told once and told again when it is mended. Targets
// without a fault are watched meanwhile. No time bounds it: what the machine does
// not keep the pace of is tried again, in the end at a slower one.
func TestEveryFaultPagesOnce(t *testing.T) {
	program, began := buildHmad(t), time.Now()
	only := regexp.MustCompile(*onlyScenarios)
	todo := slices.DeleteFunc(scenarios(t), func(c scenario) bool { return !only.MatchString(c.name) })
	slices.SortStableFunc(todo, inTable)
	place := map[string]int{}
	for i, c := range todo {
		place[c.name] = i
	}
	var records []record
	for p := fastest; len(todo) > 0 && !t.Failed(); p = p.slower() {
		before := len(todo)
		t.Run("pace "+p.String(), func(t *testing.T) {
			r := startRound(t, program, p, todo)
			if !r.ready() {
				return
			}
			var done, well []record
			done, well, todo = r.tryAll()
			r.judge(t, done, well)
			records = append(records, done...)
		})
		require.True(t, p < slowest || len(todo) < before, "this machine keeps no pace: nothing could be tried at the slowest")
	}
	if t.Failed() {
		return
	}
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Compare(place[a.name], place[b.name]) })
	t.Logf("%d scenarios in %s, targets without a fault beside them; nothing else was told\n%s", len(records), time.Since(began).Round(time.Second), table(records))
	if *onlyScenarios == "" {
		t.Run("what people read", func(t *testing.T) { readsWell(t, records) })
		keepTable(t, records)
	}
}

// judge compares what came of the trials of a round with what must.
func (r *round) judge(t *testing.T, done, well []record) {
	for _, one := range done {
		t.Run(one.name, func(t *testing.T) { one.judge(t, r.prometheus) })
	}
	t.Run("targets without a fault", func(t *testing.T) {
		for _, one := range well {
			assert.NoError(t, one.err)
			assert.Empty(t, texts(slices.DeleteFunc(slices.Clone(one.all), func(n notification) bool {
				return !slices.ContainsFunc(n.firing(), func(name string) bool { return !ofTheTrial(name) })
			}), one.begin))
			for _, target := range []string{one.target, "hmad"} {
				assert.Empty(t, fired(t, r.prometheus, target, one.begin, one.end), target)
			}
		}
	})
}

// ofTheTrial reports whether an alert says nothing of the estate here: one without a
// receiver, the one that always fires, and that of a hmad that comes and goes, as
// scrapes of every second make of one on a busy machine.
func ofTheTrial(alert string) bool {
	return slices.Contains([]string{catalog.ImpliedAlert, "HmadWatchdog", "HmadUnstable"}, alert)
}

// judge compares what came of a trial with what must.
func (r record) judge(t *testing.T, prometheus string) {
	assert.NoError(t, r.err)
	may := func(name string) bool { return name == r.after }
	assert.ElementsMatch(t, r.fired, slices.DeleteFunc(fired(t, prometheus, r.target, r.begin, r.end), may), "alerts that fired")
	if len(r.told) == 0 {
		assert.Empty(t, texts(r.all, r.begin))
		return
	}
	told := []string{}
	pages := 0
	for _, n := range r.all {
		if !r.apart {
			assert.Equal(t, r.to, n.Receiver)
		}
		before := len(told)
		for _, name := range n.firing() {
			if !slices.Contains(told, name) && !may(name) {
				told = append(told, name)
			}
		}
		if len(told) > before {
			pages++
		}
	}
	assert.ElementsMatch(t, r.told, told, "alerts that were told")
	want := 1
	if r.apart {
		want = len(r.told)
	}
	assert.Equal(t, want, pages, "notifications that told something new: %s", texts(r.all, r.begin))
	if assert.NotEmpty(t, r.all) && r.after == "" {
		assert.Equal(t, "resolved", r.all[len(r.all)-1].Status)
	}
}

// readsWell renders the page of one trial as the shipped template has it.
func readsWell(t *testing.T, records []record) {
	i := slices.IndexFunc(records, func(r record) bool { return r.name == "activesync.bearer_missing" })
	require.GreaterOrEqual(t, i, 0)
	_, reason := findReason("activesync.bearer_missing")
	data := write(t, t.TempDir(), "data.json", string(records[i].all[0].raw))
	for template, want := range map[string][]string{
		"hmad.subject": {"CRITICAL " + records[i].target + ": activesync.bearer_missing"},
		"hmad.text":    {reason.Summary, reason.Fix, "checks.md#activesyncbearer_missing", "silences/new?filter="},
	} {
		out, err := exec.CommandContext(t.Context(), "amtool", "template", "render", "--template.glob=../../deploy/alertmanager/*.tmpl",
			"--template.data="+data, `--template.text={{ template "`+template+`" . }}`).CombinedOutput()
		require.NoError(t, err, string(out))
		for _, w := range want {
			assert.Contains(t, string(out), w)
		}
		t.Logf("%s:\n%s", template, out)
	}
}

// fired lists the alerts that fired of a target within a time, sorted.
func fired(t *testing.T, prometheus, target string, from, to time.Time) []string {
	t.Helper()
	q := url.Values{"query": {fmt.Sprintf(`count by (alertname) (ALERTS{alertstate="firing",target=%q})`, target)},
		"start": {strconv.FormatInt(from.Unix(), 10)}, "end": {strconv.FormatInt(to.Unix(), 10)}, "step": {"1"}}
	req, err := http.NewRequest(http.MethodGet, "http://"+prometheus+"/api/v1/query_range?"+q.Encode(), nil)
	require.NoError(t, err)
	body, err := fetch(req)
	require.NoError(t, err)
	var answer struct {
		Data struct {
			Result []struct{ Metric map[string]string }
		}
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	names := []string{}
	for _, r := range answer.Data.Result {
		names = append(names, r.Metric["alertname"])
	}
	names = slices.DeleteFunc(names, ofTheTrial)
	slices.Sort(names)
	return names
}
