package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// reportEvery is how often the servers report, well within the interval
	// that they name.
	reportEvery = 15 * time.Second
	// pushAgain is the pause before a report that could not be pushed is tried
	// again: hmad may not be up yet.
	pushAgain = time.Second
	// pushTimeout bounds one push.
	pushTimeout = 5 * time.Second
)

// pushHost is the name on the certificate of hmad's listener for reports.
const pushHost = "hmad." + domain

// courier brings the reports to where hmad finds them.
type courier struct {
	put  func(name string, data []byte) error
	drop func(name string) error // takes a report back, where that is possible

	mu sync.Mutex // over a delivery of all reports
}

// deliver brings every server's report, as of now.
func (c *courier) deliver(all []*report, stray []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, r := range all {
		errs = append(errs, c.bring(r.fileName(), r.text(), r.absent))
	}
	return errors.Join(append(errs, c.bring(strayName, stray, stray == nil))...)
}

// strayName is the file of a report of a server that hmad does not know.
const strayName = "ex04.json"

func (c *courier) bring(name string, data []byte, absent bool) error {
	if absent {
		return c.drop(name)
	}
	return c.put(name, data)
}

// toFolder lays reports in a folder: written whole under another name first,
// as the collector does.
func toFolder(dir string) *courier {
	return &courier{
		put: func(name string, data []byte) error {
			draft := filepath.Join(dir, name+".part")
			if err := os.WriteFile(draft, data, 0o600); err != nil {
				return err
			}
			return os.Rename(draft, filepath.Join(dir, name))
		},
		drop: func(name string) error {
			if err := os.Remove(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		},
	}
}

// toListener pushes reports to hmad's listener at addr, as the collector does,
// and shows the token. A pushed report cannot be taken back.
func toListener(addr, token string, roots *x509.CertPool) *courier {
	client := &http.Client{Timeout: pushTimeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: pushHost, MinVersion: tls.VersionTLS12},
	}}
	return &courier{
		put:  func(_ string, data []byte) error { return push(client, token, data) },
		drop: func(string) error { return nil },
	}
}

func push(client *http.Client, token string, data []byte) error {
	req, err := http.NewRequest(http.MethodPost, "https://"+pushHost+"/api/v1/onprem-report", bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // for the error alone
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("pushing a report: %s: %s", resp.Status, bytes.TrimSpace(text))
	}
	return nil
}

// report delivers what the servers report now.
func (l *Lab) report() error {
	cloud := l.hosts["vantage"].now.Load().cloud
	all, stray := l.premises.reports(l.facts, cloud)
	return l.courier.deliver(all, stray)
}

// reportNow is report for whoever waits for it. That pushed reports do not
// arrive is no failure of the lab's: hmad may not be up.
func (l *Lab) reportNow() error {
	err := l.report()
	if err != nil && l.opt.Push != "" {
		l.opt.Log("reports: %s", err)
		return nil
	}
	return err
}

// reportOn goes on reporting until the lab is closed.
func (l *Lab) reportOn() {
	done := make(chan struct{})
	l.closers = append(l.closers, func() error { close(done); return nil })
	l.wg.Go(func() {
		wait := time.NewTimer(pushAgain)
		defer wait.Stop()
		for {
			select {
			case <-done:
				return
			case <-wait.C:
			}
			again := reportEvery
			if err := l.report(); err != nil {
				l.opt.Log("reports: %s", err)
				again = pushAgain
			}
			wait.Reset(again)
		}
	})
}
