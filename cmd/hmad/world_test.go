package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/config"
)

// Two targets of one tenant get one budget, and so do builds before and after a
// reload.
func TestWhoSharesABudget(t *testing.T) {
	w := trial(t.TempDir())
	contoso := config.Target{Name: "contoso", Tenant: "5de110f8-2e0f-4d45-891d-bcf2218e253d", ExchangeOnline: config.ExchangeOnline{Rate: 2, Concurrency: 4}}
	shared := w.env(contoso, "mailbox_sync").Budget
	for name, c := range map[string]struct {
		change func(*config.Target)
		same   bool
	}{
		"another target":                 {func(t *config.Target) { t.Name = "emea" }, true},
		"the tenant's id in other case":  {func(t *config.Target) { t.Tenant = strings.ToUpper(t.Tenant) }, true},
		"other settings of the target":   {func(t *config.Target) { t.ExchangeOnline.Host = "https://outlook.contoso.test" }, true},
		"another tenant":                 {func(t *config.Target) { t.Tenant = "00c118a9-2de9-41d3-b39a-81648a7a5e4d" }, false},
		"another rate, after a reload":   {func(t *config.Target) { t.ExchangeOnline.Rate = 3 }, false},
		"other calls at once, after one": {func(t *config.Target) { t.ExchangeOnline.Concurrency = 3 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			other := contoso
			c.change(&other)
			assert.Equal(t, c.same, w.env(other, "mailbox_sync").Budget == shared)
		})
	}
}
