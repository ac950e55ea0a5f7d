package config

import (
	"fmt"
	"net/netip"
	"time"

	"gopkg.in/yaml.v3"
)

// defaultEndpoints is where Microsoft publishes the addresses of its services.
const defaultEndpoints = "https://endpoints.office.com"

// maxExtra bounds the ranges that the config itself may require.
const maxExtra = 1000

// AllowList is the settings of the check allow_list: which addresses the firewall
// lets through, and where Microsoft's are read.
type AllowList struct {
	File  string   `yaml:"file,omitempty"`  // the firewall's list: one prefix a line
	Extra []Prefix `yaml:"extra,omitempty"` // ranges that it must have beside Microsoft's

	Endpoints     URL    `yaml:"endpoints,omitempty"`      // Microsoft's web service
	EndpointsFile string `yaml:"endpoints_file,omitempty"` // what it answered, instead of asking it
	VersionFile   string `yaml:"version_file,omitempty"`   // and which version that was
	Offline       bool   `yaml:"offline,omitempty"`        // ask nobody: without a file, use the copy that ships

	// Every is the shortest time between two questions to the web service; default
	// 1h, which Microsoft asks for.
	Every time.Duration `yaml:"every,omitempty"`
}

// AllowListNeeds is the setting without which there is no check allow_list.
const AllowListNeeds = "allow_list.file"

func (a AllowList) validate(v validator) {
	v.read("allow_list.endpoints", a.Endpoints, wantURL)
	for i, p := range a.Extra {
		v.must(fmt.Sprintf("allow_list.extra[%d]", i), p, "a range such as 192.0.2.0/24")
	}
	if len(a.Extra) > maxExtra {
		v.fail("allow_list.extra", "got %d ranges, want at most %d", len(a.Extra), maxExtra)
	}
	if a.Every < 0 {
		v.fail("allow_list.every", "got %s, want a duration of at least 0", a.Every)
	}
	if a.VersionFile != "" && a.EndpointsFile == "" {
		v.fail("allow_list.version_file", "got a version without endpoints_file, want the file that it is the version of")
	}
}

// Prefix is a range of addresses, such as 192.0.2.0/24. The zero value is none.
type Prefix struct {
	written
	prefix netip.Prefix
}

// UnmarshalYAML reads a range.
func (p *Prefix) UnmarshalYAML(n *yaml.Node) error { return decode(n, p, readPrefix) }

// Value returns the range; the zero Prefix where there is none.
func (p Prefix) Value() netip.Prefix { return p.prefix }

func readPrefix(text string) Prefix {
	if text == "" {
		return Prefix{}
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return Prefix{written: refuse(text)}
	}
	return Prefix{written{text: text}, prefix.Masked()}
}
