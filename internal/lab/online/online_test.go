package online_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/lab/online"
	adminapi "github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/powershell"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenantID = "5de110f8-2e0f-4d45-891d-bcf2218e253d"

var start = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

// cloud is a tenant behind TLS and hmad's own client of it.
type cloud struct {
	*online.Tenant
	adminapi.Invoker
	now    time.Time
	tokens int
}

// count throws counts away.
type count struct{}

func (count) Add(*check.Metric, float64, ...string)     {}
func (count) Observe(*check.Metric, float64, ...string) {}

// newCloud starts a tenant of so many mailboxes; a token is «token» and the
// number of the request for it.
func newCloud(t *testing.T, mailboxes int, edit func(*online.Options)) *cloud {
	t.Helper()
	c := &cloud{now: start}
	opt := online.Options{ID: tenantID, Domain: "contoso.test", Named: []string{"hmad-probe", "board"}, Mailboxes: mailboxes,
		Now: func() time.Time { return c.now }, Trust: func(token string) bool { return strings.HasPrefix(token, "token") }}
	if edit != nil {
		edit(&opt)
	}
	c.Tenant = online.New(opt)
	mux := http.NewServeMux()
	mux.Handle("/adminapi/", c.Tenant)
	mux.HandleFunc("/"+tenantID+"/v2.0/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		base := "https://" + r.Host + "/" + tenantID
		fmt.Fprintf(w, `{"issuer":"%[1]s/v2.0","authorization_endpoint":"%[1]s/a","token_endpoint":"%[1]s/token"}`, base)
	})
	mux.HandleFunc("/"+tenantID+"/token", func(w http.ResponseWriter, r *http.Request) {
		c.tokens++
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"token%d"}`, c.tokens)
	})
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	files := map[string][]byte{"ca.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), "secret": []byte("planted")}
	invoker, err := adminapi.New(config.Target{Tenant: tenantID, CAFile: "ca.pem", ExchangeOnline: config.ExchangeOnline{
		App: config.App{ClientID: tenantID, SecretFile: "secret", DisableAuthorityCheck: true,
			AuthorityHost: checktest.Setting[config.URL](srv.URL + "/")}, Host: checktest.Setting[config.URL](srv.URL),
		Scope: checktest.Setting[config.URL](entra.ScopeExchangeOnline), Concurrency: 2}}, check.Env{
		Budget: budget.New(2, 4),
		Dial:   new(net.Dialer).DialContext, Meter: count{}, Now: func() time.Time { return c.now },
		Resolve: func(context.Context, string, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
		ReadFile: func(name string, _ int64) ([]byte, error) { return bytes.Clone(files[name]), nil },
	})
	require.NoError(t, err)
	t.Cleanup(invoker.Close)
	c.Invoker = invoker
	return c
}

func (c *cloud) ask(cmdlet string, params map[string]any) (adminapi.Rows, error) {
	return c.Invoke(context.Background(), cmdlet, params, adminapi.Options{Anchor: tenantID})
}

func (c *cloud) devices(i int) (adminapi.Rows, error) {
	return c.ask("Get-MobileDeviceStatistics", map[string]any{"Mailbox": c.GUID(i)})
}

// newest returns the newest success of Outlook's partnerships.
func newest(t *testing.T, rows adminapi.Rows) (at time.Time) {
	t.Helper()
	for _, r := range rows.Rows {
		if s, _ := r.Time("LastSuccessSync"); s.After(at) && r.String("ClientType") != "EAS" {
			at = s
		}
	}
	return at
}

func TestAHealthyMailbox(t *testing.T) {
	c := newCloud(t, 100, nil)
	rows, err := c.ask("Get-MailboxLocation", map[string]any{"User": c.Address(0)})
	require.NoError(t, err)
	require.Len(t, rows.Rows, 1)
	location := rows.Rows[0]
	assert.Equal(t, "ComponentShared", location.String("MailboxLocationType"))
	assert.Equal(t, c.GUID(0), location.String("MailboxGuid"))

	for _, id := range []string{c.GUID(0), tenantID + `\` + c.GUID(0), "HMAD-probe@contoso.test"} {
		rows, err = c.ask("Get-MobileDeviceStatistics", map[string]any{"Mailbox": id})
		require.NoError(t, err, id)
		require.Len(t, rows.Rows, 1)
		assert.WithinRange(t, newest(t, rows), start.Add(-5*time.Minute), start)
		assert.True(t, strings.HasPrefix(rows.Rows[0].String("Identity"), c.GUID(0)+`\ExchangeActiveSyncDevices\REST§Outlook§`))
		assert.Regexp(t, "^[0-9A-F]{32}$", rows.Rows[0].String("DeviceId"))
	}
}

func TestRunsRepeatExactly(t *testing.T) {
	a, b := newCloud(t, 50, nil), newCloud(t, 50, nil)
	for i := range 50 {
		x, errX := a.devices(i)
		y, errY := b.devices(i)
		assert.Equal(t, x, y)
		assert.Equal(t, fmt.Sprint(errX), fmt.Sprint(errY))
	}
}

func TestAFleetIsMixed(t *testing.T) {
	c := newCloud(t, 400, nil)
	var fresh, none, cloudy, old, native int
	for i := range 400 {
		rows, err := c.ask("Get-MailboxLocation", map[string]any{"User": c.Address(i)})
		require.NoError(t, err)
		if len(rows.Rows) == 0 {
			none++
			_, err = c.devices(i)
			assert.Equal(t, adminapi.NotFound, kind(t, err))
			continue
		}
		if rows.Rows[0].String("MailboxLocationType") == "Primary" {
			cloudy++
			_, err = c.devices(i)
			assert.Equal(t, adminapi.NotFound, kind(t, err), "what was beside the mailbox on premises")
			continue
		}
		rows, err = c.devices(i)
		require.NoError(t, err)
		for _, r := range rows.Rows {
			switch r.String("ClientType") {
			case "REST":
				old++
			case "EAS":
				native++
			}
		}
		if start.Sub(newest(t, rows)) < 24*time.Hour {
			fresh++
		}
	}
	assert.InDelta(t, 8, none, 7, "one in fifty never signed in")
	assert.InDelta(t, 4, cloudy, 4, "one in a hundred is in the cloud")
	assert.InDelta(t, 50, old, 20)
	assert.InDelta(t, 40, native, 18)
	assert.Greater(t, fresh, 330, "a healthy fleet")
}

func TestNobodyNamedIsEverybody(t *testing.T) {
	c := newCloud(t, 20, nil)
	rows := 0
	for _, body := range []string{`{"User":null}`, `{}`} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "https://outlook.contoso.test/adminapi/beta/"+tenantID+"/InvokeCommand",
			strings.NewReader(`{"CmdletInput":{"CmdletName":"Get-MailboxLocation","Parameters":`+body+`}}`))
		r.Header.Set("Authorization", "Bearer token")
		c.ServeHTTP(w, r)
		var got struct{ Value []json.RawMessage }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		rows = len(got.Value)
		assert.Greater(t, rows, 15)
	}
}

func TestTheInventoryComesInPages(t *testing.T) {
	c := newCloud(t, 2500, nil)
	inventory := func() (adminapi.Rows, error) {
		return c.ask("Get-MobileDevice", map[string]any{"ResultSize": "Unlimited"})
	}
	rows, err := inventory()
	require.NoError(t, err)
	assert.False(t, rows.Incomplete)
	assert.Equal(t, 3, rows.Requests)
	seen := map[string]bool{}
	for _, r := range rows.Rows {
		assert.False(t, r.Has("LastSuccessSync"), "it does not lie in the directory")
		owner, _, _ := strings.Cut(r.String("Identity"), `\`)
		seen[owner[strings.LastIndex(owner, "/")+1:]] = true
	}
	assert.True(t, seen[c.Address(0)] && seen[c.Address(2499)])
	assert.InDelta(t, 2450, len(seen), 25, "all but those that never signed in")

	for name, b := range map[string]online.Behaviour{"expired pages": {ExpiredPage: true}, "another host": {OtherHost: true}} {
		c.Behave(b)
		rows, err = inventory()
		require.NoError(t, err, name)
		assert.True(t, rows.Incomplete, name)
		assert.InDelta(t, 1000, len(rows.Rows), 3, name)
	}
}

// kind returns the kind of a failed call.
func kind(t *testing.T, err error) adminapi.Kind {
	t.Helper()
	var e *adminapi.CmdletError
	require.ErrorAs(t, err, &e)
	return e.Kind
}

func TestBehaviours(t *testing.T) {
	refused := func(status int, after time.Duration, text string) online.Behaviour {
		return online.Behaviour{Refuse: &online.Refusal{Status: status, RetryAfter: after, Text: text}}
	}
	for name, c := range map[string]struct {
		is      online.Behaviour
		kind    adminapi.Kind
		after   time.Duration
		passing int // calls that succeed before
	}{
		"a missing role":             {is: online.Behaviour{MissingRole: "Get-MobileDeviceStatistics"}, kind: adminapi.Access},
		"no consent":                 {is: online.Behaviour{NoConsent: true}, kind: adminapi.Token},
		"throttled":                  {is: refused(429, 30*time.Second, ""), kind: adminapi.Throttled, after: 30 * time.Second, passing: 1},
		"throttled without a time":   {is: refused(429, 0, ""), kind: adminapi.Throttled, after: 3 * time.Second, passing: 1},
		"too many at once":           {is: refused(500, 0, online.ConcurrencyText), kind: adminapi.Throttled, after: 3 * time.Second, passing: 1},
		"every second is broken off": {is: online.Behaviour{Reset: 2}, kind: adminapi.Transient, passing: 1},
		"every third is for later":   {is: online.Behaviour{Busy: true}, kind: adminapi.Transient, passing: 2},
		"a million rows":             {is: online.Behaviour{ManyRows: true}, kind: adminapi.Invalid},
		"deep JSON":                  {is: online.Behaviour{Deep: true}, kind: adminapi.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			o := newCloud(t, 10, nil)
			o.Behave(c.is)
			for range c.passing {
				_, err := o.devices(0)
				require.NoError(t, err)
			}
			_, err := o.devices(0)
			require.Equal(t, c.kind, kind(t, err), "%v", err)
			var e *adminapi.CmdletError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, c.after, e.RetryAfter)

			o.Behave(online.Behaviour{})
			o.now = o.now.Add(10 * time.Minute)
			_, err = o.devices(0)
			require.NoError(t, err, "mended")
		})
	}
}

func TestARevokedTokenIsReplaced(t *testing.T) {
	c := newCloud(t, 10, nil)
	_, err := c.devices(0)
	require.NoError(t, err)
	c.Behave(online.Behaviour{Revoked: true})
	_, err = c.devices(0)
	require.NoError(t, err)
	assert.Equal(t, 2, c.tokens)
}

func TestOddRows(t *testing.T) {
	c := newCloud(t, 10, nil)
	row := func(b online.Behaviour) powershell.Row {
		c.Behave(b)
		rows, err := c.devices(1)
		require.NoError(t, err)
		return rows.Rows[0]
	}
	at, err := row(online.Behaviour{Future: true}).Time("LastSuccessSync")
	require.NoError(t, err)
	assert.True(t, at.Equal(start.Add(24*time.Hour)))
	_, err = row(online.Behaviour{ZoneLess: true}).Time("LastSuccessSync")
	require.Error(t, err)
	assert.True(t, strings.HasPrefix(row(online.Behaviour{OtherRows: true}).String("Identity"), c.GUID(2)))
	assert.Contains(t, row(online.Behaviour{BadText: true}).String("DeviceModel"), "\uFFFD")
	c.Behave(online.Behaviour{OtherHost: true})
	rows, err := c.devices(1)
	require.NoError(t, err)
	assert.True(t, rows.Incomplete)
}

func TestFatesOfTheNamedMailboxes(t *testing.T) {
	c := newCloud(t, 10, nil)
	c.Behave(online.Behaviour{Named: []online.Fate{online.Alive, online.Silent}})
	rows, err := c.devices(1)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, start.Sub(newest(t, rows)), 30*time.Hour)
	rows, err = c.devices(0)
	require.NoError(t, err)
	assert.Less(t, start.Sub(newest(t, rows)), 6*time.Minute, "the other is well")
	for fate, want := range map[online.Fate]string{online.NotProvisioned: "", online.InCloud: "Primary"} {
		c.Behave(online.Behaviour{Named: []online.Fate{fate}})
		rows, err = c.ask("Get-MailboxLocation", map[string]any{"User": c.Address(0)})
		require.NoError(t, err)
		got := ""
		if len(rows.Rows) > 0 {
			got = rows.Rows[0].String("MailboxLocationType")
		}
		assert.Equal(t, want, got)
	}
	c.Behave(online.Behaviour{Named: []online.Fate{online.Undated}})
	rows, err = c.devices(0)
	require.NoError(t, err)
	assert.True(t, newest(t, rows).IsZero())
}

// TestTwoFifthsOfAFleet holds that a fault of the fleet is one of enough
// mailboxes, and of none that is named.
func TestTwoFifthsOfAFleet(t *testing.T) {
	c := newCloud(t, 300, nil)
	for name, b := range map[string]online.Behaviour{"stale": {Stale: true}, "failing": {Failing: true}, "unknown": {Unknown: true}} {
		c.Behave(b)
		hit, asked := 0, 0
		for i := range 300 {
			rows, err := c.devices(i)
			if err != nil {
				continue
			}
			asked++
			at := newest(t, rows)
			attempt, _ := rows.Rows[0].Time("LastSyncAttemptTime")
			bad := map[string]bool{"stale": start.Sub(at) >= 30*time.Hour, "failing": attempt.Sub(at) > time.Hour,
				"unknown": rows.Rows[0].String("LastSuccessSync") == ""}[name]
			if bad {
				hit++
			}
			assert.False(t, bad && i < 2, name)
		}
		assert.Greater(t, hit, asked*30/100, name)
		assert.Less(t, hit, asked*60/100, name)
	}
}

func TestStoppedPhonesStayStopped(t *testing.T) {
	c := newCloud(t, 10, nil)
	c.Behave(online.Behaviour{Stopped: true})
	c.now = c.now.Add(3 * time.Hour)
	c.Behave(online.Behaviour{Stopped: true, Slow: 1})
	rows, err := c.devices(0)
	require.NoError(t, err)
	assert.False(t, newest(t, rows).After(start))
	c.Behave(online.Behaviour{})
	rows, err = c.devices(0)
	require.NoError(t, err)
	assert.True(t, newest(t, rows).After(start.Add(2*time.Hour)))
}

func TestATenantThatAllowsSoMuch(t *testing.T) {
	c := newCloud(t, 10, func(o *online.Options) { o.CallsPerSecond = 2 })
	for range 4 {
		_, err := c.devices(0)
		require.NoError(t, err, "a burst of two seconds")
	}
	_, err := c.devices(0)
	assert.Equal(t, adminapi.Throttled, kind(t, err))
	c.now = c.now.Add(time.Second)
	_, err = c.devices(0)
	require.NoError(t, err)
}

func TestTrafficOnPremises(t *testing.T) {
	c := newCloud(t, 100, nil)
	quarter := func(at time.Time) map[int]int { return c.Traffic(at.Add(-15*time.Minute), at) }
	healthy := quarter(start)
	assert.InDelta(t, 410, healthy[200], 40)
	assert.Zero(t, healthy[401])
	assert.Equal(t, healthy, quarter(start), "it repeats exactly")
	night := quarter(start.Add(14 * time.Hour))
	assert.Less(t, night[200], healthy[200]/2)

	c.Behave(online.Behaviour{PremisesRefuse: true})
	refused := quarter(start)
	assert.Greater(t, refused[401], refused[200])

	c.Behave(online.Behaviour{PremisesSilent: true})
	assert.Empty(t, quarter(start), "it is seen at once")
	assert.NotEmpty(t, quarter(start.Add(-time.Hour)), "what was logged before stays")
	c.now = start.Add(time.Hour)
	assert.Empty(t, quarter(c.now))
	assert.Equal(t, start.Add(-40*time.Minute), c.PremisesSynced(0))

	c.Behave(online.Behaviour{PremisesStale: true})
	assert.Equal(t, 30*time.Hour, c.now.Sub(c.PremisesSynced(0)))
	assert.Less(t, c.now.Sub(c.PremisesSynced(1)), 5*time.Minute)
}

func TestWhatIsNoCall(t *testing.T) {
	c := newCloud(t, 10, nil)
	do := func(method, path, token, body string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, "https://outlook.contoso.test"+path, strings.NewReader(body))
		r.Header.Set("Authorization", token)
		c.ServeHTTP(w, r)
		return w.Code
	}
	const path = "/adminapi/beta/" + tenantID + "/InvokeCommand"
	assert.Equal(t, 404, do("GET", path, "Bearer token", ""))
	assert.Equal(t, 404, do("POST", "/adminapi/beta/x/InvokeCommand", "Bearer token", ""))
	assert.Equal(t, 401, do("POST", path, "", ""))
	assert.Equal(t, 401, do("POST", path, "Bearer other", ""))
	assert.Equal(t, 400, do("POST", path, "Bearer token", "x"))
	assert.Equal(t, 400, do("POST", path, "Bearer token", `{"CmdletInput":{"CmdletName":"Get-MobileDevice","Parameters":null}}`))
	assert.Equal(t, 400, do("POST", path, "Bearer token", `{"CmdletInput":{"CmdletName":"Get-MobileDeviceStatistics","Parameters":{}}}`),
		"as Exchange: one must be named")
	assert.Equal(t, 403, do("POST", path, "Bearer token", `{"CmdletInput":{"CmdletName":"Get-Mailbox","Parameters":{}}}`))
}
