//go:build e2e

package main

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The sweep makes use of what it is allowed: two calls a mailbox, over TLS, each
// of 0.1 to 0.3 s. Allowed are the rate and, once, a burst of two seconds' worth.
// On a busy machine it takes longer until there is a time in which it gets that far.
func TestSweepReachesItsRate(t *testing.T) {
	const window = 18 * time.Second
	c := startCloud(t, 100_000)
	config, began := c.sweepConfig(t, startLab(t), "auto"), time.Now()
	startRun(t, config)
	const burst, enough = 2 * sweepRate, 0.95 * sweepRate * 18
	c.until(t, func(calls []call) bool {
		n := len(calls)
		return n >= burst+enough && calls[n-1].at.Sub(calls[n-enough].at) <= window
	})
	calls := c.log()
	t.Logf("%d calls in %s, at %d per second: a window of %s reached 95 %% of that",
		len(calls), calls[len(calls)-1].at.Sub(calls[0].at).Round(time.Second), sweepRate, window)
	for i, one := range calls {
		require.LessOrEqual(t, float64(i+1), sweepRate*(one.at.Sub(began)+2*time.Second).Seconds(), "calls until %s after the start", one.at.Sub(began))
	}
}

// A daemon killed ten times in the middle of its sweep asks nothing twice but
// what it heard since the write before the last one, and shows everything else in
// its first answer. It writes every few seconds.
func TestSweepSurvivesSIGKILL(t *testing.T) {
	const rounds, round = 10, 12 * time.Second
	c := startCloud(t, 5000)
	config, storage := c.sweepConfig(t, startLab(t), "all"), filepath.Join(t.TempDir(), "state")
	var lost []span // what a kill may have cost
	shown, latest := map[string]float64{}, time.Hour
	for range rounds + 1 {
		before := len(c.log())
		writes := watchWrites(t, filepath.Join(storage, "state.db"))
		page, kill := startChild(t, "run", "--config.file="+config, "--storage.path="+storage, "--web.listen-address=127.0.0.1:0", "--log.format=json")
		assert.Zero(t, missing(shown, seriesOfMailboxes(t, page)), "series are missing after a restart")
		if len(lost) == rounds {
			kill()
			break
		}
		c.until(t, func(calls []call) bool {
			n := len(calls) - 1
			return n > before && calls[n].at.Sub(calls[before].at) >= round && len(writes()) > 2
		})
		last := seriesOfMailboxes(t, page)
		kill()
		killed, all := time.Now(), writes()
		latest = min(latest, killed.Sub(all[len(all)-1]))
		lost = append(lost, span{all[len(all)-2], killed})
		shown = settled(last, all[len(all)-2])
	}
	assert.LessOrEqual(t, latest, 10*time.Second, "it writes often; a busy disk may delay some writes, not all")
	require.Greater(t, len(shown), 4000, "most of what was heard was written")
	twice := 0
	asked := map[string]time.Time{}
	for _, call := range c.log() {
		if earlier, ok := asked[call.what]; ok {
			twice++
			assert.True(t, forgotten(lost, earlier, call.at), "asked twice: at %s and %s", earlier, call.at)
		}
		asked[call.what] = call.at
	}
	t.Logf("%d calls, %d of them asked before, each within %s of a kill; %d series stood at the last restart, all in the first scrape",
		len(c.log()), twice, slices.MaxFunc(lost, func(a, b span) int { return cmp.Compare(a.took(), b.took()) }).took(), len(shown))
}

// watchWrites looks at a file until the test ends, and returns what lists the
// moments at which it was written since.
func watchWrites(t *testing.T, file string) func() []time.Time {
	var mu gosync.Mutex
	var all []time.Time
	began, done := time.Now(), make(chan struct{})
	look := func() []time.Time {
		mu.Lock()
		defer mu.Unlock()
		info, err := os.Stat(file)
		if err == nil && info.ModTime().After(began) && (len(all) == 0 || info.ModTime().After(all[len(all)-1])) {
			all = append(all, info.ModTime())
		}
		return slices.Clone(all)
	}
	var group gosync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(waitTick)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				look()
			}
		}
	})
	t.Cleanup(func() { close(done); group.Wait() })
	return look
}

// missing counts the series that are there no more.
func missing(before, after map[string]float64) int {
	n := 0
	for series := range before {
		if _, ok := after[series]; !ok {
			n++
		}
	}
	return n
}

// forgotten reports whether a kill explains that what was asked at from was asked
// again at to. An answer takes a moment, and a call in flight is written down a
// moment after the kill.
func forgotten(lost []span, from, to time.Time) bool {
	return slices.ContainsFunc(lost, func(l span) bool {
		return from.After(l.start.Add(-2*time.Second)) && from.Before(l.end.Add(2*time.Second)) && to.After(l.end.Add(-2*time.Second))
	})
}

var mailboxSeries = regexp.MustCompile(`(?m)^(hmad_mailbox_\w+)\{(.*mailbox="([^"]+)".*)\} (\S+)$`)

// seriesOfMailboxes returns the series of single mailboxes, by name and labels.
func seriesOfMailboxes(t *testing.T, page string) map[string]float64 {
	t.Helper()
	_, body := request(t, http.MethodGet, page+"/metrics")
	all := map[string]float64{}
	for _, m := range mailboxSeries.FindAllStringSubmatch(body, -1) {
		value, err := strconv.ParseFloat(m[4], 64)
		require.NoError(t, err)
		all[m[1]+"{"+m[2]+"}"] = value
	}
	return all
}

// settled returns the series of mailboxes that had answered before a moment.
func settled(series map[string]float64, before time.Time) map[string]float64 {
	old := map[string]float64{}
	for name, value := range series {
		_, labels, _ := strings.Cut(name, "{")
		if checked := series["hmad_mailbox_checked_timestamp_seconds{"+labels]; checked > 0 && checked < float64(before.Unix()) {
			old[name] = value
		}
	}
	return old
}

// A fleet of 100,000 takes little: memory with all of them known while the sweep
// goes on and Prometheus reads, the state file, and what is written to it.
func TestFleetOf100000TakesLittle(t *testing.T) {
	const size, window = 100_000, 20 * time.Second
	c := startCloud(t, size)
	config, storage := c.sweepConfig(t, startLab(t), "auto"), filepath.Join(t.TempDir(), "state")
	c.knownBefore(t, storage)
	log := newOutput()
	cmd := exec.CommandContext(t.Context(), buildHmad(t), "run", "--config.file="+config, "--storage.path="+storage,
		"--web.listen-address=127.0.0.1:0", "--log.format=json")
	cmd.Stderr = log
	began := time.Now()
	require.NoError(t, cmd.Start())
	defer func() {
		assert.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // it is killed
	}()
	e := &estate{}
	said := regexp.MustCompile(`"addresses":\["([^"]+)"`)
	require.Eventually(t, func() bool {
		if m := said.FindStringSubmatch(log.String()); m != nil {
			e.page = "http://" + m[1]
		}
		return e.page != ""
	}, waitLimit, time.Millisecond, log)
	ready := time.Since(began)
	for step := range 4 { // a scrape every five seconds
		c.until(t, func(calls []call) bool {
			return len(calls) > 0 && calls[len(calls)-1].at.Sub(calls[0].at) >= time.Duration(step+1)*window/4
		})
		request(t, http.MethodGet, e.page+"/metrics")
	}
	require.Equal(t, strconv.Itoa(size), e.sum(t, "hmad_mailboxes{"), "all are in the fleet")
	info, err := os.Stat(filepath.Join(storage, "state.db"))
	require.NoError(t, err)
	resident, peak := procValue(t, cmd.Process.Pid, "status", "VmRSS"), procValue(t, cmd.Process.Pid, "status", "VmHWM")
	written := procValue(t, cmd.Process.Pid, "io", "wchar")
	t.Logf("%d mailboxes, GOMEMLIMIT not set: ready after %s, %d MB resident (at most %d MB since the start), state file %d MB, "+
		"%d kB written (log and sockets included) in %s at %d calls per second",
		size, ready.Round(time.Millisecond), resident/1024, peak/1024, info.Size()>>20, written>>10, window, sweepRate)
	assert.Less(t, peak, 150*1024, "kB")
}

// sum adds up the series that begin so.
func (e *estate) sum(t *testing.T, prefix string) string {
	t.Helper()
	_, body := request(t, http.MethodGet, e.page+"/metrics")
	total := 0.0
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, prefix) {
			value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
			require.NoError(t, err)
			total += value
		}
	}
	return strconv.FormatFloat(total, 'f', -1, 64)
}

// procValue reads a number of a process: kB of status, bytes of io (wchar counts what
// programs write, whatever the file system makes of it).
func procValue(t *testing.T, pid int, file, key string) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	require.NoError(t, err)
	m := regexp.MustCompile(`(?m)^` + key + `:\s+(\d+)`).FindSubmatch(data)
	require.NotNil(t, m, key)
	n, err := strconv.Atoi(string(m[1]))
	require.NoError(t, err)
	return n
}
