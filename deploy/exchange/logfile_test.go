package collector

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheIntervalIsAtMost40Minutes(t *testing.T) {
	t.Parallel()
	o := newBed(t).run(t, "no-session", nil, "-IntervalMinutes", "41")
	assert.Equal(t, 1, o.status)
	assert.Nil(t, o.data)
	assert.Contains(t, o.log(t), "not delivered: -IntervalMinutes 41 is too long, want at most 40")
	assert.Contains(t, o.complaints, "want at most 40")
	assert.Contains(t, text(t), "$IntervalMinutes -gt 40")
}

func TestTheLogFileIsBounded(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	file := filepath.Join(b.dir, "data/hmad/log/Get-HmadReport.log")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("old line\r\n", 104857)), 0o600))
	require.NoError(t, os.WriteFile(file+".old", []byte("older"), 0o600))
	o := b.run(t, "no-session", nil)
	assert.Zero(t, o.status)
	assert.NotContains(t, o.log(t), "old line")
	assert.Contains(t, o.log(t), "delivered: ")
	old, err := os.ReadFile(file + ".old")
	require.NoError(t, err)
	assert.Contains(t, string(old), "old line", "there is one .old")
}

func TestALogFileThatCannotBeWrittenFailsNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	o := b.run(t, "no-session", nil, "-LogFile", filepath.Join(b.dir, "nowhere", "x.log"))
	assert.Zero(t, o.status, o.complaints)
	assert.NotNil(t, o.data)
}

// A run that is killed shows how far it came, and leaves no session.
func TestAKilledRunShowsHowFarItCame(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	cmd := exec.Command(pwsh(t), "-NoProfile", "-NonInteractive", "-File", filepath.Join(shared, "start.ps1"),
		absolute(t, script), "-Server", "ex01.contoso.com", "-Folder", filepath.Join(b.dir, "out"))
	cmd.Env = append(os.Environ(), b.env("hang:Get-TransportConfig")...)
	require.NoError(t, cmd.Start())
	file := filepath.Join(b.dir, "data/hmad/log/Get-HmadReport.log")
	require.Eventually(t, func() bool {
		data, _ := os.ReadFile(file)
		return strings.Contains(string(data), "Z  exchangeServers ")
	}, runLimit, 50*time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(data), "Z  transportConfig ")
	assert.Empty(t, sessions(t, b.dir), "a session ends with its client")
}

// Verbose prints what the log file has.
func TestVerbosePrintsTheLogFile(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	status, out, complaints := powershell(t, b.env("no-session"), absolute(t, script), "-Server", "ex01", "-Folder", filepath.Join(b.dir, "out"), "-Verbose")
	require.Zero(t, status, complaints)
	assert.Contains(t, out, "VERBOSE: begin: collector ")
	assert.Contains(t, out, "VERBOSE: delivered: ")
}
