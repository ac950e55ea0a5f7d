//go:build e2e

package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/lab"
	labonline "github.com/hmad/hmad/internal/lab/online"
	"github.com/hmad/hmad/internal/phones"
	"github.com/hmad/hmad/internal/state"
	"github.com/hmad/hmad/internal/sync"
	"github.com/hmad/hmad/internal/sync/plan"
)

// sweepRate is the most that the config takes, in calls per second.
const sweepRate = 50

// cloud is an Exchange Online over TLS whose every call is written down. Tokens
// are those of the lab's Entra.
type cloud struct {
	*labonline.Tenant
	size   int
	server *httptest.Server

	mu    gosync.Mutex
	calls []call
	news  chan struct{} // holds one token when a call has come
}

// call is one cmdlet call: what was asked of which mailbox.
type call struct {
	at   time.Time
	what string
}

func startCloud(t *testing.T, size int) *cloud {
	t.Helper()
	c := &cloud{size: size, news: make(chan struct{}, 1)}
	// Phones die and take leave after the test alone: none gets stale meanwhile.
	fleet := phones.Fleet{Kind: phones.DayAndNight, Seed: 1, From: now().Add(time.Hour), Span: 24 * time.Hour}
	c.Tenant = labonline.New(labonline.Options{ID: labTenant, Domain: "contoso.test", Mailboxes: size, Phones: fleet, Latency: 200 * time.Millisecond,
		Trust: func(token string) bool { return strings.Count(token, ".") == 2 }})
	c.server = httptest.NewTLSServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.server.Close)
	return c
}

// labTenant is the GUID of the lab's tenant.
const labTenant = "5de110f8-2e0f-4d45-891d-bcf2218e253d"

func (c *cloud) serve(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // the client is dead
	}
	var q struct {
		CmdletInput struct {
			CmdletName string
			Parameters map[string]any
		}
	}
	_ = json.Unmarshal(body, &q) // the tenant refuses what is no JSON
	c.mu.Lock()
	c.calls = append(c.calls, call{at, fmt.Sprint(q.CmdletInput.CmdletName, q.CmdletInput.Parameters)})
	c.mu.Unlock()
	select {
	case c.news <- struct{}{}:
	default:
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.ServeHTTP(w, r)
}

func (c *cloud) log() []call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]call(nil), c.calls...)
}

// until waits until the calls are as they must become. No time bounds that while
// calls come.
func (c *cloud) until(t *testing.T, reached func([]call) bool) {
	t.Helper()
	for !reached(c.log()) {
		silence := time.NewTimer(patience)
		select {
		case <-c.news:
			silence.Stop()
		case <-silence.C:
			require.FailNow(t, "hmad does not go on asking")
		}
	}
}

// sweepConfig writes a config with the check mailbox_sync alone, over the whole
// fleet.
func (c *cloud) sweepConfig(t *testing.T, l *lab.Lab, export string) string {
	t.Helper()
	dir, facts := t.TempDir(), l.Facts()
	root, err := os.ReadFile(facts.CAFile)
	require.NoError(t, err)
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.server.Certificate().Raw})
	var list, off strings.Builder
	for i := range c.size {
		fmt.Fprintln(&list, c.Address(i))
	}
	for _, name := range catalog.Names() {
		if name != sync.MailboxSync.Name {
			fmt.Fprintf(&off, "      %s: {enabled: false}\n", name)
		}
	}
	text := fmt.Sprintf(`targets:
  - name: contoso
    mailbox: hmad-probe@contoso.test
    autodiscover: {host: %q}
    activesync: {url: %q}
    tenant: %s
    exchange_online:
      client_id: %s
      certificate_file: %q
      authority_host: %q
      disable_authority_check: true
      host: %q
      rate: %d
      concurrency: 32
    sync: {file: %q, export: %s}
    resolver: %q
    ca_file: %q
    checks:
      mailbox_sync: {schedule: "@every 10s", timeout: 5s}
%s`, facts.AutodiscoverHost, facts.ActiveSyncURL, facts.Tenant, facts.ClientID, facts.CertificateFile, facts.AuthorityHost, c.server.URL, sweepRate,
		write(t, dir, "mailboxes.txt", list.String()), export, facts.Resolver, write(t, dir, "ca.pem", string(root)+string(own)), off.String())
	return write(t, dir, "hmad.yaml", text)
}

// knownBefore writes the state of a daemon that has asked nine in ten.
func (c *cloud) knownBefore(t *testing.T, storage string) {
	t.Helper()
	s := state.Open(filepath.Join(storage, "state.db"), state.Options{Defs: catalog.Defs(), Now: now})
	fleet := s.Fleet("contoso")(sync.FleetName)
	planner := plan.New(plan.Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1e9, c.size)})
	for i := range c.size * 9 / 10 {
		planner.Restore(now(), c.Address(i), nil, plan.FromFile) // or else every record is written anew
		ask, ok, _ := planner.Next(now())
		require.True(t, ok)
		v := plan.Answer{State: plan.Fresh, Success: now().Add(-time.Duration(i%720) * time.Minute), Devices: 1, Located: now()}
		v.Attempt = v.Success
		_, err := hex.Decode(v.Location[:], []byte(strings.ReplaceAll(c.GUID(i), "-", "")))
		require.NoError(t, err)
		planner.Settle(now(), ask, v)
		fleet.Put(ask.Key, planner.Record(ask.Key))
	}
	require.NoError(t, s.Close())
}
