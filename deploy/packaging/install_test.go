package packaging

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// house is a copy of the clean Debian, for the test to live in; systemd does
// not run in it.
type house struct {
	*testing.T
	root string
}

func newHouse(t *testing.T) house {
	t.Helper()
	h := house{t, filepath.Join(t.TempDir(), "root")}
	output(t, "cp", "-a", debian(t), h.root)
	return h
}

// run runs a program in the house.
func (h house) run(name string, args ...string) string {
	h.Helper()
	return output(h.T, "chroot", append([]string{h.root, name}, args...)...)
}

// bring copies a file into the house and gives its name there.
func (h house) bring(file string) string {
	h.Helper()
	output(h.T, "cp", file, h.root+"/root/")
	return "/root/" + filepath.Base(file)
}

func (h house) has(file string) bool {
	_, err := os.Lstat(h.root + file)
	return err == nil
}

func (h house) read(file string) string {
	h.Helper()
	data, err := os.ReadFile(h.root + file)
	require.NoError(h, err)
	return string(data)
}

func (h house) write(file, text string) {
	h.Helper()
	require.NoError(h, os.MkdirAll(filepath.Dir(h.root+file), 0o755))
	require.NoError(h, os.WriteFile(h.root+file, []byte(text), 0o600))
}

// files lists all that lies in the house but for package managers' own books.
func (h house) files() []string {
	h.Helper()
	var files []string
	err := filepath.WalkDir(h.root, func(file string, _ fs.DirEntry, err error) error {
		name := strings.TrimPrefix(file, h.root)
		if strings.HasPrefix(name, "/var/lib/dpkg") || strings.HasPrefix(name, "/root/") {
			return fs.SkipDir
		}
		files = append(files, name)
		return err
	})
	require.NoError(h, err)
	return files
}

// gained returns what is in now and was not in before.
func gained(before, now []string) []string {
	return slices.DeleteFunc(now, func(file string) bool { return slices.Contains(before, file) })
}

const (
	unitFile    = "/usr/lib/systemd/system/hmad.service"
	wantsLink   = "/etc/systemd/system/multi-user.target.wants/hmad.service"
	configFile  = "/etc/hmad/hmad.yaml"
	defaultFile = "/etc/default/hmad"
	stateFile   = "/var/lib/hmad/state.db"
)

func TestDebInACleanDebian(t *testing.T) {
	t.Parallel()
	h, dir := newHouse(t), release(t)
	before := h.files()
	h.run("dpkg", "-i", h.bring(deb(dir, "1.0.0", arch)))

	assert.Contains(t, h.run("hmad", "version"), "hmad v1.0.0 ")
	assert.Contains(t, h.run("hmad", "config", "check", configFile), "is in order")
	assert.Equal(t, h.read("/usr/share/doc/hmad/config.example.yaml"), h.run("hmad", "config", "example"), "the two places that the shipped config names")
	assert.Equal(t, []string{defaultFile, configFile}, sorted(lines(h.read("/var/lib/dpkg/info/hmad.conffiles"))))
	assert.True(t, h.has(wantsLink), "enabled, so that it comes back after the next boot")
	assert.Regexp(t, `^hmad:\*?:\d+:\d+:hmad:/var/lib/hmad:/usr/sbin/nologin\n$`, strings.Replace(h.run("getent", "passwd", "hmad"), ":x:", ":*:", 1))
	assert.Empty(t, h.run("dpkg", "--verify", "hmad"), "files are as packed")

	const site = "# this site's\n"
	h.write(configFile, site)
	h.write(stateFile, "kept")
	h.run("dpkg", "-i", h.bring(deb(next(t), "1.0.1", arch)))
	assert.Contains(t, h.run("hmad", "version"), "hmad v1.0.1 ")
	assert.Equal(t, site, h.read(configFile), "an upgrade keeps the config")

	h.run("dpkg", "-r", "hmad")
	assert.False(t, h.has("/usr/bin/hmad"))
	assert.False(t, h.has(unitFile))
	assert.Equal(t, site, h.read(configFile), "a removal keeps the config")
	assert.True(t, h.has(stateFile), "and the state")

	h.run("dpkg", "-P", "hmad")
	assert.Empty(t, gained(before, h.files()), "a purge leaves nothing")
	assert.NotEmpty(t, h.run("getent", "passwd", "hmad"), "but the account, so that nobody inherits its number")
}

// An administrator's «disable» survives upgrades.
func TestDebStaysDisabled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run("dpkg", "-i", h.bring(deb(release(t), "1.0.0", arch)))
	h.run("systemctl", "disable", "hmad")
	require.False(t, h.has(wantsLink))
	h.run("dpkg", "-i", h.bring(deb(next(t), "1.0.1", arch)))
	assert.False(t, h.has(wantsLink))
}

func TestRpmInACleanRoot(t *testing.T) {
	t.Parallel()
	h := newHouse(t) // Debian's, which has all that the scripts call
	rpmIn := func(args ...string) {
		t.Helper()
		_, err := tryOutput(exec.CommandContext(t.Context(), "rpm", append([]string{"--root", h.root, "--nodeps"}, args...)...))
		require.NoError(t, err)
	}
	rpmIn("-i", "--nosignature", "--ignorearch", rpm(release(t), "1.0.0", arch))
	assert.Contains(t, h.run("hmad", "version"), "hmad v1.0.0 ")
	assert.NotEmpty(t, h.run("getent", "passwd", "hmad"))

	const site = "# this site's\n"
	h.write(configFile, site)
	h.write(stateFile, "kept")
	rpmIn("-U", "--ignorearch", rpm(next(t), "1.0.1", arch))
	assert.Contains(t, h.run("hmad", "version"), "hmad v1.0.1 ")
	assert.Equal(t, site, h.read(configFile), "an upgrade keeps the config")

	rpmIn("-e", "hmad")
	assert.False(t, h.has("/usr/bin/hmad"))
	assert.Equal(t, site, h.read(configFile+".rpmsave"), "a removal sets the config aside")
	assert.True(t, h.has(stateFile), "and keeps the state")
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }
