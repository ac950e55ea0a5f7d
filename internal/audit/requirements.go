package audit

import "github.com/hmad/hmad/internal/report"

const (
	showAccess   = "Get-ActiveSyncDeviceAccessRule | Format-List Characteristic,QueryString,AccessLevel"
	showHybrid   = "Get-HybridConfiguration | Format-List ServiceInstance,Features"
	showServers  = "Get-ExchangeServer | Format-List Name,Site,AdminDisplayVersion"
	showCerts    = "Get-AuthConfig | Format-List *Thumbprint,NextCertificateEffectiveDate; Get-ExchangeCertificate | Format-List Thumbprint,NotAfter,HasPrivateKey"
	showSSLFlags = "Get-WebConfigurationProperty -PSPath IIS:\\ -Location \"Default Web Site/Microsoft-Server-ActiveSync\" -Filter " +
		"system.webServer/security/access -Name sslFlags"
)

// requirements is the table, in the order in which they are judged and shown.
// Row numbers are those of the domain notes, section 8.
var requirements = []requirement{
	{ // 17
		name: "nothing keeps Exchange Online out", reason: outlookServiceBlocked, reads: []string{report.SectionAccessRules},
		wanted: "no rule that blocks or quarantines OutlookService",
		show:   showAccess, judge: judgeServiceBlocked,
	}, { // 14, 16
		name: "Exchange Online is let in", reason: outlookServiceNotAllowed, reads: []string{report.SectionActiveSync, report.SectionAccessRules},
		wanted: "DefaultAccessLevel Allow, or a rule DeviceType \"OutlookService\" Allow",
		show:   "Get-ActiveSyncOrganizationSettings | Format-List DefaultAccessLevel", judge: judgeServiceAllowed,
	}, { // 15
		name: "Outlook with Basic is kept out", reason: basicOutlookAllowed, reads: []string{report.SectionAccessRules},
		wanted: "a rule DeviceModel \"Outlook for iOS and Android\" Block",
		show:   showAccess, judge: judgeBasicBlocked,
	}, { // 9
		name: "modern sign-in is on", reason: oauthProfileDisabled, reads: []string{report.SectionOrganization},
		wanted: "OAuth2ClientProfileEnabled True",
		show:   "Get-OrganizationConfig | Format-List OAuth2ClientProfileEnabled", judge: judgeOAuthProfile,
	}, { // 18
		name: "large messages pass", reason: requestLengthTooSmall, reads: []string{report.SectionTransport, report.SectionWebConfig},
		wanted: "maxRequestLength on every server at least the larger of MaxSendSize and MaxReceiveSize",
		show:   "Get-TransportConfig | Format-List MaxSendSize,MaxReceiveSize; Select-String maxRequestLength \"$env:ExchangeInstallPath\\FrontEnd\\HttpProxy\\Sync\\web.config\"", judge: judgeRequestLength,
	}, { // 19
		name: "builds of Exchange", reason: exchangeTooOld, reads: []string{report.SectionServers},
		wanted: "at least 2013 CU19, 2016 CU8 or 2019 CU1, and the current CU or the one before",
		show:   showServers, judge: judgeBuilds,
	}, { // 20
		name: "no Exchange 2010 or earlier", reason: legacyExchangePresent, reads: []string{report.SectionServers},
		wanted: "no server of version 14 or earlier",
		show:   showServers, judge: judgeLegacy,
	}, {
		name: "support by Microsoft", reason: exchangeUnsupported, reads: []string{report.SectionServers},
		wanted: "a product in support: Exchange Server SE",
		show:   showServers, judge: judgeSupport,
	}, {
		name: "security updates", reason: securityUpdateOld, reads: []string{report.SectionLocalServer},
		wanted: "the newest security update of the server's cumulative update",
		show:   "Get-Command Exsetup.exe | ForEach-Object { $_.FileVersionInfo.FileVersion }", judge: judgeUpdates, ofServers: true,
	}, { // 21
		name: "hybrid configuration", reason: hybridConfigurationMissing, reads: []string{report.SectionHybrid},
		wanted: "a full hybrid in the classic topology",
		show:   showHybrid, judge: judgeHybrid,
	}, { // 22
		name: "no Hybrid Agent", reason: hybridAgentInUse, reads: []string{report.SectionConnectors, report.SectionRelationships},
		wanted: "no address of the Hybrid Agent (*.msappproxy.net)",
		show:   "Get-IntraOrganizationConnector | Format-List Name,TargetSharingEpr,DiscoveryEndpoint; Get-OrganizationRelationship | Format-List Name,TargetSharingEpr", judge: judgeHybridAgent,
	}, { // 2
		name: "ActiveSync URLs agree", reason: virtualDirectoryMismatch, reads: []string{report.SectionDirectories, report.SectionServers},
		wanted: "one https ExternalUrl in each site that has any, the configured one among them",
		show:   "Get-ActiveSyncVirtualDirectory -ADPropertiesOnly | Format-List Server,ExternalUrl", judge: judgeDirectories,
	}, { // 12
		name: "OAuth on virtual directories", reason: oauthMissingOnVirtualDirectory, reads: []string{report.SectionDirectories},
		wanted: "OAuth on Mapi, WebServices, OAB and Autodiscover of every server",
		show:   "\"Mapi\",\"WebServices\",\"OAB\",\"Autodiscover\" | % {& \"Get-$($_)VirtualDirectory\" -ADPropertiesOnly | Format-List Server,Name,*auth*}", judge: judgeOAuthDirectories,
	}, { // 7
		name: "TLS up to Exchange", reason: tlsOffloadingConfigured, reads: []string{report.SectionIIS},
		wanted: "Ssl among the sslFlags of every server's ActiveSync directory",
		show:   showSSLFlags, judge: judgeOffloading,
	}, {
		name: "no client certificate required", reason: clientCertificateRequired, reads: []string{report.SectionIIS},
		wanted: "no SslRequireCert among the sslFlags of any server's ActiveSync directory",
		show:   showSSLFlags, judge: judgeClientCertificate, ofServers: true,
	}, { // 23
		name: "auth certificate lasts", reason: authCertificateExpiring, reads: []string{report.SectionAuthConfig, report.SectionCertificates},
		wanted: "over 60 days left, or a next certificate that takes over in time",
		show:   showCerts, judge: judgeCertificateEnd,
	}, { // 23
		name: "auth certificate on every server", reason: authCertificateMissing, reads: []string{report.SectionAuthConfig, report.SectionCertificates},
		wanted: "the current certificate with its private key on every server",
		show:   showCerts, judge: judgeCertificatePresent,
	}, { // 24
		name: "dedicated hybrid app", reason: dedicatedAppMissing, reads: []string{report.SectionOverrides, report.SectionAuthServers},
		wanted: "an override ExchangeOnpremAsThirdPartyAppId Enabled=true, and the app's id on the auth server",
		show:   "Get-SettingOverride | Format-List Name,SectionName,Parameters,Server; Get-AuthServer | Format-List Name,Realm,ApplicationIdentifier", judge: judgeDedicatedApp,
	}, {
		name: "hmad's table of builds", reason: buildTableOld, reads: []string{report.SectionServers},
		wanted: "at most 180 days old, and every server's update in it", judge: judgeTable,
	}, { // section 10
		name: "cloud of the tenant", reason: cloudUnsupported,
		wanted: "the worldwide cloud, microsoftonline.com",
		show:   showHybrid + "; Invoke-RestMethod https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration | Format-List cloud_instance_name,tenant_region_sub_scope", judge: judgeCloud,
	},
}
