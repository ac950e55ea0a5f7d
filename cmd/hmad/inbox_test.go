package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// notification is what Alertmanager posts to a webhook.
type notification struct {
	Receiver, Status string
	GroupLabels      map[string]string
	Alerts           []struct {
		Status string
		Labels map[string]string
	}

	at  time.Time
	raw []byte
}

// firing lists the names of the alerts that fire, sorted.
func (n notification) firing() []string {
	var names []string
	for _, a := range n.Alerts {
		if a.Status == "firing" {
			names = append(names, a.Labels["alertname"])
		}
	}
	slices.Sort(names)
	return names
}

// inbox receives what Alertmanager tells people, and no sign of life.
type inbox struct {
	*httptest.Server
	mu  sync.Mutex
	all []notification
}

func newInbox(t *testing.T) *inbox {
	b := &inbox{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var raw bytes.Buffer
		n := notification{at: time.Now()}
		if _, err := raw.ReadFrom(r.Body); err != nil || json.Unmarshal(raw.Bytes(), &n) != nil {
			http.Error(w, "no notification", http.StatusBadRequest)
			return
		}
		if n.Receiver == "heartbeat" {
			return
		}
		n.raw = raw.Bytes()
		b.mu.Lock()
		defer b.mu.Unlock()
		b.all = append(b.all, n)
	}))
	t.Cleanup(b.Close)
	return b
}

// of returns what was told of a target from a moment on.
func (b *inbox) of(target string, since time.Time) []notification {
	b.mu.Lock()
	defer b.mu.Unlock()
	var own []notification
	for _, n := range b.all {
		if n.GroupLabels["target"] == target && !n.at.Before(since) {
			own = append(own, n)
		}
	}
	return own
}

// await waits until a notification of that status is told of the target.
func (b *inbox) await(ctx context.Context, target string, since time.Time, status string) error {
	ctx, cancel := context.WithTimeout(ctx, waitLimit)
	defer cancel()
	for !b.has(target, since, status) {
		if pause(ctx, waitTick) != nil {
			return fmt.Errorf("nothing %s is told of %s; told: %s", status, target, texts(b.of(target, since), since))
		}
	}
	return nil
}

// has reports whether a notification of that status was told of the target.
func (b *inbox) has(target string, since time.Time, status string) bool {
	return slices.ContainsFunc(b.of(target, since), func(n notification) bool { return n.Status == status })
}

// mended reports whether an alert of the target was told to have ended, whatever
// else of its group stands.
func (b *inbox) mended(target string, since time.Time, name string) bool {
	for _, n := range b.of(target, since) {
		for _, a := range n.Alerts {
			if a.Status == "resolved" && a.Labels["alertname"] == name {
				return true
			}
		}
	}
	return false
}

// texts returns what was told, a line for each notification.
func texts(told []notification, since time.Time) string {
	var lines []string
	for _, n := range told {
		lines = append(lines, fmt.Sprintf("%s after %s to %s: %s, firing %v", n.Status, n.at.Sub(since).Round(time.Second),
			n.Receiver, n.GroupLabels["target"], n.firing()))
	}
	return strings.Join(lines, "\n")
}

// pause lets time go by in which nothing must happen.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// fetch sends a request and returns the body of a good answer.
func fetch(req *http.Request) ([]byte, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport, Timeout: waitLimit}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", req.Method, req.URL, resp.Status, b.String())
	}
	return b.Bytes(), nil
}
