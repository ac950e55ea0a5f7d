package packaging

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// How long the tests wait for the machine, and how often they look. The limit is
// that of a machine on which nothing goes on any more.
const (
	waitLimit = 20 * time.Minute
	waitTick  = 50 * time.Millisecond
)

// machine is a clean Debian with a running systemd (scripts/systemd-sandbox).
type machine struct{ pid string }

// boot starts a machine; the test's end stops it.
func boot(t *testing.T) machine {
	t.Helper()
	sandbox := exec.Command(repository+"/scripts/systemd-sandbox", debian(t))
	sandbox.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var complaints strings.Builder
	sandbox.Stderr = &complaints
	life, err := sandbox.StdinPipe()
	require.NoError(t, err)
	out, err := sandbox.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, sandbox.Start())
	t.Cleanup(func() {
		_ = life.Close()
		if err := sandbox.Wait(); err != nil {
			t.Errorf("systemd-sandbox: %v\n%s", err, &complaints)
		}
	})
	pid, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, &complaints)
	m := machine{strings.TrimSpace(pid)}
	await(t, "the machine to be up", func() bool {
		state, _ := m.try("systemctl", "is-system-running")
		return state == "running" || state == "degraded" // some unit of Debian's is none of ours
	})
	return m
}

// await looks until the machine is as wanted.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(waitTick)
	defer tick.Stop()
	for deadline := time.Now().Add(waitLimit); !is(); <-tick.C {
		require.True(t, time.Now().Before(deadline), "waited in vain for "+what)
	}
}

// try runs a program in the machine.
func (m machine) try(args ...string) (string, error) {
	out, err := tryOutput(exec.Command("nsenter", append([]string{"--target", m.pid, "--all"}, args...)...))
	return strings.TrimSpace(out), err
}

// run runs a program in the machine that must succeed.
func (m machine) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := m.try(args...)
	require.NoError(t, err)
	return out
}

// write makes a file in the machine.
func (m machine) write(t *testing.T, file, text string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "nsenter", "--target", m.pid, "--all",
		"sh", "-c", `mkdir -p "$(dirname "$0")" && cat >"$0"`, file)
	cmd.Stdin = strings.NewReader(text)
	_, err := tryOutput(cmd)
	require.NoError(t, err)
}

// install installs a package that lies outside.
func (m machine) install(t *testing.T, file string) {
	t.Helper()
	output(t, "sh", "-c", `nsenter --target "$0" --all sh -c 'cat >/root/hmad.deb && dpkg -i /root/hmad.deb' <"$1"`, m.pid, file)
}

// show returns a property of the service.
func (m machine) show(t *testing.T, property string) string {
	t.Helper()
	return m.run(t, "systemctl", "show", "--property="+property, "--value", "hmad")
}

// curl asks the service, from within the machine's network.
func (m machine) curl(t *testing.T, args ...string) string {
	t.Helper()
	return output(t, "nsenter", append([]string{"--target", m.pid, "--net", "curl", "-sS", "--max-time", "20"}, args...)...)
}

// entry is a line of the journal.
type entry struct {
	Priority int    `json:"-"`
	Message  string `json:"MESSAGE"`
	Text     string `json:"PRIORITY"`
}

// journal returns the service's lines of the journal.
func (m machine) journal(t *testing.T) (entries []entry) {
	t.Helper()
	m.run(t, "journalctl", "--sync")
	for _, line := range lines(m.run(t, "journalctl", "--output=json", "--output-fields=MESSAGE,PRIORITY", "_SYSTEMD_UNIT=hmad.service")) {
		var e entry
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		var err error
		e.Priority, err = strconv.Atoi(e.Text)
		require.NoError(t, err, line)
		entries = append(entries, e)
	}
	return entries
}

// logged counts the lines that contain the text, and gives their priority.
func logged(entries []entry, text string) (n, priority int) {
	for _, e := range entries {
		if strings.Contains(e.Message, text) {
			n, priority = n+1, e.Priority
		}
	}
	return n, priority
}

// credentials returns the secrets that the unit names in its comments: lines for
// a drop-in, and the files that they load.
func credentials(t *testing.T) (dropIn string, files []string) {
	t.Helper()
	for _, line := range lines(output(t, "grep", "^#LoadCredential=", filepath.Join(repository, "deploy/systemd/hmad.service"))) {
		line = strings.TrimPrefix(line, "#")
		_, file, _ := strings.Cut(line, ":")
		dropIn, files = dropIn+line+"\n", append(files, file)
	}
	return dropIn, files
}
