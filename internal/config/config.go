// Package config is hmad's YAML file as typed data.
//
// Load reads a file strictly: unknown keys are errors, every error of the file
// is reported at once, each with its line, and nothing is half applied. The
// package knows no check: settings that only a check can judge are judged
// where the check is built (package catalog), which asks File.At for the line.
package config

import (
	"fmt"
	"time"

	"gopkg.in/yaml.v3"
)

// Vantage points: where hmad stands as seen from the target.
const (
	Internal = "internal"
	External = "external"
)

// Which addresses of a name are asked.
const (
	FirstAddress = "first"
	AllAddresses = "all"
)

// File is the whole config.
type File struct {
	// ConfirmAfter is the pause before a failing attempt is confirmed.
	ConfirmAfter time.Duration `yaml:"confirm_after,omitempty"`
	Targets      []Target      `yaml:"targets"`

	path   string
	lines  lines
	faults Errors
}

// Target is one namespace with its probe mailbox.
type Target struct {
	Name    string `yaml:"name"`              // the target label
	Mailbox string `yaml:"mailbox"`           // a real mailbox on premises
	Tenant  string `yaml:"tenant"`            // the Entra tenant's id, a GUID
	Vantage string `yaml:"vantage,omitempty"` // internal or external

	Autodiscover Autodiscover `yaml:"autodiscover,omitempty"`
	ActiveSync   ActiveSync   `yaml:"activesync,omitempty"`
	Entra        Entra        `yaml:"entra,omitempty"`

	Resolver  string            `yaml:"resolver,omitempty"`   // DNS server, host:port; empty: the system's
	ConnectTo map[string]string `yaml:"connect_to,omitempty"` // "host:port" → "address:port", as curl --connect-to has it
	Addresses string            `yaml:"addresses,omitempty"`  // first or all
	CAFile    string            `yaml:"ca_file,omitempty"`    // PEM; empty: the system's roots
	Proxy     string            `yaml:"proxy,omitempty"`      // http://host:port, CONNECT
	UserAgent string            `yaml:"user_agent,omitempty"` // empty: hmad/VERSION

	OnPrem         OnPrem         `yaml:"onprem,omitempty"`
	Metadata       Metadata       `yaml:"metadata,omitempty"`
	TLSOffload     TLSOffload     `yaml:"tls_offload,omitempty"`
	ExchangeOnline ExchangeOnline `yaml:"exchange_online,omitempty"`
	Sync           Sync           `yaml:"sync,omitempty"`

	Checks map[string]CheckSettings `yaml:"checks,omitempty"`
}

// Autodiscover is where the phone's first question goes.
type Autodiscover struct {
	Host string `yaml:"host,omitempty"` // host or host:port
	// RedirectHosts may be followed to, beside Host and the ActiveSync host.
	RedirectHosts []string `yaml:"redirect_hosts,omitempty"`
}

// ActiveSync is where the bearer challenge is asked for.
type ActiveSync struct {
	URL     string   `yaml:"url,omitempty"`     // empty: the one that AutoDiscover gives
	Members []string `yaml:"members,omitempty"` // front ends behind the name, address:port
}

// Entra is Microsoft's side.
type Entra struct {
	// OpenIDConfiguration is the URL that the vantage check asks for; {tenant}
	// stands for the tenant's id.
	OpenIDConfiguration string `yaml:"openid_configuration,omitempty"`
}

// CheckSettings override a check's defaults for one target.
type CheckSettings struct {
	Schedule string        `yaml:"schedule,omitempty"` // cron expression, UTC
	Timeout  time.Duration `yaml:"timeout,omitempty"`
	Enabled  *bool         `yaml:"enabled,omitempty"`
	Accept   []Waiver      `yaml:"accept,omitempty"`
}

// Waiver accepts a finding: it is shown, not alerted, until its last day (UTC)
// has passed.
type Waiver struct {
	Reason string `yaml:"reason"`
	Until  Date   `yaml:"until"`
	Note   string `yaml:"note,omitempty"`
}

// Covers says whether the waiver accepts the reason at the given moment.
func (w Waiver) Covers(reason string, at time.Time) bool {
	return w.Reason == reason && at.Before(w.Until.AddDate(0, 0, 1))
}

// Date is a day in UTC, written 2027-03-31.
type Date struct{ time.Time }

// UnmarshalYAML reads a day.
func (d *Date) UnmarshalYAML(n *yaml.Node) error {
	day, err := time.Parse(time.DateOnly, n.Value)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: got %q, want a date such as 2027-03-31", n.Line, n.Value)}}
	}
	d.Time = day
	return nil
}

// MarshalYAML writes the day as it is read.
func (d Date) MarshalYAML() (any, error) { return d.Format(time.DateOnly), nil }
