package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/hmad/hmad/internal/check"
	runs "github.com/hmad/hmad/internal/run"
	"github.com/hmad/hmad/internal/state"
)

// manager is the service manager's end of the notification socket.
type manager struct{ *net.UnixConn }

// startManager listens, and has the environment say so.
func startManager(t *testing.T) manager {
	t.Helper()
	address := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}
	conn, err := net.ListenUnixgram("unixgram", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(waitLimit)))
	t.Setenv("NOTIFY_SOCKET", address.Name)
	return manager{conn}
}

// hear waits for a message that the pattern matches; it may skip signs of life.
func (m manager) hear(t *testing.T, pattern string) {
	t.Helper()
	for buf := make([]byte, 4096); ; {
		n, err := m.Read(buf)
		require.NoError(t, err, pattern)
		message := string(buf[:n])
		if regexp.MustCompile(pattern).MatchString(message) {
			return
		}
		require.True(t, strings.HasPrefix(message, "WATCHDOG=1\n"), "waiting for %s, got %s", pattern, message)
	}
}

func TestTheServiceManagerIsTold(t *testing.T) {
	m := startManager(t)
	t.Setenv("WATCHDOG_USEC", "300000")
	e := startRun(t, labConfig(t, startLab(t), ""))

	m.hear(t, `^READY=1\nSTATUS=\d+ checks: `)
	m.hear(t, `^WATCHDOG=1\nSTATUS=\d+ checks: \d+ passed$`)
	require.NoError(t, syscall.Kill(syscall.Getpid(), syscall.SIGHUP))
	m.hear(t, `^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=`)
	m.hear(t, `^READY=1\nSTATUS=`)
	require.Equal(t, exitOK, e.stop())
	m.hear(t, `^STOPPING=1\nSTATUS=`)
}

func TestNoReadinessWithoutAConfig(t *testing.T) {
	m := startManager(t)
	p := start(t, "run", "--config.file="+write(t, t.TempDir(), "hmad.yaml", "targets: []\n"), "--web.listen-address=127.0.0.1:0")
	<-p.exited
	assert.Equal(t, exitError, p.code)
	_, err := sd.SdNotify(false, "nothing before this")
	require.NoError(t, err)
	m.hear(t, "^nothing before this$")
}

// jammed is a Store that does not come back once it is shut.
type jammed struct {
	shut atomic.Bool
	free chan struct{}
}

func (j *jammed) Record(check.Result) check.Outcome { return "" }

func (j *jammed) Standing(check.ID) []check.Finding { return nil }

func (j *jammed) Planned(check.ID, time.Time, time.Duration) {
	if j.shut.Load() {
		<-j.free
	}
}

// watched serves one check with a watchdog of a minute and gives the times of
// the signs of life, counted in seconds from the start.
func watched(t *testing.T, j *jammed, run func(context.Context, *check.Verdict)) (fed func() []int) {
	t.Helper()
	begun := time.Now()
	heard := make(chan int, 10_000)
	n := &notifier{status: func() string { return "" }, beats: make(chan struct{}, 1), watchdog: time.Minute, pause: time.Second,
		send: func(message string) {
			if strings.HasPrefix(message, "WATCHDOG=1") {
				heard <- int(time.Since(begun) / time.Second)
			}
		}}
	d := runs.NewDispatcher(&runs.Runner{Book: j, Now: time.Now}, 1)
	n.follow(d)
	require.NoError(t, d.Set([]*check.Check{{Def: &check.Def{Name: "activesync"}, Parts: check.Parts{Run: run},
		Target: "contoso", Schedule: "*/5 * * * *", Timeout: 4 * time.Minute}}))
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan struct{}, 2)
	go func() { _ = d.Serve(ctx); served <- struct{}{} }()
	go func() { n.serve(ctx); served <- struct{}{} }()
	t.Cleanup(func() { stop(); <-served; <-served })
	return func() (times []int) {
		for len(heard) > 0 {
			times = append(times, <-heard)
		}
		return times
	}
}

// longest returns the largest time between two neighbours, and after the last
// until end.
func longest(times []int, end int) (most int) {
	last := 0
	for _, at := range append(times, end) {
		most, last = max(most, at-last), at
	}
	return most
}

func TestASlowCheckDoesNotStarveTheWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fed := watched(t, &jammed{}, func(ctx context.Context, v *check.Verdict) {
			<-ctx.Done()
			v.Undecided(ctx.Err())
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.LessOrEqual(t, longest(fed(), 3600), 22, "a third of a minute, and the pause")
	})
}

func TestAWedgedDispatcherStarvesTheWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &jammed{free: make(chan struct{})}
		fed := watched(t, j, func(context.Context, *check.Verdict) {})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		assert.LessOrEqual(t, longest(fed(), 600), 22)

		j.shut.Store(true)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		times := fed()
		require.NotEmpty(t, times)
		assert.Less(t, times[len(times)-1], 901, "after the next planned run, fifteen minutes past, nobody feeds it")
		close(j.free)
	})
}

func TestStatusLine(t *testing.T) {
	at := time.Unix(1, 0)
	critical := check.Finding{Reason: &check.Reason{Name: "timeout", Severity: check.Critical}}
	passed := state.Status{Last: check.Result{Start: at}}
	failed := state.Status{Last: check.Result{Start: at, Report: check.Report{Findings: []check.Finding{critical}}}}
	undecided := state.Status{Last: check.Result{Start: at, Err: errors.New("no way out")}}
	for want, all := range map[string][]state.Status{
		"0 checks":                             nil,
		"2 checks: 2 not run yet":              {{}, {}},
		"3 checks: 1 passed, 2 failed":         {failed, passed, failed},
		"2 checks: 1 undecided, 1 not run yet": {{}, undecided},
	} {
		assert.Equal(t, want, statusLine(all))
	}
}

func TestLinesInTheJournalCarryTheirPriority(t *testing.T) {
	for format, want := range map[string]string{
		"console": "<6>INFO\tstarted\t{\"version\": \"1\"}\n<4>WARN\tclock\n<3>ERROR\tstorage\n<2>DPANIC\tpanic\n",
		"json": `<6>{"level":"info","msg":"started","version":"1"}
<4>{"level":"warn","msg":"clock"}
<3>{"level":"error","msg":"storage"}
<2>{"level":"dpanic","msg":"panic"}
`,
	} {
		var out bytes.Buffer
		log := zap.New(zapcore.NewCore(newEncoder(format, true), zapcore.AddSync(&out), zapcore.DebugLevel))
		log.With(zap.String("version", "1")).Info("started")
		log.Warn("clock")
		log.Error("storage")
		log.DPanic("panic")
		assert.Equal(t, want, out.String())
	}
}
