package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// configOf writes the config of n targets with endpoints and a report, and
// returns its path. Nothing answers: the names lead to a closed port.
func configOf(tb testing.TB, n int) string {
	tb.Helper()
	var text bytes.Buffer
	text.WriteString("targets:\n")
	for i := range n {
		fmt.Fprintf(&text, `  - name: target-%04[1]d
    mailbox: hmad-probe@c%[1]d.example
    tenant: 7f1f6a3e-0000-4000-8000-%012[1]d
    connect_to:
      "mail.c%[1]d.example:443": "127.0.0.1:9"
      "autodiscover.c%[1]d.example:443": "127.0.0.1:9"
      "login.microsoftonline.com:443": "127.0.0.1:9"
      "login.windows.net:443": "127.0.0.1:9"
    autodiscover: {host: autodiscover.c%[1]d.example}
    activesync: {url: https://mail.c%[1]d.example/Microsoft-Server-ActiveSync}
    onprem: {report: {file: /nonexistent/%[1]d}}
`, i)
	}
	path := filepath.Join(tb.TempDir(), "hmad.yaml")
	require.NoError(tb, os.WriteFile(path, text.Bytes(), 0o600))
	return path
}

// BenchmarkConfigCheckOf1000Targets is `hmad config check`.
func BenchmarkConfigCheckOf1000Targets(b *testing.B) {
	path := configOf(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		var stdout, stderr bytes.Buffer
		if code := run(context.Background(), []string{"config", "check", path}, &stdout, &stderr); code != exitOK {
			b.Fatal(stderr.String())
		}
	}
}

// BenchmarkStartOf2000Targets is a daemon that starts with a result of every
// check on disk: the time until /-/ready answers 200, a scrape, the page, a
// reload, one that removes half of the targets, and the memory of the process
// after the scrape. The units s-… are of the wall clock, cpu-s-… of the CPU.
func BenchmarkStartOf2000Targets(b *testing.B) {
	storage, all, half := b.TempDir(), configOf(b, 2000), configOf(b, 1000)
	fillStore(b, all, storage)
	sums := map[string]float64{}
	for b.Loop() {
		measureStart(b, all, half, storage, sums)
	}
	for unit, sum := range sums {
		b.ReportMetric(sum/float64(b.N), unit)
	}
}

// fillStore leaves a result of every check in the storage, as large as those of
// a run are.
func fillStore(b *testing.B, config, storage string) {
	b.Helper()
	d := (&cli{configFile: config, storagePath: storage}).newDaemon(zap.NewNop(), &site{})
	defer d.closeStore()
	built, err := buildChecks(config, d.world)
	require.NoError(b, err)
	var ids []check.ID
	for _, c := range built.Checks {
		ids = append(ids, c.ID())
	}
	d.store.Keep(ids)
	for _, c := range built.Checks {
		d.store.Record(goodResult(c))
	}
}

func goodResult(c *check.Check) check.Result {
	r := check.Result{Check: c.Name, Target: c.Target, Start: now(), Took: 20 * time.Millisecond}
	for _, phase := range []string{"dns", "connect", "tls", "processing", "transfer"} {
		r.Report.Samples = append(r.Report.Samples, check.Sample{Metric: check.Phase, Value: 0.01, Labels: []string{phase, "mail.example.com", ""}})
	}
	for i := range 15 {
		r.Report.Notes = append(r.Report.Notes, checktest.Seen(fmt.Sprintf("X-Header-%d: a header line of the raw answer, as long as they are", i))...)
	}
	return r
}

// measureStart starts a daemon with the config all, which it replaces by half
// later, adds what is measured to sums, by unit, and ends the daemon.
func measureStart(b *testing.B, all, half, storage string, sums map[string]float64) {
	b.Helper()
	address, config := freeAddress(b), filepath.Join(b.TempDir(), "hmad.yaml")
	copyFile(b, all, config)
	args, err := json.Marshal([]string{"run", "--config.file=" + config, "--storage.path=" + storage, "--web.listen-address=" + address, "--log.level=error"})
	require.NoError(b, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(args))
	ask := func(method, path string) (body string) {
		status, body := request(b, method, "http://"+address+path)
		require.Equal(b, http.StatusOK, status, body)
		return body
	}
	var cpu time.Duration
	timed := func(what string, f func()) {
		begun := time.Now()
		f()
		now := cpuOf(b, cmd.Process.Pid)
		sums["s-"+what] += time.Since(begun).Seconds()
		sums["cpu-s-"+what] += (now - cpu).Seconds()
		cpu = now
	}
	timed("ready", func() {
		require.NoError(b, cmd.Start())
		b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		awaitReady(b, "http://"+address+"/-/ready")
	})
	timed("scrape", func() { sums["MB-scrape"] += scrape(b, "http://"+address+"/metrics") / 1e6 })
	timed("page", func() { sums["MB-page"] += float64(len(ask(http.MethodGet, "/"))) / 1e6 })
	timed("reload", func() { ask(http.MethodPost, "/-/reload") })
	sums["MB-resident"] += residentMB(b, cmd.Process.Pid)
	copyFile(b, half, config)
	cpu = cpuOf(b, cmd.Process.Pid)
	timed("halve", func() { ask(http.MethodPost, "/-/reload") })
	require.NoError(b, cmd.Process.Kill())
	cmd.Wait()
}

// scrape reads the metrics and returns their size in bytes. A busy machine may
// not write them within the limit of a scrape, which is no fault of the
// benchmark's.
func scrape(b *testing.B, url string) float64 {
	b.Helper()
	var size int64
	resp, err := http.Get(url)
	if err == nil {
		size, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if err != nil {
		b.Logf("the scrape was cut off: %s", err)
	}
	return float64(size)
}

// residentMB returns the memory of a process that is in RAM, in megabytes.
func residentMB(b *testing.B, pid int) float64 {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	m := regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`).FindSubmatch(data)
	require.NotNil(b, m)
	kB, err := strconv.ParseFloat(string(m[1]), 64)
	require.NoError(b, err)
	return kB * 1024 / 1e6
}

func copyFile(b *testing.B, from, to string) {
	b.Helper()
	data, err := os.ReadFile(from)
	require.NoError(b, err)
	require.NoError(b, os.WriteFile(to, data, 0o600))
}

// cpuOf returns the user and system time that a process has taken, by its CPU
// clock (clock_getcpuclockid(3)).
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	const clockSched = 2
	var t unix.Timespec
	require.NoError(b, unix.ClockGettime(int32(^pid<<3|clockSched), &t))
	return time.Duration(t.Nano())
}

// awaitReady waits until GET url answers 200.
func awaitReady(b *testing.B, url string) {
	b.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(waitLimit); time.Now().Before(limit); <-tick.C {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
	}
	b.Fatal("the daemon does not get ready")
}
