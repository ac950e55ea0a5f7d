package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// reportOf is the sample as another host wrote it at another time.
func reportOf(t testing.TB, host string, at time.Time) string {
	t.Helper()
	s := strings.Replace(sample(t), `"host": "EX01"`, fmt.Sprintf("%q: %q", "host", host), 1)
	return strings.Replace(s, `"2026-11-22T09:15:00.0000000Z"`, fmt.Sprintf("%q", at.Format(time.RFC3339Nano)), 1)
}

func TestReadFolderOfAFolder(t *testing.T) {
	dir := t.TempDir()
	lay := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	lay("ex01.json", reportOf(t, "EX01", sampleTime))
	lay("EX02.JSON", reportOf(t, "EX02", sampleTime.Add(time.Minute)))
	lay("ex01.json.tmp", "half")
	lay("notes.txt", "none")
	lay("ex03.json", sample(t)[:700])

	got, err := ReadFolder(checktest.Env(time.Now), dir)
	require.NoError(t, err)
	require.Len(t, got, 3)
	assert.Equal(t, "EX02.JSON", got[0].File)
	assert.Equal(t, "EX02", got[0].Host)
	assert.Equal(t, sampleTime.Add(time.Minute), got[0].GeneratedAt)
	assert.Equal(t, "EX01", got[1].Host)
	require.NoError(t, got[1].Err)
	assert.Empty(t, got[2].Host, "a file that never was good")
	require.ErrorIs(t, got[2].Err, ErrTruncated)
	assert.ErrorContains(t, got[2].Err, "ex03.json: ")
	assert.Equal(t, check.ReportInput, check.ClassOf(got[2].Err))
}

func TestAReaderKeepsTheLastGoodCopyOfAFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ex01.json")
	lay := func(content string) { require.NoError(t, os.WriteFile(file, []byte(content), 0o600)) }
	var reader Reader
	read := func() Arrived {
		got, err := reader.Read(checktest.Env(time.Now), dir)
		require.NoError(t, err)
		require.Len(t, got, 1)
		return got[0]
	}
	lay(reportOf(t, "EX01", sampleTime))
	require.NoError(t, read().Err)

	for name, content := range map[string]string{"half-written": sample(t)[:900], "empty": "", "of another schema": `{"schema": 7}`} {
		lay(content)
		got := read()
		require.Error(t, got.Err, name)
		assert.Equal(t, sampleTime, got.GeneratedAt, name)
		assert.Equal(t, "EX01", got.Host, name)
	}
	lay(reportOf(t, "EX01", sampleTime.Add(time.Hour)))
	got := read()
	require.NoError(t, got.Err)
	assert.Equal(t, sampleTime.Add(time.Hour), got.GeneratedAt)

	require.NoError(t, os.Remove(file))
	all, err := reader.Read(checktest.Env(time.Now), dir)
	require.NoError(t, err)
	assert.Empty(t, all, "a file that is gone is not remembered")
	lay("")
	assert.Empty(t, read().Host)
}

func TestOfFilesOfOneHostTheNewestCounts(t *testing.T) {
	for name, order := range map[string][]time.Duration{"older first": {0, time.Hour}, "newer first": {time.Hour, 0}, "twice the same": {time.Hour, time.Hour}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i, d := range order {
				host := []string{"EX01", "ex01.contoso.com"}[i]
				require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.json", i)), []byte(reportOf(t, host, sampleTime.Add(d))), 0o600))
			}
			got, err := ReadFolder(checktest.Env(time.Now), dir)
			require.NoError(t, err)
			require.Len(t, got, 2)
			var good []Arrived
			for _, a := range got {
				if a.Err == nil {
					good = append(good, a)
				} else {
					assert.ErrorContains(t, a.Err, "an older report of ")
					assert.Empty(t, a.Host)
				}
			}
			require.Len(t, good, 1)
			assert.Equal(t, sampleTime.Add(time.Hour), good[0].GeneratedAt)
		})
	}
}

func TestReadFolderOfASingleFile(t *testing.T) {
	got, err := ReadFolder(checktest.Env(time.Now), checktest.Written(t, "state.json", reportOf(t, "EX01", sampleTime)))
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, "EX01", got[0].Host)
}

func TestAFolderWithoutReports(t *testing.T) {
	dir := t.TempDir()
	got, err := ReadFolder(checktest.Env(time.Now), dir)
	require.NoError(t, err)
	assert.Empty(t, got, "none has arrived, which onprem_report judges")

	denied := checktest.Env(time.Now)
	denied.ReadDir = func(string) ([]string, error) { return nil, os.ErrPermission }
	for says, env := range map[string]check.Env{"no report has arrived yet": checktest.Env(time.Now), "cannot be read: permission denied": denied} {
		_, err := ReadFolder(env, filepath.Join(dir, "none"))
		require.ErrorContains(t, err, says)
		assert.Equal(t, check.ReportInput, check.ClassOf(err))
	}
}

func TestAFolderOfTooManyFiles(t *testing.T) {
	env := checktest.Env(time.Now)
	env.ReadDir = func(string) ([]string, error) {
		files := make([]string, MaxFiles+1)
		for i := range files {
			files[i] = fmt.Sprintf("/reports/%d.json", i)
		}
		return files, nil
	}
	_, err := ReadFolder(env, "/reports")
	require.ErrorContains(t, err, "holds 257 reports, want at most 256")
}

func TestOnlyNamedHostsAreEvidence(t *testing.T) {
	dir := t.TempDir()
	for _, host := range []string{"EX01", "EX09"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, host+".json"), []byte(reportOf(t, host, sampleTime)), 0o600))
	}
	env := checktest.Env(func() time.Time { return sampleTime })
	env.Reports = dir
	for name, c := range map[string]struct{ hosts, used, ignored []string }{
		"none named":     {nil, []string{"EX01", "EX09"}, nil},
		"one named":      {[]string{"ex01.contoso.com"}, []string{"EX01"}, []string{"EX09"}},
		"another named":  {[]string{"EX02", "EX0"}, nil, []string{"EX01", "EX09"}},
		"all are named":  {[]string{"EX09", "EX01"}, []string{"EX01", "EX09"}, nil},
		"the last named": {[]string{"EX09"}, []string{"EX09"}, []string{"EX01"}},
	} {
		t.Run(name, func(t *testing.T) {
			arrived, err := Of(env, c.hosts)()
			require.NoError(t, err)
			var used, ignored []string
			for _, a := range arrived {
				if a.Stranger != "" {
					ignored = append(ignored, a.Stranger)
					assert.Empty(t, a.Host)
				} else {
					used = append(used, a.Host)
				}
			}
			assert.Equal(t, c.used, used)
			assert.Equal(t, c.ignored, ignored)
			evidence := EvidenceOf(arrived, sampleTime, c.hosts...)
			assert.Len(t, evidence.Reports, len(c.used))
			for i, why := range evidence.Ignored {
				assert.ErrorContains(t, why, c.ignored[i]+": its report, ")
			}
			if len(c.used) == 0 {
				assert.ErrorContains(t, evidence.Err(), "EX01: its report, EX01.json, is not used")
			}
		})
	}
}

// Every file is read once, but for the first time that a large one is met.
func TestFilesAreReadOnce(t *testing.T) {
	dir, read := t.TempDir(), map[string]int{}
	lay := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	large := reportOf(t, "EX02", sampleTime) + strings.Repeat(" ", fairShare)
	lay("ex01.json", reportOf(t, "EX01", sampleTime))
	lay("ex02.json", large)
	env := checktest.Env(time.Now)
	readFile := env.ReadFile
	env.ReadFile = func(name string, max int64) ([]byte, error) {
		read[filepath.Base(name)]++
		return readFile(name, max)
	}
	var reader Reader
	for _, c := range []struct {
		name string
		want map[string]int
	}{
		{"at first", map[string]int{"ex01.json": 1, "ex02.json": 2}},
		{"again", map[string]int{"ex01.json": 1, "ex02.json": 1}},
		{"grown and shrunk", map[string]int{"ex01.json": 2, "ex02.json": 1}},
		{"grown and shrunk, again", map[string]int{"ex01.json": 1, "ex02.json": 1}},
	} {
		clear(read)
		if c.name == "grown and shrunk" {
			lay("ex02.json", reportOf(t, "EX02", sampleTime))
			lay("ex01.json", reportOf(t, "EX01", sampleTime)+strings.Repeat(" ", fairShare))
		}
		got, err := reader.Read(env, dir)
		require.NoError(t, err)
		require.Len(t, got, 2)
		for _, a := range got {
			require.NoError(t, a.Err, c.name)
		}
		assert.Equal(t, c.want, read, c.name)
	}
}
