package sync

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// partnershipsOf are a section with jane's row and other mailboxes' errors.
func partnershipsOf(success time.Time, errs ...map[string]any) map[string]any {
	return map[string]any{"partnerships": map[string]any{"ok": true, "errors": errs, "leftOut": 3,
		"data": []map[string]any{{"mailbox": "jane@contoso.com", "deviceAccessState": "Allowed", "lastSuccessSync": success}}}}
}

func TestAMailboxThatExchangeDoesNotKnowIsNamed(t *testing.T) {
	for mode, name := range map[string]string{config.LabelAddress: "joe@contoso.com", config.LabelNone: check.UnnamedMailbox} {
		w := newServers(t, config.Sync{MailboxLabel: mode})
		w.report("EX01", w.now, []map[string]any{counted(w.now.Add(-5*time.Minute), 200, 5)}, partnershipsOf(w.now.Add(-30*time.Hour),
			map[string]any{"mailbox": "joe@contoso.com", "error": "ManagementObjectNotFoundException 4B953CE"},
			map[string]any{"mailbox": "hmad-probe@contoso.com", "error": "ADTransientException 63F2A1E0"},
			map[string]any{"mailbox": "stranger@contoso.com", "error": "ManagementObjectNotFoundException 4B953CE"}))
		r, err := w.run()
		require.NoError(t, err)
		notes := strings.Join(r.Texts(check.Seen), "\n")
		assert.Contains(t, notes, name+": Exchange does not know this mailbox (ManagementObjectNotFoundException 4B953CE of EX01)")
		assert.Contains(t, notes, "its partnership could not be read on EX01: ADTransientException 63F2A1E0")
		assert.Contains(t, notes, "EX01: 3 mailboxes of -Mailboxes were not asked")
		assert.NotContains(t, notes, "stranger", "whom nobody watches is not named")
		require.Len(t, r.Findings, 1)
		assert.Equal(t, onPremLegStale, r.Findings[0].Reason, "the others are judged")
	}
}

func TestRequestsWithoutHMAAreCounted(t *testing.T) {
	w := newServers(t, config.Sync{})
	w.report("EX01", w.now, []map[string]any{counted(w.now.Add(-5*time.Minute), 200, 5)}, nil)
	r, err := w.run()
	require.NoError(t, err)
	assert.Equal(t, -1.0, valueOf(r, OnPremWithoutHMA), "an older collector does not tell")
	for _, host := range []string{"EX01", "EX02"} {
		w.report(host, w.now, []map[string]any{counted(w.now.Add(-5*time.Minute), 200, 5)}, nil)
		file := w.files[host+".json"]
		require.Contains(t, file, `"slotSeconds":300`)
		w.files[host+".json"] = strings.Replace(file, `"slotSeconds":300`, `"slotSeconds":300,"withoutHma":7`, 1)
	}
	r, err = w.run()
	require.NoError(t, err)
	assert.Equal(t, 14.0, valueOf(r, OnPremWithoutHMA))
	assert.Empty(t, r.Findings, "it is no finding")
	assert.Contains(t, strings.Join(r.Texts(check.Seen), "\n"), "14 requests of Outlook mobile without HMA (basic authentication through the cloud) from")
}
