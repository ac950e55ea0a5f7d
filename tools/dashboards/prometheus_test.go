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
	// patience is how long data may take to arrive: scrapes, alerts that wait.
	patience = time.Minute
	// trialScale shortens what the rules wait: minutes become seconds.
	trialScale = 0.01
)

// faults are those of the broken demo: a critical one, a warning, and one that
// takes a certificate from Exchange's copy.
var faults = []string{"activesync.bearer_missing", "autodiscover.certificate_expiring", "evosts_metadata.metadata_stale"}

// A real Prometheus scrapes a demo, healthy and then broken, and stands in for
// what the demo does not have. Every query of every board is asked of it as
// Grafana would ask: none may fail, and each panel must have data where its
// declaration says so.
func TestEveryPanelShowsDataFromARealPrometheus(t *testing.T) {
	demo := startDemo(t)
	p := startPrometheus(t, map[string]string{"hmad": demo.address, "standin": standInAddress(t)})
	demo.runAll(t)
	p.ask(t, standIn, healthy)
	p.variables(t)
	for _, f := range faults {
		demo.send(t, http.MethodPut, demo.control+"/faults/"+f)
	}
	demo.runAll(t)
	p.ask(t, healthy, broken, alerted)
	p.alerts(t)
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

// startPrometheus scrapes each job's address every second and evaluates the
// shipped rules with their durations shortened.
func startPrometheus(t *testing.T, jobs map[string]string) server {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	require.NoError(t, err, "scripts/test-deps installs it (Debian's package prometheus)")
	dir := t.TempDir()
	config := "global: {scrape_interval: 1s}\nrule_files: [rules.yaml]\nscrape_configs:\n"
	for job, address := range jobs {
		config += fmt.Sprintf("  - {job_name: %s, static_configs: [{targets: [%q]}]}\n", job, address)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(catalog.Rules(trialScale)), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600))
	address := freeAddress(t)
	start(t, exec.Command(path, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "tsdb"),
		"--web.listen-address="+address, "--log.level=warn"))
	p := server{"http://" + address}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		for job := range jobs {
			series, err := p.query(t.Context(), `up{job="`+job+`"} == 1`, false)
			assert.NoError(c, err)
			assert.NotZero(c, series, job)
		}
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

// ask evaluates every query of every panel and waits until those panels whose
// state is among the given ones have data.
func (p server) ask(t *testing.T, scenes ...scene) {
	t.Helper()
	for i, b := range readBoards(t) {
		graphs := b.graphs()
		for j, s := range scenesOf(boards()[i]) {
			p.askPanel(t, b.Title+" / "+graphs[j].Title, graphs[j], s, scenes)
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

func (p server) askPanel(t *testing.T, where string, panel readPanel, shows scene, now []scene) {
	t.Helper()
	job, due := "hmad", false
	if shows == standIn {
		job = "standin"
	}
	for _, s := range now {
		due = due || s == shows
	}
	for _, q := range panel.Targets {
		// Rules are there for the checks of the catalog alone.
		due := due && !(shows == standIn && strings.Contains(q.Expr, "ALERTS"))
		expr := substituted(q.Expr, job)
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			series, err := p.query(t.Context(), expr, q.Range)
			assert.NoError(c, err)
			assert.True(c, series > 0 || !due, "no data")
		}, patience, 200*time.Millisecond, "%s (%s), query %s:\n%s", where, shows, q.RefID, expr)
	}
}

// substituted puts what a reader has chosen in the place of variables.
func substituted(expr, job string) string {
	return strings.NewReplacer("$__rate_interval", "10s", "$__range", "1m", "$job", job, "$instance", ".+", "$target", ".+",
		"$mailbox", "example").Replace(expr)
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
			series, label, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(definition["query"].(string), "label_values("), ")"), "}, ")
			found, err := p.query(t.Context(), "count by ("+label+") ("+substituted(series, ".+")+"})", false)
			require.NoError(t, err)
			assert.NotZero(t, found, "%s: the variable %s has no values", b.Title, v.Name)
		}
		for _, a := range b.Annotations.List {
			_, err := p.query(t.Context(), substituted(a.Expr, "hmad"), true)
			require.NoError(t, err)
		}
	}
}

// alerts asks as Grafana does that evaluates the rules itself: what the faults
// broke alerts.
func (p server) alerts(t *testing.T) {
	t.Helper()
	rules := grafanaRules(t)
	for name, r := range rules {
		_, err := p.query(t.Context(), r.Data[0].Model["expr"].(string), false)
		assert.NoError(t, err, name)
	}
	for _, f := range faults {
		checkName, reason, _ := strings.Cut(f, ".")
		name := catalog.AlertName(checkName, reason)
		found, err := p.query(t.Context(), rules[name].Data[0].Model["expr"].(string), false)
		require.NoError(t, err)
		assert.NotZero(t, found, name)
	}
}

// query gives the number of series with a value that is a number: now, or over
// the last minute.
func (p server) query(ctx context.Context, expr string, overTime bool) (int, error) {
	address := p.url + "/api/v1/query?query=" + url.QueryEscape(expr)
	if overTime {
		now := time.Now().Unix()
		address = fmt.Sprintf("%s/api/v1/query_range?query=%s&start=%d&end=%d&step=1", p.url, url.QueryEscape(expr), now-60, now)
	}
	body, _, err := request(ctx, http.MethodGet, address)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Value  [2]any
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, err
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("%s: %s", answer.Status, answer.Error)
	}
	numbers := 0
	for _, r := range answer.Data.Result {
		for _, v := range append(r.Values, r.Value) {
			if s, ok := v[1].(string); ok && s != "NaN" {
				numbers++
				break
			}
		}
	}
	return numbers, nil
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
