//go:build e2e

package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The sweep makes use of what it is allowed: two calls a mailbox, over TLS, each
// of 0.1 to 0.3 s. Allowed are the rate and, once, a burst of two seconds' worth.
func TestSweepReachesItsRate(t *testing.T) {
	const window = 18 * time.Second
	c := startCloud(t, 2000)
	e := startRun(t, c.sweepConfig(t, startLab(t), "auto"))
	first := c.await(t, 0, window)
	e.stop()
	calls := 0
	for _, call := range c.log() {
		if call.at.Sub(first) < window {
			calls++
		}
	}
	allowed := sweepRate * (window + 2*time.Second).Seconds()
	t.Logf("%d calls in %s, %.0f allowed at %d per second: %.3f", calls, window, allowed, sweepRate, float64(calls)/allowed)
	assert.GreaterOrEqual(t, float64(calls), 0.95*allowed)
	assert.LessOrEqual(t, float64(calls), allowed+sweepRate/2, "the first call waits for a token, half a second at most, the others do not")
}

// A daemon killed ten times in the middle of its sweep asks nothing twice but
// what it heard in the ten seconds before, and shows everything else in its
// first answer.
func TestSweepSurvivesSIGKILL(t *testing.T) {
	const rounds, round, mayForget = 10, 12 * time.Second, 10 * time.Second
	c := startCloud(t, 5000)
	config, storage := c.sweepConfig(t, startLab(t), "all"), filepath.Join(t.TempDir(), "state")
	var kills []time.Time
	shown := map[string]float64{}
	for range rounds + 1 {
		before := len(c.log())
		page, kill := startChild(t, "run", "--config.file="+config, "--storage.path="+storage, "--web.listen-address=127.0.0.1:0", "--log.format=json")
		assert.Zero(t, missing(shown, seriesOfMailboxes(t, page)), "series are missing after a restart")
		if len(kills) == rounds {
			kill()
			break
		}
		c.await(t, before, round)
		last := seriesOfMailboxes(t, page)
		kill()
		kills = append(kills, time.Now())
		shown = settled(last, kills[len(kills)-1].Add(-mayForget))
	}
	require.Greater(t, len(shown), 4000, "most of what was heard is older than ten seconds")
	twice := 0
	asked := map[string]time.Time{}
	for _, call := range c.log() {
		if earlier, ok := asked[call.what]; ok {
			twice++
			assert.True(t, forgotten(kills, earlier, call.at, mayForget), "asked twice: at %s and %s", earlier, call.at)
		}
		asked[call.what] = call.at
	}
	t.Logf("%d calls, %d of them asked before, each within %s of a kill; %d series stood at the last restart, all in the first scrape",
		len(c.log()), twice, mayForget, len(shown))
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

// forgotten says whether a kill explains that what was heard at from was asked
// again at to. A call in flight is written down a moment after the kill.
func forgotten(kills []time.Time, from, to time.Time, mayForget time.Duration) bool {
	for _, k := range kills {
		if from.Before(k.Add(time.Second)) && to.After(k.Add(-time.Second)) && k.Sub(from) <= mayForget {
			return true
		}
	}
	return false
}

var mailboxSeries = regexp.MustCompile(`(?m)^(hmad_mailbox_\w+)\{(.*mailbox="([^"]+)".*)\} (\S+)$`)

// seriesOfMailboxes gives the series of single mailboxes, by name and labels.
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

// settled gives the series of mailboxes that had answered before a moment.
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
	cmd := exec.CommandContext(t.Context(), buildHmad(t), "run", "--config.file="+config, "--storage.path="+storage, "--web.listen-address=127.0.0.1:0", "--log.format=json")
	cmd.Stderr = log
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
	}, waitLimit, waitTick, log)
	for step := range 4 { // a scrape every five seconds
		c.await(t, 0, time.Duration(step+1)*window/4)
		request(t, http.MethodGet, e.page+"/metrics")
	}
	require.Equal(t, strconv.Itoa(size), e.sum(t, "hmad_mailboxes{"), "all are in the fleet")
	info, err := os.Stat(filepath.Join(storage, "state.db"))
	require.NoError(t, err)
	resident, peak := procValue(t, cmd.Process.Pid, "status", "VmRSS"), procValue(t, cmd.Process.Pid, "status", "VmHWM")
	written := procValue(t, cmd.Process.Pid, "io", "wchar")
	t.Logf("%d mailboxes, GOMEMLIMIT not set: %d MB resident (at most %d MB since the start), state file %d MB, %d kB written (log and sockets included) in %s at %d calls per second",
		size, resident/1024, peak/1024, info.Size()>>20, written>>10, window, sweepRate)
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
