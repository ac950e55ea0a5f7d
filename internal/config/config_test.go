package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/config"
)

const six = `targets:
  - name: contoso
    mailbox: hmad-probe@contoso.com
    tenant: 5de110f8-2e0f-4d45-891d-bcf2218e253d
    autodiscover: {host: autodiscover.contoso.com}
    activesync: {url: https://mail.contoso.com/Microsoft-Server-ActiveSync}
`

func TestSixLinesAreEnough(t *testing.T) {
	f, err := config.Parse("hmad.yaml", []byte(six))
	require.NoError(t, err)
	require.Len(t, f.Targets, 1)
	got := f.Targets[0]
	assert.Equal(t, 5*time.Second, f.ConfirmAfter)
	assert.Equal(t, config.Internal, got.Vantage)
	assert.Equal(t, config.FirstAddress, got.Addresses)
	assert.Equal(t, "https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration", got.Entra.OpenIDConfiguration.String())
}

// Each case changes the six lines, or adds to them, and names the whole error.
func TestFaultsOfAConfig(t *testing.T) {
	swap := func(old, new string) string { return strings.Replace(six, old, new, 1) }
	for name, c := range map[string]struct{ text, want string }{
		"an empty file":                 {"", `hmad.yaml: targets: got none, want at least one target`},
		"not YAML":                      {"targets: [", `hmad.yaml:1: did not find expected node content`},
		"two documents":                 {six + "---\na: 1\n", `hmad.yaml: got more than one YAML document, want one`},
		"unknown key":                   {six + "    activsync: {}\n", `hmad.yaml:7: targets[0]: unknown key "activsync"; did you mean activesync?`},
		"unknown key below":             {swap("{host: a", "{hots: x, host: a"), `hmad.yaml:5: targets[0].autodiscover: unknown key "hots"; did you mean host?`},
		"a key twice":                   {six + "    name: again\n", `hmad.yaml:7: targets[0].name: mapping key "name" already defined at line 2`},
		"a list for a text":             {swap("name: contoso", "name: [a]"), `hmad.yaml:2: targets[0].name: got a list, want a text`},
		"a word for a duration":         {"confirm_after: soon\n" + six, `hmad.yaml:1: confirm_after: got "soon", want a duration such as "20s"`},
		"a text for targets":            {"targets: none\n", `hmad.yaml:1: targets: got "none", want a list`},
		"an IPv6 host without brackets": {swap("host: autodiscover.contoso.com", `host: "::1"`), `hmad.yaml:5: targets[0].autodiscover.host: got "::1", want a host name, such as autodiscover.contoso.com`},
		"brackets around a name":        {swap("host: autodiscover.contoso.com", `host: "[contoso.com]"`), `hmad.yaml:5: targets[0].autodiscover.host: got "[contoso.com]", want a host name, such as autodiscover.contoso.com`},
		"a member with port 0":          {swap("{url:", `{members: ["[::1]:0"], url:`), `hmad.yaml:6: targets[0].activesync.members[0]: got "[::1]:0", want an address with port, such as 10.0.0.11:443`},
		"a deadline of nothing":         {six + "    checks: {activesync: {timeout: 0s}}\n", `hmad.yaml:7: targets[0].checks.activesync.timeout: got 0s, want a duration over 0`},
		"a schedule of words":           {six + "    checks: {activesync: {schedule: every day}}\n", `hmad.yaml:7: targets[0].checks.activesync.schedule: got "every day", want a cron expression in UTC: expected exactly 5 fields, found 2: [every day]`},
		"a date that never comes":       {six + "    checks: {activesync: {schedule: 0 0 31 2 *}}\n", `hmad.yaml:7: targets[0].checks.activesync.schedule: got "0 0 31 2 *", want a cron expression in UTC: it never fires: no such date`},
		"negative pause":                {"confirm_after: -1s\n" + six, `hmad.yaml:1: confirm_after: got -1s, want a duration of at least 0`},
		"no name":                       {swap("name: contoso", "name: ''"), `hmad.yaml:2: targets[0].name: got "", want a name of letters, digits, '.', '-' and '_'`},
		"two of one name":               {six + strings.TrimPrefix(six, "targets:\n"), `hmad.yaml:7: targets[1].name: got "contoso", want another name: the target in line 2 has this one`},
		"no mailbox":                    {swap("    mailbox: hmad-probe@contoso.com\n", ""), `hmad.yaml:2: targets[0].mailbox: got "", want the address of a mailbox on premises, such as hmad-probe@contoso.com`},
		"a tenant by name":              {swap("5de110f8-2e0f-4d45-891d-bcf2218e253d", "contoso.onmicrosoft.com"), `hmad.yaml:4: targets[0].tenant: got "contoso.onmicrosoft.com", want the tenant's id, a GUID`},
		"a URL for a host":              {swap("host: auto", "host: https://auto"), `hmad.yaml:5: targets[0].autodiscover.host: got "https://autodiscover.contoso.com", want a host name, such as autodiscover.contoso.com`},
		"a URL without https":           {swap("https://mail", "http://mail"), `hmad.yaml:6: targets[0].activesync.url: got "http://mail.contoso.com", want an https URL without query`},
		"credentials in a URL":          {swap("https://mail", "https://me:hunter2@mail"), `hmad.yaml:6: targets[0].activesync.url: got a URL with credentials, want one without`},
		"a member without port":         {swap("{url:", "{members: [10.0.0.1], url:"), `hmad.yaml:6: targets[0].activesync.members[0]: got "10.0.0.1", want an address with port, such as 10.0.0.11:443`},
		"unknown vantage":               {six + "    vantage: outside\n", `hmad.yaml:7: targets[0].vantage: got "outside", want internal or external`},
		"unknown addresses":             {six + "    addresses: some\n", `hmad.yaml:7: targets[0].addresses: got "some", want first or all`},
		"a resolver by address":         {six + "    resolver: 10.0.0.53\n", `hmad.yaml:7: targets[0].resolver: got "10.0.0.53", want a DNS server with port, such as 10.0.0.53:53`},
		"connect_to without port":       {six + "    connect_to: {\"mail.contoso.com\": \"192.0.2.10:443\"}\n", `hmad.yaml:7: targets[0].connect_to.mail.contoso.com: got "mail.contoso.com", want a key "host:port"`},
		"a SOCKS proxy":                 {six + "    proxy: socks5://proxy:1080\n", `hmad.yaml:7: targets[0].proxy: got "socks5://proxy:1080", want http://host:port`},
		"a secret in the proxy":         {six + "    proxy: http://me:hunter2@proxy:3128\n", `hmad.yaml:7: targets[0].proxy: got a URL with credentials, want http://host:port, and its name and password in the file that proxy_credentials_file names`},
		"a proxy's name alone":          {six + "    proxy_credentials_file: /etc/hmad/proxy\n", `hmad.yaml:2: targets[0].proxy: got "", want http://host:port with proxy_credentials_file`},
		"proxy and all addresses":       {six + "    addresses: all\n    proxy: http://proxy:3128\n", `hmad.yaml:8: targets[0].proxy: a proxy chooses the address itself: with it, want no connect_to, no activesync.members, and addresses: first`},
		"a waiver without end":          {six + "    checks: {activesync: {accept: [{reason: certificate_expiring}]}}\n", `hmad.yaml:7: targets[0].checks.activesync.accept[0].until: got nothing, want the last day of the waiver, such as 2027-03-31`},
		"a waiver until never":          {six + "    checks:\n      activesync:\n        accept: [{reason: x, until: never}]\n", `hmad.yaml:9: targets[0].checks.activesync.accept[0].until: got "never", want a date such as 2027-03-31`},
		"all at once": {swap("https://mail", "http://mail") + "    vantage: outside\n    oops: 1\n",
			`hmad.yaml:6: targets[0].activesync.url: got "http://mail.contoso.com", want an https URL without query
hmad.yaml:7: targets[0].vantage: got "outside", want internal or external
hmad.yaml:8: targets[0]: unknown key "oops"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("hmad.yaml", []byte(c.text))
			require.EqualError(t, err, c.want)
		})
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	require.NoError(t, os.WriteFile(big, make([]byte, 5<<20), 0o600))
	for name, c := range map[string]struct{ path, want string }{
		"a directory":      {dir, dir + ": got a directory, want a file"},
		"nothing there":    {dir + "/none.yaml", dir + "/none.yaml: no such file or directory; name the config with --config.file, or begin one: hmad config example > hmad.yaml"},
		"a file too large": {big, big + ": got over 4194304 bytes, want at most that"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(c.path)
			require.EqualError(t, err, c.want)
		})
	}
}

func TestWaiverEndsAfterItsLastDay(t *testing.T) {
	w := config.Waiver{Reason: "certificate_expiring", Until: config.Date{Time: time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)}}
	assert.True(t, w.Covers("certificate_expiring", time.Date(2027, 3, 31, 23, 59, 59, 0, time.UTC)))
	assert.False(t, w.Covers("certificate_expiring", time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)))
	assert.False(t, w.Covers("timeout", time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)))
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(six))
	f.Add([]byte("targets: [{name: a, connect_to: {\"a:1\": \"b:2\"}}]"))
	f.Add([]byte("a: &a [*a]"))
	for _, text := range oddly {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := config.Parse("hmad.yaml", data)
		require.True(t, file != nil || err != nil)
		if err != nil {
			for _, line := range strings.Split(err.Error(), "\n") {
				require.True(t, strings.HasPrefix(line, "hmad.yaml:"), line)
				require.NotContains(t, line, "S3~cret")
			}
		}
	})
}

// What is shown is what was read, defaults included, and reads the same again.
func TestShowReadsTheSameAgain(t *testing.T) {
	text := six + "    checks: {activesync: {schedule: '*/2 * * * *', timeout: 20s, enabled: true, accept: [{reason: timeout, until: 2027-03-31, note: patch}]}}\n"
	f, err := config.Parse("hmad.yaml", []byte(text))
	require.NoError(t, err)
	shown, err := f.Show()
	require.NoError(t, err)
	again, err := config.Parse("shown", shown)
	require.NoError(t, err, string(shown))
	assert.Equal(t, f.Targets, again.Targets)
	assert.Contains(t, string(shown), `until: "2027-03-31"`)
}
