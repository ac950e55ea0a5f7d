package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// trialScale makes the demo's ten seconds out of the default schedule's five
// minutes: rules and Alertmanager's config are scaled by it, and whatever a
// trial measures, times its inverse, is what happens in earnest.
const trialScale = 1.0 / 30

// inEarnest gives the time that stands for a trial's.
func inEarnest(d time.Duration) time.Duration { return time.Duration(float64(d) / trialScale) }

// forTrial gives a time of the shipped files as it is in a trial.
func forTrial(d time.Duration) time.Duration { return time.Duration(float64(d) * trialScale) }

// buildHmad builds the program as it ships, without the race detector: dozens
// of them run at once.
func buildHmad(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hmad")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// demo is an `hmad demo` in a process of its own.
type demo struct{ target, address, control string }

// startDemos starts n demos, numbered from first on, and waits until each has
// run every check.
func startDemos(t *testing.T, program string, first, n int, args ...string) []demo {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	outputs := make([]*output, n)
	for i := range outputs {
		outputs[i] = startQuietly(t, program, append([]string{"demo", "--target=" + targetOf(first+i), "--web.listen-address=127.0.0.1:0", "--lab.listen-address=127.0.0.1:0", "--log.level=error"}, args...)...)
	}
	demos := make([]demo, n)
	said := regexp.MustCompile(`(?s)Status page +http://(\S+)/\n.*All faults +curl (\S+)/faults\n`)
	for i, o := range outputs {
		var m []string
		require.Eventually(t, func() bool { m = said.FindStringSubmatch(o.String()); return m != nil }, waitLimit, waitTick, "a demo did not start")
		demos[i] = demo{targetOf(first + i), m[1], m[2]}
	}
	return demos
}

func targetOf(i int) string { return fmt.Sprintf("contoso-%02d", i) }

// startQuietly runs a program until the test ends.
func startQuietly(t *testing.T, program string, args ...string) *output {
	t.Helper()
	o := newOutput()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdout, cmd.Stderr = o, o
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		_ = cmd.Wait()
	})
	return o
}

// switchAll switches faults of the demo's lab: PUT on, DELETE off.
func (d demo) switchAll(method string, faults []string) error {
	for _, f := range faults {
		req, err := http.NewRequest(method, d.control+"/faults/"+f, nil)
		if err != nil {
			return err
		}
		if _, err := fetch(req); err != nil {
			return err
		}
	}
	return nil
}

// lastRuns gives the demo's latest results.
func (d demo) lastRuns() (map[string]time.Time, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+d.address+"/api/v1/results", nil)
	if err != nil {
		return nil, err
	}
	body, err := fetch(req)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Results []struct {
			Check string
			Start time.Time
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	starts := map[string]time.Time{}
	for _, r := range answer.Results {
		starts[r.Check] = r.Start
	}
	return starts, nil
}

// betweenRuns waits until every check has run once more. Nothing is mended
// under the hands of a run, which would see half of it.
func (d demo) betweenRuns(ctx context.Context) error {
	before, err := d.lastRuns()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, toldWithin)
	defer cancel()
	for {
		now, err := d.lastRuns()
		if err != nil {
			return err
		}
		maps.DeleteFunc(now, func(check string, start time.Time) bool { return start.After(before[check]) })
		if len(now) == 0 {
			return nil
		}
		if err := pause(ctx, 4*waitTick); err != nil {
			return fmt.Errorf("checks that do not run: %v", slices.Collect(maps.Keys(now)))
		}
	}
}

func fetch(req *http.Request) ([]byte, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", req.Method, req.URL, resp.Status, b.String())
	}
	return b.Bytes(), nil
}

// notification is what Alertmanager posts to a webhook.
type notification struct {
	Receiver, Status string
	GroupLabels      map[string]string
	Alerts           []struct {
		Status string
		Labels map[string]string
	}

	at  time.Time
	raw []byte
}

// firing lists the names of the alerts that fire, sorted.
func (n notification) firing() []string {
	var names []string
	for _, a := range n.Alerts {
		if a.Status == "firing" {
			names = append(names, a.Labels["alertname"])
		}
	}
	slices.Sort(names)
	return names
}

// inbox receives what Alertmanager tells people.
type inbox struct {
	*httptest.Server
	mu  sync.Mutex
	all []notification
}

func newInbox(t *testing.T) *inbox {
	b := &inbox{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var raw bytes.Buffer
		n := notification{at: time.Now()}
		if _, err := raw.ReadFrom(r.Body); err != nil || json.Unmarshal(raw.Bytes(), &n) != nil {
			http.Error(w, "no notification", http.StatusBadRequest)
			return
		}
		n.raw = raw.Bytes()
		b.mu.Lock()
		defer b.mu.Unlock()
		b.all = append(b.all, n)
	}))
	t.Cleanup(b.Close)
	return b
}

// of gives what was told of a target from a moment on.
func (b *inbox) of(target string, since time.Time) []notification {
	b.mu.Lock()
	defer b.mu.Unlock()
	var own []notification
	for _, n := range b.all {
		if n.GroupLabels["target"] == target && !n.at.Before(since) {
			own = append(own, n)
		}
	}
	return own
}

// alertmanager starts a real one with the shipped config on trial, and gives
// its address.
func startAlertmanager(t *testing.T, scale float64, b *inbox, now ...string) string {
	t.Helper()
	dir := t.TempDir()
	template, err := os.ReadFile("../../deploy/alertmanager/hmad.tmpl")
	require.NoError(t, err)
	write(t, dir, "hmad.tmpl", string(template))
	config := write(t, dir, "alertmanager.yml", onTrial(t, scale, b.URL, now...))
	address := freeAddress(t)
	startServer(t, "prometheus-alertmanager", "prometheus-alertmanager", "--config.file="+config, "--storage.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--cluster.listen-address=", "--log.level=warn")
	awaitListener(t, address)
	return address
}

// onTrial gives the shipped Alertmanager config for a trial. This is all that is
// changed: durations of routes are scaled, as `hmad rules --scale` scales those
// of rules; receivers post to the inbox; and the time intervals are never, but
// for those that are named, which are now.
func onTrial(t *testing.T, scale float64, inbox string, now ...string) string {
	t.Helper()
	data, err := os.ReadFile("../../deploy/alertmanager/alertmanager.example.yml")
	require.NoError(t, err)
	var config map[string]any
	require.NoError(t, yaml.Unmarshal(data, &config))
	scaleRoute(t, config["route"].(map[string]any), scale)
	for _, r := range config["receivers"].([]any) {
		r := r.(map[string]any)
		if name := r["name"].(string); len(r) > 1 {
			clear(r)
			r["name"] = name
			r["webhook_configs"] = []any{map[string]any{"url": inbox + "/" + name}}
		}
	}
	for _, i := range config["time_intervals"].([]any) {
		i := i.(map[string]any)
		years := "2000"
		if slices.Contains(now, i["name"].(string)) {
			years = "2000:2999"
		}
		i["time_intervals"] = []any{map[string]any{"years": []string{years}}}
	}
	text, err := yaml.Marshal(config)
	require.NoError(t, err)
	return string(text)
}

func scaleRoute(t *testing.T, route map[string]any, scale float64) {
	for _, key := range []string{"group_wait", "group_interval", "repeat_interval"} {
		if text, ok := route[key].(string); ok {
			d, err := model.ParseDuration(text)
			require.NoError(t, err)
			route[key] = model.Duration(time.Duration(scale * float64(d)).Round(time.Millisecond)).String()
		}
	}
	subs, _ := route["routes"].([]any)
	for _, sub := range subs {
		scaleRoute(t, sub.(map[string]any), scale)
	}
}

// startPrometheus starts a real one that scrapes the demos, with the rules
// that `hmad rules` prints for a trial, and gives its address.
func startPrometheus(t *testing.T, program, alertmanager string, demos []demo) string {
	t.Helper()
	rules, err := exec.CommandContext(t.Context(), program, "rules", "--scale="+strconv.FormatFloat(trialScale, 'f', -1, 64)).Output()
	require.NoError(t, err)
	dir := t.TempDir()
	write(t, dir, "hmad.rules.yaml", string(rules))
	var addresses []string
	for _, d := range demos {
		addresses = append(addresses, d.address)
	}
	config := write(t, dir, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [hmad.rules.yaml]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
  - job_name: hmad
    static_configs: [{targets: [%s]}]
`, alertmanager, strings.Join(addresses, ", ")))
	address := freeAddress(t)
	startServer(t, "prometheus", "prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"),
		"--web.listen-address="+address, "--log.level=warn")
	awaitListener(t, address)
	require.Eventually(t, func() bool {
		return countOf(address, `count(up{job="hmad"} == 1)`) == float64(len(demos)) && countOf(address, `count(count by (target) (hmad_check_success == 1))`) == float64(len(demos)) &&
			countOf(address, `count(hmad_check_success == 0 or hmad_check_decided == 0 or hmad_finding == 1)`) == 0
	}, 5*waitLimit, waitTick, "Prometheus does not see the demos healthy")
	return address
}

// countOf gives the one value of a query, 0 where there is none.
func countOf(prometheus, query string) float64 {
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+prometheus+"/api/v1/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		return 0
	}
	body, err := fetch(req)
	if err != nil || json.Unmarshal(body, &answer) != nil || len(answer.Data.Result) != 1 {
		return 0
	}
	v, _ := strconv.ParseFloat(fmt.Sprint(answer.Data.Result[0].Value[1]), 64)
	return v
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
	slices.Sort(names)
	return names
}

// pause lets time go by in which nothing must happen.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// toldWithin bounds how long a page or its end may take in a trial: three
// quarters of an hour in earnest and more than any alert waits.
const toldWithin = 120 * time.Second

// await waits until a notification of that status is told of the target.
func (b *inbox) await(ctx context.Context, target string, since time.Time, status string) error {
	ctx, cancel := context.WithTimeout(ctx, toldWithin)
	defer cancel()
	for {
		told := b.of(target, since)
		if slices.ContainsFunc(told, func(n notification) bool { return n.Status == status }) {
			return nil
		}
		if pause(ctx, waitTick) != nil {
			return fmt.Errorf("nothing %s is told of %s within %s; told: %s", status, target, toldWithin, texts(told, since))
		}
	}
}

// awaitMended waits until an alert of the target is told to have ended, whatever
// else of its group stands.
func (b *inbox) awaitMended(ctx context.Context, target string, since time.Time, alert string) error {
	ctx, cancel := context.WithTimeout(ctx, toldWithin)
	defer cancel()
	for {
		for _, n := range b.of(target, since) {
			for _, a := range n.Alerts {
				if a.Status == "resolved" && a.Labels["alertname"] == alert {
					return nil
				}
			}
		}
		if pause(ctx, waitTick) != nil {
			return fmt.Errorf("the end of %s is not told of %s within %s", alert, target, toldWithin)
		}
	}
}

// texts says what was told, a line for each notification.
func texts(told []notification, since time.Time) string {
	var lines []string
	for _, n := range told {
		lines = append(lines, fmt.Sprintf("%s after %s to %s: %s, firing %v", n.Status, n.at.Sub(since).Round(time.Second), n.Receiver, n.GroupLabels["target"], n.firing()))
	}
	return strings.Join(lines, "\n")
}
