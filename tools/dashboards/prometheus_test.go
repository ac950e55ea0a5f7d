package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hmad/hmad/internal/catalog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// patience is how long data may take to arrive: scrapes, alerts that wait,
	// bad runs until they are all that the range shows.
	patience = 20 * time.Minute
	// trialScale shortens what the rules wait: minutes become seconds.
	trialScale = 0.01
	// watched is a mailbox of the demo on both legs.
	watched = "hmad-probe@contoso.test"
)

// faults are those of the broken demo: critical ones and warnings, on both
// legs, and one that takes a certificate from Exchange's copy.
var faults = []string{"activesync.bearer_missing", "autodiscover.certificate_expiring", "evosts_metadata.metadata_stale",
	"mailbox_sync.sync_stale", "onprem_sync.cloud_sync_refused"}

// A real Prometheus scrapes two demos, each as if it were two daemons. First
// both are healthy, then one is broken. Every query of every board is asked of
// it as Grafana would ask: none may fail, each panel must have data where its
// declaration says so, and figures must be the right ones in the right colour.
func TestPanelsOverARealPrometheus(t *testing.T) {
	hmad := buildHmad(t)
	north, south := startDemo(t, hmad, "contoso-north"), startDemo(t, hmad, "contoso-south", "--lab.push-address="+freeAddress(t))
	p := startPrometheus(t, map[string]string{"jump1:9749": north.address, "jump2:9749": north.address, "jump3:9749": south.address, "jump4:9749": south.address})
	north.runAll(t)
	south.runAll(t)
	p.ask(t, healthy)
	p.variables(t)
	p.figures(t, healthy)
	p.alerts(t, nil)
	south.breaks(t, faults)
	south.runAll(t)
	p.ask(t, healthy, broken, alerted)
	p.figures(t, broken)
	p.alerts(t, faults)
}

// start runs a command until the test's end and shows what it says on stderr
// if the test fails.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	require.NoError(t, err)
	cmd.Stderr = log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = log.Close()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("%s:\n%s", cmd.Path, said)
		}
	})
}

// server is a running Prometheus.
type server struct{ url string }

// startPrometheus scrapes the addresses of the instances every second as job
// hmad and evaluates the shipped rules with their durations shortened.
func startPrometheus(t *testing.T, instances map[string]string) server {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	require.NoError(t, err, "scripts/test-deps installs it (Debian's package prometheus)")
	dir := t.TempDir()
	config := "global: {scrape_interval: 1s}\nrule_files: [rules.yaml]\nscrape_configs:\n  - job_name: hmad\n    static_configs:\n"
	for instance, address := range instances {
		config += fmt.Sprintf("      - {targets: [%q], labels: {instance: %q}}\n", address, instance)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(catalog.Rules(trialScale)), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600))
	address := freeAddress(t)
	start(t, exec.Command(path, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "tsdb"),
		"--web.listen-address="+address, "--log.level=warn"))
	p := server{"http://" + address}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		up, err := p.query(t.Context(), `up == 1`, false)
		assert.NoError(c, err)
		assert.Len(c, up, len(instances))
	}, patience, 100*time.Millisecond)
	return p
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// ask evaluates every query of every panel and waits until those panels that
// show one of the given scenes have data.
func (p server) ask(t *testing.T, scenes ...scene) {
	t.Helper()
	for i, b := range readBoards(t) {
		graphs := b.graphs()
		for j, shows := range scenesOf(boards()[i]) {
			due := slices.Contains(scenes, shows)
			for _, q := range graphs[j].Targets {
				expr := substituted(q.Expr)
				require.EventuallyWithT(t, func(c *assert.CollectT) {
					found, err := p.query(t.Context(), expr, q.Range)
					assert.NoError(c, err)
					assert.True(c, len(found) > 0 || !due, "no data")
				}, patience, 200*time.Millisecond, "%s / %s (%s), query %s:\n%s", b.Title, graphs[j].Title, shows, q.RefID, expr)
			}
		}
	}
}

func scenesOf(b board) []scene {
	var out []scene
	for _, r := range b.rows {
		for _, p := range r.panels {
			out = append(out, p.shows)
		}
	}
	return out
}

// substituted puts what a reader has chosen in the place of variables.
func substituted(expr string) string {
	return strings.NewReplacer("$__rate_interval", "10s", "$__range", "30s", "$job", "hmad", "$instance", ".+", "$target", ".+",
		"$mailbox", watched).Replace(expr)
}

// variables asks for the choices that every board offers, and for its marks.
func (p server) variables(t *testing.T) {
	t.Helper()
	for _, b := range readBoards(t) {
		for _, v := range b.Templating.List {
			definition, ok := v.Query.(map[string]any)
			if !ok {
				continue
			}
			selector, label, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(definition["query"].(string), "label_values("), ")"), "}, ")
			found, err := p.query(t.Context(), "count by ("+label+") ("+substituted(selector)+"})", false)
			require.NoError(t, err)
			assert.NotEmpty(t, found, "%s: the variable %s has no values", b.Title, v.Name)
		}
		for _, a := range b.Annotations.List {
			_, err := p.query(t.Context(), substituted(a.Expr), true)
			require.NoError(t, err)
		}
	}
}

// alerts asks as Grafana does that evaluates the rules itself, until what the
// faults broke alerts and nothing else, and what could alert has a series.
//
// How long a finding must have stood is not waited for.
func (p server) alerts(t *testing.T, faults []string) {
	t.Helper()
	var want []string
	if len(faults) > 0 {
		want = append(want, "HmadServiceLevelMissed") // if it goes on: these are expressions alone
	}
	for _, f := range faults {
		checkName, reason, _ := strings.Cut(f, ".")
		want = append(want, catalog.AlertName(checkName, reason))
	}
	rules := grafanaRules(t)
	var own []string
	for _, a := range catalog.OwnAlerts() {
		if a.Name != "HmadServiceLevelMissed" {
			own = append(own, a.Name)
		}
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var fire []string
		for name, r := range rules {
			if slices.Contains(own, name) { // what a hmad of a minute ago makes of the time since
				continue
			}
			found, err := p.query(t.Context(), hold.ReplaceAllString(r.query(), ">= bool 0"), false)
			assert.NoError(c, err, name)
			if stands, _, ok := strings.Cut(r.query(), "\nand\n"); ok && r.condition() == "$A == 1" {
				series, err := p.query(t.Context(), stands+")", false)
				assert.NoError(c, err, name)
				assert.NotEmpty(c, series, "%s has no series", name)
			}
			if slices.ContainsFunc(found, func(s reading) bool { return holds(t, r.condition(), s.value) }) {
				fire = append(fire, name)
			}
		}
		assert.ElementsMatch(c, want, fire)
	}, patience, time.Second)
}

// hold is how long a finding must have stood, in seconds, in the expression of a
// reason's alert.
var hold = regexp.MustCompile(`>= bool [0-9]+`)

// holds reports whether a condition of Grafana's on $A holds for the value.
func holds(t *testing.T, condition string, value float64) bool {
	t.Helper()
	if condition == whatever {
		return true
	}
	for one := range strings.SplitSeq(condition, " && ") {
		words := strings.Fields(one)
		require.Len(t, words, 3, condition)
		limit, err := strconv.ParseFloat(words[2], 64)
		require.NoError(t, err)
		is := map[string]bool{"==": value == limit, "<": value < limit, ">": value > limit, "<=": value <= limit, ">=": value >= limit}
		if ok, known := is[words[1]]; !known || !ok {
			require.True(t, known, condition)
			return false
		}
	}
	return true
}

// reading is a series of an answer, with its newest value.
type reading struct {
	labels map[string]string
	value  float64
}

// query returns the series that have a value: now, or over the last minute.
func (p server) query(ctx context.Context, expr string, overTime bool) ([]reading, error) {
	address := p.url + "/api/v1/query?query=" + url.QueryEscape(expr)
	if overTime {
		now := time.Now().Unix()
		address = fmt.Sprintf("%s/api/v1/query_range?query=%s&start=%d&end=%d&step=1", p.url, url.QueryEscape(expr), now-60, now)
	}
	body, _, err := request(ctx, http.MethodGet, address)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("%s: %s", answer.Status, answer.Error)
	}
	var out []reading
	for _, r := range answer.Data.Result {
		for _, v := range slices.Backward(append(r.Values, r.Value)) {
			if text, ok := v[1].(string); ok && text != "NaN" {
				value, err := strconv.ParseFloat(text, 64)
				if err != nil {
					return nil, err
				}
				out = append(out, reading{r.Metric, value})
				break
			}
		}
	}
	return out, nil
}

// request sends a request on a connection of its own.
func request(ctx context.Context, method, url string) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, 0, err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return body, resp.StatusCode, err
}
