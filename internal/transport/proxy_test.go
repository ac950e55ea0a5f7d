package transport

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

const proxyPassword = "S3cret:with a colon ü"

// signIn is a proxy that tunnels to the port for whoever signs in as svc.
func signIn(t *testing.T, port string) string {
	t.Helper()
	var status atomic.Int64
	status.Store(http.StatusOK)
	tunnel := connectProxy(&status, port)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
		if name, password, ok := r.BasicAuth(); !ok || name != "svc" || password != proxyPassword {
			w.Header().Set("Proxy-Authenticate", `Basic realm="contoso"`)
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		tunnel(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// A proxy that wants a name and a password gets them for documents and for
// probes, read anew for each connection, and no error shows them.
func TestAProxyThatWantsANameAndAPassword(t *testing.T) {
	ca := checktest.NewCA(t)
	port := checktest.Serve(t, ca, "login.contoso.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Proxy-Authorization"), "the far side does not see it")
		io.WriteString(w, "here")
	}))
	target := config.Target{CAFile: ca.File, Proxy: checktest.Setting[config.Proxy](signIn(t, port))}
	ask := func() (document, probe error) {
		_, document = fetch(t, target, checktest.Env(time.Now), "https://login.contoso.test:"+port)
		way, err := New(target, checktest.Env(time.Now))
		require.NoError(t, err)
		conn, probe := way.Tunnel(t.Context(), "login.contoso.test", port)
		if probe == nil {
			conn.Close()
		}
		return document, probe
	}
	refused := func(want string) {
		t.Helper()
		document, probe := ask()
		for _, err := range []error{document, probe} {
			require.ErrorContains(t, err, want)
			assert.Equal(t, check.VantageOffline, check.ClassOf(err))
			assert.NotContains(t, err.Error(), "S3cret")
			assert.NotContains(t, err.Error(), "svc")
		}
	}
	refused("it answers 407")
	refused("it wants a name and a password: set proxy_credentials_file")
	target.ProxyCredentialsFile = checktest.Written(t, "proxy", "svc:S3cret-of-before\n")
	refused("it answers 407: it refuses the name and password in proxy_credentials_file")
	require.NoError(t, os.WriteFile(target.ProxyCredentialsFile, []byte("\ufeffsvc:"+proxyPassword+"\r\n"), 0o600))
	document, probe := ask()
	require.NoError(t, document)
	require.NoError(t, probe)
}

func TestAProxysCredentialsThatCannotBeUsed(t *testing.T) {
	for name, text := range map[string]string{"no colon": "S3cret", "no name": ":S3cret", "no password": "svc:", "two lines": "svc\nS3cret", "nothing": "",
		"another encoding": "svc:S3cret\xff", "too long": "svc:S3cret\nsvc:S3cret"} {
		target := config.Target{Proxy: checktest.Setting[config.Proxy]("http://127.0.0.1:3128"), ProxyCredentialsFile: checktest.Written(t, "proxy.txt", text)}
		_, err := New(target, checktest.Env(time.Now))
		require.ErrorContains(t, err, "want one line NAME:PASSWORD", name)
		assert.ErrorContains(t, err, "proxy_credentials_file: ", name)
		assert.NotContains(t, err.Error(), "S3cret", name)
	}
	_, err := New(config.Target{ProxyCredentialsFile: "/nonexistent/proxy"}, checktest.Env(time.Now))
	assert.ErrorContains(t, err, "proxy_credentials_file: open /nonexistent/proxy: no such file")
}

func TestWhatAProxyRefuses(t *testing.T) {
	for name, c := range map[string]struct{ answer, file, want string }{
		"NTLM alone":            {"407 No\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate", "", "it answers 407 No: it wants NTLM, Negotiate, and hmad knows Basic alone"},
		"NTLM, with a file":     {"407 No\r\nProxy-Authenticate: NTLM", "f", "it answers 407: it wants NTLM, and hmad knows Basic alone"},
		"Basic among others":    {"407 No\r\nProxy-Authenticate: Negotiate, Basic realm=\"a, b\"", "", "it answers 407 No: it wants a name and a password: set proxy_credentials_file"},
		"nothing is said":       {"407 No", "f", "it answers 407: it refuses the name and password in proxy_credentials_file"},
		"no connection":         {"503 Busy", "", "it answers 503 Busy"},
		"words with the secret": {"403 svc:S3cret is not allowed", "f", "it answers 403"},
	} {
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader("HTTP/1.1 "+c.answer+"\r\nContent-Length: 0\r\n\r\n")), nil)
		require.NoError(t, err, name)
		w := &Way{proxyFile: c.file}
		says := w.refused(context.Background(), &url.URL{Host: "proxy:3128"}, &http.Request{Host: "mail:443"}, resp)
		require.ErrorContains(t, says, "the proxy proxy:3128 does not connect us to mail:443: "+c.want, name)
		assert.NotContains(t, says.Error(), "S3cret", name)
	}
}

func FuzzProxyOffers(f *testing.F) {
	f.Add("Basic realm=\"a, b\", NTLM")
	f.Add("Negotiate")
	f.Fuzz(func(t *testing.T, challenge string) {
		names, basic := proxyOffers(http.Header{"Proxy-Authenticate": {challenge}})
		if len(names) > 120 || strings.ContainsAny(names, "\r\n\"=") || basic && !strings.Contains(strings.ToLower(challenge), "basic") {
			t.Errorf("%q gives %q", challenge, names)
		}
	})
}

func FuzzReadCredentials(f *testing.F) {
	f.Add([]byte("svc:S3cret\r\n"))
	f.Add([]byte("svc"))
	f.Fuzz(func(t *testing.T, data []byte) {
		line, ok := readCredentials(data)
		if ok && (strings.ContainsAny(string(line), "\r\n\x00") || !strings.Contains(string(line), ":")) {
			t.Errorf("%q gives %q", data, line)
		}
	})
}
