package probes

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// sentence is Exchange's diagnostics for a foreign audience.
func sentence(actual string) string {
	return `2000003;reason="The hostname component of the audience claim value is invalid. Expected 'https://hmad-probe.invalid'. Actual '` + actual + `'.";error_category="invalid_resource"`
}

func TestJudgeTLSOffload(t *testing.T) {
	const noSentence = `2000001;reason="This token profile is not applicable for the current protocol.";error_category="invalid_token"`
	refused := func(diagnostics string) *Answer {
		return exchange(healthyBearer).with("X-Ms-Diagnostics", diagnostics)
	}
	for name, tc := range map[string]struct {
		answer       *Answer
		want         []string
		unevaluated  []string
		inconclusive string
	}{
		"bridged":                        {answer: refused(sentence("https://mail.contoso.com"))},
		"bridged, another port and case": {answer: refused(sentence("HTTPS://MAIL.contoso.com:444"))},
		"the sentence under an older number": {
			answer: refused(strings.Replace(sentence("https://mail.contoso.com"), "2000003", "2000001", 1))},
		"offloaded":                {refused(sentence("http://mail.contoso.com")), []string{"tls_offloaded"}, nil, ""},
		"offloaded to a port":      {refused(sentence("http://mail.contoso.com:80")), []string{"tls_offloaded"}, nil, ""},
		"rewritten":                {refused(sentence("https://ex01.corp.local")), []string{"host_rewritten"}, nil, ""},
		"offloaded and rewritten":  {refused(sentence("http://10.0.0.11")), []string{"tls_offloaded", "host_rewritten"}, nil, ""},
		"an Actual that is no URL": {refused(sentence("https://[::1")), nil, []string{"host_rewritten"}, ""},

		"accepted":                      {answered(200, "X-FEServer", "EX01"), []string{"forged_token_accepted"}, []string{"tls_offloaded", "host_rewritten"}, ""},
		"accepted, and then no request": {answered(501, "MS-Server-ActiveSync", "15.2"), []string{"forged_token_accepted"}, []string{"tls_offloaded", "host_rewritten"}, ""},

		"another profile":        inconclusiveCase(refused(noSentence), "token profile is not applicable"),
		"2000003 without Actual": inconclusiveCase(refused(`2000003;reason="The audience claim value is invalid 'aud'.";error_category="invalid_resource"`), "audience claim value"),
		"no diagnostics":         inconclusiveCase(exchange(healthyBearer), "401 Unauthorized without x-ms-diagnostics"),
		"the sentence with 403":  inconclusiveCase(answered(403, "X-Ms-Diagnostics", sentence("https://mail.contoso.com")), "403"),
		"a sign-in page":         inconclusiveCase(answered(200, "Content-Type", "text/html").withBody(loginPage), "200 OK"),
		"a sign-in device's 200": inconclusiveCase(answered(200, "Set-Cookie", "MRHSession=1"), "F5 BIG-IP APM stands in front"),
		"the cloud":              inconclusiveCase(answered(200, "X-FEProxyInfo", "AM6PR0102.EURPRD01.PROD.OUTLOOK.COM"), "Microsoft's cloud"),
		"a stopped pool":         inconclusiveCase(answered(503), "503"),
	} {
		t.Run(name, func(t *testing.T) {
			why := ""
			v := judged(TLSOffload, func(v *check.Verdict) {
				why = judgeTLSOffload(v, testURL(t, "https://mail.contoso.com/Microsoft-Server-ActiveSync"), "192.0.2.1:443", tc.answer)
			})
			soundVerdict(t, tlsOffloadReasons, v)
			assert.ElementsMatch(t, tc.want, foundNames(v.findings))
			assert.ElementsMatch(t, tc.unevaluated, reasonNames(v.unevaluated))
			assert.Equal(t, tc.inconclusive == "", why == "", why)
			assert.Contains(t, why, tc.inconclusive)
		})
	}
}

func inconclusiveCase(a *Answer, why string) struct {
	answer       *Answer
	want         []string
	unevaluated  []string
	inconclusive string
} {
	return struct {
		answer       *Answer
		want         []string
		unevaluated  []string
		inconclusive string
	}{a, nil, []string{"tls_offloaded", "host_rewritten", "forged_token_accepted"}, why}
}

func TestWorthlessTokenFollowsTheRecipe(t *testing.T) {
	now := time.Unix(1790000000, 0)
	parts := strings.Split(worthlessToken(testTenant, now), ".")
	require.Len(t, parts, 3)
	text := make([]string, 3)
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		require.NoError(t, err)
		text[i] = string(b)
	}
	assert.JSONEq(t, `{"alg":"RS256","typ":"JWT"}`, text[0])
	var claims map[string]any
	require.NoError(t, json.Unmarshal([]byte(text[1]), &claims))
	assert.Equal(t, map[string]any{
		"ver": "1.0", "scp": "EAS.AccessAsUser.All", "tid": testTenant,
		"iss": "https://sts.windows.net/" + testTenant + "/", "aud": "https://hmad-probe.invalid/",
		"iat": 1.79e9, "nbf": 1.79e9, "exp": 1.79e9 + 3600,
	}, claims)
	assert.Contains(t, text[2], "not a signature")
}

// asker is an estate with a clock and a memory, asked by tls_offload.
type asker struct {
	*estate
	env    check.Env
	clock  time.Time
	target config.Target
}

// newAsker serves what the function gives as Exchange's Actual.
func newAsker(t *testing.T, actual func() string) *asker {
	ca := newAuthority(t, "contoso root", nil)
	e := newEstate(t, ca, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		w.Header().Set("X-Ms-Diagnostics", sentence(actual()))
		w.WriteHeader(http.StatusUnauthorized)
	})
	a := &asker{estate: e, env: envFor(ca), clock: time.Now(), target: e.target()}
	a.env.Now = func() time.Time { return a.clock }
	a.target.TLSOffload.Every = time.Hour
	a.target.UserAgent = "contoso monitoring"
	return a
}

func (a *asker) run(t *testing.T) check.Report {
	t.Helper()
	return mustRun(t, TLSOffload, a.target, a.env)
}

func TestTLSOffloadAsksOnceAnHour(t *testing.T) {
	actual := "https://" + testHost
	a := newAsker(t, func() string { return actual })

	first := a.run(t)
	assert.Empty(t, first.Findings)
	require.Len(t, a.requests(), 1)

	actual = "http://" + testHost
	a.clock = a.clock.Add(30 * time.Minute)
	held := a.run(t) // a fresh instance of the check, as after a restart
	assert.Len(t, a.requests(), 1, "not asked again")
	assert.Empty(t, held.Findings)
	assert.Empty(t, held.Samples, "nothing old is shown as new")
	assert.Contains(t, strings.Join(held.Texts(), "\n"), "is not asked again before")
	assert.Contains(t, strings.Join(held.Texts(), "\n"), "Actual 'https://", "what it showed then")

	a.clock = a.clock.Add(30*time.Minute - 10*time.Second) // a schedule that starts a little early
	assert.Equal(t, []string{"tls_offloaded"}, foundNames(a.run(t).Findings))
	a.clock = a.clock.Add(time.Minute)
	again := a.run(t)
	assert.Equal(t, []string{"tls_offloaded"}, foundNames(again.Findings), "the verdict of then")
	assert.Len(t, a.requests(), 2)

	a.clock = a.clock.Add(-2 * time.Hour)
	a.run(t)
	assert.Len(t, a.requests(), 3, "a question from the future does not count")
}

// What is asked is known by its User-Agent; the token is shown nowhere, not
// even where a server echoes it.
func TestTLSOffloadShowsNoToken(t *testing.T) {
	a := newAsker(t, func() string { return "http://" + testHost })
	report := a.run(t)
	require.Len(t, a.requests(), 1)
	req := a.requests()[0]
	assert.Equal(t, "hmad-tls-offload", req.UserAgent())
	assert.Empty(t, req.Header.Get("X-User-Identity"))
	token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	require.Len(t, strings.Split(token, "."), 3)
	kept, err := json.Marshal(a.env.Memory)
	require.NoError(t, err)
	shown, err := json.Marshal(report)
	require.NoError(t, err)
	for _, part := range strings.Split(token, ".") {
		assert.NotContains(t, string(shown), part)
		assert.NotContains(t, string(kept), part)
		assert.NotContains(t, string(kept), base64.StdEncoding.EncodeToString([]byte(part)))
	}
	assert.Contains(t, strings.Join(report.Texts(), "\n"), "'Authorization: Bearer <worthless token>'")
	assert.Contains(t, strings.Join(report.Texts(), "\n"), "X-Echo: Bearer <worthless token>")
}

func TestTLSOffloadAsksEveryAddressAndMember(t *testing.T) {
	actual := "https://" + testHost
	a := newAsker(t, func() string { return actual })
	other := newAsker(t, func() string { return "http://" + testHost })
	member := serve(t, relay(t, other.address))
	a.env.ReadFile = func(string, int64) ([]byte, error) { return append(a.ca.pem(), other.ca.pem()...), nil }
	a.target.ActiveSync.Members = []config.AddrPort{checktest.Setting[config.AddrPort](member.String())}

	report := a.run(t)
	require.Equal(t, []string{"tls_offloaded"}, foundNames(report.Findings))
	assert.True(t, strings.HasPrefix(report.Findings[0].Detail, member.String()+": "), report.Findings[0].Detail)
	assert.Len(t, a.requests(), 1)
	assert.Len(t, other.requests(), 1)

	t.Run("a URL of its own has no members", func(t *testing.T) {
		a.target.TLSOffload.URL = checktest.Setting[config.URL]("https://other.contoso.test/Microsoft-Server-ActiveSync")
		assert.Equal(t, []string{"host_rewritten"}, foundNames(a.run(t).Findings))
		assert.Len(t, a.requests(), 2, "another URL is another question")
		assert.Len(t, other.requests(), 1)
	})
}

// relay passes a connection on to address, byte for byte.
func relay(t *testing.T, address string) func(net.Conn) {
	return func(c net.Conn) {
		to, err := net.Dial("tcp", address)
		if !assert.NoError(t, err) {
			return
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			io.Copy(to, c)
			to.Close()
		}()
		io.Copy(c, to)
		c.Close()
		<-done
	}
}

// A question that reached nobody is none; one that drew no answer is put once
// more, and then stands.
func TestTLSOffloadRepeatsWhatDrewNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t, "contoso root", nil)
		asked := 0
		target := config.Target{Tenant: testTenant, CAFile: "ca.pem", ActiveSync: config.ActiveSync{URL: checktest.Setting[config.URL](activesyncURL)},
			TLSOffload: config.TLSOffload{Every: time.Hour}}
		env := envFor(ca)
		handshake := overTLS(ca.leaf(t, nil), func(c net.Conn) { asked++; silent(c) })
		env.Dial = checktest.DialTo(t, func(c net.Conn) { time.Sleep(time.Millisecond); handshake(c) })
		hung, err := TLSOffload.New(target, env)
		require.NoError(t, err)
		env.Dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: assert.AnError}
		}
		unreached, err := TLSOffload.New(target, env)
		require.NoError(t, err)
		look := func(parts check.Parts) []string {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			report, err := TLSOffload.Look(ctx, parts.Run)
			require.NoError(t, err)
			synctest.Wait()
			return foundNames(report.Findings)
		}
		for range 3 {
			assert.Equal(t, []string{"connect_failed"}, look(unreached))
		}
		assert.Equal(t, []string{"timeout"}, look(hung))
		assert.Equal(t, []string{"timeout"}, look(hung), "the confirming attempt asks again")
		assert.Equal(t, []string{"timeout"}, look(hung), "the verdict of then")
		assert.Equal(t, 2, asked)
	})
}

func TestTLSOffloadThatTellsNothingIsUndecided(t *testing.T) {
	a := newAsker(t, func() string { return "" })
	for range 2 { // fresh, and remembered
		report, err := run(t, TLSOffload, a.target, a.env)
		assert.Equal(t, check.Token, check.ClassOf(err))
		assert.ErrorContains(t, err, "401 Unauthorized, x-ms-diagnostics: 2000003")
		assert.Empty(t, report.Findings)
		assert.Len(t, report.Unevaluated(), 3)
		assert.Contains(t, strings.Join(report.Texts(), "\n"), "curl ")
	}
	assert.Len(t, a.requests(), 1)
}

func TestTLSOffloadOfANameThatLeadsNowhere(t *testing.T) {
	a := newAsker(t, func() string { return "" })
	a.target.ConnectTo = nil
	a.env.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	report := a.run(t)
	assert.Equal(t, []string{"dns_failed"}, foundNames(report.Findings))
	assert.Contains(t, strings.Join(report.Texts(), "\n"), "curl ")
}

// A device that closes the connection on a forged token is no fault of the
// endpoint; what is no HTTP is one.
func TestATokenThatGetsNoAnswer(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	for name, c := range map[string]struct {
		answer string
		want   []string
		err    string
	}{
		"a closed connection": {"", []string{}, "got no answer that shows what Exchange received: 127.0.0.1:"},
		"no HTTP":             {"HTTP/1.1 4O1 Unauthorized\r\n\r\n", []string{"response_invalid"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			target, env := replayed(t, ca, c.answer), envFor(ca)
			target.TLSOffload.Every = time.Hour
			for _, when := range []string{"at once", "within the hour"} {
				report, err := run(t, TLSOffload, target, env)
				assert.Equal(t, c.want, foundNames(report.Findings), when)
				if c.err == "" {
					require.NoError(t, err)
					continue
				}
				require.ErrorContains(t, err, c.err)
				assert.Equal(t, check.Token, check.ClassOf(err))
				assert.Contains(t, reasonNames(report.Unevaluated()), "response_invalid")
			}
		})
	}
}
