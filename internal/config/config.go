// Package config reads hmad's YAML file as typed data.
//
// Load is strict: unknown keys are errors, and all errors of the file are
// reported together, each with its line. The package knows no checks: settings
// that only a check can validate are validated where the check is built (package
// catalog), which gets the line from File.At.
package config

import (
	"fmt"
	"time"

	"gopkg.in/yaml.v3"
)

// The values of vantage: whether hmad is inside the target's network.
const (
	Internal = "internal"
	External = "external"
)

// The values of addresses: which addresses of a name are asked.
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

	Resolver  HostPort  `yaml:"resolver,omitempty"`   // DNS server; none: the system's
	ConnectTo ConnectTo `yaml:"connect_to,omitempty"` // connections that go elsewhere
	Addresses string    `yaml:"addresses,omitempty"`  // first or all
	CAFile    string    `yaml:"ca_file,omitempty"`    // PEM; empty: the system's roots
	Proxy     Proxy     `yaml:"proxy,omitempty"`      // the way out, by CONNECT
	// ProxyCredentialsFile holds the proxy's name and password, NAME:PASSWORD.
	ProxyCredentialsFile string `yaml:"proxy_credentials_file,omitempty"`
	UserAgent            string `yaml:"user_agent,omitempty"` // empty: hmad/VERSION

	OnPrem     OnPrem     `yaml:"onprem,omitempty"`
	Metadata   Metadata   `yaml:"metadata,omitempty"`
	TLSOffload TLSOffload `yaml:"tls_offload,omitempty"`
	AllowList  AllowList  `yaml:"allow_list,omitempty"`

	CloudAutodiscover CloudAutodiscover `yaml:"cloud_autodiscover,omitempty"`
	AutoDetect        AutoDetect        `yaml:"autodetect,omitempty"`
	ExchangeOnline    ExchangeOnline    `yaml:"exchange_online,omitempty"`
	Graph             Graph             `yaml:"graph,omitempty"`
	TokenAcceptance   TokenAcceptance   `yaml:"token_acceptance,omitempty"`
	Sync              Sync              `yaml:"sync,omitempty"`

	Checks map[string]CheckSettings `yaml:"checks,omitempty"`
}

// Autodiscover is where the phone's first question goes.
type Autodiscover struct {
	Host Host `yaml:"host,omitempty"`
	// RedirectHosts are hosts to which redirects may lead, in addition to Host and
	// the ActiveSync host.
	RedirectHosts []Host `yaml:"redirect_hosts,omitempty"`
}

// ActiveSync is the endpoint that must offer the bearer challenge.
type ActiveSync struct {
	URL     URL        `yaml:"url,omitempty"`     // none: the one that AutoDiscover gives
	Members []AddrPort `yaml:"members,omitempty"` // front ends behind the name; the port is over 0
}

// Entra is Microsoft's side.
type Entra struct {
	// OpenIDConfiguration is what the vantage check asks for.
	OpenIDConfiguration TenantURL `yaml:"openid_configuration,omitempty"`
}

// CheckSettings override a check's defaults for one target.
type CheckSettings struct {
	Schedule Schedule      `yaml:"schedule,omitempty"` // cron expression, UTC
	Timeout  time.Duration `yaml:"timeout,omitempty"`
	Enabled  *bool         `yaml:"enabled,omitempty"`
	Accept   []Waiver      `yaml:"accept,omitempty"`
}

// Waiver accepts a finding: until the waiver's last day (UTC) has passed, it is
// shown but alerts nobody.
type Waiver struct {
	Reason string `yaml:"reason"`
	Until  Date   `yaml:"until"`
	Note   string `yaml:"note,omitempty"`
}

// Covers reports whether the waiver accepts the reason at the given moment.
func (w Waiver) Covers(reason string, at time.Time) bool {
	return w.Reason == reason && at.Before(w.Until.AddDate(0, 0, 1))
}

// Date is a day in UTC, written 2027-03-31.
type Date struct{ time.Time }

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *Date) UnmarshalYAML(n *yaml.Node) error {
	day, err := time.Parse(time.DateOnly, n.Value)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: got %s, want a date such as 2027-03-31", n.Line, Shown(n.Value))}}
	}
	d.Time = day
	return nil
}

// MarshalYAML implements yaml.Marshaler; UnmarshalYAML reads what it writes.
func (d Date) MarshalYAML() (any, error) { return d.Format(time.DateOnly), nil }
