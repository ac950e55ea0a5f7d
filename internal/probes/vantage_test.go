package probes

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

const tenant = "5de110f8-2e0f-4d45-891d-bcf2218e253d"

const openID = `{"issuer":"https://login.contoso.test/` + tenant + `/v2.0","authorization_endpoint":"https://login.contoso.test/authorize"}`

// signIn answers as Microsoft's sign-in service does, with the given status,
// clock and body.
func signIn(status int, date time.Time, body string) func(net.Conn) {
	return answers(fmt.Sprintf("HTTP/1.1 %d X\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s",
		status, date.UTC().Format(http.TimeFormat), len(body), body))
}

// vantageOf builds the check for a sign-in service at the given place.
func vantageOf(t *testing.T, env check.Env, to string) check.Parts {
	t.Helper()
	parts, err := Vantage.New(vantageTarget(to), env)
	require.NoError(t, err)
	require.NotNil(t, parts.Run)
	return parts
}

func vantageTarget(to string) config.Target {
	return config.Target{Tenant: tenant, CAFile: "ca.pem", Vantage: config.External,
		Entra:     config.Entra{OpenIDConfiguration: checktest.Setting[config.TenantURL]("https://" + testHost + "/{tenant}/v2.0/.well-known/openid-configuration")},
		ConnectTo: checktest.Setting[config.ConnectTo](map[string]string{testHost + ":443": to})}
}

func TestTheWayOutIsJudgedByWhatTheSignInServiceAnswers(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	cert := ca.leaf(t, nil)
	now := time.Now()
	tests := map[string]struct {
		serve   func(net.Conn)
		reasons []string
		words   string
		offset  bool
		left    []string // unevaluated
	}{
		"open":                      {signIn(200, now, openID), []string{}, "", true, nil},
		"our clock 2 min behind":    {signIn(200, now.Add(2*time.Minute), openID), []string{"clock_skew"}, "behind Microsoft's", true, nil},
		"our clock 2 min ahead":     {signIn(200, now.Add(-2*time.Minute), openID), []string{"clock_skew"}, "ahead of", true, nil},
		"our clock 50 s off":        {signIn(200, now.Add(50*time.Second), openID), []string{}, "", true, nil},
		"no clock":                  {answers("HTTP/1.1 200 OK\r\nContent-Length: " + fmt.Sprint(len(openID)) + "\r\n\r\n" + openID), []string{}, "", false, []string{"clock_skew"}},
		"a login page":              {signIn(200, now, "<html>Please log in</html>"), []string{"vantage_offline"}, "a page of something else (a captive portal", false, []string{"clock_skew"}},
		"JSON of something else":    {signIn(200, now, `{"issuer":"https://login.contoso.test"}`), []string{"vantage_offline"}, "not an OpenID configuration", false, []string{"clock_skew"}},
		"no issuer":                 {signIn(200, now, `{"authorization_endpoint":"https://login.contoso.test"}`), []string{"vantage_offline"}, "not an OpenID configuration", false, []string{"clock_skew"}},
		"refused by the allow-list": {signIn(403, now, openID), []string{"vantage_offline"}, "it answers with status 403", false, []string{"clock_skew"}},
		"closed":                    {func(net.Conn) {}, []string{"vantage_offline"}, "during the TLS handshake", false, []string{"clock_skew"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := Vantage.Look(t.Context(), vantageOf(t, testEnv(ca), serveTLS(t, cert, test.serve).String()).Run)
			if name == "closed" {
				report, err = Vantage.Look(t.Context(), vantageOf(t, testEnv(ca), serve(t, test.serve).String()).Run)
			}
			require.NoError(t, err)
			require.Equal(t, test.reasons, foundNames(report.Findings))
			if len(report.Findings) > 0 {
				assert.Contains(t, report.Findings[0].Detail, test.words)
			}
			var left []string
			for _, r := range report.Unevaluated() {
				left = append(left, r.Name)
			}
			assert.Equal(t, test.left, left)
			assert.Equal(t, test.offset, hasSample(report, ClockOffset))
			assert.Contains(t, report.Texts()[0], "/"+tenant+"/v2.0/.well-known/openid-configuration")
		})
	}
}

func hasSample(r check.Report, m *check.Metric) bool {
	for _, s := range r.Samples {
		if s.Metric == m {
			return true
		}
	}
	return false
}

func TestTheClockIsComparedInTheMiddleOfTheExchange(t *testing.T) {
	received := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	a := &Answer{Header: http.Header{"Date": {"Sun, 22 Nov 2026 09:00:08 GMT"}}, Received: received, Waited: 4 * time.Second}
	report, _ := Vantage.Look(t.Context(), func(_ context.Context, v *check.Verdict) { judgeClock(v, a) })
	assert.Equal(t, []check.Sample{{Metric: ClockOffset, Value: 10.5}}, report.Samples)
}

func TestWhateverKeepsUsInIsVantageOffline(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	strangers := newAuthority(t, "inspecting proxy", nil)
	tests := map[string]struct {
		env   func(*check.Env)
		to    string
		words string
	}{
		"DNS":          {func(e *check.Env) { e.Resolve = refuseNames(&net.DNSError{IsNotFound: true}) }, "login.contoso.test:443", "login.contoso.test does not resolve"},
		"no route":     {func(e *check.Env) { e.Dial = unreachable }, "192.0.2.1:443", "this host has no route to mail.contoso.test (192.0.2.1:443)"},
		"the resolver": {func(e *check.Env) { e.Resolve = refuseNames(&net.DNSError{Err: "connection refused"}) }, "login.contoso.test:443", "the resolver cannot be asked"},
		"inspected":    {nil, serveTLS(t, strangers.leaf(t, nil), signIn(200, time.Now(), openID)).String(), "no trusted root for the issuer CN=inspecting proxy"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := testEnv(ca)
			if test.env != nil {
				test.env(&env)
			}
			report, err := Vantage.Look(t.Context(), vantageOf(t, env, test.to).Run)
			require.NoError(t, err)
			require.Equal(t, []string{"vantage_offline"}, foundNames(report.Findings))
			assert.Contains(t, report.Findings[0].Detail, test.words)
			assert.True(t, slices.ContainsFunc(report.Texts(), func(n string) bool { return strings.HasPrefix(n, "curl ") }), "%q", report.Texts())
		})
	}
	t.Run("the proxy", func(t *testing.T) {
		target := vantageTarget("")
		target.ConnectTo, target.Proxy = nil, checktest.Setting[config.Proxy]("http://"+serve(t, answers("HTTP/1.1 407 No\r\n\r\n")).String())
		parts, err := Vantage.New(target, testEnv(ca))
		require.NoError(t, err)
		report, err := Vantage.Look(t.Context(), parts.Run)
		require.NoError(t, err)
		require.Equal(t, []string{"vantage_offline"}, foundNames(report.Findings))
		assert.Contains(t, report.Findings[0].Detail, "407")
		assert.True(t, strings.HasPrefix(report.Texts()[0], "curl "), "%q", report.Texts())
	})
}

func TestShutdownSaysNothingOfTheWayOut(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	env := testEnv(nil)
	env.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		stop()
		return nil, ctx.Err()
	}
	target := vantageTarget("")
	target.ConnectTo, target.CAFile = nil, ""
	parts, err := Vantage.New(target, env)
	require.NoError(t, err)
	report, err := Vantage.Look(ctx, parts.Run)
	assert.Equal(t, context.Canceled, err)
	assert.Empty(t, report.Findings)
	ask, err := Vantage.WayOut.Ask(target, env)
	require.NoError(t, err)
	assert.Equal(t, context.Canceled, ask(ctx))
}

func refuseNames(err error) func(context.Context, string, string) ([]netip.Addr, error) {
	return func(context.Context, string, string) ([]netip.Addr, error) { return nil, err }
}

func TestOneAddressThatAnswersMakesTheWayOpen(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	to := serveTLS(t, ca.leaf(t, nil), signIn(200, time.Now(), openID))
	env := testEnv(ca, "192.0.2.1", "2001:db8::1")
	env.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		if network == "tcp4" {
			return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", to.String())
	}
	target := vantageTarget("")
	target.ConnectTo = nil
	parts, err := Vantage.New(target, env)
	require.NoError(t, err)
	report, err := Vantage.Look(t.Context(), parts.Run)
	require.NoError(t, err)
	assert.Empty(t, report.Findings)
}

func TestTheSignInHostOfAnotherCloudIsNoted(t *testing.T) {
	seen := outward{visits: []Visit{{Answers: []*Answer{{Status: 200, Body: []byte(openID), Header: http.Header{}}}}}}
	for host, note := range map[string]string{
		"login.microsoftonline.com": "",
		"login.microsoftonline.us": "login.microsoftonline.us is the sign-in host of Microsoft's cloud for the US government, for which hybrid Modern " +
			"Authentication of Outlook mobile is not supported",
	} {
		report, _ := Vantage.Look(t.Context(), func(_ context.Context, v *check.Verdict) { judgeWayOut(v, host, seen) })
		assert.Equal(t, note, strings.Join(report.Texts(check.Seen), "\n"), host)
	}
}

func TestVantageNeedsATenantAndAPlaceToAsk(t *testing.T) {
	for _, target := range []config.Target{{}, {Tenant: tenant}} {
		parts, err := Vantage.New(target, testEnv(nil))
		require.NoError(t, err)
		assert.Nil(t, parts.Run)
		ask, err := Vantage.WayOut.Ask(target, testEnv(nil))
		require.NoError(t, err)
		assert.Nil(t, ask)
	}
}

func TestWhoSharesTheWayOut(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	for name, c := range map[string]struct {
		vantage, proxy string
		shares         bool
	}{
		"outside":                     {config.External, "", true},
		"inside, by way of a proxy":   {config.Internal, "http://proxy.contoso.test:3128", true},
		"inside, by a way of its own": {config.Internal, "", false},
	} {
		target := vantageTarget("192.0.2.1:443")
		target.Vantage, target.Proxy = c.vantage, checktest.Setting[config.Proxy](c.proxy)
		ask, err := Vantage.WayOut.Ask(target, testEnv(ca))
		require.NoError(t, err, name)
		assert.Equal(t, c.shares, ask != nil, name)
	}
}

// The host itself answered: the way to it is open, whatever it says.
func TestWhatTheSignInHostItselfAnswersOpensTheWay(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	cert := ca.leaf(t, nil)
	recorded, err := os.ReadFile("testdata/04-openid-aadsts90002.http")
	require.NoError(t, err)
	now := time.Now()
	oauth := func(code string) string {
		return `{"error":"invalid_request","error_description":"` + code + `: words of Entra."}`
	}
	for name, c := range map[string]struct {
		serve  func(net.Conn)
		note   string // of an open way
		closed string
	}{
		"a tenant that is not there":   {answers(string(recorded)), "does not know the tenant (AADSTS90002): is `tenant` mistyped, deleted, or in another Microsoft cloud?", ""},
		"a tenant that is no name":     {signIn(400, now, oauth("AADSTS900023")), "does not know the tenant (AADSTS900023)", ""},
		"another error of Entra's":     {signIn(400, now, oauth("AADSTS900144")), "answers with status 400: AADSTS900144: words of Entra.", ""},
		"too many questions":           {signIn(429, now, ""), "answers with status 429", ""},
		"not found":                    {signIn(404, now, "<html>planted</html>"), "answers with status 404", ""},
		"out of order":                 {signIn(500, now, ""), "answers with status 500", ""},
		"not available":                {signIn(503, now, "<html>planted</html>"), "answers with status 503", ""},
		"a portal's page":              {answers("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 7\r\n\r\nplanted"), "", "a page of something else (a captive portal"},
		"a portal's redirect":          {answers("HTTP/1.1 302 X\r\nLocation: https://portal.hotel.test/\r\nContent-Length: 0\r\n\r\n"), "", "status 302"},
		"a portal's status (RFC 6585)": {signIn(511, now, ""), "", "status 511"},
		"a proxy that wants a name":    {signIn(407, now, ""), "", "status 407"},
		"a filter's page":              {signIn(403, now, "<html>planted</html>"), "", "status 403"},
	} {
		t.Run(name, func(t *testing.T) {
			to := serveTLS(t, cert, c.serve).String()
			report, err := Vantage.Look(t.Context(), vantageOf(t, testEnv(ca), to).Run)
			require.NoError(t, err)
			ask, err := Vantage.WayOut.Ask(vantageTarget(to), testEnv(ca))
			require.NoError(t, err)
			texts := strings.Join(report.Texts(), "\n")
			if c.closed != "" {
				require.Equal(t, []string{"vantage_offline"}, foundNames(report.Findings))
				texts += report.Findings[0].Detail
				assert.Contains(t, texts, c.closed)
				assert.Equal(t, check.VantageOffline, check.ClassOf(ask(t.Context())))
			} else {
				assert.Empty(t, report.Findings)
				assert.Contains(t, texts, c.note)
				assert.NoError(t, ask(t.Context()), "what fails at the endpoints is theirs")
			}
			assert.NotContains(t, texts, "planted")
		})
	}
}

// Alerts must be able to tell, also and above all while the way is closed.
func TestAClosedWayOutSaysWhetherItIsShared(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	to := serveTLS(t, ca.leaf(t, nil), signIn(403, time.Now(), "")).String()
	for vantage, want := range map[string]float64{config.External: 1, config.Internal: 0} {
		target := vantageTarget(to)
		target.Vantage = vantage
		parts, err := Vantage.New(target, testEnv(ca))
		require.NoError(t, err)
		report, err := Vantage.Look(t.Context(), parts.Run)
		require.NoError(t, err)
		require.Equal(t, []string{"vantage_offline"}, foundNames(report.Findings))
		assert.Contains(t, report.Samples, check.Sample{Metric: WayOutShared, Value: want}, vantage)
	}
}

func TestTheQuestionForTheWayOut(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	cert := ca.leaf(t, nil)
	open, err := Vantage.WayOut.Ask(vantageTarget(serveTLS(t, cert, signIn(200, time.Now().Add(time.Hour), openID)).String()), testEnv(ca))
	require.NoError(t, err)
	assert.NoError(t, open(t.Context()), "a wrong clock does not close the way")

	closed, err := Vantage.WayOut.Ask(vantageTarget(serveTLS(t, cert, signIn(403, time.Now(), "")).String()), testEnv(ca))
	require.NoError(t, err)
	err = closed(t.Context())
	assert.Equal(t, check.VantageOffline, check.ClassOf(err))
	assert.True(t, strings.HasPrefix(err.Error(), "hmad's own way out is closed: "), err.Error())
}

func TestManyAskForTheWayOutOnceAndTheAnswerIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		k := &kept{now: time.Now, turn: make(chan struct{}, 1), ask: func(context.Context) error {
			asked++
			time.Sleep(time.Second)
			return check.Errorf(check.VantageOffline, "closed")
		}}
		var callers sync.WaitGroup
		for range 5 {
			callers.Go(func() { assert.EqualError(t, k.get(t.Context()), "closed") })
		}
		callers.Wait()
		time.Sleep(29 * time.Second)
		assert.Equal(t, 1, asked)
		assert.Error(t, k.get(t.Context()))
		assert.Equal(t, 1, asked)
		time.Sleep(2 * time.Second)
		assert.Error(t, k.get(t.Context()))
		assert.Equal(t, 2, asked, "after 30 seconds it is asked anew")
	})
}

func TestACallerWhoGoesLearnsNothingAndSpoilsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		k := &kept{now: time.Now, turn: make(chan struct{}, 1), ask: func(ctx context.Context) error {
			asked++
			if asked == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var first sync.WaitGroup
		first.Go(func() { assert.Equal(t, context.DeadlineExceeded, k.get(short)) })
		synctest.Wait()
		assert.Equal(t, context.DeadlineExceeded, k.get(short), "waiting for the turn ends too")
		first.Wait()
		assert.NoError(t, k.get(t.Context()))
		assert.Equal(t, 2, asked)
	})
}
