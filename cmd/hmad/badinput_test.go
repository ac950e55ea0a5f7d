package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sixLines = `targets:
  - name: contoso
    mailbox: hmad-probe@contoso.com
    tenant: 5de110f8-2e0f-4d45-891d-bcf2218e253d
    autodiscover: {host: autodiscover.contoso.com}
    activesync: {url: https://mail.contoso.com/Microsoft-Server-ActiveSync}
`

// Each config is refused by check, config check and run with the same one line,
// and nothing is started.
func TestBadConfigs(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"an unknown key":               {sixLines + "    activsync: {}\n", `:7: targets[0]: unknown key "activsync"; did you mean activesync?`},
		"an unknown check":             {sixLines + "    checks: {activsync: {}}\n", `:7: targets[0].checks.activsync: unknown check "activsync", want one of `},
		"an unknown reason":            {sixLines + "    checks:\n      activesync:\n        accept: [{reason: beerer_missing, until: 2027-03-31}]\n", `:9: targets[0].checks.activesync.accept[0].reason: unknown reason "beerer_missing" of activesync`},
		"an impossible date":           {sixLines + "    checks: {activesync: {schedule: '0 0 31 2 *'}}\n", `:7: targets[0].checks.activesync.schedule: `},
		"a schedule of words":          {sixLines + "    checks: {activesync: {schedule: 'every day'}}\n", `:7: targets[0].checks.activesync.schedule: `},
		"a timeout as long as the gap": {sixLines + "    checks: {activesync: {schedule: '@every 20s', timeout: 20s}}\n", `:7: targets[0].checks.activesync.timeout: got 20s, want less than 20s, the smallest gap of schedule "@every 20s"`},
		"a missing CA file":            {sixLines + "    ca_file: /nonexistent/ca.pem\n", `:7: targets[0].ca_file: `},
		"a CA file of no use":          {sixLines + "    ca_file: " + write(t, dir, "junk.pem", "junk") + "\n", `:7: targets[0].ca_file: `},
		"a URL without https":          {strings.Replace(sixLines, "https:", "http:", 1), `:6: targets[0].activesync.url: got "http://`},
		"a secret for its file's name": {sixLines + "    ca_file: hunter2\n",
			`:7: targets[0].ca_file: (a name that is withheld, because it may be the secret itself): no such file`},
		"a schedule without quotes": {sixLines + "    checks: {activesync: {schedule: */5 * * * *}}\n", `:7: got a schedule without quotes: put the schedule in quotes`},
		"two targets of a name":     {sixLines + strings.TrimPrefix(sixLines, "targets:\n"), `:7: targets[1].name: got "contoso", want another name: the target in line 2 has this one`},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, t.TempDir(), "hmad.yaml", c.text)
			refusedBy(t, file, "hmad: "+file+c.want)
		})
	}
	t.Run("all at once", func(t *testing.T) {
		file := write(t, t.TempDir(), "hmad.yaml", strings.Replace(sixLines, "hmad-probe@contoso.com", "nonsense", 1)+
			"    checks: {vantage: {schedule: 0 0 31 2 *}, activsync: {}}\n"+strings.Replace(sixLines, "targets:\n  - name: contoso", "  - name: fabrikam", 1)+"    ca_file: /nonexistent\n")
		p := start(t, "config", "check", file)
		<-p.exited
		var lines []string
		for _, line := range strings.Split(strings.TrimSpace(p.stderr.String()), "\n") {
			lines = append(lines, strings.SplitN(line, ": ", 4)[2])
		}
		assert.Equal(t, []string{"targets[0].mailbox", "targets[0].checks.vantage.schedule", "targets[0].checks.activsync", "targets[1].ca_file"}, lines, p.stderr)
	})
	t.Run("a directory", func(t *testing.T) { refusedBy(t, dir, "hmad: "+dir+": got a directory, want a file") })
	t.Run("no file", func(t *testing.T) { refusedBy(t, dir+"/none", "hmad: "+dir+"/none: no such file or directory") })
}

func refusedBy(t *testing.T, file, want string) {
	t.Helper()
	state := filepath.Join(t.TempDir(), "state")
	for _, c := range []struct {
		code int
		args []string
	}{
		{exitUndecided, []string{"check", "--config.file=" + file}},
		{exitUndecided, []string{"config", "check", file}},
		{exitError, []string{"run", "--config.file=" + file, "--storage.path=" + state, "--web.listen-address=127.0.0.1:0"}},
	} {
		p := start(t, c.args...)
		<-p.exited
		lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
		assert.Len(t, lines, 1, p.stderr)
		assert.True(t, strings.HasPrefix(lines[0], want), "%s\ngot  %s\nwant %s", c.args[0], lines[0], want)
		assert.Equal(t, c.code, p.code, c.args)
		assert.Empty(t, p.stdout.String())
	}
}

func TestListenersThatCannotBe(t *testing.T) {
	config := write(t, t.TempDir(), "hmad.yaml", sixLines)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	one, other := t.TempDir(), t.TempDir()
	writeCertificate(t, one)
	writeCertificate(t, other)
	key, err := os.ReadFile(filepath.Join(other, "key.pem"))
	require.NoError(t, err)
	write(t, one, "key.pem", string(key))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"an address in use":                {[]string{"--web.listen-address=" + taken.Addr().String()}, "hmad: --web.listen-address: listen tcp " + taken.Addr().String() + ": bind: address already in use"},
		"a health address in use":          {[]string{"--web.listen-address=127.0.0.1:0", "--web.health-listen-address=" + taken.Addr().String()}, "hmad: --web.health-listen-address: listen tcp " + taken.Addr().String() + ": bind: address already in use"},
		"a key for another certificate":    {[]string{"--web.listen-address=127.0.0.1:0", "--web.config.file=" + write(t, one, "web.yml", "tls_server_config: {cert_file: cert.pem, key_file: key.pem}")}, "private key does not match public key"},
		"no web config":                    {[]string{"--web.listen-address=127.0.0.1:0", "--web.config.file=/nonexistent.yml"}, "hmad: /nonexistent.yml: no such file or directory"},
		"an unknown key in the web config": {[]string{"--web.listen-address=127.0.0.1:0", "--web.config.file=" + write(t, one, "bad.yml", "tls: {}")}, "field tls not found"},
		"an external URL with a password": {[]string{"--web.external-url=https://jo:secret@hmad.contoso.com"},
			"hmad: --web.external-url: got a value that is withheld"},
		"no connections at all": {[]string{"--web.max-connections=0"}, "hmad: --web.max-connections: got 0, want at least 1"},
		"an unknown flag":       {[]string{"--web.listen=1"}, "hmad: unknown long flag '--web.listen'; see hmad --help"},
	} {
		t.Run(name, func(t *testing.T) {
			state := filepath.Join(t.TempDir(), "state")
			p := start(t, append([]string{"run", "--config.file=" + config, "--storage.path=" + state}, c.args...)...)
			<-p.exited
			assert.Equal(t, exitError, p.code)
			assert.Contains(t, p.stderr.String(), c.want)
			assert.Len(t, strings.Split(strings.TrimSpace(p.stderr.String()), "\n"), 1, p.stderr)
			assert.NoDirExists(t, state)
		})
	}
}

func TestExitCodesOfUnusableArguments(t *testing.T) {
	config := write(t, t.TempDir(), "hmad.yaml", sixLines)
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"an unknown command":    {[]string{"watch"}, exitError, `hmad: expected command but got "watch"; see hmad --help`},
		"an unknown check":      {[]string{"check", "activsync", "--config.file=" + config}, exitUndecided, `hmad: got check "activsync", want one of `},
		"an unknown target":     {[]string{"check", "--target=fabrikam", "--config.file=" + config}, exitUndecided, fmt.Sprintf(`hmad: --target: got "fabrikam", which %s does not have`, config)},
		"an unknown output":     {[]string{"check", "--output=xml"}, exitUndecided, "hmad: enum value must be one of text,json, got 'xml'; see hmad --help"},
		"an unknown reason":     {[]string{"explain", "nonsense"}, exitUndecided, "hmad: got reason \"nonsense\", want one that `hmad explain` lists, an alert or a class of error\n"},
		"a mistyped reason":     {[]string{"explain", "activesync.bearer_mising"}, exitUndecided, "an alert or a class of error; did you mean activesync.bearer_missing?\n"},
		"a mistyped alert":      {[]string{"explain", "HmadDawn"}, exitUndecided, "an alert or a class of error; did you mean HmadDown?\n"},
		"an unknown fault":      {[]string{"demo", "--break=nonsense", "--lab.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0"}, exitError, "hmad: --break: "},
		"a lab for the network": {[]string{"lab", "--lab.listen-address=0.0.0.0:0"}, exitError, "loopback"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, c.args...)
			<-p.exited
			assert.Equal(t, c.code, p.code)
			assert.Contains(t, p.stderr.String(), c.want)
			assert.Len(t, strings.Split(strings.TrimSpace(p.stderr.String()), "\n"), 1, p.stderr)
		})
	}
}
