package lab

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/lab/online"
	adminapi "github.com/hmad/hmad/internal/online"
	onprem "github.com/hmad/hmad/internal/report"
)

// uncounted throws counts away.
type uncounted struct{}

func (uncounted) Add(*check.Metric, float64, ...string)     {}
func (uncounted) Observe(*check.Metric, float64, ...string) {}

// admin is hmad's own client, built from the lab's config.
func admin(t *testing.T, l *Lab) (*adminapi.Client, config.Target) {
	t.Helper()
	file, err := config.Parse("lab", Config(l))
	require.NoError(t, err)
	target := file.Targets[0]
	client, err := adminapi.New(target, check.Env{
		Budget: budget.New(2, 4),
		Dial:   new(net.Dialer).DialContext, Now: time.Now, Meter: uncounted{},
		Resolve: func(ctx context.Context, network, host string) ([]netip.Addr, error) {
			return resolver(l, "udp").LookupNetIP(ctx, "ip4", host)
		},
		ReadFile: func(name string, _ int64) ([]byte, error) { return os.ReadFile(name) },
	})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client, target
}

func startOnline(t *testing.T, mailboxes int) *Lab {
	t.Helper()
	l, err := Start(Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Online: Online{Mailboxes: mailboxes}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

func TestExchangeOnlineInTheLab(t *testing.T) {
	l := startOnline(t, 200)
	client, target := admin(t, l)
	require.Len(t, target.Sync.Watch, 2)
	assert.Equal(t, mailbox, target.Sync.Watch[0].Mailbox)
	for i, w := range target.Sync.Watch {
		rows, err := client.Invoke(t.Context(), "Get-MailboxLocation", map[string]any{"User": w.Mailbox}, adminapi.Options{Anchor: w.Mailbox})
		require.NoError(t, err)
		guid := rows.Rows[0].String("MailboxGuid")
		assert.Equal(t, l.online.GUID(i), guid)
		rows, err = client.Invoke(t.Context(), "Get-MobileDeviceStatistics", map[string]any{"Mailbox": guid}, adminapi.Options{Anchor: guid})
		require.NoError(t, err)
		at, err := rows.Rows[0].Time("LastSuccessSync")
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), at, 15*time.Minute)
	}
	rows, err := client.Invoke(t.Context(), "Get-MobileDevice", map[string]any{"ResultSize": "Unlimited"}, adminapi.Options{})
	require.NoError(t, err)
	assert.Greater(t, len(rows.Rows), 190)
	assert.Equal(t, "outlook.contoso.test", strings.Split(strings.TrimPrefix(l.Facts().OnlineHost, "https://"), ":")[0])
}

func TestTokensOfOthersAreNotTrusted(t *testing.T) {
	l := startOnline(t, 10)
	_, using := l.keys.view(steady)
	token, err := (&entra{l.keys, l.client, tenant}).sign(clientID, "https://outlook.office365.com/.default", using, tokenLife)
	require.NoError(t, err)
	assert.True(t, l.trusts(token, "https://outlook.office365.com"))
	graph, err := (&entra{l.keys, l.client, tenant}).sign(clientID, "https://graph.microsoft.com/.default", using, tokenLife)
	require.NoError(t, err)
	parts := strings.Split(token, ".")
	for name, bad := range map[string]string{"nothing": "", "another audience": graph, "no signature": parts[0] + "." + parts[1] + ".",
		"another's signature": strings.Join([]string{parts[0], parts[1], strings.Split(graph, ".")[2]}, "."), "no base64": "a.b.!"} {
		assert.False(t, l.trusts(bad, "https://outlook.office365.com"), name)
	}
}

// Every fault of Exchange Online changes what hmad's own client sees, or what
// Exchange on premises logs, and is gone when it is switched off.
func TestFaultsOfExchangeOnline(t *testing.T) {
	l := startOnline(t, 100)
	for _, f := range onlineFaults(DefaultEvery) {
		t.Run(f.name, func(t *testing.T) {
			require.NoError(t, l.Set(f.name, true))
			assert.NotEqual(t, online.Behaviour{}, l.behaviour(onlineHost).online, "it changes something")
			require.NoError(t, l.Set(f.name, false))
			assert.Equal(t, online.Behaviour{}, l.behaviour(onlineHost).online)
			assert.NotEmpty(t, f.doc)
		})
	}
	for name, want := range map[string]adminapi.Kind{"role_missing.exchange_online": adminapi.Access, "consent_missing.exchange_online": adminapi.Token,
		"million_rows.exchange_online": adminapi.Invalid, "mailbox_sync.watched_mailbox_not_provisioned": adminapi.NotFound} {
		client, _ := admin(t, l)
		require.NoError(t, l.Set(name, true))
		_, err := client.Invoke(t.Context(), "Get-MobileDeviceStatistics", map[string]any{"Mailbox": l.online.GUID(0)}, adminapi.Options{})
		var e *adminapi.CmdletError
		require.True(t, errors.As(err, &e), "%s: %v", name, err)
		assert.Equal(t, want, e.Kind, name)
		require.NoError(t, l.Set(name, false))
		_, err = client.Invoke(t.Context(), "Get-MobileDeviceStatistics", map[string]any{"Mailbox": l.online.GUID(0)}, adminapi.Options{})
		require.NoError(t, err, "mended")
	}
}

func TestALabWithoutExchangeOnline(t *testing.T) {
	l := start(t)
	assert.Empty(t, l.Facts().OnlineHost)
	assert.NotContains(t, string(Config(l)), "watch:")
	assert.ErrorIs(t, l.Set("mailbox_sync.sync_stale", true), ErrUnknownFault)
}

func TestTokensThatCanBeRevokedLiveLong(t *testing.T) {
	l := startOnline(t, 10)
	client, _ := admin(t, l)
	at := l.hosts["vantage"].now.Load()
	for range 3 {
		_, err := client.Invoke(t.Context(), "Get-MobileDeviceStatistics", map[string]any{"Mailbox": l.online.GUID(0)}, adminapi.Options{})
		require.NoError(t, err)
		b := *at
		b.answer = http.NotFound // no second token is to be had, nor needed
		require.NoError(t, l.hosts["vantage"].change(b))
	}
}

// The lab's reports are read by hmad's own reader.
func TestTrafficInTheReports(t *testing.T) {
	l := startOnline(t, 200)
	look := func() (good, refused int, last, leg time.Time) {
		all, _ := l.premises.reports(l.Facts(), cloudSide{})
		for _, r := range all {
			got, err := onprem.Decode(r.text())
			require.NoError(t, err)
			f, err := got.FrontEndRequests()
			require.NoError(t, err)
			for _, c := range f.Counts {
				if c.Start.After(f.Until.Add(-20 * time.Minute)) {
					good, refused = good+map[int]int{200: c.Count}[c.Status], refused+map[int]int{401: c.Count}[c.Status]
				}
			}
			last = f.LastSuccess
			if r.Host != servers[0] {
				continue
			}
			partners, err := got.Partnerships()
			require.NoError(t, err)
			require.Len(t, partners, 2)
			assert.Equal(t, mailbox, partners[0].Mailbox)
			leg = partners[0].Success
		}
		return good, refused, last, leg
	}
	on := func(fault string) func() {
		require.NoError(t, l.Set(fault, true))
		return func() { require.NoError(t, l.Set(fault, false)) }
	}
	good, refused, last, leg := look()
	assert.Greater(t, good, 100)
	assert.Zero(t, refused)
	assert.Less(t, time.Since(last), 15*time.Minute)
	assert.Less(t, time.Since(leg), 15*time.Minute)

	off := on("onprem_sync.cloud_sync_refused")
	good, refused, _, _ = look()
	assert.Greater(t, refused, 5*good)
	off()
	off = on("onprem_sync.cloud_sync_stopped")
	good, refused, last, _ = look()
	assert.Zero(t, good+refused)
	assert.Greater(t, time.Since(last), 30*time.Minute)
	off()
	off = on("onprem_sync.onprem_leg_stale")
	good, _, _, leg = look()
	assert.Greater(t, good, 100, "the others go on")
	assert.Greater(t, time.Since(leg), 29*time.Hour)
	off()
}

func TestARevokedTokenIsReplaced(t *testing.T) {
	l := startOnline(t, 10)
	client, _ := admin(t, l)
	ask := func() error {
		_, err := client.Invoke(t.Context(), "Get-MobileDeviceStatistics", map[string]any{"Mailbox": l.online.GUID(0)}, adminapi.Options{})
		return err
	}
	require.NoError(t, ask())
	require.NoError(t, l.Set("token_revoked.exchange_online", true))
	require.NoError(t, ask(), "a token of the same second is another")
}
