package collector

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/report"
)

// sectionsOf lists the sections that need a cmdlet. TestEveryCmdletIsTried holds it
// against the script's own list.
var sectionsOf = map[string][]string{
	"Get-AuthServer":                     {"authServers"},
	"Get-Mailbox":                        {"arbitration", "databaseCopies"},
	"Get-MailboxDatabaseCopyStatus":      {"databaseCopies"},
	"Get-OrganizationConfig":             {"organizationConfig"},
	"Get-ActiveSyncOrganizationSettings": {"activeSyncSettings"},
	"Get-ActiveSyncDeviceAccessRule":     {"deviceAccessRules"},
	"Get-ActiveSyncVirtualDirectory":     {"virtualDirectories"},
	"Get-MapiVirtualDirectory":           {"virtualDirectories"},
	"Get-WebServicesVirtualDirectory":    {"virtualDirectories"},
	"Get-OabVirtualDirectory":            {"virtualDirectories"},
	"Get-AutodiscoverVirtualDirectory":   {"virtualDirectories"},
	"Get-ExchangeServer":                 {"exchangeServers"},
	"Get-TransportConfig":                {"transportConfig"},
	"Get-AuthConfig":                     {"authConfig", "exchangeCertificates"},
	"Get-ExchangeCertificate":            {"exchangeCertificates"},
	"Get-HybridConfiguration":            {"hybridConfiguration"},
	"Get-IntraOrganizationConnector":     {"intraOrganizationConnectors"},
	"Get-OrganizationRelationship":       {"organizationRelationships"},
	"Get-MigrationEndpoint":              {"migrationEndpoints"},
	"Get-SettingOverride":                {"settingOverrides"},
	"Get-MobileDeviceStatistics":         {"partnerships"},
}

// local are the sections for which Exchange is not asked.
var local = []string{"authAdminEvents", "autodetectVisits", "frontEndRequests", "iis", "localServer", "oauthEvents", "webConfig"}

// ofExchange returns the sections for which Exchange is asked, sorted.
func ofExchange() []string {
	var all []string
	for _, s := range sectionsOf {
		all = append(all, s...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// patience stands for the seconds of outcome.patience.
const patience = "{seconds}"

const twoMailboxes = "a@contoso.com,b@contoso.com"

// text returns the script.
func text(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(script)
	require.NoError(t, err)
	return string(data)
}

// cmdlets returns the script's own list of Exchange's cmdlets.
func cmdlets(t testing.TB) []string {
	t.Helper()
	list := regexp.MustCompile(`(?s)\$exchangeCommands = @\((.*?)\)`).FindStringSubmatch(text(t))
	require.NotNil(t, list)
	var all []string
	for _, m := range regexp.MustCompile(`'([^']+)'`).FindAllStringSubmatch(list[1], -1) {
		all = append(all, m[1])
	}
	return all
}

func TestEveryCmdletIsTried(t *testing.T) {
	assert.ElementsMatch(t, cmdlets(t), slices.Collect(maps.Keys(sectionsOf)))
	all := append(ofExchange(), local...)
	assert.ElementsMatch(t, sectionNames(), all)
}

// scenario is one run and what its report is to look like. Sections that are not
// named are ok, and decode.
type scenario struct {
	words     string // of the test bed
	mailboxes string
	env       []string
	args      []string
	failed    map[string]string // sections that are not ok, by what their error says
	absent    []string          // sections that are left out
	says      map[string]string // what hmad says of it, by check, where it is not what it says of a healthy server
	also      func(*testing.T, outcome)
}

// fails returns the same expectation for several sections.
func fails(why string, sections ...string) map[string]string {
	all := map[string]string{}
	for _, s := range sections {
		all[s] = why
	}
	return all
}

// withoutExchange is what hmad says where all sections of Exchange failed.
var withoutExchange = map[string]string{"evosts_metadata": "?report", "metadata_refresh": "?report", "configuration": "?report", "onprem_report": "report_section_failed"}

var scenarios = map[string]scenario{
	"a healthy server": {mailboxes: twoMailboxes, also: func(t *testing.T, o outcome) {
		assert.Len(t, o.sections(t)["partnerships"].Data, 2)
		assert.Len(t, o.sections(t)["exchangeCertificates"].Data, 1, "Exchange's own certificate alone")
		assert.NotContains(t, string(o.data), "jane", "who a token was refused for stays on the server")
	}},
	"no session": {words: "no-session", mailboxes: twoMailboxes,
		failed: fails("No Exchange session with ex01.contoso.com: Connecting to remote server", ofExchange()...), says: withoutExchange},
	"the opening of the session hangs": {words: "hang:New-PSSession", args: []string{"-CommandSeconds", "1"},
		failed: fails("No Exchange session with ex01.contoso.com: New-PSSession was not answered within 25 s",
			slices.DeleteFunc(ofExchange(), func(s string) bool { return s == "partnerships" })...), says: withoutExchange},
	"no events, and no arbitration mailbox": {words: "no-events,no-arbitration-mailbox", says: map[string]string{"metadata_refresh": "arbitration_mailbox_missing"}, also: func(t *testing.T, o outcome) {
		for _, name := range []string{"arbitration", "databaseCopies", "authAdminEvents", "oauthEvents"} {
			assert.Empty(t, o.sections(t)[name].Data, name)
		}
	}},
	"enumerations arrive as numbers with a text": {words: "numbers", mailboxes: twoMailboxes, also: func(t *testing.T, o outcome) {
		for _, name := range ofExchange() {
			assert.Equal(t, texts(healthy(t).sections(t)[name]), texts(o.sections(t)[name]), name)
		}
	}},
	"the session's process ends, and a question that Stop ends": {words: "lose:Get-TransportConfig,slow:Get-AuthConfig",
		args: []string{"-CommandSeconds", patience},
		failed: map[string]string{"transportConfig": "", "authConfig": "Get-AuthConfig was not answered within " + patience + " s",
			"exchangeCertificates": "Get-AuthConfig was not answered within " + patience + " s, and is not asked again in this run"}},
	"an error behind the rows": {words: "half:Get-ExchangeServer", failed: fails("Active Directory server dc01.contoso.com", "exchangeServers")},
	"the run's time is over": {words: "hang:Get-AuthServer", args: []string{"-RunSeconds", "45", "-CommandSeconds", "300"},
		failed: fails("", slices.DeleteFunc(ofExchange(), func(s string) bool { return s == "partnerships" })...), says: withoutExchange,
		also: func(t *testing.T, o outcome) {
			assert.Equal(t, "Get-TransportConfig was not asked: the run's time was over", o.sections(t)["transportConfig"].Error)
		}},
	"a machine without Exchange": {env: []string{"ExchangeInstallPath="},
		failed: fails("ExchangeInstallPath is not set", "localServer", "webConfig", "frontEndRequests", "autodetectVisits"),
		says:   map[string]string{"configuration": "basic_outlook_allowed dedicated_app_missing ?metadata", "onprem_report": "report_section_failed", "onprem_sync": "?report"}},
	"a mailbox that Exchange does not know": {mailboxes: "a@contoso.com,gone@contoso.com,odd@contoso.com,b@contoso.com", also: func(t *testing.T, o outcome) {
		s := o.sections(t)["partnerships"]
		assert.Len(t, s.Data, 2, "the others' rows are there")
		assert.Equal(t, []map[string]any{{"mailbox": "gone@contoso.com", "error": "ManagementObjectNotFoundException 4B953CE"},
			{"mailbox": "odd@contoso.com", "error": "OperationStopped"}}, s.Errors)
		assert.NotContains(t, string(o.data), "dc01", "no text of Exchange's errors")
	}},
	"no mailbox that Exchange knows": {mailboxes: "gone1@contoso.com,gone2@contoso.com", also: func(t *testing.T, o outcome) {
		assert.Empty(t, o.sections(t)["partnerships"].Data)
		assert.Len(t, o.sections(t)["partnerships"].Errors, 2)
	}},
	"a mailbox that is never answered": {mailboxes: "a@contoso.com,hang@contoso.com,b@contoso.com", args: []string{"-CommandSeconds", patience}, also: func(t *testing.T, o outcome) {
		s := o.sections(t)["partnerships"]
		assert.Len(t, s.Data, 1)
		require.Len(t, s.Errors, 2)
		assert.Regexp(t, `^Get-MobileDeviceStatistics was not answered within \d+ s$`, s.Errors[0]["error"])
		assert.Regexp(t, `^Get-MobileDeviceStatistics was not answered within \d+ s, and is not asked again in this run$`, s.Errors[1]["error"])
	}},
	"more mailboxes than are asked": {mailboxes: manyMailboxes(205), also: func(t *testing.T, o outcome) {
		assert.Equal(t, 5, o.sections(t)["partnerships"].LeftOut)
		assert.Len(t, o.sections(t)["partnerships"].Data, 200)
	}},
}

func manyMailboxes(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("m%d@contoso.com", i))
	}
	return strings.Join(all, ",")
}

// texts returns a section's rows without its times, which differ from run to run.
func texts(s section) []string {
	var all []string
	for _, row := range s.Data {
		for _, key := range slices.Sorted(maps.Keys(row)) {
			if !strings.HasSuffix(key, "Time") && !strings.HasSuffix(key, "Sync") {
				all = append(all, fmt.Sprintf("%s=%v", key, row[key]))
			}
		}
	}
	return all
}

func TestScenarios(t *testing.T) {
	for name, c := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

// TestEachCmdletCostsItself has every cmdlet of the script's list missing, failing
// and hanging once. A run holds several: four sessions may be lost and a fifth used.
func TestEachCmdletCostsItself(t *testing.T) {
	all := cmdlets(t)
	words := []string{"hang", "fail", "without"}
	const atOnce = 4
	for first := 0; first < len(all); first += atOnce {
		t.Run(fmt.Sprintf("from %s on", all[first]), func(t *testing.T) {
			t.Parallel()
			c := scenario{mailboxes: twoMailboxes, args: []string{"-CommandSeconds", patience}, failed: map[string]string{}}
			var broken []string
			for i, word := range words {
				for j := range atOnce {
					at := first + i*atOnce + j
					if i == 0 && at >= len(all) || slices.Contains(broken, all[at%len(all)]) {
						continue
					}
					c.breaks(word, all[at%len(all)])
					broken = append(broken, all[at%len(all)])
				}
			}
			c.run(t)
		})
	}
}

// breaks adds a broken cmdlet to a scenario.
func (c *scenario) breaks(word, cmdlet string) {
	c.words += "," + word + ":" + cmdlet
	why := map[string]string{"hang": cmdlet + " was not answered within " + patience + " s", "fail": "Active Directory server",
		"without": cmdlet + " is not offered to this account: a role is missing, or this version lacks it"}[word]
	for _, s := range sectionsOf[cmdlet] {
		optional := s == "migrationEndpoints" || s == "settingOverrides"
		switch _, twice := c.failed[s]; {
		case word == "without" && optional:
			c.absent = append(c.absent, s)
		case twice: // the section says what it met first
			c.failed[s] = ""
		case s == "partnerships" && word == "fail":
			c.failed[s] = "ADTransientException 63F2A1E0"
		default:
			c.failed[s] = why
		}
	}
}

// run runs the collector once and holds its report against the scenario.
func (c scenario) run(t *testing.T) {
	t.Helper()
	if c.mailboxes != "" {
		c.args = append(c.args, "-Mailboxes", c.mailboxes)
	}
	args := slices.Clone(c.args)
	if i := slices.Index(args, patience); i >= 0 {
		args[i] = healthy(t).patience()
	}
	for name, why := range c.failed {
		c.failed[name] = strings.ReplaceAll(why, patience, healthy(t).patience())
	}
	o := newBed(t).run(t, c.words, c.env, args...)
	assert.Zero(t, o.status, o.complaints)
	assert.Empty(t, o.left, "a session outlives its client")
	c.judge(t, o)
	if c.also != nil {
		c.also(t, o)
	}
}

// judge compares the report's sections.
func (c scenario) judge(t *testing.T, o outcome) {
	t.Helper()
	r, err := report.Decode(o.data)
	require.NoError(t, err, "%s%s", o.printed, o.complaints)
	unreadable, log := r.Unreadable(), o.log(t)
	for _, name := range sectionNames() {
		s, has := o.sections(t)[name]
		if slices.Contains(c.absent, name) || name == "partnerships" && c.mailboxes == "" {
			assert.False(t, has, "section %s is left out", name)
			continue
		}
		require.True(t, has, "section %s", name)
		require.NotNil(t, s.TookMs, "section %s", name)
		why, bad := c.failed[name]
		assert.Equal(t, !bad, s.OK, "section %s: %s", name, s.Error)
		assert.Contains(t, s.Error, why, "section %s", name)
		assert.Equal(t, bad, unreadable[name] != nil, "section %s: %v", name, unreadable[name])
		state := map[bool]string{true: "failed", false: "ok"}[bad]
		line := regexp.MustCompile(`(?m)^\S+Z  ` + name + ` +` + state + ` +\d+ rows +\d+ ms\b`)
		assert.True(t, line.MatchString(log), "the log file's line of section %s", name)
	}
	assert.Contains(t, log, "Z  delivered: ")
	c.judgeVerdicts(t, said(t, o.data))
}

// ofHealthy is what hmad says of the test bed's organisation where nothing is broken:
// nobody has followed the guide to its end there.
var ofHealthy = map[string]string{"configuration": "basic_outlook_allowed dedicated_app_missing request_length_too_small ?metadata"}

// judgeVerdicts compares what hmad says. Where a scenario does not say it to the
// word, what is missing at least leads to no finding but that it is missing.
func (c scenario) judgeVerdicts(t *testing.T, got map[string]string) {
	t.Helper()
	if len(c.failed) == 0 || c.says != nil {
		want := maps.Clone(ofHealthy)
		maps.Copy(want, c.says)
		maps.DeleteFunc(want, func(_, line string) bool { return line == "" })
		assert.Equal(t, want, got)
		return
	}
	for name, line := range got {
		for word := range strings.FieldsSeq(line) {
			usual := word == "report_section_failed" || strings.HasPrefix(word, "?") || slices.Contains(strings.Fields(ofHealthy[name]), word)
			assert.True(t, usual, "%s says %s of what is missing", name, word)
		}
	}
	assert.Equal(t, "report_section_failed", got["onprem_report"])
}

// sectionNames returns the sections that hmad reads.
func sectionNames() []string { return report.SectionNames() }
