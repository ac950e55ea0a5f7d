package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"golang.org/x/net/http2"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/lab"
	"github.com/hmad/hmad/internal/state"
)

// What is no file is refused at once, and nobody waits for a FIFO's other end.
func TestWhatIsNoFile(t *testing.T) {
	dir, ca := t.TempDir(), checktest.NewCA(t)
	cert := ca.Issue(t)
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	config := write(t, dir, "hmad.yaml", sixLines)
	for what, path := range map[string]string{"FIFO": fifo, "directory": dir, "device": "/dev/zero"} {
		one := t.TempDir()
		web := func(name, text string) string {
			return "--web.config.file=" + write(t, one, name, "tls_server_config: "+text)
		}
		for setting, flags := range map[string][]string{
			"config":                {"--config.file=" + path},
			"ca_file":               {"--config.file=" + write(t, one, "hmad.yaml", sixLines+"    ca_file: "+path+"\n")},
			"web config":            {"--config.file=" + config, "--web.config.file=" + path},
			"web config, cert_file": {"--config.file=" + config, web("cert.yml", fmt.Sprintf("{cert_file: %s, key_file: %s}", path, cert.KeyFile))},
			"web config, key_file":  {"--config.file=" + config, web("key.yml", fmt.Sprintf("{cert_file: %s, key_file: %s}", cert.CertFile, path))},
			"web config, client_ca_file": {"--config.file=" + config, web("ca.yml",
				fmt.Sprintf("{cert_file: %s, key_file: %s, client_ca_file: %s, client_auth_type: RequireAndVerifyClientCert}", cert.CertFile, cert.KeyFile, path))},
		} {
			t.Run(what+" for "+setting, func(t *testing.T) {
				p := start(t, append([]string{"run", "--web.listen-address=127.0.0.1:0", "--storage.path="}, flags...)...)
				<-p.exited
				assert.Equal(t, exitError, p.code)
				assert.Regexp(t, `^hmad: [^\n]*got a `+what+`, want a file\n$`, p.stderr.String())
			})
		}
	}
}

// pipes is a listener of connections in memory, which counts those that it
// handed out.
type pipes struct {
	conns    chan net.Conn
	accepted int
}

func (p *pipes) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	p.accepted++
	return c, nil
}
func (p *pipes) Close() error   { return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial opens a connection, which waits until it is accepted.
func (p *pipes) dial() net.Conn {
	client, conn := net.Pipe()
	go func() { p.conns <- conn }()
	return client
}

// servedInMemory runs test beside a site with a main and a health listener in memory, of
// most connections each.
func servedInMemory(t *testing.T, most int, test func(t *testing.T, l *pipes)) {
	for name, listener := range map[string]func(s *site) *pipes{
		"main":   func(s *site) *pipes { return s.main[0].(*pipes) },
		"health": func(s *site) *pipes { return s.health.(*pipes) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				main, health := &pipes{conns: make(chan net.Conn)}, &pipes{conns: make(chan net.Conn)}
				none, guard := "", &guard{}
				s := &site{log: zap.NewNop(), flags: &web.FlagConfig{WebConfigFile: &none}, main: []net.Listener{main}, health: health, guard: guard, most: most}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- s.serve(ctx, exporter.New(exporter.Options{Store: state.Open("", state.Options{})})) }()
				test(t, listener(s))
				stop()
				synctest.Wait() // the servers know that they end
				close(main.conns)
				close(health.conns)
				if err := <-ended; !errors.Is(err, net.ErrClosed) {
					assert.NoError(t, err)
				}
			})
		})
	}
}

// Connections over the limit wait until another one has gone.
func TestConnectionsAreCapped(t *testing.T) {
	servedInMemory(t, 2, func(t *testing.T, l *pipes) {
		var all []net.Conn
		for range 3 {
			all = append(all, l.dial())
		}
		synctest.Wait()
		assert.Equal(t, 2, l.accepted)
		for _, c := range all[:2] { // one of them was accepted, whichever two were
			require.NoError(t, c.Close())
			synctest.Wait()
		}
		assert.Equal(t, 3, l.accepted)
		require.NoError(t, all[2].Close())
	})
}

func TestConnectionsAreBounded(t *testing.T) {
	const get = "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n"
	for name, c := range map[string]struct {
		send   string
		status string        // of the answer; empty: none
		gone   time.Duration // when the connection has gone at the latest
	}{
		"a client that says nothing":       {"", "", 10 * time.Second},
		"headers that do not end":          {get, "", 10 * time.Second},
		"headers of 15 KiB":                {get + "A: " + strings.Repeat("a", 15<<10) + "\r\n\r\n", "200 OK", 2 * time.Minute},
		"headers of 30 kB":                 {get + "A: " + strings.Repeat("a", 30_000) + "\r\n\r\n", "431 Request Header Fields Too Large", time.Second},
		"a connection that is not used on": {get + "\r\n", "200 OK", 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			servedInMemory(t, 1, func(t *testing.T, l *pipes) {
				client := l.dial()
				defer client.Close()
				started := time.Now()
				go func() { _, _ = io.WriteString(client, c.send) }() // the answer tells how that went
				answer := bufio.NewReader(client)
				line, err := answer.ReadString('\n')
				if c.status == "" {
					assert.Empty(t, line)
				} else {
					require.NoError(t, err)
					assert.Contains(t, line, c.status)
				}
				_, err = io.Copy(io.Discard, answer)
				require.NoError(t, err)
				assert.LessOrEqual(t, time.Since(started), c.gone)
			})
		})
	}
}

// A flood of connections that do not end their headers costs neither health nor,
// once it is over, the page.
func TestAFloodOfConnections(t *testing.T) {
	health := freeAddress(t)
	e := startRun(t, labConfig(t, startLab(t), ""), "--web.max-connections=20", "--web.health-listen-address="+health)
	var flood []net.Conn
	for range 60 {
		c, err := net.Dial("tcp", strings.TrimPrefix(e.page, "http://"))
		require.NoError(t, err)
		_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nA: "+strings.Repeat("a", 15<<10))
		require.NoError(t, err)
		flood = append(flood, c)
	}
	status, _ := request(t, http.MethodGet, "http://"+health+"/-/healthy")
	assert.Equal(t, http.StatusOK, status)
	for _, c := range flood {
		require.NoError(t, c.Close())
	}
	status, _ = request(t, http.MethodGet, e.page+"/-/healthy")
	assert.Equal(t, http.StatusOK, status)
}

// A connection of HTTP/2 is bounded like one of HTTP/1.1, in headers and in
// requests at once.
func TestConnectionsOfHTTP2AreBounded(t *testing.T) {
	ca := checktest.NewCA(t)
	server := ca.Issue(t)
	web := write(t, t.TempDir(), "web.yml", fmt.Sprintf("tls_server_config: {cert_file: %s, key_file: %s}\n", server.CertFile, server.KeyFile))
	e := startRun(t, labConfig(t, startLab(t), ""), "--web.config.file="+web)
	roots := x509.NewCertPool()
	roots.AddCert(ca.Cert)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(e.page, "http://"), &tls.Config{RootCAs: roots, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	require.NoError(t, framer.WriteSettings())
	frame, err := framer.ReadFrame()
	require.NoError(t, err)
	settings := frame.(*http2.SettingsFrame)
	streams, _ := settings.Value(http2.SettingMaxConcurrentStreams)
	headers, _ := settings.Value(http2.SettingMaxHeaderListSize)
	assert.EqualValues(t, maxStreams, streams)
	assert.Less(t, headers, uint32(20<<10))
}

// A thousand reloads leave as many goroutines as one.
func TestReloadsLeaveNothingBehind(t *testing.T) {
	e := startRun(t, labConfig(t, startLab(t), ""))
	client := &http.Client{}
	defer client.CloseIdleConnections()
	reload := func() { require.Equal(t, http.StatusOK, postBy(t, client, e.page, "", "")) }
	reload()
	first := runtime.NumGoroutine()
	const reloads, runs = 1000, 50 // runs may be under way
	for range reloads {
		reload()
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < first+runs }, waitLimit, waitTick, "of %d goroutines", first)
}

// A daemon in a process of its own takes up its config at SIGHUP and ends at
// SIGTERM, also while a FIFO stands where a file was.
func TestSignals(t *testing.T) {
	text := string(lab.Config(startLab(t)))
	setting := regexp.MustCompile(`(?m)^    ca_file: "(.*)"$`)
	ca, err := os.ReadFile(setting.FindStringSubmatch(text)[1])
	require.NoError(t, err)
	caFile := write(t, t.TempDir(), "ca.pem", string(ca))
	config := write(t, t.TempDir(), "hmad.yaml", setting.ReplaceAllString(text, "    ca_file: "+caFile))
	args, err := json.Marshal([]string{"run", "--config.file=" + config, "--storage.path=", "--web.listen-address=127.0.0.1:0", "--log.format=json"})
	require.NoError(t, err)
	log := newOutput()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), childEnv+"="+string(args)), log
	require.NoError(t, cmd.Start())
	p, code := &process{stderr: log, exited: make(chan struct{})}, error(nil)
	go func() {
		defer close(p.exited)
		code = cmd.Wait()
	}()
	p.await(t, log, `"started"`)
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	p.await(t, log, `"config reloaded"`)
	require.NoError(t, os.Remove(caFile))
	require.NoError(t, syscall.Mkfifo(caFile, 0o600))
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	p.await(t, log, `"config refused, the previous config stays in force","error":"[^"]*got a FIFO, want a file"`)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	<-p.exited
	assert.NoError(t, code, log)
}
