package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// subject is one kind of probe and what it has cost so far.
type subject struct {
	name     string
	daemon   *daemon
	probe    func(context.Context) error // has the daemon probe once
	requests int                         // that one probe sends
	asks     string                      // what they are

	probes int
	spent  time.Duration
}

// subjectsOf lists what is measured. The first is hmad's run, with which the
// others are compared.
func subjectsOf(h, b *daemon, to *server) []*subject {
	return []*subject{
		{name: "hmad, a run of activesync", daemon: h, probe: h.runNow, requests: 2, asks: "two requests over HTTP/1.1"},
		{name: "blackbox_exporter, as it asks by default", daemon: b, probe: b.probeBy("default", to), requests: 1, asks: "one request over HTTP/2"},
		{name: "blackbox_exporter, enable_http2: false", daemon: b, probe: b.probeBy("http1", to), requests: 1, asks: "one request over HTTP/1.1"},
	}
}

// runNow has hmad run activesync, as the button of its page does: the answer
// has no result, which hmad keeps for a scrape.
func (d *daemon) runNow(ctx context.Context) error {
	_, err := d.ask(ctx, http.MethodPost, d.url+"/api/v1/run?check=activesync&from=page", http.StatusSeeOther)
	return err
}

// probeBy returns a function that has blackbox_exporter probe the server by
// the module. The answer is the probe's metrics.
func (d *daemon) probeBy(module string, to *server) func(context.Context) error {
	url := d.url + "/probe?module=" + module + "&hostname=" + host + "&target=https://" + to.Listener.Addr().String() + path
	return func(ctx context.Context) error {
		answer, err := d.ask(ctx, http.MethodGet, url, http.StatusOK)
		if err == nil && !strings.Contains(answer, "\nprobe_success 1\n") {
			err = fmt.Errorf("the probe failed:\n%s", answer)
		}
		return err
	}
}

// measure has the daemon probe n times, one after the other, and adds what that
// costs. One more probe goes before: what is done at first alone does not count.
func (s *subject) measure(ctx context.Context, to *server, n int) error {
	if err := s.probe(ctx); err != nil {
		return err
	}
	asked := to.requests.Load()
	begun, err := s.daemon.cpu()
	if err != nil {
		return err
	}
	for range n {
		if err := s.probe(ctx); err != nil {
			return err
		}
	}
	ended, err := s.daemon.cpu()
	if err != nil {
		return err
	}
	if got, want := to.requests.Load()-asked, int64(n*s.requests); got != want {
		return fmt.Errorf("%d probes sent %d requests, want %d", n, got, want)
	}
	s.probes += n
	s.spent += ended - begun
	return nil
}

// perProbe returns the CPU time of one probe.
func (s *subject) perProbe() time.Duration { return s.spent / time.Duration(max(s.probes, 1)) }
