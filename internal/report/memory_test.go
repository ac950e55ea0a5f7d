package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// most is what reading a folder of reports may take of memory, in bytes.
const most = 150 << 20

// layFolder lays a folder of 256 reports: 215 as a server sends them, 40 of 7.8 MB
// and one of 2.6 million empty elements.
func layFolder(t testing.TB) check.Env {
	t.Helper()
	sample, err := os.ReadFile("testdata/reports/ex01.json")
	require.NoError(t, err)
	env := checktest.Env(time.Now)
	env.Reports = t.TempDir()
	lay := func(i int, section string) {
		host := fmt.Sprintf("EX%03d", i)
		data := bytes.Replace(sample, []byte(`"EX01"`), []byte(`"`+host+`"`), 1)
		if section != "" {
			data = bytes.Replace(data, []byte(`"sections": {`), []byte(`"sections": {`+section+`,`), 1)
		}
		require.NoError(t, os.WriteFile(filepath.Join(env.Reports, host+".json"), data, 0o600))
	}
	text := strings.Repeat(`{"name":"x","mailbox":"a@contoso.com","error":"`+strings.Repeat("y", 300)+`"},`, 22000)
	for i := range MaxFiles {
		switch {
		case i < 40:
			lay(i, `"settingOverrides2": {"ok":true,"data":[`+text+`{}]}`)
		case i == 40:
			lay(i, `"settingOverrides2": {"ok":true,"data":[`+strings.Repeat("{},", 2_600_000)+`{}]}`)
		default:
			lay(i, "")
		}
	}
	return env
}

// watchHeap returns the most bytes that the heap took from the system while f ran.
func watchHeap(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.HeapSys - min(before.HeapReleased, after.HeapSys)
}

func TestAFolderOfLargeReportsStaysSmall(t *testing.T) {
	env := layFolder(t)
	var shared check.Shared
	var got []Arrived
	taken := watchHeap(func() {
		for range 3 { // as three checks do
			var err error
			got, err = check.SharedOf[Reader](&shared).Read(env, env.Reports)
			require.NoError(t, err)
		}
	})
	assert.Less(t, taken, uint64(most))
	read := 0
	for i, a := range got {
		if a.Err != nil {
			assert.Less(t, i, 41, "a report of usual size stands: %v", a.Err)
			checktest.OneLine(t, a.Err)
			continue
		}
		read++
	}
	assert.GreaterOrEqual(t, read, MaxFiles-41)
}

func BenchmarkAFolderOfLargeReports(b *testing.B) {
	env := layFolder(b)
	for b.Loop() {
		reader := new(Reader)
		taken := watchHeap(func() {
			if _, err := reader.Read(env, env.Reports); err != nil {
				b.Fatal(err)
			}
		})
		b.ReportMetric(float64(taken)/(1<<20), "MB-heap")
		if taken > most {
			b.Fatalf("%d MB of heap, want at most %d", taken>>20, most>>20)
		}
	}
}

func TestAnOddSectionOpensItselfAlone(t *testing.T) {
	sample, err := os.ReadFile("testdata/reports/ex01.json")
	require.NoError(t, err)
	section := `"organizationRelationships": {"ok":true,"data":[` + strings.Repeat("{},", 2*maxValues) + `{}]},"errors2": {"ok":true,"data":[],"errors":[` +
		strings.Repeat("0,", 2*maxValues) + `0]}`
	data := bytes.Replace(sample, []byte(`"organizationRelationships"`), []byte(`"other"`), 1)
	r, err := Decode(bytes.Replace(data, []byte(`"sections": {`), []byte(`"sections": {`+section+`,`), 1))
	require.NoError(t, err)
	_, err = r.OrganizationRelationships()
	require.EqualError(t, err, "EX01: section organizationRelationships: over 100000 values, which no collector writes")
	assert.Equal(t, check.ReportInput, check.ClassOf(err))
	_, err = r.AuthServers()
	assert.NoError(t, err)
}

func TestAFileIsDecodedOnceForAllWhoRead(t *testing.T) {
	sample, err := os.ReadFile("testdata/reports/ex01.json")
	require.NoError(t, err)
	env := checktest.Env(time.Now)
	env.Reports = t.TempDir()
	file := filepath.Join(env.Reports, "EX01.json")
	require.NoError(t, os.WriteFile(file, sample, 0o600))
	reader := new(Reader)
	read := func() Report {
		all, err := reader.Read(env, env.Reports)
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.NoError(t, all[0].Err)
		return all[0].Report
	}
	first := read()
	for name, s := range first.Sections {
		assert.Empty(t, s.Data, "%s: the facts are kept, not the bytes", name)
	}
	whole, err := Decode(sample)
	require.NoError(t, err)
	for _, p := range parts() {
		want, wantErr := p.read(whole)
		got, gotErr := p.read(first)
		assert.Equal(t, want, got, p.name)
		assert.Equal(t, fmt.Sprint(wantErr), fmt.Sprint(gotErr), p.name)
	}
	servers, err := first.AuthServers()
	require.NoError(t, err)
	servers[0].Name = "changed by one who reads"
	again, err := read().AuthServers()
	require.NoError(t, err)
	assert.NotEqual(t, servers[0].Name, again[0].Name)

	require.NoError(t, os.WriteFile(file, bytes.ReplaceAll(sample, []byte(`"EvoSts`), []byte(`"Renamed`)), 0o600))
	renamed, err := read().AuthServers()
	require.NoError(t, err)
	assert.Contains(t, fmt.Sprint(renamed), "Renamed", "a file that changed is read anew")
}
