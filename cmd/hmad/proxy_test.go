package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/lab"
)

const plantedProxy = "planted-proxy-password-3ac9:f1"

// passwordProxy is a proxy on loopback that tunnels, for whoever signs in as svc,
// to the port of this host that is asked for.
func passwordProxy(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
		if name, password, ok := r.BasicAuth(); !ok || name != "svc" || password != plantedProxy {
			w.Header().Set("Proxy-Authenticate", `Basic realm="contoso"`)
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		_, port, _ := net.SplitHostPort(r.Host)
		far, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		near, read, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		go func() { _, _ = io.Copy(far, read); _ = far.Close() }()
		_, _ = io.Copy(near, far)
		_ = near.Close()
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// Every question of a target passes a proxy that wants a name and a password,
// which nothing shows; without them, hmad could not tell, and says what to set.
func TestAProxyWithAPassword(t *testing.T) {
	l, proxy := startLab(t), passwordProxy(t)
	members := regexp.MustCompile(`(?m)^      members: .*\n`)
	require.Regexp(t, members, string(lab.Config(l)))
	text := members.ReplaceAllString(string(lab.Config(l)), "") + "    proxy: " + proxy + "\n"
	checks := []string{"vantage", "autodiscover", "activesync", "tls_offload", "evosts_metadata"}
	for name, c := range map[string]struct {
		credentials, says string
		code              int
	}{
		"the right one": {"svc:" + plantedProxy, "passed", exitOK},
		"another one":   {"svc:planted-proxy-password-of-before", "it refuses the name and password in proxy_credentials_file", exitUndecided},
		"none":          {"", "it wants a name and a password: set proxy_credentials_file", exitUndecided},
	} {
		t.Run(name, func(t *testing.T) {
			dir, settings := t.TempDir(), ""
			if c.credentials != "" {
				settings = fmt.Sprintf("    proxy_credentials_file: %q\n", write(t, dir, "proxy", c.credentials+"\n"))
			}
			config := write(t, dir, "hmad.yaml", text+settings)
			for _, command := range [][]string{append([]string{"check", "--verbose"}, checks...), {"doctor", "--web.listen-address=127.0.0.1:0"}, {"config", "show"}} {
				p := start(t, append(command, "--config.file="+config)...)
				<-p.exited
				says := p.stdout.String() + p.stderr.String()
				assert.NotContains(t, says, "planted-proxy")
				if command[0] == "check" {
					assert.Equal(t, c.code, p.code, says)
					assert.Contains(t, says, c.says)
				}
			}
			e := startRun(t, config, "--log.level=debug")
			for _, check := range checks {
				want := map[bool]string{true: "passed", false: "undecided"}[c.code == exitOK]
				if want != "passed" && check == "vantage" {
					want = "warned" // our own way out is closed
				}
				assert.Equal(t, want, e.runNow(t, check).Outcome, check)
			}
			for _, path := range []string{"/", "/metrics", "/api/v1/results"} {
				_, body := request(t, http.MethodGet, e.page+path)
				assert.NotContains(t, body, "planted-proxy", path)
			}
			e.stop()
			assert.NotContains(t, e.stderr.String(), "planted-proxy")
		})
	}
}
