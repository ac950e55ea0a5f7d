package config

import (
	"strings"
	"time"
)

// Graph is hmad's read-only access to Microsoft Graph, by an app of the operator's
// choice, for the check tenant.
type Graph struct {
	App `yaml:",inline"`

	Host URL `yaml:"host,omitempty"` // default https://graph.microsoft.com
	// PoliciesEvery is the shortest time between two requests for the policies of
	// conditional access, for which a tenant has one request a second for all
	// apps together; default 1h.
	PoliciesEvery time.Duration `yaml:"policies_every,omitempty"`
	// LicencesEvery is the same for the licences of one user; default 24h.
	LicencesEvery time.Duration `yaml:"licences_every,omitempty"`
	// SyncStaleAfter is how old the last run of Entra Connect may be; default 3h.
	SyncStaleAfter time.Duration `yaml:"sync_stale_after,omitempty"`
}

// GraphNeeds are the settings that make a Graph Configured.
const GraphNeeds = "graph (client_id, and certificate_file or another credential)"

func (g *Graph) setDefaults() {
	g.App.setDefaults()
	setUnless(&g.Host, "https://graph.microsoft.com", readURL)
	setDuration(&g.PoliciesEvery, time.Hour)
	setDuration(&g.LicencesEvery, 24*time.Hour)
	setDuration(&g.SyncStaleAfter, 3*time.Hour)
}

func (g Graph) validate(v validator) {
	g.App.validate(v, "graph")
	if v.read("graph.host", g.Host, wantURL) {
		v.want(strings.Trim(g.Host.url.Path, "/") == "", "graph.host", g.Host.text, "a URL without path, such as https://graph.microsoft.com")
	}
	if g.PoliciesEvery < 0 {
		v.fail("graph.policies_every", "got %s, want a duration over 0", g.PoliciesEvery)
	}
	if g.LicencesEvery < 0 {
		v.fail("graph.licences_every", "got %s, want a duration over 0", g.LicencesEvery)
	}
	if g.SyncStaleAfter < 0 {
		v.fail("graph.sync_stale_after", "got %s, want a duration over 0", g.SyncStaleAfter)
	}
}
