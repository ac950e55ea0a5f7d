package report

import (
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

// One odd size, date or number costs itself: the rest of its section is read, and the
// report tells of it.
func TestAnOddValueCostsItselfAlone(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"a size": {`"35 MB (36,700,160 bytes)"`, `"35 MB"`,
			"EX01: section transportConfig: row 0: maxSendSize: want a size such as 35 MB (36,700,160 bytes), or Unlimited"},
		"a date of an auth server": {`"2026-07-01T03:10:44.0000000Z"`, `"01.07.2026 03:10"`,
			"EX01: section authServers: row 0: whenChanged: want a date such as 2026-11-22T09:15:00Z, got one of the form 99.99.9999 99:99"},
		"a date of a certificate": {`"2029-02-04T10:00:00.0000000Z"`, `"4. Februar 2029"`,
			"EX01: section exchangeCertificates: row 0: notAfter: want a date such as 2026-11-22T09:15:00Z, got one of the form 9. AAAAAAA 9999"},
		"a number":           {`"maxRequestLength": 10240`, `"maxRequestLength": "10'240"`, "EX01: section webConfig: row 0: maxRequestLength: got a text, want a whole number"},
		"a service instance": {`"serviceInstance": 0`, `"serviceInstance": 0.5`, "EX01: section hybridConfiguration: row 0: serviceInstance: got a number, want a whole number"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "ex01.json"), []byte(replaced(t, c.old, c.new)), 0o600))
			got, err := new(Reader).Read(checktest.Env(time.Now), dir)
			require.NoError(t, err)
			assert.Empty(t, got[0].Unreadable(), "every section is read")
			require.Len(t, got[0].UnreadValues(), 1)
			require.EqualError(t, got[0].UnreadValues()[0], c.want)
			require.ErrorIs(t, got[0].UnreadValues()[0], ErrValue)
			assert.Equal(t, check.ReportInput, check.ClassOf(got[0].UnreadValues()[0]))
		})
	}
}

func TestWhatOddValuesLeave(t *testing.T) {
	transport := withSection(SectionTransport, `{"maxSendSize":"35 MB","maxReceiveSize":"Unlimited"}`)
	got, err := transport.TransportConfig()
	require.NoError(t, err)
	assert.True(t, got.MaxReceiveSize.Unlimited)
	require.NoError(t, got.Lacks("maxReceiveSize"))
	_, err = Needing(Report.TransportConfig, "maxReceiveSize")(transport)
	require.NoError(t, err)
	_, err = Needing(Report.TransportConfig, "maxReceiveSize", "maxSendSize")(transport)
	require.ErrorIs(t, err, ErrValue)

	hybrid, err := withSection(SectionHybrid, `{"serviceInstance":"worldwide","features":["FreeBusy"]}`).HybridConfiguration()
	require.NoError(t, err)
	assert.Equal(t, -1, hybrid[0].ServiceInstance, "not 0, which is the worldwide cloud")

	front, err := withSection(SectionFrontEnd, `{"since":"2026-11-22T08:15:00Z","until":"2026-11-22T09:15:00Z","slotSeconds":300,"lastSuccess":"09:14",
		"counts":[{"start":"2026-11-22T09:10:00Z","status":200,"count":3}],"withoutHma":"three","authentication":[{"type":"Basic","count":"3.5"}]}`).FrontEndRequests()
	require.NoError(t, err)
	assert.Len(t, front.Counts, 1)
	assert.Equal(t, -1, front.WithoutHMA)
	assert.Nil(t, front.Authentication)
	require.ErrorContains(t, front.Lacks("authentication"), "authentication: count: got a text")

	partners, err := withSection(SectionPartnerships, `[{"mailbox":"jane@contoso.com","lastSuccessSync":"2026-11-29T20:45:00"},
		{"mailbox":"joe@contoso.com","lastSuccessSync":null,"firstSyncTime":"x"}]`).Partnerships()
	require.NoError(t, err)
	require.Error(t, partners[0].Lacks("lastSuccessSync"), "it is given")
	require.NoError(t, partners[1].Lacks("lastSuccessSync"), "it is not given")
}

// What the envelope says for people costs nothing where it cannot be read.
func TestAnOddEnvelopeIsReadAllTheSame(t *testing.T) {
	for name, c := range map[string]struct{ old, new string }{
		"a negative duration":    {`"durationMs": 8123`, `"durationMs": -1`},
		"a duration in words":    {`"durationMs": 8123`, `"durationMs": "8 s"`},
		"a duration for ever":    {`"durationMs": 8123`, `"durationMs": 1e300`},
		"a section's time":       {`"authServers": {"ok": true, `, `"authServers": {"ok": true, "tookMs": "fast", `},
		"a section's time, null": {`"authServers": {"ok": true, `, `"authServers": {"ok": true, "tookMs": null, `},
		"a section's rest":       {`"authServers": {"ok": true, `, `"authServers": {"ok": true, "leftOut": [1e300], `},
		"a section's since":      {`"authServers": {"ok": true, `, `"authServers": {"ok": true, "since": 7, `},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Decode([]byte(replaced(t, c.old, c.new)))
			require.NoError(t, err)
			assert.Empty(t, r.Unreadable())
			assert.GreaterOrEqual(t, r.Took, time.Duration(0))
			assert.LessOrEqual(t, r.Took, 24*time.Hour)
			assert.Zero(t, r.Sections[SectionAuthServers].LeftOut)
		})
	}
}

func TestManyOddValuesAreBounded(t *testing.T) {
	dir := t.TempDir()
	row := `{"name":"x","type":"AzureAD","enabled":true,"isDefaultAuthorizationEndpoint":false,"certificateStrings":["AQI="],"whenChanged":"x"}`
	text := `{"schema":1,"host":"EX01","intervalSeconds":900,"generatedAt":"2026-11-22T09:15:00Z","sections":{"authServers":{"ok":true,"data":[` +
		strings.Repeat(row+",", 999) + row + `]}}}`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ex01.json"), []byte(text), 0o600))
	got, err := new(Reader).Read(checktest.Env(time.Now), dir)
	require.NoError(t, err)
	assert.Len(t, got[0].UnreadValues(), maxUnread)
}
