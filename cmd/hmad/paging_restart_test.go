//go:build e2e

package main

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A Prometheus that is restarted while faults stand tells neither as mended nor
// again: of one alert that waits for the next run, and of one that waits for the
// time of its own reason.
func TestARestartOfPrometheusTellsNothing(t *testing.T) {
	program := buildHmad(t)
	todo := slices.DeleteFunc(scenarios(t), func(c scenario) bool {
		return !slices.Contains([]string{"activesync.bearer_missing", "activesync.certificate_expired"}, c.name)
	})
	require.Len(t, todo, 2)
	r := startRound(t, program, 2*fastest, todo)
	require.Empty(t, r.awaitWell())
	w := r.daemons[0]
	for i, c := range todo {
		require.NoError(t, w.labs[i].switchAll(http.MethodPut, c.faults))
	}
	for i := range todo {
		require.NoError(t, w.until(t.Context(), w.labs[i].name, func() bool { return r.box.has(w.labs[i].name, time.Time{}, "firing") }))
	}
	for range 2 {
		r.restartPrometheus()
		require.NoError(t, pause(t.Context(), r.pace.of(12*time.Minute))) // two group intervals, beside the four minutes that Alertmanager believes what it was told
	}
	for i, c := range todo {
		all := r.box.of(w.labs[i].name, time.Time{})
		assert.Len(t, all, 1, "%s: %s", c.name, texts(all, time.Time{}))
		assert.NotEmpty(t, fired(t, r.prometheus, w.labs[i].name, time.Now(), time.Now()), "%s still fires", c.name)
	}
}
