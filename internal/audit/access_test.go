package audit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hmad/hmad/internal/report"
)

// rules makes the section of device access rules: characteristic, query and
// level in turn.
func rules(words ...string) edit {
	var rows []string
	for i := 0; i < len(words); i += 3 {
		rows = append(rows, fmt.Sprintf(`{"characteristic":%q,"queryString":%q,"accessLevel":%q}`, words[i], words[i+1], words[i+2]))
	}
	return data(report.SectionAccessRules, "["+strings.Join(rows, ",")+"]")
}

func level(l string) edit {
	return data(report.SectionActiveSync, fmt.Sprintf(`[{"defaultAccessLevel":%q}]`, l))
}

func TestOutlookServiceBlocked(t *testing.T) {
	run(t, "outlook_service_blocked", []judged{
		{"healthy", nil, isMet, "2 rules"},
		{"no rules at all", []edit{rules()}, isMet, "0 rules"},
		{"null, which is not an empty list", []edit{data(report.SectionAccessRules, "null")}, isOpen, "its data is null"},
		{"blocked by device type", []edit{rules("DeviceType", "OutlookService", "Block")}, isUnmet, `rule DeviceType "OutlookService" Block`},
		{"in quarantine", []edit{rules("DeviceType", "OutlookService", "Quarantine")}, isUnmet, "Quarantine"},
		{"in other case", []edit{rules("devicetype", "OUTLOOKSERVICE", "block")}, isUnmet, "OUTLOOKSERVICE"},
		{"blocked by user agent beside the rule that allows", []edit{rules("DeviceType", "OutlookService", "Allow", "UserAgent", "OutlookService/1.0", "Block")}, isUnmet, "UserAgent"},
		{"blocked by model", []edit{rules("DeviceModel", "OutlookService", "Block")}, isUnmet, "DeviceModel"},
		{"another device type whose name is longer", []edit{rules("DeviceType", "OutlookServiceTest", "Block")}, isMet, "1 rules"},
		{"the user agent of Outlook with Basic", []edit{rules("UserAgent", "Outlook-iOS-Android/1.0", "Block")}, isMet, ""},
		{"a single rule that collapsed to an object", []edit{data(report.SectionAccessRules, `{"characteristic":"DeviceType","queryString":"OutlookService","accessLevel":"Block"}`)}, isUnmet, "Block"},
		{"section failed", []edit{failed(report.SectionAccessRules)}, isOpen, "access denied"},
		{"section absent", []edit{absent(report.SectionAccessRules)}, isOpen, "missing"},
		{"a rule without a level", []edit{data(report.SectionAccessRules, `[{"characteristic":"DeviceType","queryString":"OutlookService"}]`)}, isOpen, "accessLevel"},
	})
}

func TestOutlookServiceNotAllowed(t *testing.T) {
	run(t, "outlook_service_not_allowed", []judged{
		{"default Block with the rule", nil, isMet, "DefaultAccessLevel Block, rule"},
		{"default Allow without rules", []edit{level("Allow"), rules()}, isMet, "DefaultAccessLevel Allow"},
		{"default Allow in other case", []edit{level("ALLOW"), rules()}, isMet, ""},
		{"default Block without the rule", []edit{rules()}, isUnmet, "DefaultAccessLevel Block, and no rule"},
		{"default Quarantine without the rule", []edit{level("Quarantine"), rules()}, isUnmet, "DefaultAccessLevel Quarantine"},
		{"default Quarantine with the rule", []edit{level("Quarantine")}, isMet, ""},
		{"the rule in other case", []edit{rules("DEVICETYPE", "outlookservice", "ALLOW")}, isMet, ""},
		{"a wildcard is no rule", []edit{rules("DeviceType", "Outlook*", "Allow")}, isUnmet, "no rule"},
		{"a rule on the model is none on the type", []edit{rules("DeviceModel", "OutlookService", "Allow")}, isUnmet, "no rule"},
		{"the rule blocks: the other reason's business", []edit{rules("DeviceType", "OutlookService", "Block")}, isNever, "decides"},
		{"the rule has a level that nobody knows", []edit{rules("DeviceType", "OutlookService", "DeviceDiscovery")}, isOpen, "level hmad does not know"},
		{"one object instead of a list", []edit{data(report.SectionActiveSync, `{"defaultAccessLevel":"Allow"}`)}, isMet, ""},
		{"settings failed", []edit{failed(report.SectionActiveSync)}, isOpen, "access denied"},
		{"rules failed", []edit{failed(report.SectionAccessRules)}, isOpen, "access denied"},
		{"the newest report lacks it, the other has it", []edit{of("EX01", failed(report.SectionActiveSync))}, isMet, ""},
	})
}

func TestBasicOutlookAllowed(t *testing.T) {
	run(t, "basic_outlook_allowed", []judged{
		{"the rule stands", nil, isMet, "Block"},
		{"no rule", []edit{rules("DeviceType", "OutlookService", "Allow")}, isUnmet, "no rule DeviceModel"},
		{"no rule, though nothing is let in by default", []edit{level("Block"), rules()}, isUnmet, "no rule"},
		{"in other case", []edit{rules("devicemodel", "outlook FOR ios and android", "block")}, isMet, ""},
		{"allowed by name", []edit{rules("DeviceModel", "Outlook for iOS and Android", "Allow")}, isUnmet, "Allow"},
		{"quarantine is no block", []edit{rules("DeviceModel", "Outlook for iOS and Android", "Quarantine")}, isUnmet, "Quarantine"},
		{"a rule on the type is none on the model", []edit{rules("DeviceType", "Outlook for iOS and Android", "Block")}, isUnmet, "no rule"},
		{"section failed", []edit{failed(report.SectionAccessRules)}, isOpen, "access denied"},
	})
}
