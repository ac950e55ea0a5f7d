package main

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/hmad/hmad/internal/lab"
	hmadsync "github.com/hmad/hmad/internal/sync"
)

const probeMailboxOfLab = "hmad-probe@contoso.test"

// labelledConfig writes the lab's config with a mode of labels.
func labelledConfig(t *testing.T, l *lab.Lab, mode string) string {
	t.Helper()
	before, after, found := strings.Cut(string(lab.Config(l)), "    sync:\n")
	require.True(t, found)
	return write(t, t.TempDir(), "hmad.yaml", before+"    sync:\n      mailbox_label: "+mode+"\n"+after)
}

// mailboxOf runs hmad mailbox against the daemon and gives what it prints.
func (e *estate) mailboxOf(t *testing.T, query string, flags ...string) (stdout, stderr string, code int) {
	t.Helper()
	p := start(t, append([]string{"mailbox", query, "--web.url=" + e.page}, flags...)...)
	<-p.exited
	return p.stdout.String(), p.stderr.String(), p.code
}

func TestMailboxCommand(t *testing.T) {
	l := startOnlineLab(t)
	for mode, name := range map[string]string{"address": probeMailboxOfLab, "hash": "[0-9a-f]{24}", "none": "the mailbox"} {
		t.Run(mode, func(t *testing.T) {
			e := startRun(t, labelledConfig(t, l, mode))
			require.Equal(t, "passed", e.runNow(t, hmadsync.MailboxSync.Name).Outcome)
			stdout, stderr, code := e.mailboxOf(t, "HMAD-probe@contoso.test")
			require.Equal(t, exitOK, code, stderr)
			assert.Regexp(t, `^`+name+` of contoso: fresh
  last success  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(.* ago\)
  last attempt  .* ago\)
  asked         .* ago\)
  next asked    .*\)
  watched       also in every run of the check
  devices       1
  stale after   24h0m0s
$`, stdout)
			stdout, stderr, code = e.mailboxOf(t, "nobody@contoso.test")
			assert.Equal(t, exitUndecided, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, "404 Not Found: no target watches this mailbox")
			assert.NotContains(t, stderr, "nobody")
			if mode == "hash" {
				hash := hashOfProbe(t, e)
				stdout, _, code = e.mailboxOf(t, hash)
				assert.Equal(t, exitOK, code)
				assert.Contains(t, stdout, hash+" of contoso: fresh")
			}
		})
	}
}

// The line that the demo prints works as it stands.
func TestTheDemoSaysHowToAskOfAMailbox(t *testing.T) {
	e := startDemo(t)
	line := e.await(t, e.stdout, `One mailbox +hmad (.+)\n`)[1]
	p := start(t, strings.Fields(line)...)
	<-p.exited
	assert.Equal(t, exitOK, p.code, p.stderr.String())
	assert.Regexp(t, `^board@contoso\.test of contoso: `, p.stdout.String())
	assert.Empty(t, oneMailbox(nil, e.page), "a lab without mailboxes")
}

// hashOfProbe returns the hash that stands for the probe mailbox.
func hashOfProbe(t *testing.T, e *estate) string {
	t.Helper()
	stdout, _, _ := e.mailboxOf(t, probeMailboxOfLab)
	hash, _, _ := strings.Cut(stdout, " ")
	return hash
}

// Where labels hide mailboxes, a look-up would tell which is which: the guard of
// the POSTs stands before it.
func TestWhoMayLookUp(t *testing.T) {
	l, dir := startOnlineLab(t), t.TempDir()
	secret, err := bcrypt.GenerateFromPassword([]byte("look-up-secret"), bcrypt.MinCost)
	require.NoError(t, err)
	web := write(t, dir, "web.yml", fmt.Sprintf("basic_auth_users: {sre: %q}\n", secret))
	everywhere := "--web.listen-address=0.0.0.0:0"
	for name, c := range map[string]struct {
		mode, query string
		flags       []string
		header      []string
		want        int
	}{
		"addresses are shown, to everybody":         {"address", probeMailboxOfLab, []string{everywhere}, nil, http.StatusOK},
		"hashes, on loopback":                       {"hash", probeMailboxOfLab, nil, nil, http.StatusOK},
		"hashes, on loopback by a name rebound":     {"hash", probeMailboxOfLab, nil, []string{"Host", "evil.example"}, http.StatusForbidden},
		"hashes, to everybody":                      {"hash", probeMailboxOfLab, []string{everywhere}, nil, http.StatusForbidden},
		"hashes, to everybody, one that nobody has": {"hash", "nobody@contoso.test", []string{everywhere}, nil, http.StatusForbidden},
		"hashes, to whoever has the password":       {"hash", probeMailboxOfLab, []string{everywhere, "--web.config.file=" + web}, []string{"Authorization", "Basic c3JlOmxvb2stdXAtc2VjcmV0"}, http.StatusOK},
		"hashes, to who has none":                   {"hash", probeMailboxOfLab, []string{everywhere, "--web.config.file=" + web}, nil, http.StatusUnauthorized},
		"no names, on loopback":                     {"none", probeMailboxOfLab, nil, nil, http.StatusOK},
		"no names, to everybody":                    {"none", probeMailboxOfLab, []string{everywhere}, nil, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			e := startRun(t, labelledConfig(t, l, c.mode), c.flags...)
			ask := func() (int, string) {
				return request(t, http.MethodGet, e.page+"/api/v1/mailbox?q="+url.QueryEscape(c.query), c.header...)
			}
			if c.want == http.StatusOK {
				require.Eventually(t, func() bool { status, _ := ask(); return status != http.StatusNotFound }, waitLimit, waitTick, "the sweep asks it")
			}
			status, body := ask()
			assert.Equal(t, c.want, status, body)
			assert.Equal(t, c.want == http.StatusOK, strings.Contains(body, `"state"`))
		})
	}
	e := startRun(t, labelledConfig(t, l, "hash"), everywhere, "--web.config.file="+web)
	require.Eventually(t, func() bool {
		_, _, code := e.mailboxOf(t, probeMailboxOfLab, "--web.username=sre", "--web.password-file="+write(t, dir, "password", "look-up-secret\n"))
		return code == exitOK
	}, waitLimit, waitTick, "the command with the password")
	_, stderr, code := e.mailboxOf(t, probeMailboxOfLab, "--web.username=sre", "--web.password-file="+filepath.Join(dir, "nothing"))
	assert.Equal(t, exitUndecided, code)
	assert.Contains(t, stderr, "--web.password-file: ")
}

func TestTheDaemonsURLHoldsNoSecret(t *testing.T) {
	for _, url := range []string{"http://svc:S3cret@127.0.0.1:1", "http://svc:S3cret%zz@127.0.0.1:1", "http://127.0.0.1:1/?token=S3cret", "http://127.0.0.1:1/#S3cret"} {
		p := start(t, "mailbox", "jane@contoso.com", "--web.url="+url)
		<-p.exited
		assert.Contains(t, p.stderr.String(), "--web.username and --web.password-file")
		assert.NotContains(t, p.stderr.String(), "S3cret", url)
	}
}
