package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheCloudOfAHost(t *testing.T) {
	for host, want := range map[string]string{
		"login.microsoftonline.us": "US Government", "LOGIN.MicrosoftOnline.US.": "US Government", "microsoftonline.us": "US Government",
		"login-us.microsoftonline.com": "US Government", "outlook.office365.us": "US Government", "outlook-dod.office365.us": "US Government",
		"dod-graph.microsoft.us": "US Government", "graph.microsoft.us": "US Government", "webmail.apps.mil": "US Government",
		"login.partner.microsoftonline.cn": "China (21Vianet)", "login.chinacloudapi.cn": "China (21Vianet)", "chinacloudapi.cn": "China (21Vianet)",
		"partner.outlook.cn": "China (21Vianet)", "login.microsoftonline.de": "Office 365 Germany", "outlook.office.de": "Office 365 Germany",
		"login.microsoftonline.com": "", "login.windows.net": "", "sts.windows.net": "", "outlook.office365.com": "", "graph.microsoft.com": "",
		"notmicrosoftonline.us": "", "login.microsoftonline.us.contoso.com": "", "": "", ".": "",
	} {
		got, national := CloudOf(host)
		assert.Equal(t, want, got.Name, host)
		assert.Equal(t, want != "", national, host)
	}
}

func TestSettingsOfAnotherCloud(t *testing.T) {
	target := Target{Tenant: "5de110f8-2e0f-4d45-891d-bcf2218e253d"}
	target.ExchangeOnline.setDefaults()
	assert.Empty(t, target.NationalClouds(), "the defaults are the worldwide cloud's")
	target.ExchangeOnline.AuthorityHost = readURL("https://login.microsoftonline.us/")
	target.ExchangeOnline.Host = readURL("https://outlook.office365.us")
	target.Entra.OpenIDConfiguration = readTenantURL("https://login.partner.microsoftonline.cn/{tenant}/v2.0/.well-known/openid-configuration")
	target.Metadata.URL = readTenantURL("https://login.microsoftonline.de/{tenant}/federationmetadata/2007-06/federationmetadata.xml")
	const of = ", for which hybrid Modern Authentication of Outlook mobile is not supported"
	assert.Equal(t, []string{
		"entra.openid_configuration (login.partner.microsoftonline.cn) is of Microsoft's cloud in China (21Vianet)" + of,
		"metadata.url (login.microsoftonline.de) is of Microsoft's cloud in Germany, which is closed" + of,
		"exchange_online.authority_host (login.microsoftonline.us) is of Microsoft's cloud for the US government" + of,
		"exchange_online.host (outlook.office365.us) is of Microsoft's cloud for the US government" + of,
	}, target.NationalClouds())
}
