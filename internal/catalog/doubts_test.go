package catalog_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// The waiver of the documents can be pasted at the end of a target.
func TestTheWaiverOfTheDocuments(t *testing.T) {
	page, err := os.ReadFile("../../docs/operate.md")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(page), "## Waivers\n")
	require.True(t, found)
	_, after, _ = strings.Cut(after, "```yaml\n")
	snippet, _, _ := strings.Cut(after, "```")
	file, err := config.Parse("hmad.yaml", []byte(six+snippet))
	require.NoError(t, err)
	b := catalog.BuildSound(file, func(config.Target, string) check.Env { return check.Env{Now: time.Now} })
	assert.Empty(t, b.Errors)
	assert.Len(t, file.Targets[0].Checks["activesync"].Accept, 1)
}

const six = `targets:
  - name: contoso
    mailbox: hmad-probe@fabrikam.com
    tenant: 5de110f8-2e0f-4d45-891d-bcf2218e253d
    autodiscover: {host: autodiscover.fabrikam.com}
    activesync: {url: https://mail.fabrikam.com/Microsoft-Server-ActiveSync}
`

func TestWhatIsHardlyMeant(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an estate of one's own":    {six, ""},
		"the example, untouched":    {strings.ReplaceAll(six, "fabrikam", "contoso"), "hmad.yaml:3: targets[0].mailbox: still the example's contoso.com: put in your own"},
		"the example's URL alone":   {strings.ReplaceAll(six, "mail.fabrikam", "mail.contoso"), "hmad.yaml:6: targets[0].activesync.url: still the example's contoso.com: put in your own"},
		"a name that only looks so": {strings.ReplaceAll(six, "fabrikam", "notcontoso"), ""},
		"a check without its inputs": {six + "    checks: {mailbox_sync: {enabled: true}}\n",
			"hmad.yaml:7: targets[0].checks.mailbox_sync.enabled: got true, and the check does not run: it needs exchange_online, and sync.mailboxes, sync.file, sync.inventory or sync.watch"},
		"a waiver that has ended": {six + "    checks: {activesync: {accept: [{reason: timeout, until: 2026-10-31}]}}\n",
			"hmad.yaml:7: targets[0].checks.activesync.accept[0].until: the waiver has ended, and the finding counts again: take the waiver out, or say until when it is accepted"},
		"a waiver on its last day": {six + "    checks: {activesync: {accept: [{reason: timeout, until: 2026-11-01}]}}\n", ""},
		"two waivers of a reason": {six + "    checks:\n      activesync:\n        accept:\n          - {reason: timeout, until: 2027-10-31}\n          - {reason: timeout, until: 2027-01-31}\n",
			"hmad.yaml:11: targets[0].checks.activesync.accept[1].reason: accept[0] is for the same reason, and whichever ends last counts"},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := config.Parse("hmad.yaml", []byte(c.text))
			require.NoError(t, err)
			now := func() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) }
			b := catalog.BuildSound(file, func(config.Target, string) check.Env { return check.Env{Now: now} })
			require.Empty(t, b.Errors)
			var got []string
			for _, e := range b.Doubts {
				got = append(got, e.Error())
			}
			assert.Equal(t, c.want, strings.Join(got, "\n"))
		})
	}
}
