package collector

import (
	"compress/gzip"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/report/intake"
)

const bearer = "planted-bearer-token-0123456789"

// receiver stands where hmad is: it answers pushes one after the other, the last
// answer again and again, and keeps what arrived.
type receiver struct {
	url, ca string
	answers []http.HandlerFunc
	mu      sync.Mutex
	got     []*http.Request
	bodies  [][]byte
}

// receive starts a receiver. Without a CA it listens in the clear.
func receive(t *testing.T, ca *checktest.CA, answers ...http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	server := httptest.NewUnstartedServer(r)
	server.Config.ErrorLog = nil
	if ca != nil {
		server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(t).TLS()}, MinVersion: tls.VersionTLS12}
		server.StartTLS()
		r.ca = ca.File
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	r.url = server.URL + intake.Path
	return r
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	body, _ := io.ReadAll(in.Body)
	r.mu.Lock()
	answer := r.answers[min(len(r.got), len(r.answers)-1)]
	r.got, r.bodies = append(r.got, in), append(r.bodies, body)
	r.mu.Unlock()
	answer(w, in)
}

func (r *receiver) pushes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

// code answers with a status and header lines.
func code(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			fmt.Fprintf(w, "answer %d", status)
		}
	}
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

// generatedAt returns the time of a pushed report.
func generatedAt(t testing.TB, body []byte) string {
	t.Helper()
	var r struct {
		GeneratedAt string `json:"generatedAt"`
	}
	require.NoError(t, json.Unmarshal(unpacked(t, body), &r))
	return r.GeneratedAt
}

func unpacked(t testing.TB, body []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(string(body)))
	require.NoError(t, err)
	data, err := io.ReadAll(z)
	require.NoError(t, err)
	return data
}

// replay answers as the intake does to a report that it has: with that one's time,
// or with another's.
func (r *receiver) replay(t testing.TB, own bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		at := "2026-01-01T00:00:00.0000000Z"
		if own {
			at = generatedAt(t, r.bodies[0])
		}
		http.Error(w, "not newer than the last report of this host, generatedAt "+at, http.StatusConflict)
	}
}

// push runs the collector towards a URL; of Exchange it sees nothing.
func (b bed) push(t testing.TB, url, ca string, env []string, args ...string) outcome {
	t.Helper()
	tokenFile := filepath.Join(b.dir, "token")
	require.NoError(t, os.WriteFile(tokenFile, []byte(bearer+"\r\n"), 0o600))
	if ca != "" {
		env = append(env, "SSL_CERT_FILE="+ca)
	}
	o := b.run(t, "no-session", env, append([]string{"-Url", url, "-TokenFile", tokenFile}, args...)...)
	assert.Empty(t, o.left)
	for _, text := range []string{o.complaints, o.printed, o.log(t)} {
		assert.NotContains(t, text, bearer)
	}
	return o
}

func TestDelivery(t *testing.T) {
	ca := checktest.NewCA(t)
	soon := func() string { return time.Now().Add(3 * time.Second).UTC().Format(http.TimeFormat) }
	for name, c := range map[string]struct {
		answers   []http.HandlerFunc
		pushes    int
		delivered bool
		says      string // in the log file
	}{
		"204 is delivered":                      {[]http.HandlerFunc{code(204)}, 1, true, "delivered: 204 from https://127.0.0.1:"},
		"a page with 200 is not":                {[]http.HandlerFunc{code(200)}, 1, false, "answered 200, want 204"},
		"a wrong token is not tried again":      {[]http.HandlerFunc{code(401)}, 1, false, "answered 401: answer 401"},
		"422 is not tried again":                {[]http.HandlerFunc{code(422)}, 1, false, "answered 422"},
		"507 is not tried again":                {[]http.HandlerFunc{code(507)}, 1, false, "answered 507"},
		"a redirect is refused":                 {[]http.HandlerFunc{code(302, "Location", "https://login.contoso.com/?secret=1")}, 1, false, "answered 302 and redirects to https://login.contoso.com/, which is not followed"},
		"a redirect to a path is refused":       {[]http.HandlerFunc{code(307, "Location", "/elsewhere?secret=1")}, 1, false, "/elsewhere, which is not followed"},
		"429 is tried again, in seconds":        {[]http.HandlerFunc{code(429, "Retry-After", "3"), code(204)}, 2, true, "answered 429: answer 429; again in"},
		"503 is tried again, at a time":         {[]http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) { code(503, "Retry-After", soon())(w, r) }, code(204)}, 2, true, "answered 503"},
		"a connection that breaks, then 204":    {[]http.HandlerFunc{hangUp, code(204)}, 2, true, "no answer from https://127.0.0.1:"},
		"a 409 without a broken attempt before": {[]http.HandlerFunc{code(409)}, 1, false, "answered 409"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := receive(t, ca, c.answers...)
			o := newBed(t).push(t, r.url+"?secret=1", r.ca, nil)
			assert.Equal(t, c.delivered, o.status == 0, o.complaints)
			assert.Equal(t, c.pushes, r.pushes())
			assert.Contains(t, o.log(t), c.says)
			assert.NotContains(t, o.log(t)+o.complaints, "secret", "no query of a URL is shown")
			assert.Equal(t, "EX01", r.got[0].Header.Get(intake.HostHeader))
			assert.Equal(t, "Bearer "+bearer, r.got[0].Header.Get("Authorization"))
			_, err := report.Decode(unpacked(t, r.bodies[0]))
			assert.NoError(t, err)
		})
	}
}

// The answer to the attempt that arrived was lost: the next is refused as a replay,
// which is a delivery only if it is of this very report.
func TestAReplayOfItsOwnReportIsADelivery(t *testing.T) {
	ca := checktest.NewCA(t)
	for name, own := range map[string]bool{"its own": true, "another's": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := receive(t, ca, hangUp)
			r.answers = append(r.answers, r.replay(t, own))
			o := newBed(t).push(t, r.url, r.ca, nil)
			assert.Equal(t, own, o.status == 0, o.log(t))
			assert.Equal(t, 2, r.pushes())
		})
	}
}

func TestTheTokenDoesNotCrossTheNetworkInTheClear(t *testing.T) {
	t.Parallel()
	o := newBed(t).push(t, "http://jump1.contoso.com:9751"+intake.Path, "", nil)
	assert.Equal(t, 1, o.status)
	assert.Contains(t, o.log(t), "-Url must begin with https://")
	r := receive(t, nil, code(204))
	o = newBed(t).push(t, r.url, "", nil)
	assert.Zero(t, o.status, "to this server itself it may: %s", o.complaints)
}

func TestACertificateThatIsNotTrustedIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	r := receive(t, checktest.NewCA(t), code(204))
	o := newBed(t).push(t, r.url, checktest.NewCA(t).File, nil)
	assert.Equal(t, 1, o.status)
	assert.Zero(t, r.pushes())
	assert.Regexp(t, `not delivered: no answer from https://127\.0\.0\.1:\d+/api/v1/onprem-report: .*certificate`, o.log(t))
	assert.NotContains(t, o.log(t), "again in")
}

func TestARefusedConnectionIsTriedAgain(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	url := "https://" + ln.Addr().String() + intake.Path
	require.NoError(t, ln.Close())
	o := newBed(t).push(t, url, "", nil, "-RunSeconds", "30")
	assert.Equal(t, 1, o.status)
	assert.Contains(t, o.log(t), "no answer from https://127.0.0.1:")
	// The waits are random: five attempts may fit into the time of the run, or fewer.
	assert.Regexp(t, `no time is left for another|attempt 5, the last`, o.log(t))
}

// The proxy is the one that -Proxy names, never the environment's.
func TestTheProxyIsNamed(t *testing.T) {
	ca := checktest.NewCA(t)
	t.Run("the environment's is not used", func(t *testing.T) {
		t.Parallel()
		r := receive(t, ca, code(204))
		o := newBed(t).push(t, r.url, r.ca, []string{"HTTPS_PROXY=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1", "ALL_PROXY=http://127.0.0.1:1"})
		assert.Zero(t, o.status, o.complaints)
	})
	t.Run("the named one is", func(t *testing.T) {
		t.Parallel()
		r := receive(t, ca, code(204))
		asked := make(chan string, 10)
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
			asked <- in.Method + " " + in.Host
			w.WriteHeader(http.StatusBadGateway)
		}))
		t.Cleanup(proxy.Close)
		o := newBed(t).push(t, strings.Replace(r.url, "127.0.0.1", "hmad.contoso.com", 1), r.ca, nil, "-Proxy", proxy.URL, "-RunSeconds", "30")
		assert.Equal(t, 1, o.status)
		assert.Regexp(t, `^CONNECT hmad\.contoso\.com:`, <-asked)
	})
}

func TestAFolderThatCannotTakeTheReportKeepsNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	out := filepath.Join(b.dir, "out")
	require.NoError(t, os.MkdirAll(filepath.Join(out, "EX01.json", "full"), 0o700))
	o := b.run(t, "no-session", nil)
	assert.Equal(t, 1, o.status)
	assert.Contains(t, o.log(t), "not delivered: ")
	left, err := filepath.Glob(filepath.Join(out, "*.tmp"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// A hundred servers whose tasks start in the same second, by the script's own
// numbers, against the real intake in its own time.
func TestAHundredServersAtOnce(t *testing.T) {
	spread, floor, attempts := pauses(t)
	synctest.Test(t, func(t *testing.T) {
		spent := fleet{t: t, spread: spread, floor: floor, attempts: attempts}.run(100)
		assert.Less(t, spent, time.Minute)
	})
}

// pauses returns the numbers of the script's pauses: the random seconds before each
// attempt, the least of all, and how many attempts follow the first.
func pauses(t *testing.T) (spread []time.Duration, floor time.Duration, attempts int) {
	t.Helper()
	s := text(t)
	find := func(form string) string {
		m := regexp.MustCompile(form).FindStringSubmatch(s)
		require.NotNil(t, m, form)
		return m[1]
	}
	for n := range strings.SplitSeq(find(`\$spread = ([\d, ]+)\n`), ", ") {
		d, err := time.ParseDuration(n + "s")
		require.NoError(t, err)
		spread = append(spread, d)
	}
	floor, err := time.ParseDuration(find(`\$floor = (\d+)\n`) + "s")
	require.NoError(t, err)
	_, err = fmt.Sscan(find(`\$attempt -ge (\d+)\)`), &attempts)
	require.NoError(t, err)
	require.Len(t, spread, attempts)
	require.Contains(t, s, `$floor = [Math]::Max($floor, $seconds)`)
	require.Contains(t, s, `$floor + $spread[$Attempt] * (Get-Random -Minimum 0.0 -Maximum 1.0)`)
	return spread, floor, attempts
}
