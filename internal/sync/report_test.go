package sync

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/config"
)

// What the collector writes, as its sample has it, is what the check reads.
func TestTheCollectorsSampleIsRead(t *testing.T) {
	sample, err := os.ReadFile("../report/testdata/reports/ex01.json")
	require.NoError(t, err)
	w := newServers(t, config.Sync{MailboxLabel: config.LabelAddress})
	w.now = time.Date(2026, 11, 22, 9, 16, 0, 0, time.UTC)
	w.files["EX01.json"] = string(sample)
	r, err := w.run()
	require.NoError(t, err)
	assert.Empty(t, r.Findings)
	assert.Equal(t, 74.0, valueOf(r, OnPremRequests, "200"))
	assert.Equal(t, 1.0, valueOf(r, OnPremRequests, "401"))
	assert.Equal(t, float64(time.Date(2026, 11, 22, 9, 13, 31, 0, time.UTC).Unix()), valueOf(r, OnPremSuccess))
	assert.Equal(t, map[string][]float64{"hmad-probe@contoso.com": {float64(time.Date(2026, 11, 22, 9, 12, 40, 0, time.UTC).Unix())}}, w.store.rows)
}
