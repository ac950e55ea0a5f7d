// Package collector runs Get-HmadReport.ps1 under a real PowerShell, on the test bed
// in the folder testbed.
package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const script = "Get-HmadReport.ps1"

// runLimit ends a run that hangs. It is no expectation of any test.
const runLimit = 10 * time.Minute

// shared is the folder of what all runs use. TestMain makes it.
var shared string

func TestMain(m *testing.M) {
	var err error
	if shared, err = os.MkdirTemp("", "hmad-collector-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(shared)
	os.Exit(code)
}

// pwsh returns the PowerShell that the tests use: $HMAD_PWSH, else pwsh on the PATH.
// Without either the test is skipped, and the last lines of make test say so.
func pwsh(t testing.TB) string {
	t.Helper()
	name := os.Getenv("HMAD_PWSH")
	if name != "" {
		_, err := exec.LookPath(name)
		require.NoError(t, err, "HMAD_PWSH names no program")
		return name
	}
	name, err := exec.LookPath("pwsh")
	if err != nil {
		t.Skip("there is no PowerShell: put pwsh on the PATH or name one in HMAD_PWSH")
	}
	return name
}

// turns bounds how many runs work at a time, and waits how many that mostly wait
// for what does not answer.
var (
	turns = make(chan struct{}, max(2, runtime.NumCPU()))
	waits = make(chan struct{}, 6)
)

// turnsOf returns what bounds the runs of a scenario.
func turnsOf(scenario string) chan struct{} {
	if strings.Contains(scenario, "hang:") || strings.Contains(scenario, "slow:") {
		return waits
	}
	return turns
}

// powershell runs a file under PowerShell and returns its exit status and what it
// wrote. Environment variables of env replace those of this process.
func powershell(t testing.TB, env []string, file string, args ...string) (status int, out, complaints string) {
	t.Helper()
	name := pwsh(t)
	turns <- struct{}{}
	defer func() { <-turns }()
	return powershellNow(t, name, env, file, args...)
}

// powershellNow does so without waiting for a turn.
func powershellNow(t testing.TB, name string, env []string, file string, args ...string) (status int, out, complaints string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, append([]string{"-NoProfile", "-NonInteractive", "-File", file}, args...)...)
	cmd.Env = append(os.Environ(), append([]string{"NO_COLOR=1"}, env...)...)
	cmd.WaitDelay = 10 * time.Second // a session that was left behind may hold the pipes for a moment
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		require.NoError(t, err, "%s%s", &stdout, &stderr)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// installing holds back tests that need the files of installation at one moment.
var installing sync.Mutex

// installation makes the files of an Exchange server once, and returns their
// folder; each run gets a copy. A test that is skipped or fails here lets the
// next one try.
func installation(t testing.TB) string {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	dir := filepath.Join(shared, "server")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	status, out, complaints := powershell(t, []string{"TESTBED=" + shared}, "testbed/installation.ps1", dir)
	if status != 0 {
		require.NoError(t, os.RemoveAll(dir))
	}
	require.Zero(t, status, out+complaints)
	return dir
}

// bed is an Exchange server of the test bed with its files.
type bed struct{ dir string }

func newBed(t testing.TB) bed {
	t.Helper()
	look(t)
	from := installation(t)
	b := bed{t.TempDir()}
	require.NoError(t, os.CopyFS(b.dir, os.DirFS(from)))
	// The newest log is the one that was made last.
	logs := b.logs(t)
	for i, name := range logs {
		at := time.Now().Add(time.Duration(i-len(logs)) * time.Second)
		if info, err := os.Stat(filepath.Join(from, "exchange/Logging/HttpProxy/Eas", filepath.Base(name))); err == nil && i < len(logs)-1 {
			at = info.ModTime()
		}
		require.NoError(t, os.Chtimes(name, at, at))
	}
	return b
}

// look looks at the files that PowerShell reads, so that go test repeats no result
// of other files from its cache.
func look(t testing.TB) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err == nil {
			_, err = os.Stat(file)
		}
		return err
	}))
}

// eas returns the folder of the front end's logs.
func (b bed) eas() string { return filepath.Join(b.dir, "exchange/Logging/HttpProxy/Eas") }

// logs returns the front end's logs by name, the oldest first.
func (b bed) logs(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(b.eas(), "*.LOG"))
	require.NoError(t, err)
	slices.Sort(all)
	return all
}

// outcome is what a run of the collector left.
type outcome struct {
	status     int
	complaints string // what it wrote to standard error
	printed    string
	dir        string
	data       []byte   // the report's file; nil where there is none
	left       []string // sessions that outlived it
	took       time.Duration
}

// patience returns a number of seconds within which this machine answers what does
// not hang, however busy it is: three times what this run took, and ten at least.
func (o outcome) patience() string { return strconv.Itoa(max(10, 3*int(o.took.Seconds()))) }

// log returns the collector's own log of what it did.
func (o outcome) log(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(o.dir, "data/hmad/log/Get-HmadReport.log"))
	require.NoError(t, err)
	return string(data)
}

// run runs the collector in a scenario, with environment variables and further
// parameters. The report goes into the folder out, unless the parameters name a URL.
func (b bed) run(t testing.TB, scenario string, env []string, args ...string) outcome {
	t.Helper()
	env = append(b.env(scenario), env...)
	if !slices.Contains(args, "-Url") && !slices.Contains(args, "-Folder") {
		args = append(args, "-Folder", filepath.Join(b.dir, "out"))
	}
	if !slices.Contains(args, "-Server") {
		args = append(args, "-Server", "ex01.contoso.com")
	}
	o := outcome{dir: b.dir}
	name, turn := pwsh(t), turnsOf(scenario)
	turn <- struct{}{}
	defer func() { <-turn }()
	start := time.Now()
	o.status, o.printed, o.complaints = powershellNow(t, name, env, filepath.Join(shared, "start.ps1"), append([]string{absolute(t, script)}, args...)...)
	o.took = time.Since(start)
	o.data, _ = os.ReadFile(filepath.Join(b.dir, "out", "EX01.json"))
	o.left = sessions(t, b.dir)
	return o
}

// env returns the environment of a server in a scenario.
func (b bed) env(scenario string) []string {
	return []string{"TESTBED=" + shared, "SCENARIO=" + scenario, "COMPUTERNAME=EX01", "windir=" + filepath.Join(b.dir, "windows"),
		"ProgramData=" + filepath.Join(b.dir, "data"), "ExchangeInstallPath=" + filepath.Join(b.dir, "exchange") + "/"}
}

func absolute(t testing.TB, file string) string {
	t.Helper()
	full, err := filepath.Abs(file)
	require.NoError(t, err)
	return full
}

// sessions returns the processes that still work for a bed, once those have had the
// time to see that their client is gone.
func sessions(t testing.TB, dir string) []string {
	t.Helper()
	var left []string
	for range 100 {
		left = nil
		environments, err := filepath.Glob("/proc/[0-9]*/environ")
		require.NoError(t, err)
		for _, file := range environments {
			if data, err := os.ReadFile(file); err == nil && strings.Contains(string(data), "windir="+filepath.Join(dir, "windows")) {
				left = append(left, filepath.Dir(file))
			}
		}
		if len(left) == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return left
}

// healthy is a run in which nothing is wrong, made once.
func healthy(t testing.TB) outcome {
	t.Helper()
	healthyOnce.Lock()
	defer healthyOnce.Unlock()
	if healthyRun == nil {
		o := newBed(t).run(t, "healthy", nil, "-Mailboxes", twoMailboxes)
		require.Zero(t, o.status, o.complaints)
		healthyRun = &o
	}
	return *healthyRun
}

var (
	healthyOnce sync.Mutex
	healthyRun  *outcome
)

// section is a section of a report as written.
type section struct {
	OK      bool             `json:"ok"`
	Error   string           `json:"error"`
	Data    []map[string]any `json:"data"`
	Errors  []map[string]any `json:"errors"`
	LeftOut int              `json:"leftOut"`
	TookMs  *int             `json:"tookMs"`
}

// sections returns the report's sections as written.
func (o outcome) sections(t testing.TB) map[string]section {
	t.Helper()
	var r struct {
		Sections map[string]section `json:"sections"`
	}
	require.NoError(t, json.Unmarshal(o.data, &r), "%s%s", o.printed, o.complaints)
	return r.Sections
}
