package intake

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/state"
)

// A disk that fills during a push costs that push, which its sender is told and
// sends again: the report that was kept stays, and nothing half written.
func TestADiskThatFillsDuringAPush(t *testing.T) {
	if !checktest.InChild(t) {
		return
	}
	in, count := intake(t, nil)
	in.env.Reports = filepath.Join(in.env.Reports, "contoso")
	in.put = state.Folder(in.env.Reports).Put
	pushed := func(after time.Duration) int {
		w := httptest.NewRecorder()
		in.ServeHTTP(w, push(reportOf(t, "EX01", sampleTime.Add(after))))
		return w.Code
	}
	require.Equal(t, http.StatusNoContent, pushed(0))
	kept, err := filepath.Glob(filepath.Join(in.env.Reports, "*"))
	require.NoError(t, err)
	require.Len(t, kept, 1)
	first, err := os.ReadFile(kept[0])
	require.NoError(t, err)

	checktest.LimitFiles(t, uint64(len(first)/2))
	for range 3 {
		assert.Equal(t, http.StatusInternalServerError, pushed(time.Minute))
	}
	now, err := os.ReadFile(kept[0])
	require.NoError(t, err)
	assert.Equal(t, string(first), string(now))
	left, err := filepath.Glob(filepath.Join(in.env.Reports, "..", ".*"))
	require.NoError(t, err)
	assert.Empty(t, left, "of what was half written")

	checktest.LimitFiles(t, 1<<40)
	assert.Equal(t, http.StatusNoContent, pushed(time.Minute), "the same report, once there is room")
	assert.Equal(t, map[string]float64{Pushes.Name + " 204": 2, Pushes.Name + " 500": 3}, count.seen)
}
