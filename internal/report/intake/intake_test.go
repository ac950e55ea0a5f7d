package intake

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
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
	"github.com/hmad/hmad/internal/report"
)

const pushToken = "planted-bearer-token-0123456789"

// counter is a Meter that counts by label.
type counter struct {
	mu   sync.Mutex
	seen map[string]float64
}

func (c *counter) Add(m *check.Metric, v float64, labels ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[m.Name+" "+strings.Join(labels, " ")] += v
}

func (c *counter) Observe(*check.Metric, float64, ...string) {}

// intake is an Server that keeps its reports in a folder of its own.
func intake(t testing.TB, edit func(*config.Report)) (*Server, *counter) {
	t.Helper()
	env := checktest.Env(func() time.Time { return sampleTime })
	env.Reports = t.TempDir()
	count := &counter{seen: map[string]float64{}}
	env.Meter = count
	cfg := config.Report{TokenFile: checktest.Written(t, "token", pushToken+"\n")}
	if edit != nil {
		edit(&cfg)
	}
	return New(cfg, env, func(name string, data []byte) error {
		return os.WriteFile(filepath.Join(env.Reports, name), data, 0o600)
	}), count
}

// push makes the request of a collector.
func push(body string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("Authorization", "Bearer "+pushToken)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func packed(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(s))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

func TestIntakeAnswers(t *testing.T) {
	bomb := packed(t, strings.Repeat(" ", report.MaxSize+1))
	for name, c := range map[string]struct {
		request *http.Request
		code    int
		want    string
	}{
		"a good report":            {push(sample(t)), 204, ""},
		"a packed report":          {push(packed(t, sample(t)), "Content-Encoding", "gzip"), 204, ""},
		"a report with a mark":     {push("\xef\xbb\xbf" + sample(t)), 204, ""},
		"the scheme in lower case": {push(sample(t), "Authorization", "bearer "+pushToken), 204, ""},
		"a clock 9 minutes ahead":  {push(reportOf(t, "EX01", sampleTime.Add(9*time.Minute))), 204, ""},
		"no token":                 {push(sample(t), "Authorization", ""), 401, "want the bearer token"},
		"a wrong token":            {push(sample(t), "Authorization", "Bearer wrong"), 401, "want the bearer token"},
		"a longer token":           {push(sample(t), "Authorization", "Bearer "+pushToken+"x"), 401, "want the bearer token"},
		"another scheme":           {push(sample(t), "Authorization", "Basic "+pushToken), 401, "want the bearer token"},
		"another path":             {httptest.NewRequest(http.MethodPost, "/", nil), 404, "reports go to"},
		"another method":           {httptest.NewRequest(http.MethodGet, Path, nil), 405, "want POST"},
		"another content type":     {push(sample(t), "Content-Type", "text/plain"), 415, "Content-Type"},
		"another coding":           {push(sample(t), "Content-Encoding", "br"), 415, "Content-Encoding"},
		"no gzip under that name":  {push(sample(t), "Content-Encoding", "gzip"), 400, "no gzip"},
		"a gzip that breaks off":   {push(packed(t, sample(t))[:300], "Content-Encoding", "gzip"), 400, "broke off"},
		"a body over the limit":    {push(sample(t) + strings.Repeat(" ", report.MaxSize)), 413, "over 8388608 bytes"},
		"a gzip bomb":              {push(bomb, "Content-Encoding", "gzip"), 413, "over 8388608 bytes"},
		"a truncated report":       {push(sample(t)[:1000]), 422, "is incomplete"},
		"an unknown schema":        {push(replaced(t, `"schema": 1`, `"schema": 9`)), 422, "unknown schema: got 9"},
		"a host that is a path":    {push(reportOf(t, "../../etc/cron.d/x", sampleTime)), 422, "host:"},
		"a clock 11 minutes ahead": {push(reportOf(t, "EX01", sampleTime.Add(11*time.Minute))), 422, "11m0s ahead"},
		"a body that is no JSON":   {push("a=1&b=2"), 422, "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			in, count := intake(t, nil)
			w := httptest.NewRecorder()
			in.ServeHTTP(w, c.request)
			assert.Equal(t, c.code, w.Code, w.Body.String())
			assert.Contains(t, w.Body.String(), c.want)
			assert.Equal(t, c.code == 401, w.Header().Get("WWW-Authenticate") != "")
			files, _ := os.ReadDir(in.env.Reports)
			assert.Equal(t, c.code == 204, len(files) == 1, "only a good report is kept")
			assert.Equal(t, map[string]float64{"hmad_onprem_report_pushes_total " + strconv.Itoa(c.code): 1}, count.seen)
			assert.NotContains(t, w.Body.String(), pushToken)
		})
	}
}

func TestIntakeTakesOnlyNewerReportsOfAHost(t *testing.T) {
	in, _ := intake(t, nil)
	for _, c := range []struct {
		name string
		body string
		code int
	}{
		{"the first", reportOf(t, "EX01", sampleTime), 204},
		{"the same again", reportOf(t, "EX01", sampleTime), 409},
		{"an older one", reportOf(t, "EX01", sampleTime.Add(-time.Second)), 409},
		{"an older one under another case", reportOf(t, "ex01", sampleTime.Add(-time.Second)), 409},
		{"an older one of another host", reportOf(t, "EX02", sampleTime.Add(-time.Second)), 204},
		{"a newer one", reportOf(t, "EX01", sampleTime.Add(time.Second)), 204},
	} {
		w := httptest.NewRecorder()
		in.ServeHTTP(w, push(c.body))
		assert.Equal(t, c.code, w.Code, c.name)
	}
	got, err := report.ReadFolder(in.env, in.env.Reports)
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Equal(t, sampleTime.Add(time.Second), got[0].GeneratedAt)
	assert.Equal(t, "EX02", got[1].Host)

	again := New(in.cfg, in.env, in.put)
	w := httptest.NewRecorder()
	again.ServeHTTP(w, push(reportOf(t, "EX01", sampleTime)))
	assert.Equal(t, 409, w.Code, "a restart forgets nothing")

	require.NoError(t, os.WriteFile(filepath.Join(in.env.Reports, "ex01.json"), []byte("{"), 0o600))
	w = httptest.NewRecorder()
	again.ServeHTTP(w, push(reportOf(t, "EX01", sampleTime)))
	assert.Equal(t, 204, w.Code, "a damaged copy is replaced")
}

func TestIntakeIsBounded(t *testing.T) {
	t.Run("in pushes", func(t *testing.T) { synctest.Test(t, boundedInPushes) })
	t.Run("in strangers", func(t *testing.T) { synctest.Test(t, boundedInStrangers) })
	t.Run("in strangers' addresses", func(t *testing.T) {
		var s strangers
		r := push("{")
		for i := range maxStrangers + 10 {
			r.RemoteAddr = fmt.Sprintf("10.%d.%d.1:99", i/250, i%250)
			require.True(t, s.allow(r, proof{1}))
		}
		assert.LessOrEqual(t, len(s.by), maxStrangers)
	})
	t.Run("in hosts", func(t *testing.T) {
		in, _ := intake(t, nil)
		in.env.ReadDir = func(string) ([]string, error) { return make([]string, report.MaxFiles), nil }
		w := httptest.NewRecorder()
		in.ServeHTTP(w, push(sample(t)))
		assert.Equal(t, http.StatusInsufficientStorage, w.Code)
	})
}

func boundedInPushes(t *testing.T) {
	in, _ := intake(t, nil)
	codes := map[int]int{}
	for range pushBurst + 5 {
		w := httptest.NewRecorder()
		in.ServeHTTP(w, push("{"))
		codes[w.Code]++
	}
	assert.Equal(t, map[int]int{422: pushBurst, 429: 5}, codes)
	w := httptest.NewRecorder()
	in.ServeHTTP(w, push("{", "Authorization", "Bearer wrong"))
	assert.Equal(t, 401, w.Code, "strangers do not use up the rate")
}

func boundedInStrangers(t *testing.T) {
	in, _ := intake(t, nil)
	answer := func(from, token string) int {
		r, w := push("{", "Authorization", "Bearer "+token), httptest.NewRecorder()
		r.RemoteAddr = from
		in.ServeHTTP(w, r)
		return w.Code
	}
	codes := map[int]int{}
	for range strangerBurst + 5 {
		codes[answer("192.0.2.7:4711", "planted-guess")]++
	}
	assert.Equal(t, map[int]int{401: strangerBurst, 429: 5}, codes)
	assert.Equal(t, 429, answer("192.0.2.7:4712", "another-guess"), "from another port as well")
	assert.Equal(t, 401, answer("[2001:db8::1]:4711", "a-guess"), "each address by itself")
	assert.Equal(t, 422, answer("192.0.2.8:4711", pushToken), "senders elsewhere are not kept out")
	assert.Equal(t, 422, answer("192.0.2.7:4711", pushToken), "nor a known one behind the same address")
	require.NoError(t, os.WriteFile(in.cfg.TokenFile, []byte("planted-new-token-0123456789"), 0o600))
	assert.Equal(t, 401, answer("192.0.2.7:4711", pushToken), "the old token is good no more")
	assert.Equal(t, 429, answer("192.0.2.7:4711", pushToken), "and its sender a stranger")
}

func TestIntakeWhenThisHostIsAtFault(t *testing.T) {
	for name, spoil := range map[string]func(*Server){
		"the disk is full":       func(in *Server) { in.put = func(string, []byte) error { return errors.New("planted: no space left") } },
		"the token file is gone": func(in *Server) { in.cfg.TokenFile += ".gone" },
		"the folder is unreadable": func(in *Server) {
			read := in.env.ReadFile
			in.env.ReadFile = func(name string, max int64) ([]byte, error) {
				if strings.HasSuffix(name, ".json") {
					return nil, os.ErrPermission
				}
				return read(name, max)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			in, _ := intake(t, nil)
			spoil(in)
			w := httptest.NewRecorder()
			in.ServeHTTP(w, push(sample(t)))
			assert.Equal(t, 500, w.Code)
			assert.Equal(t, "the report could not be kept\n", w.Body.String())
		})
	}
}

func TestIntakeChecksItsFiles(t *testing.T) {
	ca := checktest.NewCA(t)
	server := ca.Issue(t)
	good := func(c *config.Report) { c.CertFile, c.KeyFile = server.CertFile, server.KeyFile }
	for name, c := range map[string]struct {
		edit func(*config.Report)
		want string
	}{
		"all is there":            {func(*config.Report) {}, ""},
		"no token file":           {func(c *config.Report) { c.TokenFile += "x" }, "token_file: "},
		"a short token":           {func(c *config.Report) { c.TokenFile = checktest.Written(t, "token", "short\n") }, "token_file: "},
		"no certificate":          {func(c *config.Report) { c.CertFile += "x" }, "cert_file: "},
		"no key":                  {func(c *config.Report) { c.KeyFile += "x" }, "key_file: "},
		"the key of another":      {func(c *config.Report) { c.KeyFile = ca.Issue(t).KeyFile }, "cert_file: "},
		"a client CA without PEM": {func(c *config.Report) { c.ClientCAFile = c.TokenFile }, "client_ca_file: "},
		"all of them at once":     {func(c *config.Report) { c.TokenFile, c.CertFile, c.ClientCAFile = "/x", "/y", "/z" }, "client_ca_file: "},
	} {
		t.Run(name, func(t *testing.T) {
			in, _ := intake(t, func(r *config.Report) { good(r); c.edit(r) })
			err := errors.Join(in.Check()...)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "short\n")
		})
	}
}

// listening serves the intake on loopback and gives its URL.
func listening(t testing.TB, in *Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return "https://" + ln.Addr().String() + Path
}

func TestIntakeByClientCertificate(t *testing.T) {
	ca, stranger := checktest.NewCA(t), checktest.NewCA(t)
	server, client := ca.Issue(t), ca.Issue(t, "ex01.contoso.com")
	for name, c := range map[string]struct {
		tokenToo bool
		with     *checktest.Cert
		token    string
		code     int // 0: the handshake fails
	}{
		"the only proof":                  {with: client, code: 204},
		"none where it is the only proof": {},
		"a stranger's":                    {with: stranger.Issue(t)},
		"beside a token":                  {tokenToo: true, with: client, code: 204},
		"none, and the token":             {tokenToo: true, token: pushToken, code: 204},
		"none, and a wrong token":         {tokenToo: true, token: "wrong", code: 401},
		"a stranger's, and the token":     {tokenToo: true, with: stranger.Issue(t), token: pushToken},
	} {
		t.Run(name, func(t *testing.T) {
			in, _ := intake(t, func(r *config.Report) {
				r.CertFile, r.KeyFile, r.ClientCAFile = server.CertFile, server.KeyFile, ca.File
				if !c.tokenToo {
					r.TokenFile = ""
				}
			})
			trust := &tls.Config{RootCAs: x509.NewCertPool()}
			trust.RootCAs.AddCert(ca.Cert)
			if c.with != nil {
				trust.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					return &tls.Certificate{Certificate: [][]byte{c.with.Cert.Raw}, PrivateKey: c.with.Key}, nil
				}
			}
			transport := &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true}
			req := push(sample(t), "Authorization", "Bearer "+c.token)
			out, err := http.NewRequest(req.Method, listening(t, in), req.Body)
			require.NoError(t, err)
			out.Header = req.Header
			resp, err := transport.RoundTrip(out)
			if c.code == 0 {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			resp.Body.Close()
			assert.Equal(t, c.code, resp.StatusCode)
		})
	}
}
