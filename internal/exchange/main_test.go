package exchange

import (
	"context"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testEnv is the real world, loopback only: every name is this host.
func testEnv(now func() time.Time) check.Env {
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

// sample is the report of EX01, generated at sampleTime.
func sample(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile("testdata/reports/ex01.json")
	require.NoError(t, err)
	return string(data)
}

var sampleTime = time.Date(2026, 11, 22, 9, 15, 0, 0, time.UTC)

// replaced is the sample with old replaced by new, once; old must be there.
func replaced(t testing.TB, old, new string) string {
	t.Helper()
	s := sample(t)
	require.Contains(t, s, old)
	return strings.Replace(s, old, new, 1)
}

// written puts a file into the test's own folder.
func written(t testing.TB, name, content string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}
