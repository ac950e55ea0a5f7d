package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"gopkg.in/yaml.v3"
)

// demoAlerts is scripts/demo-alerts at work, on free ports.
type demoAlerts struct {
	*output
	cmd                                          *exec.Cmd
	demo, control, prometheus, alertmanager, tmp string
}

// startDemoAlerts runs the script with these settings beside its own.
func startDemoAlerts(t *testing.T, program string, settings ...string) *demoAlerts {
	t.Helper()
	d := &demoAlerts{output: newOutput(), cmd: exec.Command("../../scripts/demo-alerts"), tmp: t.TempDir(),
		demo: freeAddress(t), control: freeAddress(t), prometheus: freeAddress(t), alertmanager: freeAddress(t)}
	d.cmd.Env = append(os.Environ(), "HMAD="+program, "TMPDIR="+d.tmp, "GRAFANA_HOME="+d.tmp, "HMAD_PORT="+port(t, d.demo), "LAB_PORT="+port(t, d.control),
		"PROMETHEUS_PORT="+port(t, d.prometheus), "ALERTMANAGER_PORT="+port(t, d.alertmanager))
	d.cmd.Env = append(d.cmd.Env, settings...)
	d.cmd.Stdout, d.cmd.Stderr = d.output, d.output
	d.cmd.WaitDelay = 10 * time.Second // whatever the script left holds its output
	require.NoError(t, d.cmd.Start())
	t.Cleanup(func() {
		for pid := range d.processes(t) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
		_ = d.cmd.Wait()
	})
	return d
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return p
}

func (d *demoAlerts) awaits(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(d.String(), text) }, waitLimit, waitTick, "%s in %s", text, d)
}

// processes returns the command lines of the script and all that it started, by
// pid: those with its folder in their environment.
func (d *demoAlerts) processes(t *testing.T) map[int]string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	found := map[int]string{}
	for _, file := range all {
		environ, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(environ), "TMPDIR="+d.tmp) { // others' cannot be read
			dir := filepath.Dir(file)
			line, _ := os.ReadFile(dir + "/cmdline") // empty: just gone
			pid, err := strconv.Atoi(filepath.Base(dir))
			require.NoError(t, err)
			found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
		}
	}
	return found
}

func (d *demoAlerts) running(t *testing.T, programs ...string) {
	t.Helper()
	running := fmt.Sprint(d.processes(t))
	for _, one := range programs {
		assert.Contains(t, running, one)
	}
}

// leavesNothing waits until the script has ended, and demands that so has all
// that it started.
func (d *demoAlerts) leavesNothing(t *testing.T, wantCode int) {
	t.Helper()
	late := time.AfterFunc(waitLimit, func() { _ = d.cmd.Process.Kill() })
	defer late.Stop()
	_ = d.cmd.Wait() // its code is looked at below
	assert.Equal(t, wantCode, d.cmd.ProcessState.ExitCode(), d)
	assert.Empty(t, d.processes(t))
	left, err := os.ReadDir(d.tmp)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestDemoAlerts(t *testing.T) {
	program := buildHmad(t)
	t.Run("a fault pages; Ctrl-C ends it all", func(t *testing.T) { aFaultPages(t, program) })
	t.Run("servers that are not there", func(t *testing.T) {
		serversAreMissing(t, program, nil, "Debian package prometheus)")
		serversAreMissing(t, program, []string{"prometheus"}, "Debian package prometheus-alertmanager)", "Grafana is not installed")
	})
	t.Run("one that cannot start ends all", func(t *testing.T) { oneEndsAll(t, program) })
	t.Run("Grafana gets what ships", func(t *testing.T) { grafanaGetsWhatShips(t, program) })
}

// aFaultPages has a real Prometheus and a real Alertmanager.
func aFaultPages(t *testing.T, program string) {
	d := startDemoAlerts(t, program)
	d.awaits(t, "Stop with Ctrl-C.")
	assert.Contains(t, d.String(), "http://"+d.alertmanager+"/")
	assert.Equal(t, shippedRoutes(t, trialScale), d.routes(t))

	status, body := request(t, http.MethodPut, "http://"+d.control+"/faults/activesync.bearer_missing")
	require.Less(t, status, 300, body)
	d.awaits(t, "On the pager:\nHmadActivesyncBearerMissing ")
	var names []string
	for _, s := range statuses(t, d.alertmanager) {
		if s.Labels["alertname"] != catalog.ImpliedAlert { // which has no receiver
			names = append(names, s.Labels["alertname"])
		}
	}
	assert.Equal(t, []string{"HmadActivesyncBearerMissing"}, names)

	d.running(t, "scripts/demo-alerts", "hmad demo", "prometheus --config", "prometheus-alertmanager --config")
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGINT))
	d.leavesNothing(t, 0)
}

// serversAreMissing has none but those that are installed.
func serversAreMissing(t *testing.T, program string, installed []string, told ...string) {
	tools := []string{"awk", "basename", "cat", "cp", "dirname", "grep", "mktemp", "rm", "sed", "sleep", "tail"}
	d := startDemoAlerts(t, program, "PATH="+pathOf(t, append(tools, installed...)))
	d.awaits(t, "Stop with Ctrl-C.")
	assert.Equal(t, len(told), strings.Count(d.String(), "is not installed"))
	for _, text := range told {
		assert.Contains(t, d.String(), text)
	}
	d.running(t, append(installed, "hmad demo")...)
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGTERM))
	d.leavesNothing(t, 0)
}

// pathOf returns a folder with links to these programs alone.
func pathOf(t *testing.T, programs []string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range programs {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(dir, name)))
	}
	return dir
}

func oneEndsAll(t *testing.T, program string) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	d := startDemoAlerts(t, program, "PROMETHEUS_PORT="+port(t, taken.Addr().String()))
	d.leavesNothing(t, 1)
	assert.Regexp(t, `prometheus has ended:\n.*address already in use`, d.String())
}

// grafanaGetsWhatShips has a stand-in, as Grafana is not among Debian's packages.
func grafanaGetsWhatShips(t *testing.T, program string) {
	home, address := t.TempDir(), freeAddress(t)
	require.NoError(t, os.Mkdir(home+"/bin", 0o755))
	require.NoError(t, os.WriteFile(home+"/bin/grafana", []byte("#!/bin/sh\necho \"$@\" >'"+home+"/arguments'\nexec sleep 600\n"), 0o755))
	d := startDemoAlerts(t, program, "GRAFANA_HOME="+home, "GRAFANA_PORT="+port(t, address))
	d.awaits(t, "http://"+address+"/d/hmad-overview")

	arguments := read(t, home+"/arguments")
	require.Regexp(t, "^server --homepath="+home+" --config="+d.tmp+"/.*/grafana.ini\n$", arguments)
	_, ini, _ := strings.Cut(strings.TrimSpace(arguments), "--config=")
	dir := filepath.Dir(ini)
	for _, line := range []string{"http_addr = 127.0.0.1", "http_port = " + port(t, address), "provisioning = " + dir + "/provisioning", "data = " + dir + "/grafana"} {
		assert.Contains(t, read(t, ini), line+"\n")
	}
	source := read(t, dir+"/provisioning/datasources/hmad.yaml")
	assert.Contains(t, source, "\n    url: http://"+d.prometheus+"\n")
	var boards struct {
		Providers []struct{ Options struct{ Path string } }
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, dir+"/provisioning/dashboards/hmad.yaml")), &boards))
	require.Len(t, boards.Providers, 1)
	assert.FileExists(t, boards.Providers[0].Options.Path+"/hmad-overview.json")
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGINT))
	d.leavesNothing(t, 0)
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// routes is what is compared of an Alertmanager's config.
type routes struct {
	Route     map[string]any
	Receivers []map[string]any
}

// shippedRoutes returns those that ship, scaled, with receivers that tell nobody.
func shippedRoutes(t *testing.T, scale float64) (r routes) {
	t.Helper()
	require.NoError(t, yaml.Unmarshal([]byte(onTrial(t, scale, "")), &r))
	for _, receiver := range r.Receivers {
		delete(receiver, "webhook_configs")
	}
	return r
}

// routes returns those of the script's Alertmanager.
func (d *demoAlerts) routes(t *testing.T) (r routes) {
	t.Helper()
	files, err := filepath.Glob(d.tmp + "/*/alertmanager.yml")
	require.NoError(t, err)
	require.Len(t, files, 1)
	require.NoError(t, yaml.Unmarshal([]byte(read(t, files[0])), &r))
	scaleRoute(t, r.Route, 1) // written alike
	return r
}
