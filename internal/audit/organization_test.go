package audit

import (
	"fmt"
	"testing"

	"github.com/hmad/hmad/internal/report"
)

func TestOAuthProfileDisabled(t *testing.T) {
	run(t, "oauth_profile_disabled", []judged{
		{"on", nil, isMet, "True"},
		{"off", []edit{data(report.SectionOrganization, `[{"oAuth2ClientProfileEnabled":false}]`)}, isUnmet, "False"},
		{"off, as a text in other case", []edit{data(report.SectionOrganization, `{"OAUTH2CLIENTPROFILEENABLED":"FALSE"}`)}, isUnmet, "False"},
		{"not said", []edit{data(report.SectionOrganization, `[{"name":"Contoso"}]`)}, isOpen, "oAuth2ClientProfileEnabled"},
		{"section failed", []edit{failed(report.SectionOrganization)}, isOpen, "access denied"},
	})
}

func TestHybridConfigurationMissing(t *testing.T) {
	run(t, "hybrid_configuration_missing", []judged{
		{"full hybrid", nil, isMet, "FreeBusy, MoveMailbox"},
		{"none", []edit{data(report.SectionHybrid, `[]`)}, isUnmet, "nothing"},
		{"null, which is not none", []edit{data(report.SectionHybrid, `null`)}, isOpen, "its data is null"},
		{"one feature that collapsed to a text", []edit{data(report.SectionHybrid, `{"serviceInstance":0,"features":"FreeBusy"}`)}, isMet, "FreeBusy"},
		{"section failed", []edit{failed(report.SectionHybrid)}, isOpen, "access denied"},
	})
}

func TestHybridAgentInUse(t *testing.T) {
	const agent = "https://6CA7C832-49a2-4a5d-aeae-a616f6d4b8e7.resource.mailboxmigration.HIS.msappproxy.net/EWS/Exchange.asmx"
	run(t, "hybrid_agent_in_use", []judged{
		{"classic", nil, isMet, "2 connectors"},
		{"on a connector", []edit{data(report.SectionConnectors, fmt.Sprintf(`[{"name":"IOC","enabled":true,"targetSharingEpr":%q}]`, agent))}, isUnmet, `IntraOrganizationConnector "IOC"`},
		{"as a discovery endpoint", []edit{data(report.SectionConnectors, fmt.Sprintf(`{"name":"IOC","enabled":false,"discoveryEndpoint":%q}`, agent))}, isUnmet, "IOC"},
		{"on a relationship", []edit{data(report.SectionRelationships, fmt.Sprintf(`[{"name":"O365","enabled":true,"targetSharingEpr":%q}]`, agent))}, isUnmet, `OrganizationRelationship "O365"`},
		{"on a migration endpoint", []edit{data("migrationEndpoints", `[{"identity":"EWS","remoteServer":"6ca7.resource.mailboxmigration.his.msappproxy.net"}]`)}, isUnmet, "MigrationEndpoint"},
		{"nothing to look at", []edit{data(report.SectionConnectors, `[]`), data(report.SectionRelationships, `[]`), absent("migrationEndpoints")}, isOpen, "no connector"},
		{"migration endpoints may be missing", []edit{absent("migrationEndpoints")}, isMet, ""},
		{"migration endpoints in another form", []edit{data("migrationEndpoints", `[{"remoteServer":1}]`)}, isOpen, "section migrationEndpoints: row 0"},
		{"connectors failed", []edit{failed(report.SectionConnectors)}, isOpen, "access denied"},
		{"relationships failed", []edit{failed(report.SectionRelationships)}, isOpen, "access denied"},
	})
	t.Run("under the configured name", func(t *testing.T) {
		e := estateOf(t)
		e.activesync = "https://eas-contoso.msappproxy.net/Microsoft-Server-ActiveSync"
		judged{state: isUnmet, seen: `"activesync.url" has https://eas-contoso`}.check(t, judgeHybridAgent(e))
	})
}

func TestDedicatedAppMissing(t *testing.T) {
	override := func(row string) edit { return data(report.SectionOverrides, row) }
	server := func(kind, realm, app string) edit {
		return data(report.SectionAuthServers, fmt.Sprintf(`[{"name":"EvoSts","type":%q,"enabled":true,"isDefaultAuthorizationEndpoint":true,"realm":%q,"applicationIdentifier":%q,"certificateStrings":["AQIDBA=="]}]`, kind, realm, app))
	}
	const app = "1f3d8c4e-5a0b-4a52-9d53-0b7f6b3c2a10"
	run(t, "dedicated_app_missing", []judged{
		{"override and id", nil, isMet, app},
		{"no override", []edit{override(`[]`)}, isUnmet, "no override"},
		{"override of another section", []edit{override(`[{"name":"x","componentName":"Global","sectionName":"Other","parameters":["Enabled=true"]}]`)}, isUnmet, "no override"},
		{"override that is off", []edit{override(`[{"name":"x","componentName":"Global","sectionName":"ExchangeOnpremAsThirdPartyAppId","parameters":["Enabled=false"]}]`)}, isUnmet, "no override"},
		{"override of one server alone", []edit{override(`[{"name":"x","componentName":"Global","sectionName":"ExchangeOnpremAsThirdPartyAppId","parameters":["Enabled=true"],"server":["EX01"]}]`)}, isUnmet, "for all servers"},
		{"one object, one text, other case", []edit{override(`{"name":"x","componentName":"global","sectionName":"exchangeonpremasthirdpartyappid","parameters":"enabled = TRUE"}`)}, isMet, ""},
		{"no id", []edit{server("AzureAD", tenant, "")}, isUnmet, "no ApplicationIdentifier"},
		{"another tenant's auth server alone", []edit{server("AzureAD", "00000000-0000-0000-0000-000000000000", app)}, isOpen, "the tenant has no auth server"},
		{"another type of auth server alone", []edit{server("MicrosoftACS", tenant, app)}, isOpen, "the tenant has no auth server"},
		{"type and realm in other case", []edit{server("azuread", "5DE110F8-2E0F-4D45-891D-BCF2218E253D", app)}, isMet, ""},
		{"neither", []edit{override(`[]`), server("AzureAD", tenant, "")}, isUnmet, "no override Global/ExchangeOnpremAsThirdPartyAppId with Enabled=true for all servers, no ApplicationIdentifier"},
		{"overrides failed", []edit{failed(report.SectionOverrides)}, isOpen, "access denied"},
		{"auth servers failed", []edit{failed(report.SectionAuthServers)}, isOpen, "access denied"},
	})
}
