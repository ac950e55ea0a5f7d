package probes

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

// detectSays is an answer of AutoDetect; header is a list of names and values.
func detectSays(status int, body string, header ...string) transport.Answer {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return transport.Answer{Status: status, Header: h, Body: []byte(body)}
}

// hybrid is a good answer, with what must not be kept.
const hybrid = `{"email":"hmad-probe@contoso.com","services":[{"service":"office365","protocol":"rest","hostname":"outlook.office365.com",
"aad":"https://login.windows.net/common/oauth2/authorize","onprem":"https://mail.contoso.com/Microsoft-Server-ActiveSync?User=hmad-probe%40contoso.com"}],
"protocols":[{"protocol":"eas","hostname":"mail.contoso.com","port":443,"encryption":"SSL","username":"hmad-probe@contoso.com","validated":true}]}`

func TestAnswersOfAutoDetect(t *testing.T) {
	debug := base64.StdEncoding.EncodeToString([]byte(`{"decision":"autoDv2","autoD":{"v2":{}}}`))
	for name, c := range map[string]struct {
		answer transport.Answer
		want   string // onprem_missing onprem_wrong authority_foreign legacy_only cannot_reach not_found
		shows  string
		class  *check.Class
	}{
		"hybrid": {detectSays(200, hybrid, "x-debug-support", debug, "x-feedback-token", "eyJhbGciOi-secret"), "clear clear clear clear clear clear",
			"decided by: autoDv2", nil},
		"taken for a cloud mailbox": {detectSays(200, `{"services":[{"service":"office365","protocol":"rest","onprem":""}]}`),
			"found none none clear clear clear", "office365 (protocol rest) without", nil},
		"another host": {detectSays(200, strings.Replace(hybrid, "https://mail.contoso.com", "https://old.contoso.com", 1)), "clear found clear clear clear clear",
			"old.contoso.com", nil},
		"without TLS": {detectSays(200, strings.Replace(hybrid, "https://mail.contoso.com", "http://mail.contoso.com", 1)), "clear found clear clear clear clear", "", nil},
		"AD FS": {detectSays(200, strings.Replace(hybrid, "login.windows.net", "adfs.contoso.com", 1)), "clear clear found clear clear clear",
			"adfs.contoso.com", nil},
		"no authority":        {detectSays(200, `{"services":[{"service":"office365","onprem":"https://mail.contoso.com/x"}]}`), "clear clear open clear clear clear", "", nil},
		"old protocols alone": {detectSays(200, `{"services":[],"protocols":[{"protocol":"imap"},{"protocol":"smtp"}]}`), "none none none found clear clear", "only imap, smtp", nil},
		"the domain is another provider's": {detectSays(200, `{"services":[{"service":"google"}],"protocols":[]}`), "found none none clear clear clear",
			"takes the probe mailbox for one of google", nil},
		"it could not reach us": {detectSays(200, `{"services":[],"protocols":[{"protocol":"imap"}]}`, "x-autodv2-error", "ENOTFOUND"),
			"none none none found found clear", "failed: ENOTFOUND", nil},
		"nothing found":           {detectSays(204, ""), "open open open open open found", "found nothing", nil},
		"nothing found, at 200":   {detectSays(200, `{"services":[],"protocols":[]}`), "open open open open open found", "found nothing", nil},
		"nothing, and the reason": {detectSays(204, "", "x-autodv2-error", "ETIMEDOUT"), "open open open open found found", "ETIMEDOUT", nil},
		"still searching":         {detectSays(202, ""), "open open open open open found", "still searching", nil},
		"out of order":            {detectSays(503, ""), "", "", check.Service},
		"busy":                    {detectSays(429, ""), "", "", check.Throttled},
		"a redirect":              {detectSays(302, "", "Location", "https://elsewhere.test/"), "", "", check.Service},
		"no such path":            {detectSays(404, ""), "", "", check.Service},
		"a captive portal":        {detectSays(200, "<html>"), "", "", check.VantageOffline},
		"another form":            {detectSays(200, `{"services":"none"}`), "", "", check.Service},
		"deep JSON":               {detectSays(200, strings.Repeat("[", 100_000)), "", "", check.Service},
		"a million services": {detectSays(200, `{"services":[`+strings.Repeat(`{"service":"google"},`, 10_000)+`{"service":"x"}]}`), "found none none clear clear clear",
			"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := readDetected(c.answer, "prod.autodetect.outlook.cloud.microsoft")
			if c.class != nil {
				require.Error(t, err)
				assert.Equal(t, c.class, check.ClassOf(err))
				return
			}
			require.NoError(t, err)
			assert.LessOrEqual(t, len(d.Services), maxServices)
			v := AutoDetect.Judge()
			v.NotApplicable("no report", visitsRefused)
			judgeDetected(v, &url.URL{Scheme: "https", Host: "Mail.contoso.com"}, d)
			assert.Equal(t, c.want+" none", stateWords(v, AutoDetect))
			r, _ := v.Report()
			texts := strings.Join(r.Texts(), "\n")
			for _, f := range r.Findings {
				texts += "\n" + f.Detail
			}
			assert.Contains(t, texts, c.shows)
			for _, secret := range []string{"hmad-probe", "eyJ", "?"} {
				assert.NotContains(t, texts, secret)
				assert.NotContains(t, fmt.Sprint(d), secret)
			}
		})
	}
}

func TestAutoDetectsVisits(t *testing.T) {
	visit := func(method, document string, status, n int) string {
		return fmt.Sprintf(`{"method":%q,"document":%q,"status":%d,"count":%d}`, method, document, status, n)
	}
	for name, c := range map[string]struct {
		counts []string
		want   string
		detail string
	}{
		"all answered":                        {[]string{visit("GET", "json", 200, 4), visit("POST", "xml", 401, 40)}, "clear", ""},
		"to the cloud, and unknown addresses": {[]string{visit("GET", "json", 302, 2), visit("GET", "json", 404, 2)}, "clear", ""},
		"refused":                             {[]string{visit("GET", "json", 200, 1), visit("GET", "json", 403, 2)}, "found", "refused 2 of 3 requests of AutoDetect (403: 2)"},
		"half is not more than half":          {[]string{visit("GET", "json", 200, 2), visit("GET", "json", 500, 2)}, "clear", ""},
		"too few to tell":                     {[]string{visit("GET", "json", 403, 2)}, "open", ""},
		"its POST alone, which meets 401":     {[]string{visit("POST", "xml", 401, 50)}, "open", ""},
		"none":                                {nil, "open", ""},
	} {
		t.Run(name, func(t *testing.T) {
			v, _ := visitsRun(t, `{"ok":true,"data":{"since":%[1]q,"until":%[2]q,"lastVisit":%[1]q,"counts":[`+strings.Join(c.counts, ",")+`]}}`)
			assert.Equal(t, "none none none none none none "+c.want, v.words)
			assert.Contains(t, v.texts, c.detail)
			assert.Contains(t, v.texts, "AutoDetect was last seen at AutoDiscover on premises at")
		})
	}
	t.Run("an older collector", func(t *testing.T) {
		v, _ := visitsRun(t, "")
		assert.Equal(t, "none none none none none none open", v.words)
	})
	t.Run("the log cannot be read", func(t *testing.T) {
		v, err := visitsRun(t, `{"ok":false,"error":"Access to the path is denied."}`)
		require.Error(t, err)
		assert.Equal(t, "none none none none none none undecided", v.words)
	})
}

type visitVerdict struct{ words, texts string }

// visitsRun judges a report with the section, of a check that does not ask.
func visitsRun(t *testing.T, section string) (visitVerdict, error) {
	t.Helper()
	now := time.Now()
	sections := `{"iis":{"ok":true,"data":[]}}`
	if section != "" {
		at := func(ago time.Duration) string { return now.Add(-ago).UTC().Format(time.RFC3339) }
		if strings.Contains(section, "%") {
			section = fmt.Sprintf(section, at(time.Hour), at(time.Minute))
		}
		sections = `{"autodetectVisits":` + section + `}`
	}
	env := checktest.Env(func() time.Time { return now })
	env.Memory, env.Reports = new(checktest.Memory), t.TempDir()
	text := fmt.Sprintf(`{"schema":1,"collector":"9.9.9","host":"EX01","intervalSeconds":900,"generatedAt":%q,"durationMs":1,"sections":%s}`,
		now.UTC().Format(time.RFC3339), sections)
	require.NoError(t, os.WriteFile(filepath.Join(env.Reports, "ex01.json"), []byte(text), 0o600))
	parts, err := AutoDetect.New(config.Target{Mailbox: cloudProbe}, env)
	require.NoError(t, err)
	v := AutoDetect.Judge()
	parts.Run(t.Context(), v)
	r, err := v.Report()
	texts := r.Texts()
	for _, f := range r.Findings {
		texts = append(texts, f.Detail)
	}
	return visitVerdict{stateWords(v, AutoDetect), strings.Join(texts, "\n")}, err
}

// detector stands for AutoDetect and keeps what it is asked.
type detector struct {
	status int
	body   string
	asked  []*http.Request
}

func (d *detector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.asked = append(d.asked, r)
	w.WriteHeader(d.status)
	fmt.Fprint(w, d.body)
}

// asking builds a check that asks it; names that are gone are not in DNS.
func (d *detector) asking(t *testing.T, at *time.Time, gone ...string) *autoDetect {
	t.Helper()
	ca := checktest.NewCA(t)
	port := checktest.Serve(t, ca, "*.contoso.com", d)
	env := checktest.Env(func() time.Time { return *at })
	env.Memory = new(checktest.Memory)
	resolve := env.Resolve
	env.Resolve = func(ctx context.Context, network, host string) ([]netip.Addr, error) {
		for _, name := range gone {
			if host == name {
				return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
			}
		}
		return resolve(ctx, network, host)
	}
	way, err := transport.New(config.Target{CAFile: ca.File}, env)
	require.NoError(t, err)
	a := &autoDetect{env: env, ask: true, every: time.Hour, mailbox: cloudProbe, client: unfollowing(way)}
	for _, host := range []string{"new.contoso.com", "old.contoso.com"} {
		a.urls = append(a.urls, &url.URL{Scheme: "https", Host: host + ":" + port, Path: "/autodetect/detect"})
	}
	return a
}

func TestAutoDetectIsAskedOnceAnHour(t *testing.T) {
	at := time.Now()
	d := &detector{status: 200, body: hybrid}
	a := d.asking(t, &at)
	for range 3 {
		_, err := AutoDetect.Look(t.Context(), a.run)
		require.NoError(t, err)
	}
	require.Len(t, d.asked, 1)
	assert.Equal(t, cloudProbe, d.asked[0].Header.Get("x-email"))
	assert.NotContains(t, d.asked[0].URL.String(), "hmad-probe")
	assert.Empty(t, d.asked[0].Header.Get("Authorization"))
	at = at.Add(time.Hour)
	_, err := AutoDetect.Look(t.Context(), a.run)
	require.NoError(t, err)
	assert.Len(t, d.asked, 2)
}

func TestTheSecondHostIsAskedWhereTheFirstIsGone(t *testing.T) {
	at := time.Now()
	d := &detector{status: 200, body: hybrid}
	_, err := AutoDetect.Look(t.Context(), d.asking(t, &at, "new.contoso.com").run)
	require.NoError(t, err)
	require.Len(t, d.asked, 1)
	assert.Contains(t, d.asked[0].Host, "old.contoso.com")

	_, err = AutoDetect.Look(t.Context(), d.asking(t, &at, "new.contoso.com", "old.contoso.com").run)
	require.ErrorContains(t, err, "DNS has no name new.contoso.com")
	assert.Equal(t, check.Service, check.ClassOf(err))
	assert.Len(t, d.asked, 1)
}

// While AutoDetect searches it is asked again, three times in all.
func TestASearchIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := 0
		client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			rounds++
			return &http.Response{StatusCode: 202, Body: http.NoBody, Request: r}, nil
		})}
		a := &autoDetect{urls: []*url.URL{{Scheme: "https", Host: "a.test"}}, client: client}
		began := time.Now()
		d, err := a.search(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 202, d.Status)
		assert.Equal(t, 3, rounds)
		assert.Equal(t, 2*searchPause, time.Since(began))
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func FuzzDetected(f *testing.F) {
	f.Add(200, hybrid, "ENOTFOUND", "eyJkZWNpc2lvbiI6ImF1dG9EdjIifQ==")
	f.Add(200, `{"services":[{"service":"a@b.c","onprem":"https://x/a@b.c"}]}`, "", "")
	f.Add(204, "", "\x00", "x")
	f.Fuzz(func(t *testing.T, status int, body, failed, debug string) {
		d, err := readDetected(detectSays(status, body, "x-autodv2-error", failed, "x-debug-support", debug), "host")
		if err != nil {
			checktest.OneLine(t, err)
			return
		}
		v := AutoDetect.Judge()
		v.NotApplicable("no report", visitsRefused)
		judgeDetected(v, nil, d)
		if _, err := v.Report(); err != nil {
			t.Fatal(err)
		}
		if s := fmt.Sprint(d); strings.ContainsAny(s, "\n\x00") || len(d.Services) > maxServices {
			t.Fatalf("%q is not fit to be shown", s)
		}
	})
}
