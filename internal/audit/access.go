package audit

import (
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// What Exchange Online calls itself towards Exchange on premises, and what
// Outlook does that signs in with a password (the guide, «Enable hybrid Modern
// Authentication», steps 2 and 3). Exchange compares query strings exactly,
// without wildcards.
const (
	deviceType     = "DeviceType"
	deviceModel    = "DeviceModel"
	outlookService = "OutlookService"
	basicOutlook   = "Outlook for iOS and Android"
)

type rule = report.DeviceAccessRule

// is reports whether a rule is about exactly this.
func is(r rule, characteristic, query string) bool {
	return strings.EqualFold(r.Characteristic, characteristic) && strings.EqualFold(r.QueryString, query)
}

func allows(level string) bool { return strings.EqualFold(level, report.AccessAllow) }

func blocks(level string) bool { return strings.EqualFold(level, report.AccessBlock) }

// keepsOut reports whether a level stops a device: quarantine waits for somebody
// who lets it in, and nobody does so for a service.
func keepsOut(level string) bool {
	return blocks(level) || strings.EqualFold(level, report.AccessQuarantine)
}

// keepsOutService reports whether a rule stops Exchange Online: by its device
// type, or by a user agent or model that names it.
func keepsOutService(r rule) bool {
	if !keepsOut(r.AccessLevel) {
		return false
	}
	named := strings.Contains(strings.ToLower(r.QueryString), strings.ToLower(outlookService))
	return is(r, deviceType, outlookService) || named && !strings.EqualFold(r.Characteristic, deviceType)
}

// named returns what a rule is about; described adds what it does.
func named(r rule) string { return r.Characteristic + " \"" + r.QueryString + "\"" }

func described(r rule) string { return "rule " + named(r) + " " + r.AccessLevel }

// judgeServiceBlocked: no rule may stop Exchange Online.
func judgeServiceBlocked(e estate) answer {
	rules, err := report.Newest(e.Evidence, report.Report.DeviceAccessRules)
	if err != nil {
		return open(err)
	}
	var bad, about []string
	for _, r := range rules {
		if keepsOutService(r) {
			bad, about = append(bad, described(r)), append(about, named(r))
		}
	}
	if len(bad) > 0 {
		return unmet(about, "%s", check.List(bad))
	}
	return met("%d rules, none against %s", len(rules), outlookService)
}

// judgeServiceAllowed: where devices are not let in by default, Exchange
// Online needs a rule. A rule that stops it is judgeServiceBlocked's.
func judgeServiceAllowed(e estate) answer {
	settings, err := report.Newest(e.Evidence, report.Report.ActiveSyncSettings)
	if err != nil {
		return open(err)
	}
	rules, err := report.Newest(e.Evidence, report.Report.DeviceAccessRules)
	if err != nil {
		return open(err)
	}
	level := "DefaultAccessLevel " + settings.DefaultAccessLevel
	if allows(settings.DefaultAccessLevel) {
		return met("%s", level)
	}
	for _, r := range rules {
		switch {
		case !is(r, deviceType, outlookService):
		case allows(r.AccessLevel):
			return met("%s, %s", level, described(r))
		case keepsOut(r.AccessLevel):
			return never("%s, and the %s decides", level, described(r))
		default:
			return moot("%s, and the %s decides, whose level hmad does not know", level, described(r))
		}
	}
	return unmet(nil, "%s, and no rule %s \"%s\" Allow", level, deviceType, outlookService)
}

// judgeBasicBlocked: the guide asks for the rule whatever the default level
// is, because that may be loosened later for other devices.
func judgeBasicBlocked(e estate) answer {
	rules, err := report.Newest(e.Evidence, report.Report.DeviceAccessRules)
	if err != nil {
		return open(err)
	}
	for _, r := range rules {
		switch {
		case !is(r, deviceModel, basicOutlook):
		case blocks(r.AccessLevel):
			return met("%s", described(r))
		default:
			return unmet([]string{named(r)}, "%s", described(r))
		}
	}
	return unmet(nil, "no rule %s \"%s\" Block", deviceModel, basicOutlook)
}
