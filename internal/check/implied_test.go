package check_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

// net.down explains web.slow and web.undecided; web.slow explains mail.late.
var (
	down    = &check.Reason{Name: "down", Severity: check.Critical}
	slow    = &check.Reason{Name: "slow", Severity: check.Critical}
	late    = &check.Reason{Name: "late", Severity: check.Critical}
	ageing  = &check.Reason{Name: "ageing", Severity: check.Warning}
	network = &check.Def{Name: "net", Reasons: []*check.Reason{down, ageing}, Implies: []check.Implication{
		{Causes: []*check.Reason{down}, Effects: []string{"web.slow", "web.undecided"}}, {Causes: []*check.Reason{ageing}, Effects: []string{"web.slow"}}}}
	web  = &check.Def{Name: "web", Reasons: []*check.Reason{slow}, Implies: []check.Implication{{Causes: []*check.Reason{slow}, Effects: []string{"mail.late"}}}}
	mail = &check.Def{Name: "mail", Reasons: []*check.Reason{late}}
)

func TestWhatExplainsWhat(t *testing.T) {
	begin := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	at := func(name, reason string, severity check.Severity, minute int) check.Stands {
		return check.Stands{Check: name, Reason: reason, Severity: severity, Since: begin.Add(time.Duration(minute) * time.Minute), Hold: 2 * time.Minute}
	}
	critical := func(name, reason string, minute int) check.Stands { return at(name, reason, check.Critical, minute) }
	accepted := func(s check.Stands) check.Stands { s.Accepted = true; return s }
	for name, c := range map[string]struct {
		stands []check.Stands
		want   map[string]string
	}{
		"nothing stands":              {nil, map[string]string{}},
		"alone it is unexplained":     {[]check.Stands{critical("web", "slow", 0)}, map[string]string{"web.slow": ""}},
		"a cause explains its effect": {[]check.Stands{critical("net", "down", 0), critical("web", "slow", 1)}, map[string]string{"net.down": "", "web.slow": "net.down"}},
		"also where it was seen later, within the hold": {[]check.Stands{critical("net", "down", 2), critical("web", "slow", 0)},
			map[string]string{"net.down": "", "web.slow": "net.down"}},
		"not what had stood for its hold before": {[]check.Stands{critical("net", "down", 3), critical("web", "slow", 0)},
			map[string]string{"net.down": "", "web.slow": ""}},
		"a check that cannot tell": {[]check.Stands{critical("net", "down", 0), at("web", check.UndecidedReason, check.Warning, 1)},
			map[string]string{"net.down": "", "web.undecided": "net.down"}},
		"through what it explains": {[]check.Stands{critical("net", "down", 0), critical("mail", "late", 1)}, map[string]string{"net.down": "", "mail.late": "net.down"}},
		"the root of a chain explains all of it": {[]check.Stands{critical("net", "down", 0), critical("web", "slow", 1), critical("mail", "late", 2)},
			map[string]string{"net.down": "", "web.slow": "net.down", "mail.late": "net.down"}},
		"what a waiver accepts explains nothing": {[]check.Stands{accepted(critical("net", "down", 0)), critical("web", "slow", 1)},
			map[string]string{"net.down": "", "web.slow": ""}},
		"nothing graver than itself": {[]check.Stands{at("net", "ageing", check.Warning, 0), critical("web", "slow", 1)},
			map[string]string{"net.ageing": "", "web.slow": ""}},
		"its own check's service level": {[]check.Stands{critical("mail", "late", 0), at("mail", check.ServiceLevelReason, check.Warning, 9)},
			map[string]string{"mail.late": "", "mail.service_level_missed": "mail.late"}},
		"a service level that nothing explains": {[]check.Stands{at("mail", check.ServiceLevelReason, check.Warning, 9)},
			map[string]string{"mail.service_level_missed": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, check.CausesOf([]*check.Def{network, web, mail}).Explain(c.stands))
		})
	}
}
