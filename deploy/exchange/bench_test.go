package collector

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The front end's log, all of it the cloud's own lines: 400 MB may take 20 MB of
// memory more than 200 MB, for lines are counted as they are read.
func BenchmarkFrontEndLog(b *testing.B) {
	peak := map[int]float64{}
	for _, megabytes := range []int{200, 400} {
		b.Run(fmt.Sprintf("%dMB", megabytes), func(b *testing.B) {
			server := bigLog(b, megabytes)
			for b.Loop() {
				took, memory := countLog(b, server)
				peak[megabytes] = memory
				b.ReportMetric(memory, "MB-peak")
				b.ReportMetric(took.Seconds()/float64(megabytes)*1000, "ms/MB")
			}
		})
	}
	if more := peak[400] - peak[200]; peak[200] > 0 && more > 20 {
		b.Errorf("400 MB take %.0f MB of memory more than 200 MB, want at most 20", more)
	}
}

// bigLog is a server with one log of that size, of the last hour.
func bigLog(b *testing.B, megabytes int) bed {
	b.Helper()
	server := newBed(b)
	require.NoError(b, os.RemoveAll(server.eas()))
	require.NoError(b, os.MkdirAll(server.eas(), 0o700))
	file, err := os.Create(filepath.Join(server.eas(), "HttpProxy_2026113009-1.LOG"))
	require.NoError(b, err)
	w := bufio.NewWriterSize(file, 1<<20)
	more := strings.Repeat("x", 350) // Exchange writes some 550 bytes a line
	_, err = w.WriteString(written(append(columns, "GenericInfo")))
	require.NoError(b, err)
	line := func(at time.Time) string {
		return at.UTC().Format("2006-01-02T15:04:05.000Z") + `,7b,Bearer,jane@contoso.com,OutlookService,200,?Cmd=Sync&User=jane%40contoso.com&DeviceId=1234567987987987987987987987987&DeviceType=OutlookService,` + more + "\r\n"
	}
	lines := megabytes << 20 / len(line(time.Now()))
	start := time.Now().Add(-55 * time.Minute)
	for i := range lines {
		_, err = w.WriteString(line(start.Add(time.Duration(i) * 50 * time.Minute / time.Duration(lines))))
		require.NoError(b, err)
	}
	require.NoError(b, w.Flush())
	require.NoError(b, file.Close())
	return server
}

// countLog runs the collector and returns the processor's time and the peak of its
// memory in MB.
func countLog(b *testing.B, server bed) (took time.Duration, megabytes float64) {
	b.Helper()
	cmd := exec.Command(pwsh(b), "-NoProfile", "-NonInteractive", "-File", filepath.Join(shared, "start.ps1"), absolute(b, script),
		"-Server", "ex01.contoso.com", "-Folder", filepath.Join(server.dir, "out"), "-LogMegabytes", "2048")
	cmd.Env = append(os.Environ(), server.env("no-session")...)
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", out)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(b, ok)
	return cmd.ProcessState.UserTime(), float64(usage.Maxrss) / 1024
}
