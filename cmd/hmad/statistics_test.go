package main

import (
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/lab"
	hmadsync "github.com/hmad/hmad/internal/sync"
)

// startOnlineLab starts a lab that has an Exchange Online besides, over TLS as
// all of it.
func startOnlineLab(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.Start(lab.Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Now: now, Online: lab.Online{Mailboxes: 20}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

// betweenRuns leaves room: statistics give way to runs, and these come one after
// the other.
const betweenRuns = time.Second

const (
	itemsOfProbe = `hmad_mailbox_items{check="mailbox_sync",mailbox="hmad-probe@contoso.test",target="contoso"}`
	askedForThem = `hmad_exchange_online_requests_total{check="mailbox_sync",cmdlet="Get-MailboxStatistics",code="200",target="contoso"}`
)

// untilMetric runs mailbox_sync until the daemon shows the series, and gives its
// value.
func (e *estate) untilMetric(t *testing.T, series string) (value string) {
	t.Helper()
	require.Eventually(t, func() bool {
		e.runNow(t, hmadsync.MailboxSync.Name)
		value = e.metric(t, series)
		return value != ""
	}, waitLimit, betweenRuns)
	return value
}

func TestStatisticsOfTheWatchList(t *testing.T) {
	config, storage := labConfig(t, startOnlineLab(t), ""), t.TempDir()
	e := startRunOn(t, config, storage)
	board := `mailbox="board@contoso.test"`
	e.untilMetric(t, `hmad_mailbox_last_logon_timestamp_seconds{check="mailbox_sync",`+board+`,target="contoso"}`)
	items := e.untilMetric(t, itemsOfProbe)
	for range 5 {
		r := e.runNow(t, hmadsync.MailboxSync.Name)
		assert.Equal(t, "passed", r.Outcome, "%+v", r)
	}
	assert.Equal(t, "2", e.metric(t, askedForThem), "each once an hour")
	_, page := request(t, http.MethodGet, e.page+"/metrics")
	assert.Len(t, regexp.MustCompile(`(?m)^hmad_mailbox_items\{`).FindAllString(page, -1), 2, "those of the watch list alone")
	require.Equal(t, exitOK, e.stop())

	e = startRunOn(t, config, storage)
	assert.Equal(t, items, e.untilMetric(t, itemsOfProbe), "it is shown again")
	assert.Empty(t, e.metric(t, askedForThem), "and not asked again")
}

func TestStatisticsForWhichTheRoleIsMissing(t *testing.T) {
	l := startOnlineLab(t)
	config := labConfig(t, l, "")
	require.NoError(t, l.Set("statistics_role_missing.exchange_online", true))
	e := startRun(t, config)
	var r result
	require.Eventually(t, func() bool {
		r = e.runNow(t, hmadsync.MailboxSync.Name)
		return regexp.MustCompile(`the statistics of 1 of 2 watched mailboxes are missing.*no role with this cmdlet`).MatchString(join(r.Notes))
	}, waitLimit, betweenRuns)
	assert.Equal(t, "passed", r.Outcome, "%+v", r)
	assert.NotContains(t, join(r.Notes), "contoso.test")
	assert.Empty(t, e.metric(t, itemsOfProbe))
}

func join(notes []string) (all string) {
	for _, n := range notes {
		all += n + "\n"
	}
	return all
}
