package audit

import (
	"strings"

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

// is says whether a rule is about exactly this.
func is(r rule, characteristic, query string) bool {
	return strings.EqualFold(r.Characteristic, characteristic) && strings.EqualFold(r.QueryString, query)
}

func allows(level string) bool { return strings.EqualFold(level, report.AccessAllow) }

func blocks(level string) bool { return strings.EqualFold(level, report.AccessBlock) }

// keepsOut says whether a level stops a device: quarantine waits for somebody
// who lets it in, and nobody does so for a service.
func keepsOut(level string) bool {
	return blocks(level) || strings.EqualFold(level, report.AccessQuarantine)
}

// keepsOutService says whether a rule stops Exchange Online: by its device
// type, or by a user agent or model that names it.
func keepsOutService(r rule) bool {
	if !keepsOut(r.AccessLevel) {
		return false
	}
	named := strings.Contains(strings.ToLower(r.QueryString), strings.ToLower(outlookService))
	return is(r, deviceType, outlookService) || named && !strings.EqualFold(r.Characteristic, deviceType)
}

func described(r rule) string {
	return "rule " + r.Characteristic + " \"" + r.QueryString + "\" " + r.AccessLevel
}

// judgeServiceBlocked: no rule may stop Exchange Online.
func judgeServiceBlocked(e estate) answer {
	rules, err := newest(e, report.Report.DeviceAccessRules)
	if err != nil {
		return open(err)
	}
	var bad []string
	for _, r := range rules {
		if keepsOutService(r) {
			bad = append(bad, described(r))
		}
	}
	if len(bad) > 0 {
		return unmet("%s", list(bad))
	}
	return met("%d rules, none against %s", len(rules), outlookService)
}

// judgeServiceAllowed: where devices are not let in by default, Exchange
// Online needs a rule. A rule that stops it is judgeServiceBlocked's.
func judgeServiceAllowed(e estate) answer {
	settings, err := newest(e, report.Report.ActiveSyncSettings)
	if err != nil {
		return open(err)
	}
	rules, err := newest(e, report.Report.DeviceAccessRules)
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
		default:
			return moot("%s, and the %s decides", level, described(r))
		}
	}
	return unmet("%s, and no rule %s \"%s\" Allow", level, deviceType, outlookService)
}

// judgeBasicBlocked: the guide asks for the rule whatever the default level
// is, because that may be loosened later for other devices.
func judgeBasicBlocked(e estate) answer {
	rules, err := newest(e, report.Report.DeviceAccessRules)
	if err != nil {
		return open(err)
	}
	for _, r := range rules {
		switch {
		case !is(r, deviceModel, basicOutlook):
		case blocks(r.AccessLevel):
			return met("%s", described(r))
		default:
			return unmet("%s", described(r))
		}
	}
	return unmet("no rule %s \"%s\" Block", deviceModel, basicOutlook)
}
