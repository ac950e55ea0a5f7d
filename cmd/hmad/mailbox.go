package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/sync"
	"github.com/hmad/hmad/internal/transport"
)

// maxAnswer bounds what is read of the daemon's answer, in bytes.
const maxAnswer = 64 << 20

// asking says how the running daemon is reached.
type asking struct{ url, caFile, username, passwordFile string }

// runMailbox is the command mailbox: it asks the running daemon.
func (c *cli) runMailbox(ctx context.Context) int {
	found, err := c.asking.mailbox(ctx, c.mailbox)
	if err == nil && c.output == "json" {
		err = printJSON(c.stdout, found)
	}
	if err != nil {
		return c.fail(exitUndecided, err)
	}
	if c.output == "json" {
		return exitOK
	}
	for _, m := range found.Mailboxes {
		fmt.Fprintf(c.stdout, "%s of %s: %s\n", cmp.Or(m.Mailbox, "the mailbox"), m.Target, m.State)
		for _, line := range []struct {
			name string
			at   *time.Time
		}{{"last success", m.LastSuccess}, {"last attempt", m.LastAttempt}, {"asked", m.Checked}, {"next asked", m.NextAsk}} {
			fmt.Fprintf(c.stdout, "  %-14s%s\n", line.name, when(line.at))
		}
		if m.Watched {
			fmt.Fprintf(c.stdout, "  %-14salso in every run of the check\n", "watched")
		}
		fmt.Fprintf(c.stdout, "  %-14s%d\n  %-14s%s\n", "devices", m.Devices, "stale after", time.Duration(m.StaleAfter*float64(time.Second)))
	}
	return exitOK
}

func when(t *time.Time) string {
	if t == nil {
		return "not known"
	}
	return fmt.Sprintf("%s UTC (%s)", t.UTC().Format(time.DateTime), distance(now().Sub(*t)))
}

// distance words a time's distance from now; positive is past.
func distance(d time.Duration) string {
	if d < 0 {
		return "in " + (-d).Round(time.Second).String()
	}
	return d.Round(time.Second).String() + " ago"
}

// mailbox looks a mailbox up. No error contains the address.
func (a asking) mailbox(ctx context.Context, query string) (doc exporter.Mailboxes, err error) {
	err = a.get(ctx, "/api/v1/mailbox?q="+url.QueryEscape(query), &doc)
	return doc, err
}

// get reads the daemon's JSON at path. No error contains the path.
func (a asking) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	if u, err := url.Parse(a.url); err != nil || u.User != nil || strings.ContainsAny(a.url, "@?#") {
		return errors.New("--web.url: want a URL such as http://127.0.0.1:9749; name and password come from --web.username and --web.password-file")
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	r := transport.Request{URL: strings.TrimSuffix(a.url, "/") + path, Max: maxAnswer}
	if r.Header, err = a.password(); err != nil {
		return err
	}
	err = transport.GetJSON(ctx, client, r, into)
	var refused *transport.StatusError
	switch {
	case errors.Is(err, transport.ErrNoURL):
		return errors.New("--web.url: want a URL such as http://127.0.0.1:9749")
	case errors.Is(err, transport.ErrNotJSON):
		return fmt.Errorf("the daemon at %s returns no JSON", a.url)
	case errors.As(err, &refused):
		return fmt.Errorf("the daemon at %s says %d %s: %s", a.url, refused.Status, http.StatusText(refused.Status),
			strings.Join(strings.Fields(string(refused.Body[:min(len(refused.Body), 300)])), " "))
	case err != nil:
		return fmt.Errorf("the daemon at %s (--web.url) does not answer: %w", a.url, err)
	}
	return nil
}

// client trusts the CA file, where given.
func (a asking) client() (*http.Client, error) {
	t := &http.Transport{TLSClientConfig: &tls.Config{}}
	if a.caFile != "" {
		pem, err := readFile(a.caFile, 1<<20)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", a.caFile)
		}
	}
	return &http.Client{Transport: t}, nil
}

// password returns the header with the name and the password, where given.
func (a asking) password() (http.Header, error) {
	req := &http.Request{Header: http.Header{}}
	if a.username == "" {
		return req.Header, nil
	}
	password, err := readFile(a.passwordFile, 4096)
	if err != nil {
		return nil, fmt.Errorf("--web.password-file: %w", err)
	}
	req.SetBasicAuth(a.username, strings.TrimRight(string(password), "\r\n"))
	return req.Header, nil
}

// lookUp finds a mailbox in the records of every target that watches some.
func (d *daemon) lookUp(query string) []exporter.Mailbox {
	var all []exporter.Mailbox
	file := d.file.Load()
	if file == nil {
		return nil
	}
	for _, t := range file.Targets {
		if !t.Sync.Configured() {
			continue
		}
		f, err := sync.Lookup(t, d.store.Fleet(t.Name)(sync.FleetName), d.store.Memory(t.Name), now(), query)
		if err == nil {
			m := f.Mailbox
			all = append(all, exporter.Mailbox{Target: f.Target, Mailbox: f.Name, State: m.State.String(), Devices: m.Devices,
				LastSuccess: known(m.Success), LastAttempt: known(m.Attempt), Checked: known(m.Checked), NextAsk: known(m.NextAsk), Watched: f.Watched,
				StaleAfter: m.StaleAfter.Seconds()})
		}
	}
	return all
}

// hidesMailboxes reports whether a look-up tells more than labels do.
func (d *daemon) hidesMailboxes() bool {
	file := d.file.Load()
	return file == nil || slices.ContainsFunc(file.Targets, func(t config.Target) bool {
		return t.Sync.Configured() && t.Sync.MailboxLabel != config.LabelAddress
	})
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
