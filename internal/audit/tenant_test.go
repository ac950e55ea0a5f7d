package audit

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra/entratest"
	"github.com/hmad/hmad/internal/graph"
)

func yes() *bool { on := true; return &on }
func no() *bool  { return new(bool) }

// healthyTenant is a tenant as the guide wants it.
func healthyTenant() tenantSeen {
	now := time.Date(2026, time.December, 1, 12, 0, 0, 0, time.UTC)
	outlook := graph.Protection{Name: "Outlook", Group: "allCoreMicrosoftApps", PIN: yes(), Compliance: yes(), Encryption: "whenDeviceLocked",
		Encrypt: yes(), Assigned: yes()}
	outlook.Assignments = append(outlook.Assignments, struct {
		ID string `json:"id"`
	}{"x"})
	return tenantSeen{now: now, tenant: entratest.TenantID, hosts: []string{"mail.contoso.com", "autodiscover.contoso.com"}, domain: "contoso.com",
		staleAfter: 3 * time.Hour,
		principal: area[graph.Principal]{value: graph.Principal{Enabled: yes(), Names: []string{graph.ExchangeOnline,
			graph.ExchangeOnline + "/mail.contoso.com", "https://mail.contoso.com/", "HTTPS://AutoDiscover.contoso.com:443"}}},
		organization: area[graph.Organization]{value: graph.Organization{ID: strings.ToUpper(entratest.TenantID), SyncOn: true, LastSync: now.Add(-time.Hour),
			Domains: []string{"contoso.onmicrosoft.com", "Contoso.com"}}},
		access:     area[access]{value: access{Enabled: 3, Protected: []string{"ios", "android"}, BlocksEAS: true, BlocksOther: true}},
		protection: map[string]area[[]graph.Protection]{"ios": {value: []graph.Protection{outlook}}, "android": {value: []graph.Protection{outlook}}},
		users:      []user{{name: "the probe mailbox"}, {name: "board@contoso.com"}}}
}

func TestJudgeTenant(t *testing.T) {
	denied := check.Errorf(check.Permission, "403")
	for name, tc := range map[string]struct {
		edit   func(*tenantSeen)
		found  []string
		open   []string // undecided
		detail string
	}{
		"as the guide wants it": {func(*tenantSeen) {}, nil, nil, ""},
		"a host that is no service principal name": {func(s *tenantSeen) { s.principal.value.Names = s.principal.value.Names[:3] },
			[]string{"spn_missing"}, nil, "https://autodiscover.contoso.com/"},
		"a name with another port": {func(s *tenantSeen) { s.principal.value.Names[2] = "https://mail.contoso.com:444/" }, []string{"spn_missing"}, nil, "mail"},
		"a name with a path":       {func(s *tenantSeen) { s.principal.value.Names[2] = "https://mail.contoso.com/ews" }, []string{"spn_missing"}, nil, "mail"},
		"a name by plain http":     {func(s *tenantSeen) { s.principal.value.Names[2] = "http://mail.contoso.com/" }, []string{"spn_missing"}, nil, "mail"},
		"no such service principal": {func(s *tenantSeen) { s.principal = area[graph.Principal]{err: graph.ErrNotThere} },
			[]string{"spn_missing"}, []string{"exchange_principal_disabled"}, "has no service principal"},
		"a disabled principal": {func(s *tenantSeen) { s.principal.value.Enabled = no() }, []string{"exchange_principal_disabled"}, nil, "accountEnabled false"},
		"synchronisation is off": {func(s *tenantSeen) { s.organization.value.SyncOn, s.organization.value.LastSync = false, time.Time{} },
			[]string{"directory_sync_off"}, []string{"directory_sync_stale"}, "not true"},
		"synchronisation is on and never ran": {func(s *tenantSeen) { s.organization.value.LastSync = time.Time{} }, []string{"directory_sync_stale"}, nil, "never run"},
		"four hours since Entra Connect ran":  {func(s *tenantSeen) { s.organization.value.LastSync = s.now.Add(-4 * time.Hour) }, []string{"directory_sync_stale"}, nil, "4 h ago"},
		"a run in the future":                 {func(s *tenantSeen) { s.organization.value.LastSync = s.now.Add(time.Hour) }, nil, nil, ""},
		"a domain of somebody else":           {func(s *tenantSeen) { s.domain = "fabrikam.com" }, []string{"domain_not_verified"}, nil, "fabrikam.com is not among"},
		"app protection on one platform":      {func(s *tenantSeen) { s.access.value.Protected = []string{"ios"} }, []string{"ca_app_protection_missing"}, nil, "on Android"},
		"something else is enough": {func(s *tenantSeen) {
			s.access.value = access{Alternatives: []string{"MDM or MAM"}, BlocksEAS: true}
		}, []string{"ca_app_protection_missing"}, nil, "something else is enough for MDM or MAM"},
		"a retired grant":          {func(s *tenantSeen) { s.access.value.Retired = []string{"Phones"} }, []string{"ca_approved_client_retired"}, nil, "Phones"},
		"nothing is blocked":       {func(s *tenantSeen) { s.access.value.BlocksEAS, s.access.value.BlocksOther = false, false }, []string{"ca_legacy_auth_open"}, nil, "blocks"},
		"one of two is blocked":    {func(s *tenantSeen) { s.access.value.BlocksEAS = false }, nil, nil, ""},
		"no policy for Android":    {func(s *tenantSeen) { s.protection["android"] = area[[]graph.Protection]{} }, []string{"app_protection_missing"}, nil, "on Android"},
		"a policy without Outlook": {func(s *tenantSeen) { s.protection["ios"].value[0].Group = "selectedPublicApps" }, []string{"app_protection_missing"}, nil, "on iOS"},
		"no PIN":                   {func(s *tenantSeen) { s.protection["ios"].value[0].PIN = no() }, []string{"app_protection_weak"}, nil, "iOS: Outlook (no PIN)"},
		"the device's own encryption": {func(s *tenantSeen) { s.protection["ios"].value[0].Encryption = "useDeviceSettings" },
			[]string{"app_protection_weak"}, nil, "no encryption"},
		"jailbroken devices": {func(s *tenantSeen) { s.protection["ios"].value[0].Compliance = no() }, []string{"app_protection_weak"}, nil, "jailbroken"},
		"assigned to nobody": {func(s *tenantSeen) { s.protection["ios"].value[0].Assigned = no() }, []string{"app_protection_unassigned"}, nil, "on iOS"},
		"no licence":         {func(s *tenantSeen) { s.users[1].value = []string{"Intune"} }, []string{"licence_missing"}, nil, "board@contoso.com lacks Intune"},
		"no licence, and no names": {func(s *tenantSeen) { s.users[1] = user{area: area[[]string]{value: []string{"Intune"}}} }, []string{"licence_missing"}, nil,
			"a watched mailbox lacks Intune"},
		"a user whom the tenant does not know": {func(s *tenantSeen) { s.users[0].err = graph.ErrNotThere }, nil, []string{"licence_missing"}, ""},
		"an area without permission": {func(s *tenantSeen) { s.access.err = denied }, nil,
			[]string{"ca_app_protection_missing", "ca_approved_client_retired", "ca_legacy_auth_open"}, ""},
		"another area without permission": {func(s *tenantSeen) { s.organization.err = denied }, nil,
			[]string{"directory_sync_off", "directory_sync_stale", "domain_not_verified"}, ""},
		"one platform that cannot be seen": {func(s *tenantSeen) { s.protection["ios"] = area[[]graph.Protection]{err: denied} }, nil,
			[]string{"app_protection_missing", "app_protection_weak", "app_protection_unassigned"}, ""},
		"one platform that cannot be seen, and none on the other": {func(s *tenantSeen) {
			s.protection["ios"], s.protection["android"] = area[[]graph.Protection]{err: denied}, area[[]graph.Protection]{}
		}, []string{"app_protection_missing"}, []string{"app_protection_weak", "app_protection_unassigned"}, "on Android"},
	} {
		t.Run(name, func(t *testing.T) {
			s := healthyTenant()
			tc.edit(&s)
			v := Tenant.Judge()
			s.judge(v)
			report, err := v.Report()
			var found, unjudged []string
			for _, f := range report.Findings {
				found = append(found, f.Reason.Name)
				assert.Contains(t, f.Detail, tc.detail)
			}
			for _, u := range report.Unjudged {
				unjudged = append(unjudged, u.Reason.Name)
			}
			assert.Equal(t, tc.found, found)
			assert.ElementsMatch(t, tc.open, unjudged)
			if err != nil {
				assert.NotEqual(t, check.Internal, check.ClassOf(err), err.Error())
			}
		})
	}
}

func TestAnotherTenantsAnswersJudgeNothing(t *testing.T) {
	s := healthyTenant()
	s.organization.value.ID = entratest.ClientID
	s.access.value = access{}
	v := Tenant.Judge()
	s.judge(v)
	report, err := v.Report()
	assert.ErrorContains(t, err, "answered for another tenant")
	assert.Empty(t, report.Findings)
	assert.Len(t, report.Unjudged, len(Tenant.Reasons))
}

// The patterns of the facts on conditional access.
func TestReadAccess(t *testing.T) {
	policy := func(operator string, controls, clients, apps, on []string) graph.Policy {
		p := graph.Policy{Name: "P", State: "enabled"}
		p.Conditions.Clients, p.Conditions.Applications.Include = clients, apps
		if on != nil {
			p.Conditions.Platforms = &struct {
				Include []string `json:"includePlatforms"`
			}{on}
		}
		p.Grant = &struct {
			Operator string   `json:"operator"`
			Controls []string `json:"builtInControls"`
		}{operator, controls}
		return p
	}
	list := func(s ...string) []string { return s }
	both, modern, exchange := list("android", "iOS"), list("mobileAppsAndDesktopClients"), list(graph.ExchangeOnline)
	protected := access{Enabled: 1, Protected: []string{"android", "ios"}}
	for name, tc := range map[string]struct {
		policy graph.Policy
		want   access
	}{
		"app protection alone":               {policy("OR", list("compliantApplication"), modern, exchange, both), protected},
		"or an approved app":                 {policy("OR", list("compliantApplication", "approvedApplication"), modern, list("Office365"), both), protected},
		"and MFA":                            {policy("AND", list("compliantApplication", "mfa"), modern, list("All"), list("all")), protected},
		"any platform":                       {policy("OR", list("compliantApplication"), nil, exchange, nil), protected},
		"one platform":                       {policy("OR", list("compliantApplication"), modern, exchange, list("iOS")), access{Enabled: 1, Protected: []string{"ios"}}},
		"another platform":                   {policy("OR", list("compliantApplication"), modern, exchange, list("windows")), access{Enabled: 1}},
		"another application":                {policy("OR", list("compliantApplication"), modern, list("x"), both), access{Enabled: 1}},
		"or a compliant device":              {policy("OR", list("compliantApplication", "compliantDevice"), modern, exchange, both), access{Enabled: 1, Alternatives: list("P")}},
		"only the retired grant":             {policy("OR", list("approvedApplication"), modern, exchange, both), access{Enabled: 1, Retired: list("P")}},
		"the retired grant and MFA":          {policy("AND", list("approvedApplication", "mfa"), modern, exchange, both), access{Enabled: 1, Retired: list("P")}},
		"Exchange ActiveSync blocked":        {policy("OR", list("block"), list("exchangeActiveSync"), exchange, nil), access{Enabled: 1, BlocksEAS: true}},
		"Exchange ActiveSync held to an app": {policy("OR", list("compliantApplication"), list("exchangeActiveSync"), exchange, nil), access{Enabled: 1, BlocksEAS: true}},
		"other clients blocked":              {policy("OR", list("block"), list("other"), exchange, both), access{Enabled: 1, BlocksOther: true}},
		"other clients need MFA":             {policy("OR", list("mfa"), list("other"), exchange, both), access{Enabled: 1}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tc.want, readAccess([]graph.Policy{tc.policy})) })
	}
	off := policy("OR", list("compliantApplication"), modern, exchange, both)
	off.State = "enabledForReportingButNotEnforced"
	assert.Equal(t, access{ReportOnly: 1}, readAccess([]graph.Policy{off, {State: "disabled"}}))
	many := policy("OR", list("approvedApplication"), modern, exchange, both)
	var all []graph.Policy
	for range 1000 {
		all = append(all, many)
	}
	assert.Len(t, readAccess(all).Retired, maxNamed)
}

func TestLicences(t *testing.T) {
	const intune, p2, basic = "C1EC4A95-1f05-45b3-a911-aa3fa01094f5", "eec0eb4f-6444-4f95-aba0-50c24d67f998", "882e1d05-acd1-4ccb-8708-6ee03664b117"
	for name, tc := range map[string]struct {
		plans []graph.Plan
		lack  []string
	}{
		"none":                        {nil, []string{"Intune", "Entra ID P1 or P2"}},
		"both":                        {[]graph.Plan{{ID: intune, Status: "Success"}, {ID: p2, Status: "PendingInput"}}, nil},
		"turned off":                  {[]graph.Plan{{ID: intune, Status: "Disabled"}, {ID: p2, Status: "Success"}}, []string{"Intune"}},
		"Basic Mobility is no Intune": {[]graph.Plan{{ID: basic, Status: "Success"}, {ID: p2, Status: "Success"}}, []string{"Intune"}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tc.lack, lackedRights(tc.plans)) })
	}
}

// tenantWorld is a Graph that answers 429 for conditional access and a licence for
// every user, and counts.
func tenantWorld(t *testing.T, now *time.Time) (target config.Target, env check.Env, asked map[string]int, retryAfter *string) {
	asked, retryAfter = map[string]int{}, new(string)
	authority := &entratest.Authority{Fail: func(w http.ResponseWriter, _ url.Values) bool {
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":%q}`, entratest.AccessToken)
		return true
	}}
	ca := checktest.NewCA(t)
	logins := checktest.Serve(t, ca, "login.contoso.test", authority)
	port := checktest.Serve(t, ca, "graph.contoso.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(r.URL.Path, "/")
		asked[parts[len(parts)-1]]++
		switch parts[len(parts)-1] {
		case "licenseDetails":
			fmt.Fprint(w, `{"value":[]}`)
		case "policies":
			if *retryAfter != "" {
				w.Header().Set("Retry-After", *retryAfter)
			}
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	env = checktest.Env(func() time.Time { return *now })
	env.Memory, env.Meter = new(checktest.Memory), checktest.Discard{}
	target = config.Target{Tenant: entratest.TenantID, Mailbox: "probe@contoso.com", CAFile: ca.File, Graph: config.Graph{
		App: config.App{ClientID: entratest.ClientID, SecretFile: checktest.Written(t, "secret", entratest.ClientSecret), DisableAuthorityCheck: true,
			AuthorityHost: checktest.Setting[config.URL]("https://login.contoso.test:" + logins + "/")},
		Host: checktest.Setting[config.URL]("https://graph.contoso.test:" + port), PoliciesEvery: time.Hour, LicencesEvery: 20 * time.Minute}}
	return target, env, asked, retryAfter
}

func TestConditionalAccessHasAPauseOfItsOwnAndLicencesATime(t *testing.T) {
	now := time.Now()
	target, env, asked, retryAfter := tenantWorld(t, &now)
	for i := range 60 {
		target.Sync.Watch = append(target.Sync.Watch, config.Watch{Mailbox: fmt.Sprintf("Jane%d@contoso.com", i)})
	}
	target.Sync.MailboxLabel = config.LabelNone
	run := func() (check.Report, error) {
		parts, err := Tenant.New(target, env)
		require.NoError(t, err)
		return Tenant.Look(context.Background(), parts.Run)
	}
	report, err := run()
	require.Error(t, err)
	assert.Contains(t, err.Error(), "the app needs the permission")
	assert.NotContains(t, err.Error(), "contoso.com")
	require.Len(t, report.Findings, 1, "an area without permission leaves the others")
	assert.Equal(t, []string{"the probe mailbox"}, report.Findings[0].About, "people are not named")
	assert.Equal(t, 1, asked["policies"])
	assert.Equal(t, maxUsers, asked["licenseDetails"])

	_, err = run()
	assert.ErrorContains(t, err, "hmad asks again after")
	assert.Equal(t, 1, asked["policies"], "not before half a minute")
	assert.Equal(t, 2*maxUsers, asked["licenseDetails"], "the next ones")
	run()
	assert.Equal(t, 61, asked["licenseDetails"], "each once in a time")

	*retryAfter = "600"
	now = now.Add(31 * time.Second)
	run()
	assert.Equal(t, 2, asked["policies"])
	now = now.Add(9 * time.Minute)
	run()
	assert.Equal(t, 2, asked["policies"], "as Graph asked")
	now = now.Add(2 * time.Minute)
	run()
	assert.Equal(t, 3, asked["policies"])
	now = now.Add(10 * time.Minute)
	run()
	assert.Equal(t, 61+maxUsers, asked["licenseDetails"])
}

func TestThePauseGrowsToAnHour(t *testing.T) {
	now, p := time.Now(), pause{}
	for _, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
		p = p.longer(now, 0)
		assert.Equal(t, want, p.Until.Sub(now))
	}
	for range 100 {
		p = p.longer(now, 0)
	}
	assert.Equal(t, time.Hour, p.Until.Sub(now))
}
