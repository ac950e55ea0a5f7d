package main

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/lab"
	hmadsync "github.com/hmad/hmad/internal/sync"
)

// mailboxOfLab is whatever names a mailbox of the lab but the probe mailbox: its
// address, the GUID of its part in the cloud, and what Exchange calls it.
var mailboxOfLab = regexp.MustCompile(`(?i)phone[- ]\d{6}|board@|2be92a50-94f1-4cb9-8ff7|cn=recipients`)

// In modes hash and none no mailbox but the probe mailbox shows anywhere: not in
// logs, page, metrics, API or commands, whatever goes wrong in Exchange Online.
func TestNoMailboxShowsWhereLabelsHideThem(t *testing.T) {
	for _, mode := range []string{"hash", "none"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel() // each waits for a lab of its own
			l, err := lab.Start(lab.Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Now: now, Online: lab.Online{Mailboxes: 60}})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, l.Close()) })
			config := labelledConfig(t, l, mode)
			e := startRun(t, config, "--log.level=debug")
			s := &showing{estate: e, config: config, shown: map[string]string{}}
			s.look(t, "all is well")
			for _, fault := range []string{"mailbox_sync.watched_mailbox_stale_critical", "mailbox_sync.sync_stale", "busy.exchange_online",
				"other_mailbox.exchange_online", "role_missing.exchange_online", "throttled.exchange_online"} {
				require.NoError(t, l.Set(fault, true))
				if check, reason, _ := strings.Cut(fault, "."); check == hmadsync.MailboxSync.Name {
					s.until(t, reason)
				}
				s.look(t, fault)
				require.NoError(t, l.Set(fault, false))
			}
			s.nothingShows(t, mode)
		})
	}
}

// showing is a daemon and what it, and the commands beside it, have shown.
type showing struct {
	*estate
	config string
	shown  map[string]string
}

// until runs mailbox_sync until it finds the reason.
func (s *showing) until(t *testing.T, reason string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return slices.Contains(s.runNow(t, hmadsync.MailboxSync.Name).reasons(), reason)
	}, waitLimit, betweenRuns, reason)
}

// look keeps what is shown now.
func (s *showing) look(t *testing.T, when string) {
	t.Helper()
	for _, name := range []string{hmadsync.MailboxSync.Name, hmadsync.OnPremSync.Name} {
		_, s.shown[when+": run "+name] = request(t, http.MethodPost, s.page+"/api/v1/run?check="+name+"&target=contoso")
	}
	for _, path := range []string{"/", "/metrics", "/api/v1/results", "/api/v1/mailbox?q=board%40contoso.test", "/api/v1/mailbox?q=phone-000003%40contoso.test"} {
		_, s.shown[when+": "+path[:min(len(path), 16)]+fmt.Sprint(len(path))] = request(t, http.MethodGet, s.page+path)
	}
	for _, args := range [][]string{{"check", "mailbox_sync", "onprem_sync", "--verbose"}, {"check", "mailbox_sync", "onprem_sync", "--output=json"}, {"doctor", "--web.listen-address=127.0.0.1:0"}} {
		p := start(t, append(args, "--config.file="+s.config)...)
		<-p.exited
		s.shown[when+": hmad "+args[0]+" "+args[len(args)-1]] = p.stdout.String() + p.stderr.String()
	}
	stdout, stderr, _ := s.mailboxOf(t, "board@contoso.test")
	s.shown[when+": hmad mailbox"] = stdout + stderr
}

func (s *showing) nothingShows(t *testing.T, mode string) {
	t.Helper()
	s.stop()
	s.shown["log"] = s.stderr.String() + s.stdout.String()
	for where, text := range s.shown {
		assert.Empty(t, mailboxOfLab.FindAllString(text, 3), "%s shows mailboxes", where)
	}
	assert.Contains(t, s.shown["log"], `"reasons":["watched_mailbox_stale_critical"]`, "there was something to tell of")
	name := map[string]string{"hash": "[0-9a-f]{24}", "none": "a watched mailbox"}[mode]
	assert.Regexp(t, `"detail": "`+name+` `, s.shown["mailbox_sync.watched_mailbox_stale_critical: run mailbox_sync"])
	worst := map[string]string{"hash": "; longest without a sync: [0-9a-f]{24} \\(", "none": "the newest sync known: [-0-9]+ [:0-9]+ UTC\","}[mode]
	assert.Regexp(t, `"detail": ".* active mailboxes are stale .*`+worst, s.shown["mailbox_sync.sync_stale: run mailbox_sync"])
	assert.Contains(t, s.shown["busy.exchange_online: hmad doctor --web.listen-address=127.0.0.1:0"], "(transient, StorageTransientException, request ")
	series := regexp.MustCompile(`hmad_mailbox_last_success_sync_timestamp_seconds\{.*mailbox="[0-9a-f]{24}"`)
	assert.Equal(t, mode == "hash", series.MatchString(s.shown["all is well: /metrics8"]), "series of single mailboxes")
}
