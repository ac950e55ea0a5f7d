// Package packaging tests the packages that make package builds: their files,
// their scripts in a clean Debian, and the service under a real systemd.
package packaging

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// repository is the folder of the whole.
const repository = "../.."

// scratch holds what the tests share: the packages. TestMain makes it.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "hmad-packages-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(scratch)
	os.Exit(code)
}

// lookAtAll looks at every file that packages are made of, so that go test
// does not repeat a result of other files from its cache: it sees only what
// this process looks at.
func lookAtAll() error {
	return filepath.WalkDir(repository, func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && slices.Contains([]string{".git", "bin", "dist"}, d.Name()) {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() {
			_, err = os.Stat(file)
		}
		if errors.Is(err, fs.ErrNotExist) { // somebody else's temporary file
			return nil
		}
		return err
	})
}

// The packages of a release, for both architectures, and of the next, for this
// one.
var (
	release = build("1.0.0", "release")
	next    = build("1.0.1", "package", "ARCHS="+arch)
)

// arch is the architecture on which the tests install: Debian's word is Go's.
const arch = runtime.GOARCH

// rpmArch returns rpm's word for an architecture.
var rpmArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// build returns a function that makes the packages once, and then gives their
// folder.
func build(version string, more ...string) func(*testing.T) string {
	dir := sync.OnceValues(func() (string, error) {
		dir := filepath.Join(scratch, version)
		if err := lookAtAll(); err != nil {
			return "", err
		}
		return dir, makePackage("022", repository, dir, append(more, "VERSION=v"+version)...)
	})
	return func(t *testing.T) string {
		t.Helper()
		folder, err := dir()
		require.NoError(t, err)
		return folder
	}
}

// making has one make at a time: they share bin/nfpm.
var making sync.Mutex

// makePackage is make package or make release in a copy of the repository, under
// the umask.
func makePackage(umask, repository, to string, more ...string) error {
	making.Lock()
	defer making.Unlock()
	cmd := exec.Command("sh", append([]string{"-c", `umask "$0" && exec make -C "$@"`, umask, repository, "PACKAGES=" + to}, more...)...)
	for _, v := range os.Environ() { // of the make that runs the tests
		if !strings.HasPrefix(v, "MAKE") && !strings.HasPrefix(v, "MFLAGS=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	_, err := tryOutput(cmd)
	return err
}

func deb(dir, version, arch string) string {
	return filepath.Join(dir, "hmad_"+version+"_"+arch+".deb")
}

func rpm(dir, version, arch string) string {
	return filepath.Join(dir, "hmad-"+version+"-1."+rpmArch[arch]+".rpm")
}

// tryOutput runs the command and gives what it wrote to standard output; the
// error has the rest.
func tryOutput(cmd *exec.Cmd) (string, error) {
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s%s", cmd, err, &out, &complaints)
	}
	return out.String(), nil
}

// output runs a program that must succeed.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := tryOutput(exec.CommandContext(t.Context(), name, args...))
	require.NoError(t, err)
	return out
}

func needRoot(t *testing.T) {
	t.Helper()
	require.Zero(t, os.Getuid(), "installing packages and booting systemd needs root: run the tests as root")
}

// debian returns the folder of a clean Debian 12, which is not to be changed.
func debian(t *testing.T) string {
	t.Helper()
	needRoot(t)
	return strings.TrimSpace(output(t, repository+"/scripts/debian-root"))
}

// lines returns the lines of a text without the empty ones.
func lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}
