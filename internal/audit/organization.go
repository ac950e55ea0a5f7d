package audit

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// judgeOAuthProfile: modern sign-in must be on for clients.
func judgeOAuthProfile(e estate) answer {
	o, err := report.Newest(e.Evidence, report.Report.OrganizationConfig)
	switch {
	case err != nil:
		return open(err)
	case !o.OAuth2ClientProfileEnabled:
		return unmet(nil, "OAuth2ClientProfileEnabled False")
	default:
		return met("OAuth2ClientProfileEnabled True")
	}
}

// judgeHybrid: a full, classic hybrid leaves a hybrid configuration.
func judgeHybrid(e estate) answer {
	hybrid, err := report.Newest(e.Evidence, report.Report.HybridConfiguration)
	switch {
	case err != nil:
		return open(err)
	case len(hybrid) == 0:
		return unmet(nil, "Get-HybridConfiguration gives nothing")
	default:
		return met("Get-HybridConfiguration has features %s", check.List(hybrid[0].Features))
	}
}

// agentDomain is that under which the Hybrid Agent is published:
// GUID.resource.mailboxmigration.his.msappproxy.net.
const agentDomain = ".msappproxy.net"

// judgeHybridAgent looks for the agent's address where the wizard leaves it. The
// wizard writes it on Exchange Online's side too, which no report shows, so
// nothing found here is only as good as what was read; migration endpoints are
// read where the collector may (Get-MigrationEndpoint wants a role of its own).
func judgeHybridAgent(e estate) answer {
	connectors, err := report.Newest(e.Evidence, report.Report.IntraOrganizationConnectors)
	if err != nil {
		return open(err)
	}
	relationships, err := report.Newest(e.Evidence, report.Report.OrganizationRelationships)
	if err != nil {
		return open(err)
	}
	endpoints, unread := report.Newest(e.Evidence, report.Report.MigrationEndpoints)
	var bad, about []string
	look := func(kind, name string, addresses ...string) {
		for _, a := range addresses {
			if strings.Contains(strings.ToLower(a), agentDomain) {
				bad, about = append(bad, fmt.Sprintf("%s %q has %s", kind, name, a)), append(about, name)
			}
		}
	}
	look("the setting", "activesync.url", e.activesync)
	for _, c := range connectors {
		look("IntraOrganizationConnector", c.Name, c.SharingURL, c.DiscoveryEndpoint)
	}
	for _, r := range relationships {
		look("OrganizationRelationship", r.Name, r.SharingURL, r.AutodiscoverURL)
	}
	for _, m := range endpoints {
		look("MigrationEndpoint", m.Name, m.RemoteServer)
	}
	n := len(connectors) + len(relationships) + len(endpoints)
	switch {
	case len(bad) > 0:
		return unmet(about, "%s", check.List(bad))
	case unread != nil && !errors.Is(unread, report.ErrMissing) && !told(unread):
		return open(unread)
	case n == 0:
		return moot("the reports show no connector, relationship or endpoint")
	}
	return met("no address under %s in %d connectors, relationships and endpoints", strings.TrimPrefix(agentDomain, "."), n)
}

// The override by which Exchange uses an app of its own towards Microsoft
// (domain notes, section 8, row 24).
const (
	appComponent = "Global"
	appSection   = "ExchangeOnpremAsThirdPartyAppId"
	appEnabled   = "Enabled=true"
)

// judgeDedicatedApp: the override on all servers, and the app's id on the
// tenant's auth server.
func judgeDedicatedApp(e estate) answer {
	overrides, err := report.Newest(e.Evidence, report.Report.SettingOverrides)
	switch {
	case errors.Is(err, report.ErrMissing): // Exchange of before the override has no cmdlet for it
		return moot("%s", err)
	case err != nil:
		return open(err)
	}
	servers, err := report.Newest(e.Evidence, report.Report.AuthServers)
	if err != nil {
		return open(err)
	}
	own := report.OfTenant(servers, e.tenant)
	if len(own) == 0 {
		return moot("the tenant has no auth server, see evosts_metadata")
	}
	app := appOf(own)
	var lack []string
	if !overridden(overrides) {
		lack = append(lack, "no override "+appComponent+"/"+appSection+" with "+appEnabled+" for all servers")
	}
	if app == "" {
		lack = append(lack, "no ApplicationIdentifier on the tenant's auth server")
	}
	if len(lack) > 0 {
		return unmet([]string{own[0].Name}, "%s", check.List(lack))
	}
	return met("override %s, ApplicationIdentifier %s", appSection, app)
}

func overridden(all []report.SettingOverride) bool {
	for _, o := range all {
		if !strings.EqualFold(o.Component, appComponent) || !strings.EqualFold(o.Section, appSection) || len(o.Servers) > 0 {
			continue
		}
		for _, p := range o.Parameters {
			if strings.EqualFold(strings.ReplaceAll(p, " ", ""), appEnabled) {
				return true
			}
		}
	}
	return false
}

// appOf returns the id of the app that the auth servers name, if one does.
func appOf(own []report.AuthServer) string {
	for _, s := range own {
		if s.ApplicationID != "" {
			return s.ApplicationID
		}
	}
	return ""
}
