package report

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheShippedCollectorIsTheOneThatIsKnown(t *testing.T) {
	data, err := os.ReadFile("../../deploy/exchange/Get-HmadReport.ps1")
	require.NoError(t, err)
	m := regexp.MustCompile(`(?m)^\$version = '(.+)'$`).FindSubmatch(data)
	require.NotNil(t, m)
	assert.Equal(t, CollectorVersion, string(m[1]))
}

func TestVersionsAreComparedByNumbers(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"1.1.0", "1.2.0", true}, {"1.2.0", "1.2.0", false}, {"1.10.0", "1.2.0", false}, {"", "1.2.0", true}, {"1.2", "1.2.0", true}, {"2.0.0", "1.2.0", false}} {
		assert.Equal(t, c.want, Older(c.a, c.b), "%s before %s", c.a, c.b)
	}
}

func TestCollectorAdvice(t *testing.T) {
	for name, c := range map[string]struct {
		r    Report
		want string
	}{
		"nothing":        {Report{Collector: CollectorVersion, Sections: map[string]Section{"iis": {Took: 30 * time.Second}}}, ""},
		"an older one":   {Report{Host: "EX01", Collector: "1.1.0"}, "EX01: its collector is 1.1.0, this hmad ships " + CollectorVersion + ": copy the script again"},
		"a slow section": {Report{Host: "EX01", Collector: CollectorVersion, Sections: map[string]Section{"iis": {Took: 31 * time.Second}, "webConfig": {Took: 40 * time.Second}}}, "EX01: its slowest section is webConfig, 40s: try its cmdlet by hand"},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, c.r.CollectorAdvice()) })
	}
}

func TestErrorsOfMailboxes(t *testing.T) {
	with := func(collector, section string) Report {
		s := replaced(t, `"collector": "1.1.0"`, `"collector": "`+collector+`"`)
		i := strings.Index(s, `"partnerships": {`)
		require.Positive(t, i)
		r, err := Decode([]byte(s[:i] + `"partnerships": ` + section + `, "partnershipsOfTheSample": {` + s[i+len(`"partnerships": {`):]))
		require.NoError(t, err)
		return r
	}
	const gone = `"errors": {"mailbox": "Gone@contoso.com", "error": "ManagementObjectNotFoundException 4B953CE"}, "leftOut": 5, "tookMs": 1500`
	r := with("1.2.0", `{"ok": true, "error": null, "data": [], `+gone+`}`)
	errs, leftOut := r.PartnershipErrors()
	assert.Equal(t, map[string]string{"gone@contoso.com": "ManagementObjectNotFoundException 4B953CE"}, errs)
	assert.True(t, IsUnknownMailbox(errs["gone@contoso.com"]))
	assert.Equal(t, 5, leftOut)
	assert.Equal(t, 1500*time.Millisecond, r.Sections["partnerships"].Took)

	r = with("1.2.0", `{"ok": false, "error": "Get-MobileDeviceStatistics was not answered within 60 s", "data": null}`)
	assert.Contains(t, r.Sections["partnerships"].Error, "was not answered", "it names no mailbox")
	r = with("1.1.0", `{"ok": false, "error": "the mailbox Jane cannot be opened", "data": null}`)
	assert.Equal(t, withheld, r.Sections["partnerships"].Error, "an older collector's text may name one")
}

func TestANumberIsNoName(t *testing.T) {
	for section, c := range map[string]struct {
		old, new string
		read     func(Report) error
	}{
		"databaseCopies":     {`"status": "Mounted"`, `"status": "2"`, func(r Report) error { _, err := r.DatabaseCopies(); return err }},
		"authServers":        {`"type": "AzureAD"`, `"type": 4`, func(r Report) error { _, err := r.AuthServers(); return err }},
		"activeSyncSettings": {`"defaultAccessLevel": "Block"`, `"defaultAccessLevel": "1"`, func(r Report) error { _, err := r.ActiveSyncSettings(); return err }},
		"virtualDirectories": {`"internalAuthenticationMethods": [`, `"internalAuthenticationMethods": "2", "is": [`, func(r Report) error { _, err := r.VirtualDirectories(); return err }},
	} {
		t.Run(section, func(t *testing.T) {
			r, err := Decode([]byte(replaced(t, c.old, c.new)))
			require.NoError(t, err)
			assert.ErrorContains(t, c.read(r), "got a number, want a name")
			assert.Contains(t, r.Unreadable(), section)
		})
	}
}
