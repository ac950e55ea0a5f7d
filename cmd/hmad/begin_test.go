package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/lab"
	"github.com/hmad/hmad/internal/state"
	"github.com/hmad/hmad/internal/sync"
	"github.com/hmad/hmad/internal/sync/plan"
)

// mailboxesKnown is a number of mailboxes that an earlier daemon has asked.
const mailboxesKnown = 2000

// knownState writes that daemon's state.
func knownState(t *testing.T) (storage string) {
	t.Helper()
	storage = filepath.Join(t.TempDir(), "state")
	s := state.Open(filepath.Join(storage, "state.db"), state.Options{Defs: catalog.Defs(), Now: now})
	fleet := s.Fleet("contoso")(sync.FleetName)
	planner := plan.New(plan.Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1e9, 2*mailboxesKnown)})
	for i := range mailboxesKnown {
		planner.Add(now(), fmt.Sprintf("user%d@contoso.test", i))
		ask, ok, _ := planner.Next(now())
		require.True(t, ok)
		synced := now().Add(-time.Duration(i%60) * time.Minute)
		planner.Settle(now(), ask, plan.Answer{State: plan.Fresh, Success: synced, Attempt: synced, Devices: 1, Location: plan.Location{1, byte(i >> 8), byte(i)}, Located: now()})
		fleet.Put(ask.Key, planner.Record(ask.Key))
	}
	require.NoError(t, s.Close())
	return storage
}

// seriesOfMailbox counts the series of single mailboxes that a scrape gives.
func seriesOfMailbox(t *testing.T, page string) int {
	t.Helper()
	status, body := request(t, http.MethodGet, page+"/metrics")
	require.Equal(t, http.StatusOK, status)
	return strings.Count(body, "\nhmad_mailbox_")
}

// No scrape finds a mailbox missing: neither the first after a restart nor any
// while a reload swaps the check for a new build of it. Nobody can be asked
// meanwhile: nothing answers where the config has Exchange Online.
func TestNoScrapeMissesAMailbox(t *testing.T) {
	const series = 4 * mailboxesKnown // all families of each
	var list strings.Builder
	for i := range mailboxesKnown {
		fmt.Fprintf(&list, "user%d@contoso.test\n", i)
	}
	l := startLab(t)
	file := write(t, t.TempDir(), "mailboxes.txt", list.String())
	text := strings.Replace(string(lab.Config(l)), "    exchange_online:\n", "    exchange_online:\n      host: https://"+freeAddress(t)+"\n", 1) +
		fmt.Sprintf("    sync: {file: %q, stale_after: 24h}\n", file)
	config, address := write(t, t.TempDir(), "hmad.yaml", text), freeAddress(t)

	p := start(t, "run", "--config.file="+config, "--storage.path="+knownState(t), "--web.listen-address="+address, "--log.format=json")
	require.Eventually(t, func() bool { return listens(address) }, waitLimit, time.Millisecond, "it listens before it has loaded anything")
	e := &estate{process: p, page: "http://" + address}
	require.Equal(t, series, seriesOfMailbox(t, e.page), "in the first scrape")

	scrapes, stop := 0, make(chan struct{})
	var scraping gosync.WaitGroup
	scraping.Go(func() {
		for ; ; scrapes++ {
			select {
			case <-stop:
				return
			default:
				assert.Equal(t, series, seriesOfMailbox(t, e.page))
			}
		}
	})
	for _, limit := range []string{"30h", "40h", "50h"} {
		require.NoError(t, os.WriteFile(config, []byte(strings.Replace(text, "stale_after: 24h", "stale_after: "+limit, 1)), 0o600))
		status, body := request(t, http.MethodPost, e.page+"/-/reload")
		require.Equal(t, http.StatusOK, status, body)
		assert.Equal(t, series, seriesOfMailbox(t, e.page), "right after a reload")
		e.runNow(t, sync.MailboxSync.Name) // by the new build
	}
	close(stop)
	scraping.Wait()
	assert.Positive(t, scrapes, "beside the reloads")
}

// listens reports whether a connection to address can be made.
func listens(address string) bool {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	return c.Close() == nil
}
