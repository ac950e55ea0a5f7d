package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/config"
)

const online = "    exchange_online: {" + credential + "}\n"

func TestSyncDefaults(t *testing.T) {
	f, err := config.Parse("hmad.yaml", []byte(six))
	require.NoError(t, err)
	assert.False(t, f.Targets[0].Sync.Configured())

	f, err = config.Parse("hmad.yaml", []byte(six+online+"    sync: {watch: [{mailbox: jane@contoso.com}, "+
		"{mailbox: joe@contoso.com, stale_after: 4h, severity: critical}], stale_after: 72h}\n"))
	require.NoError(t, err)
	assert.Equal(t, config.Sync{
		StaleAfter: 72 * time.Hour, StaleShare: 25, StaleCount: 10, SampleRate: 0.1, MailboxLabel: config.LabelAddress, Export: config.ExportAuto, MaxSeries: 20_000,
		Watch: []config.Watch{{Mailbox: "jane@contoso.com", StaleAfter: 72 * time.Hour, Severity: "warning"},
			{Mailbox: "joe@contoso.com", StaleAfter: 4 * time.Hour, Severity: "critical"}},
	}, f.Targets[0].Sync)
}

func TestEachSourceConfiguresSync(t *testing.T) {
	for _, s := range []config.Sync{{Mailboxes: []string{"jane@contoso.com"}}, {File: "mailboxes.csv"}, {Inventory: true}, {Watch: []config.Watch{{}}}} {
		assert.True(t, s.Configured(), s)
	}
	assert.False(t, config.Sync{StaleAfter: time.Hour}.Configured())
}

func TestFaultsOfSync(t *testing.T) {
	for name, c := range map[string]struct{ set, want string }{
		"a stale_after too short":   {"stale_after: 5s", "stale_after: got 5s, want 1m0s to 312h0m0s"},
		"a stale_after too long":    {"stale_after: 400h", "stale_after: got 400h0m0s, want 1m0s to 312h0m0s"},
		"a share over everything":   {"stale_share: 200", "stale_share: got 200, want percent, over 0 and at most 100"},
		"a share that is none":      {"stale_share: .nan", "stale_share: got NaN, want percent, over 0 and at most 100"},
		"a negative count":          {"stale_count: -1", "stale_count: got -1, want at least 1"},
		"a negative cap":            {"max_series: -1", "max_series: got -1, want a number of series"},
		"samples without end":       {"sample_rate: 11", "sample_rate: got 11, want mailboxes per second, over 0 and at most 10"},
		"a round too short":         {"ask_every: 10ms", "ask_every: got 10ms, want 1s or more"},
		"a negative round":          {"ask_every: -1m", "ask_every: got -1m0s, want 1s or more"},
		"an unknown label mode":     {"mailbox_label: name", `mailbox_label: got "name", want address, hash or none`},
		"an unknown export mode":    {"export: some", `export: got "some", want auto, all or notable`},
		"a name for an address":     {"mailboxes: [jane]", "mailboxes[0]: want the address of a mailbox"},
		"a watched name":            {"watch: [{mailbox: jane}]", "watch[0].mailbox: want the address of a mailbox"},
		"a mailbox watched twice":   {"watch: [{mailbox: jane@contoso.com}, {mailbox: JANE@contoso.com}]", "watch[1].mailbox: the mailbox is watched twice"},
		"an unknown severity":       {"watch: [{mailbox: jane@contoso.com, severity: loud}]", `watch[0].severity: got "loud", want warning or critical`},
		"a watched one too short":   {"watch: [{mailbox: jane@contoso.com, stale_after: 1s}]", "watch[0].stale_after: got 1s, want 1m0s to 312h0m0s"},
		"too many in the config":    {"mailboxes: [" + strings.Repeat("a@contoso.com, ", 10_001) + "]", "mailboxes: got 10001, want at most 10000; a file takes more"},
		"too many on the watchlist": {"watch: [" + strings.Repeat("{mailbox: a@contoso.com}, ", 101) + "]", "watch: got 101, want at most 100: each is asked in every run"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("hmad.yaml", []byte(six+online+"    sync: {"+c.set+"}\n"))
			require.EqualError(t, err, "hmad.yaml:8: targets[0].sync."+c.want)
		})
	}
	t.Run("mailboxes without a credential", func(t *testing.T) {
		_, err := config.Parse("hmad.yaml", []byte(six+"    sync: {inventory: true}\n"))
		require.EqualError(t, err, "hmad.yaml:7: targets[0].sync: mailboxes are asked in Exchange Online: want a credential under exchange_online")
	})
}

func TestErrorsOfSyncShowNoAddress(t *testing.T) {
	_, err := config.Parse("hmad.yaml", []byte(six+online+"    sync: {mailboxes: ['<jane@contoso.com>'], watch: [{mailbox: 'jane@contoso.com '}]}\n"))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "jane")
}
