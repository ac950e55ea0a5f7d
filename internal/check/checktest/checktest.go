// Package checktest is a world on loopback for tests: an Env whose names are all
// this host, a private CA with its certificates, TLS servers, files.
package checktest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
)

// Env returns an Env of the real world, loopback only: every name is this host.
func Env(now func() time.Time) check.Env {
	return check.Env{
		Budget: budget.New(2, 4),
		Dial:   new(net.Dialer).DialContext,
		Resolve: func(context.Context, string, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
		ReadFile: readFile,
		ReadDir: func(name string) ([]string, error) {
			entries, err := os.ReadDir(name)
			var files []string
			for _, e := range entries {
				files = append(files, filepath.Join(name, e.Name()))
			}
			return files, err
		},
		Now:     now,
		Version: "test",
	}
}

func readFile(name string, max int64) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err == nil && int64(len(data)) > max {
		err = fs.ErrInvalid
	}
	return data, err
}

// Written puts a file into the test's own folder and returns its path.
func Written(t testing.TB, name, content string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// childTest is the environment variable that has a test play its part in a process
// of its own.
const childTest = "HMAD_TEST_CHILD"

// InChild reports whether this process is that of the test alone. Where it is not,
// it runs the test in one, and fails it where that fails.
func InChild(t testing.TB) bool {
	t.Helper()
	if os.Getenv(childTest) == t.Name() {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childTest+"="+t.Name())
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
	require.Contains(t, string(said), "--- PASS: "+t.Name())
	return false
}

// LimitFiles bounds the size of the files that this process may write: the same as
// a full disk, and needing neither root nor a mount. Call it InChild alone.
func LimitFiles(t testing.TB, bytes uint64) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var l syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l))
	l.Cur = min(bytes, l.Max)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l))
}

// Program returns the path of a program, and fails the test where it is not
// installed; debian is the package that has it.
func Program(t testing.TB, name, debian string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed: apt-get install %s (scripts/test-deps does)", name, debian)
	return ""
}

// Serve starts a TLS server for the name on loopback until the test ends and
// returns its port.
func Serve(t testing.TB, ca *CA, name string, h http.Handler) (port string) {
	t.Helper()
	cert := ca.Issue(t, name)
	srv := httptest.NewUnstartedServer(h)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert.TLS()}}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	_, port, _ = net.SplitHostPort(srv.Listener.Addr().String())
	return port
}

// OneLine fails the test where err is not one short line.
func OneLine(t testing.TB, err error) {
	t.Helper()
	if s := err.Error(); strings.ContainsAny(s, "\n\r\x00") || !utf8.ValidString(s) || len(s) > 5000 {
		t.Errorf("the error is not one short line: %q", s)
	}
}

// Setting returns a value as the config has it, such as config.URL, of what a
// file says; it panics where the config refuses that.
func Setting[T any](says any) T {
	text, err := yaml.Marshal(says)
	var v T
	if err == nil {
		err = yaml.Unmarshal(text, &v)
	}
	again, _ := yaml.Marshal(v)
	if err != nil || string(again) != string(text) {
		panic(fmt.Sprintf("%T refuses %s: %v", v, text, err))
	}
	return v
}
