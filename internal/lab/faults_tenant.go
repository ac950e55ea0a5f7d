package lab

import "time"

// tenantFaults are those of the tenant as Microsoft Graph tells of it.
func tenantFaults() []fault {
	change := func(name, doc string, edit func(*graphTenant)) fault {
		return fault{graphHost, "tenant." + name, doc, func(b *behaviour) { b.graph.edits = append(b.graph.edits, edit) }}
	}
	return []fault{
		change("spn_missing", "The ActiveSync host is no service principal name of Exchange Online.", func(t *graphTenant) {
			t.principal["servicePrincipalNames"] = []string{exchangeClientID, "https://" + autodiscoverName + "/", "https://" + ewsName + "/"}
		}),
		change("exchange_principal_disabled", "Somebody disabled Exchange Online's service principal.",
			func(t *graphTenant) { t.principal["accountEnabled"] = false }),
		change("directory_sync_off", "Directory synchronisation was turned off.",
			func(t *graphTenant) { t.organization["onPremisesSyncEnabled"] = nil }),
		change("directory_sync_stale", "Entra Connect has not run for six days.",
			func(t *graphTenant) {
				t.organization["onPremisesLastSyncDateTime"] = t.now.Add(-6 * day).UTC().Format(time.RFC3339)
			}),
		change("domain_not_verified", "The mail domain is no verified domain of the tenant.",
			func(t *graphTenant) { t.organization["verifiedDomains"] = []row{{"name": "contoso.onmicrosoft.test"}} }),
		change("ca_app_protection_missing", "The policy that requires app protection is report-only.",
			func(t *graphTenant) { t.policies[0]["state"] = "enabledForReportingButNotEnforced" }),
		change("ca_approved_client_retired", "One more policy relies on the grant for approved client apps.", func(t *graphTenant) {
			t.policies = append(t.policies, accessPolicy("Approved apps", "OR", []string{"approvedApplication"}, "all"))
		}),
		change("ca_legacy_auth_open", "The policies that block Exchange ActiveSync and legacy clients are off.", func(t *graphTenant) {
			t.policies[1]["state"], t.policies[2]["state"] = "disabled", "disabled"
		}),
		change("app_protection_missing", "There is no app protection policy for Android.",
			func(t *graphTenant) { t.protection["android"] = nil }),
		change("app_protection_weak", "The app protection policy for iOS asks for no PIN.",
			func(t *graphTenant) { t.protection["ios"][0]["pinRequired"] = false }),
		change("app_protection_unassigned", "The app protection policy for iOS is assigned to nobody.", func(t *graphTenant) {
			t.protection["ios"][0]["isAssigned"], t.protection["ios"][0]["assignments"] = false, []row{}
		}),
		change("licence_missing", "The users have no Intune licence.", func(t *graphTenant) { t.plans = t.plans[1:] }),
	}
}
