package config

import (
	"fmt"
	"strings"
)

// ExchangeOnline is hmad's own access to the tenant's Exchange Online, and limits
// on calls. Host and scope default to the worldwide cloud.
type ExchangeOnline struct {
	App `yaml:",inline"`

	Host        URL     `yaml:"host,omitempty"`        // of the admin API, default https://outlook.office365.com
	Scope       URL     `yaml:"scope,omitempty"`       // of the tokens, default https://outlook.office365.com/.default
	Rate        float64 `yaml:"rate,omitempty"`        // calls per second of all targets of the tenant together, default 2
	Concurrency int     `yaml:"concurrency,omitempty"` // calls at once of all of them, default 4
}

// The largest rate and concurrency. The tenant's own limits are not published,
// and other tools share them.
const (
	maxRate        = 50
	maxConcurrency = 32
)

func (e *ExchangeOnline) setDefaults() {
	e.App.setDefaults()
	setUnless(&e.Host, "https://outlook.office365.com", readURL)
	setUnless(&e.Scope, "https://outlook.office365.com/.default", readURL)
	if e.Rate == 0 {
		e.Rate = 2
	}
	if e.Concurrency == 0 {
		e.Concurrency = 4
	}
}

func (e ExchangeOnline) validate(v validator) {
	e.App.validate(v, "exchange_online")
	e.validateCalls(v)
}

// validateCalls validates the host, the scope and the limits of calls.
func (e ExchangeOnline) validateCalls(v validator) {
	if v.read("exchange_online.host", e.Host, wantURL) {
		v.want(strings.Trim(e.Host.url.Path, "/") == "", "exchange_online.host", e.Host.text, "a URL without path, such as https://outlook.office365.com")
	}
	if v.read("exchange_online.scope", e.Scope, wantURL) {
		v.want(strings.HasSuffix(e.Scope.text, "/.default"), "exchange_online.scope", e.Scope.text, "a scope that ends in /.default")
	}
	if !(e.Rate > 0 && e.Rate <= maxRate) { // not a number is not over 0 either
		v.fail("exchange_online.rate", "got %g, want calls per second, over 0 and at most %d", e.Rate, maxRate)
	}
	if e.Concurrency < 1 || e.Concurrency > maxConcurrency {
		v.fail("exchange_online.concurrency", "got %d, want 1 to %d calls at once", e.Concurrency, maxConcurrency)
	}
}

// validateTenants validates that the targets of a tenant have the same limits of
// calls: they share one budget.
func (f *File) validateTenants(es *Errors) {
	first := map[string]*Target{}
	for i := range f.Targets {
		t := &f.Targets[i]
		if !t.ExchangeOnline.Configured() {
			continue
		}
		other, there := first[strings.ToLower(t.Tenant)]
		if !there {
			first[strings.ToLower(t.Tenant)] = t
			continue
		}
		v := validator{f, fmt.Sprintf("targets[%d].exchange_online", i), es}
		if got, want := t.ExchangeOnline.Rate, other.ExchangeOnline.Rate; got != want {
			v.fail("rate", "got %g for target %s, want %g, as for target %s: they share the budget of their tenant", got, shownName(t.Name), want, shownName(other.Name))
		}
		if got, want := t.ExchangeOnline.Concurrency, other.ExchangeOnline.Concurrency; got != want {
			v.fail("concurrency", "got %d for target %s, want %d, as for target %s: they share the budget of their tenant",
				got, shownName(t.Name), want, shownName(other.Name))
		}
	}
}
