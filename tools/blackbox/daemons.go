package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// daemon is a process under measurement.
type daemon struct {
	cmd    *exec.Cmd
	url    string        // where it serves, without a final slash
	exited chan struct{} // closed when the process has ended
}

// startHmad starts hmad with one target and activesync alone, whose schedule
// fires once a year: runs are asked for. hmad keeps its results in memory, as
// blackbox_exporter does.
func startHmad(ctx context.Context, binary, dir string, s *server) (*daemon, error) {
	config := filepath.Join(dir, "hmad.yaml")
	text := fmt.Sprintf(`targets:
  - name: contoso
    mailbox: hmad-probe@contoso.com
    tenant: %s
    ca_file: %s
    connect_to: {"%s:443": "%s"}
    autodiscover: {host: autodiscover.contoso.com}
    activesync: {url: "https://%s%s"}
    checks:
      activesync: {schedule: "@yearly"}
      vantage: {enabled: false}
      autodiscover: {enabled: false}
      evosts_metadata: {enabled: false}
      metadata_refresh: {enabled: false}
`, tenant, s.caFile, host, s.Listener.Addr(), host, path)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return start(ctx, binary, func(address string) []string {
		return []string{"run", "--config.file=" + config, "--storage.path=", "--web.listen-address=" + address}
	}, "/-/ready")
}

// startBlackbox starts blackbox_exporter with two modules that ask as hmad
// does, and judge the answer as far as it can.
func startBlackbox(ctx context.Context, binary, dir string) (*daemon, error) {
	config := filepath.Join(dir, "blackbox.yml")
	module := func(name string, http2 bool) string {
		return fmt.Sprintf(`  %s:
    prober: http
    timeout: 10s
    http:
      method: GET
      enable_http2: %t
      follow_redirects: false
      valid_status_codes: [401]
      headers: {Authorization: Bearer, Accept: application/json}
      fail_if_header_not_matches:
        - {header: WWW-Authenticate, regexp: '^Bearer .*authorization_uri="https://login\.'}
      tls_config: {ca_file: %s}
`, name, http2, filepath.Join(dir, caName))
	}
	if err := os.WriteFile(config, []byte("modules:\n"+module("default", true)+module("http1", false)), 0o600); err != nil {
		return nil, err
	}
	return start(ctx, binary, func(address string) []string {
		return []string{"--config.file=" + config, "--web.listen-address=" + address}
	}, "/-/healthy")
}

// start starts binary on a free port of loopback and waits until it answers
// GET ready with 200.
func start(ctx context.Context, binary string, args func(address string) []string, ready string) (*daemon, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, args(address)...)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &daemon{cmd: cmd, url: "http://" + address, exited: make(chan struct{})}
	go func() {
		defer close(d.exited)
		_ = cmd.Wait()
	}()
	if err := d.await(ctx, ready); err != nil {
		d.stop()
		return nil, fmt.Errorf("%s: %w\n%s", binary, err, said.String())
	}
	return d, nil
}

// await waits until GET path answers 200. It gives up when the process ends or
// ctx does.
func (d *daemon) await(ctx context.Context, path string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := d.ask(ctx, http.MethodGet, d.url+path, http.StatusOK); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.exited:
			return errors.New("it ended before it was ready")
		case <-tick.C:
		}
	}
}

// freeAddress returns an address of loopback on which nobody listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// stop ends the process.
func (d *daemon) stop() {
	_ = d.cmd.Process.Kill()
	<-d.exited
}

// ask sends a request without a body and returns the body of the answer, which
// must have the status. It follows no redirect.
func (d *daemon) ask(ctx context.Context, method, url string, status int) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode != status {
		err = fmt.Errorf("%s: %s: %s", url, resp.Status, body)
	}
	return string(body), err
}

// cpu returns the user and system time that the process has taken so far, all
// of its threads together. It reads the process's CPU clock, whose id is made
// of the pid (clock_getcpuclockid(3)): /proc counts in steps of 10 ms.
func (d *daemon) cpu() (time.Duration, error) {
	const clockSched = 2
	var t unix.Timespec
	err := unix.ClockGettime(int32(^d.cmd.Process.Pid<<3|clockSched), &t)
	return time.Duration(t.Nano()), err
}
