package audit

import (
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/graph"
)

// platforms are those of the phones.
var platforms = []string{graph.Android, graph.IOS}

// platformNames are the platforms for people.
var platformNames = map[string]string{graph.Android: "Android", graph.IOS: "iOS"}

const maxNamed = 10 // policies that a finding names

// access is what the policies of conditional access that are enabled say of
// Exchange Online. It is kept in hmad's state.
type access struct {
	Enabled, ReportOnly int
	Protected           []string // platforms on which an app protection policy is required
	Retired             []string // policies that require an approved client app, and nothing else in its place
	Alternatives        []string // policies by which something else than app protection is enough
	BlocksEAS           bool     // Exchange ActiveSync is blocked, or held to app protection
	BlocksOther         bool     // other legacy clients are blocked
}

// readAccess reads the policies. Groups, exclusions and devices are not looked at.
func readAccess(all []graph.Policy) access {
	var a access
	for _, p := range all {
		switch p.State {
		case "enabled":
			a.Enabled++
		case "enabledForReportingButNotEnforced":
			a.ReportOnly++
			continue
		default:
			continue
		}
		if p.Grant != nil && coversExchange(p) {
			a.read(p)
		}
	}
	return a
}

// coversExchange reports whether a policy is for Exchange Online.
func coversExchange(p graph.Policy) bool {
	return slices.ContainsFunc(p.Conditions.Applications.Include, func(app string) bool {
		return strings.EqualFold(app, "All") || strings.EqualFold(app, "Office365") || strings.EqualFold(app, graph.ExchangeOnline)
	})
}

// read adds an enabled policy for Exchange Online.
func (a *access) read(p graph.Policy) {
	on, name := phonesOf(p), check.Clean(p.Name, 80)
	has := func(control string) bool { return containsFold(p.Grant.Controls, control) }
	switch {
	case len(on) == 0 || !reachesApps(p):
	case requiresProtection(p):
		for _, platform := range on {
			if !slices.Contains(a.Protected, platform) {
				a.Protected = append(a.Protected, platform)
			}
		}
	case has("compliantApplication"):
		a.Alternatives = capped(a.Alternatives, name)
	case has("approvedApplication"):
		a.Retired = capped(a.Retired, name)
	}
	block, legacy := has("block"), containsFold(p.Conditions.Clients, "all")
	if (legacy || containsFold(p.Conditions.Clients, "exchangeActiveSync")) && (block || requiresProtection(p)) {
		a.BlocksEAS = true
	}
	if block && (legacy || containsFold(p.Conditions.Clients, "other")) {
		a.BlocksOther = true
	}
}

func capped(names []string, name string) []string {
	if len(names) == maxNamed {
		return names
	}
	return append(names, name)
}

func containsFold(all []string, one string) bool {
	return slices.ContainsFunc(all, func(s string) bool { return strings.EqualFold(s, one) })
}

// phonesOf returns the phones' platforms that a policy is for.
func phonesOf(p graph.Policy) []string {
	if p.Conditions.Platforms == nil || len(p.Conditions.Platforms.Include) == 0 || containsFold(p.Conditions.Platforms.Include, "all") {
		return platforms
	}
	var on []string
	for _, platform := range platforms {
		if containsFold(p.Conditions.Platforms.Include, platform) {
			on = append(on, platform)
		}
	}
	return on
}

// reachesApps reports whether a policy is for apps with modern sign-in.
func reachesApps(p graph.Policy) bool {
	return len(p.Conditions.Clients) == 0 || containsFold(p.Conditions.Clients, "all") || containsFold(p.Conditions.Clients, "mobileAppsAndDesktopClients")
}

// requiresProtection reports whether a policy lets nobody in without an app
// protection policy. An approved client app as the alternative counts for nothing
// since 30 June 2026.
func requiresProtection(p graph.Policy) bool {
	if !containsFold(p.Grant.Controls, "compliantApplication") {
		return false
	}
	return strings.EqualFold(p.Grant.Operator, "AND") || !slices.ContainsFunc(p.Grant.Controls, func(control string) bool {
		return !strings.EqualFold(control, "compliantApplication") && !strings.EqualFold(control, "approvedApplication")
	})
}

// judgeAccess judges the guide's policies of conditional access.
func (s tenantSeen) judgeAccess(v *check.Verdict) {
	if s.access.err != nil {
		v.Undecided(s.access.err, accessReasons...)
		return
	}
	a := s.access.value
	v.Sample(TenantPolicies, float64(a.Enabled), "conditional_access")
	v.Sample(TenantPolicies, float64(a.ReportOnly), "conditional_access_report_only")
	v.Note("conditional access: %d policies are enabled, %d are report-only", a.Enabled, a.ReportOnly)
	var open, about []string
	for _, platform := range platforms {
		if !slices.Contains(a.Protected, platform) {
			open, about = append(open, platformNames[platform]), append(about, platform)
		}
	}
	v.Clear(accessReasons...)
	if len(open) > 0 {
		v.Find(caAppProtectionMissing, about, "no enabled policy for Exchange Online requires an app protection policy on %s%s", check.List(open), a.alternatives())
	}
	if len(a.Retired) > 0 {
		v.Find(caApprovedClientRetired, a.Retired, "require an approved client app: %s", check.List(a.Retired))
	}
	if !a.BlocksEAS && !a.BlocksOther {
		v.Find(caLegacyAuthOpen, nil, "no enabled policy for Exchange Online blocks Exchange ActiveSync or other legacy clients")
	}
	if a.BlocksEAS != a.BlocksOther {
		v.Note("conditional access: %s", map[bool]string{true: "Exchange ActiveSync is blocked, other legacy clients are not",
			false: "other legacy clients are blocked, Exchange ActiveSync is not"}[a.BlocksEAS])
	}
}

func (a access) alternatives() string {
	if len(a.Alternatives) == 0 {
		return ""
	}
	return "; something else is enough for " + check.List(a.Alternatives)
}
