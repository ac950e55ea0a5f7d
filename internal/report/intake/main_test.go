package intake

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sample is the report of EX01, generated at sampleTime.
func sample(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile("../testdata/reports/ex01.json")
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

// reportOf is the sample as another host wrote it at another time.
func reportOf(t testing.TB, host string, at time.Time) string {
	t.Helper()
	s := strings.Replace(sample(t), `"host": "EX01"`, fmt.Sprintf("%q: %q", "host", host), 1)
	return strings.Replace(s, `"2026-11-22T09:15:00.0000000Z"`, fmt.Sprintf("%q", at.Format(time.RFC3339Nano)), 1)
}
