package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// trialScale makes the demo's ten seconds out of the default schedule's five
// minutes: rules and Alertmanager's config are scaled by it.
const trialScale = 1.0 / 30

// buildHmad builds the program as it ships, without the race detector.
func buildHmad(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hmad")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// startAlertmanager starts a real one with the shipped config on trial, and
// returns its address.
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

// onTrial returns the shipped Alertmanager config for a trial. This is all that is
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
