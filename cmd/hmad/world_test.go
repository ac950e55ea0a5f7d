package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// Two targets of one tenant get one budget, and so do builds before and after a
// reload.
func TestWhoSharesABudget(t *testing.T) {
	w := trial(t.TempDir())
	contoso := target(2, 4)
	shared := w.env(contoso, "mailbox_sync").Budget
	for name, c := range map[string]struct {
		change func(*config.Target)
		same   bool
	}{
		"another target":                {func(t *config.Target) { t.Name = "emea" }, true},
		"the tenant's id in other case": {func(t *config.Target) { t.Tenant = strings.ToUpper(t.Tenant) }, true},
		"other settings of the target": {func(t *config.Target) {
			t.ExchangeOnline.Host = checktest.Setting[config.URL]("https://outlook.contoso.test")
		}, true},
		"another tenant":                 {func(t *config.Target) { t.Tenant = "00c118a9-2de9-41d3-b39a-81648a7a5e4d" }, false},
		"another rate, after a reload":   {func(t *config.Target) { t.ExchangeOnline.Rate = 3 }, true},
		"other calls at once, after one": {func(t *config.Target) { t.ExchangeOnline.Concurrency = 3 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			other := contoso
			c.change(&other)
			assert.Equal(t, c.same, w.env(other, "mailbox_sync").Budget == shared)
		})
	}
}

func target(rate float64, concurrency int) config.Target {
	return config.Target{Name: "contoso", Tenant: "5de110f8-2e0f-4d45-891d-bcf2218e253d", ExchangeOnline: config.ExchangeOnline{Rate: rate, Concurrency: concurrency}}
}

// A tenant that refused calls is left alone after a reload, and after a restart
// too.
func TestAPauseOutlivesReloadsAndRestarts(t *testing.T) {
	w := trial(t.TempDir())
	b := w.env(target(2, 4), "mailbox_sync").Budget
	b.Refused(now(), now(), 4*time.Minute)

	w.env(target(4, 2), "mailbox_sync")
	assert.Equal(t, 2.0, b.Configured(), "a config that is built is not in force")
	w.allow(&config.File{Targets: []config.Target{target(4, 2)}})
	assert.Equal(t, 4.0, b.Configured())
	assert.InDelta(t, 2.8, b.Rate(), 1e-9)
	assert.Equal(t, 1, b.Places())
	assert.Greater(t, b.Paused(now()), 3*time.Minute)

	b = newWorld("", w.store, w.meter).env(target(2, 4), "mailbox_sync").Budget
	assert.InDelta(t, 1.4, b.Rate(), 1e-9)
	assert.Equal(t, 3, b.Places())
	assert.Greater(t, b.Paused(now()), 3*time.Minute)
}
