package audit

import (
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/graph"
)

// outlookApp is the bundle id and the package id of Outlook for iOS and Android.
const outlookApp = "com.microsoft.office.outlook"

// protectionSeen is what the policies of one platform come to.
type protectionSeen struct {
	policies int
	outlook  int      // of them, those for Outlook
	assigned int      // of these, those that are assigned
	weak     []string // of these, those that ask for less than the guide, and what is missing
}

// readProtection reads the policies of one platform.
func readProtection(platform string, all []graph.Protection) protectionSeen {
	s := protectionSeen{policies: len(all)}
	for _, p := range all {
		if !coversOutlook(p) {
			continue
		}
		s.outlook++
		if p.Assigned != nil && !*p.Assigned || len(p.Assignments) == 0 {
			continue
		}
		s.assigned++
		if missing := missingOf(platform, p); len(missing) > 0 {
			s.weak = capped(s.weak, check.Clean(p.Name, 80)+" ("+strings.Join(missing, ", ")+")")
		}
	}
	return s
}

// coversOutlook reports whether a policy is for Outlook, whose id Intune writes in
// more than one case.
func coversOutlook(p graph.Protection) bool {
	if containsFold([]string{"allApps", "allMicrosoftApps", "allCoreMicrosoftApps"}, p.Group) {
		return true
	}
	for _, app := range p.Apps {
		if strings.EqualFold(app.Identifier.Bundle, outlookApp) || strings.EqualFold(app.Identifier.Package, outlookApp) {
			return true
		}
	}
	return false
}

// missingOf returns what of the guide's conditions a policy does not ask for.
func missingOf(platform string, p graph.Protection) []string {
	off := func(b *bool) bool { return b == nil || !*b }
	var missing []string
	if off(p.PIN) {
		missing = append(missing, "no PIN")
	}
	if platform == graph.IOS && strings.EqualFold(p.Encryption, "useDeviceSettings") || platform == graph.Android && off(p.Encrypt) {
		missing = append(missing, "no encryption")
	}
	if off(p.Compliance) {
		missing = append(missing, "jailbroken or rooted devices are let in")
	}
	return missing
}

// judgeProtection judges app protection on both platforms. One that could not be
// seen leaves undecided what the other does not show.
func (s tenantSeen) judgeProtection(v *check.Verdict) {
	var missing, unassigned, weak, bare, without, lax []string
	for _, platform := range platforms {
		all := s.protection[platform]
		if all.err != nil {
			v.Undecided(all.err, protectionReasons...)
			continue
		}
		p := readProtection(platform, all.value)
		v.Sample(TenantPolicies, float64(p.policies), "app_protection_"+platform)
		v.Note("app protection on %s: policies: %d, for Outlook: %d, of these assigned: %d", platformNames[platform], p.policies, p.outlook, p.assigned)
		switch {
		case p.outlook == 0:
			missing, bare = append(missing, platformNames[platform]), append(bare, platform)
		case p.assigned == 0:
			unassigned, without = append(unassigned, platformNames[platform]), append(without, platform)
		}
		if len(p.weak) > 0 {
			lax = append(lax, platform)
		}
		for _, w := range p.weak {
			weak = append(weak, platformNames[platform]+": "+w)
		}
	}
	v.Clear(protectionReasons...)
	if len(missing) > 0 {
		v.Find(appProtectionMissing, bare, "no app protection policy includes Outlook on %s", check.List(missing))
	}
	if len(weak) > 0 {
		v.Find(appProtectionWeak, lax, "ask for less than the guide: %s", check.List(weak))
	}
	if len(unassigned) > 0 {
		v.Find(appProtectionUnassigned, without, "the app protection policies for Outlook are assigned to nobody on %s", check.List(unassigned))
	}
}
