package transport

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
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

func clientOf(t *testing.T, target config.Target, env check.Env) *http.Client {
	t.Helper()
	way, err := New(target, env)
	require.NoError(t, err)
	return way.Client()
}

// fetch asks with a client of the target and reads the answer.
func fetch(t *testing.T, target config.Target, env check.Env, u string) (string, error) {
	t.Helper()
	resp, err := clientOf(t, target, env).Get(u)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestTheClientGoesOutTheTargetsWay(t *testing.T) {
	ca := checktest.NewCA(t)
	port := checktest.Serve(t, ca, "login.contoso.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Host, r.UserAgent())
	}))
	here := "login.contoso.test:" + port
	t.Run("resolver and dialler", func(t *testing.T) {
		env := checktest.Env(time.Now)
		var asked, dialled []string
		env.Resolve = func(_ context.Context, network, host string) ([]netip.Addr, error) {
			asked = append(asked, network+" "+host)
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		dial := env.Dial
		env.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialled = append(dialled, addr)
			return dial(ctx, network, addr)
		}
		client := clientOf(t, config.Target{CAFile: ca.File}, env)
		for range 2 {
			resp, err := client.Get("https://" + here)
			require.NoError(t, err)
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			assert.Equal(t, here+" hmad/test", string(body))
		}
		assert.Equal(t, []string{"ip login.contoso.test", "ip login.contoso.test"}, asked)
		assert.Equal(t, []string{"127.0.0.1:" + port, "127.0.0.1:" + port}, dialled, "each request has its own connection")
	})
	t.Run("the next address where one is dead", func(t *testing.T) {
		env := checktest.Env(time.Now)
		env.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")}, nil
		}
		_, err := fetch(t, config.Target{CAFile: ca.File}, env, "https://"+here)
		require.NoError(t, err)
	})
	t.Run("connect_to and user_agent", func(t *testing.T) {
		target := config.Target{CAFile: ca.File, UserAgent: "contoso",
			ConnectTo: checktest.Setting[config.ConnectTo](map[string]string{"Login.contoso.test:443": "127.0.0.1:" + port})}
		body, err := fetch(t, target, checktest.Env(time.Now), "https://login.contoso.test")
		require.NoError(t, err)
		assert.Equal(t, "login.contoso.test contoso", body)
	})
	t.Run("proxy", func(t *testing.T) {
		var status atomic.Int64
		status.Store(http.StatusOK)
		proxy := httptest.NewServer(connectProxy(&status, port))
		t.Cleanup(proxy.Close)
		env := checktest.Env(time.Now)
		env.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
			return nil, errors.New("the proxy resolves")
		}
		target := config.Target{CAFile: ca.File, Proxy: checktest.Setting[config.Proxy](proxy.URL)}
		_, err := fetch(t, target, env, "https://"+here)
		require.NoError(t, err)

		status.Store(http.StatusForbidden)
		_, err = fetch(t, target, env, "https://"+here)
		require.ErrorContains(t, err, "does not connect us to "+here+": it answers 403")
		assert.Equal(t, check.VantageOffline, check.ClassOf(err))

		proxy.Close()
		_, err = fetch(t, target, env, "https://"+here)
		require.ErrorContains(t, err, "cannot be reached")
		assert.Equal(t, check.VantageOffline, check.ClassOf(err))
	})
	t.Run("no resolver", func(t *testing.T) {
		env := checktest.Env(time.Now)
		env.Resolve = func(context.Context, string, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
		_, err := fetch(t, config.Target{CAFile: ca.File}, env, "https://"+here)
		require.ErrorContains(t, err, "login.contoso.test cannot be resolved: no such host")
		assert.Equal(t, check.Resolver, check.ClassOf(err))
	})
	t.Run("an unknown issuer", func(t *testing.T) {
		_, err := fetch(t, config.Target{}, checktest.Env(time.Now), "https://"+here)
		require.ErrorContains(t, err, "certificate signed by unknown authority")
	})
}

// connectProxy tunnels to the port on loopback, or refuses.
func connectProxy(status *atomic.Int64, port string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if code := int(status.Load()); code != http.StatusOK {
			w.WriteHeader(code)
			return
		}
		out, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			panic(err)
		}
		w.WriteHeader(http.StatusOK)
		in, read, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		// The start of the ClientHello may have been read with the request.
		go func() { io.Copy(out, read); out.Close() }()
		io.Copy(in, out)
		in.Close()
	}
}

func TestCertificatesAreJudgedByTheClockOfEnv(t *testing.T) {
	ca := checktest.NewCA(t)
	port := checktest.Serve(t, ca, "login.contoso.test", http.NotFoundHandler())
	env := checktest.Env(func() time.Time { return time.Now().AddDate(1, 0, 0) })
	_, err := fetch(t, config.Target{CAFile: ca.File}, env, "https://login.contoso.test:"+port)
	assert.ErrorContains(t, err, "certificate has expired")
}

func TestTheClientIsBounded(t *testing.T) {
	ca := checktest.NewCA(t)
	port := checktest.Serve(t, ca, "login.contoso.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/full":
			io.WriteString(w, strings.Repeat("x", MaxBody))
		case "/over":
			io.WriteString(w, strings.Repeat("x", MaxBody+1))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, strings.Repeat("x", 20<<20))
			z.Close()
		case "/header":
			w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeader))
		case "/here":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/elsewhere":
			http.Redirect(w, r, "https://login.contoso.example/?secret=planted", http.StatusFound)
		case "/downgrade":
			http.Redirect(w, r, "http://"+r.Host+"/", http.StatusTemporaryRedirect)
		}
	}))
	for path, want := range map[string]string{
		"":           "",
		"/full":      "",
		"/here":      "",
		"/over":      ErrTooLarge.Error(),
		"/bomb":      ErrTooLarge.Error(),
		"/header":    "server response headers exceeded",
		"/round":     "over 5 redirects",
		"/elsewhere": "redirects to another place, https://login.contoso.example, which is not followed",
		"/downgrade": "which is not followed",
	} {
		t.Run(path, func(t *testing.T) {
			_, err := fetch(t, config.Target{CAFile: ca.File}, checktest.Env(time.Now), "https://login.contoso.test:"+port+path)
			if want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, want)
			if want == ErrTooLarge.Error() {
				require.ErrorIs(t, err, ErrTooLarge)
			}
		})
	}
}

func TestACAFileThatCannotBeUsedNamesItsSetting(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"that is not there": {"/nowhere/ca.pem", "ca_file: "},
		"without PEM":       {checktest.Written(t, "ca.pem", "none"), "holds no certificate in PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(config.Target{CAFile: c.file}, checktest.Env(time.Now))
			require.ErrorContains(t, err, c.want)
			var field *config.FieldError
			require.ErrorAs(t, err, &field)
			assert.Equal(t, "ca_file", field.Path)
		})
	}
}

func TestPlainHTTPDoesNotGoThroughTheProxy(t *testing.T) {
	w := &Way{proxy: &url.URL{Scheme: "http", Host: "proxy.contoso.com:8080"}}
	for raw, want := range map[string]*url.URL{"https://login.microsoftonline.com/": w.proxy, "http://169.254.169.254/metadata": nil} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		got, err := w.proxyFor(&http.Request{URL: u})
		require.NoError(t, err)
		assert.Equal(t, want, got, raw)
	}
}
