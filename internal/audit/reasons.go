package audit

import "github.com/hmad/hmad/internal/check"

const (
	showRules    = "`Get-ActiveSyncDeviceAccessRule | Format-List Name,Characteristic,QueryString,AccessLevel`"
	rerunWizard  = "run the Hybrid Configuration Wizard again"
	allowService = "`New-ActiveSyncDeviceAccessRule -Characteristic DeviceType -QueryString \"OutlookService\" -AccessLevel Allow`"
)

// Device access: who may synchronise.
var (
	outlookServiceBlocked = &check.Reason{Name: "outlook_service_blocked", Severity: check.Critical,
		Summary: "A device access rule keeps Exchange Online out, which synchronises for the phones: accounts cannot be added and mail on phones goes stale.",
		Fix:     "Look with " + showRules + " and remove the rule in the detail: `Get-ActiveSyncDeviceAccessRule | ? {$_.QueryString -like \"*OutlookService*\" -and $_.AccessLevel -ne \"Allow\"} | Remove-ActiveSyncDeviceAccessRule`. Where devices are not let in by default, add " + allowService + "."}
	outlookServiceNotAllowed = &check.Reason{Name: "outlook_service_not_allowed", Severity: check.Critical,
		Summary: "Devices are not let in by default, and no rule lets in Exchange Online, which synchronises for the phones: accounts cannot be added and mail on phones goes stale. Quarantine stops it too.",
		Fix:     "Add the rule, with exactly this text: " + allowService + ". Look with " + showRules + " and `Get-ActiveSyncOrganizationSettings | Format-List DefaultAccessLevel`."}
	basicOutlookAllowed = &check.Reason{Name: "basic_outlook_allowed", Severity: check.Warning,
		Summary: "No rule keeps out Outlook that signs in with Basic authentication: users who set the account up by hand may pass by Conditional Access and Intune. Phones that use modern sign-in are not concerned.",
		Fix:     "Add the rule: `New-ActiveSyncDeviceAccessRule -Characteristic DeviceModel -QueryString \"Outlook for iOS and Android\" -AccessLevel Block`. Users who still use Basic are then kept out; until everybody has moved, accept this reason with a waiver."}
)

// The organisation's settings and its kind of hybrid.
var (
	oauthProfileDisabled = &check.Reason{Name: "oauth_profile_disabled", Severity: check.Warning,
		Summary: "Modern sign-in is off for the organisation's clients: phones fall back to Basic or find no way to sign in.",
		Fix:     "`Set-OrganizationConfig -OAuth2ClientProfileEnabled $true`, after the other steps of «How to configure Exchange Server on-premises to use hybrid Modern Authentication» are done."}
	hybridConfigurationMissing = &check.Reason{Name: "hybrid_configuration_missing", Severity: check.Warning,
		Summary: "The organisation has no hybrid configuration. Outlook on phones needs a full hybrid in the classic topology; without it accounts may not be added.",
		Fix:     "Look with `Get-HybridConfiguration`, and " + rerunWizard + ": Full Hybrid Configuration, Exchange Classic Hybrid Topology."}
	hybridAgentInUse = &check.Reason{Name: "hybrid_agent_in_use", Severity: check.Warning,
		Summary: "The hybrid is published through the Hybrid Agent, with which hybrid Modern Authentication is not supported: phones may fail to synchronise.",
		Fix:     "Publish Exchange to the Internet and " + rerunWizard + " with Exchange Classic Hybrid Topology. Look on both sides, on premises and in Exchange Online, with `Get-IntraOrganizationConnector | Format-List Name,TargetSharingEpr,DiscoveryEndpoint` and `Get-OrganizationRelationship | Format-List Name,TargetSharingEpr`."}
	dedicatedAppMissing = &check.Reason{Name: "dedicated_app_missing", Severity: check.Warning,
		Summary: "Exchange has no app of its own at Microsoft Entra; the shared one is shut for Exchange Web Services. Free/busy, MailTips and photos between the two sides fail. Mail on phones does not go this way and is not concerned.",
		Fix:     "Run Microsoft's ConfigureExchangeHybridApplication.ps1 or " + rerunWizard + ", then look with `Get-SettingOverride | ? {$_.SectionName -eq \"ExchangeOnpremAsThirdPartyAppId\"}` and `Get-AuthServer | Format-List Name,Realm,ApplicationIdentifier`. Where no features are shared, accept this reason with a waiver."}
	cloudUnsupported = &check.Reason{Name: "cloud_unsupported", Severity: check.Warning,
		Summary: "The tenant lives in a cloud in which hybrid Modern Authentication for Outlook on phones is not supported (US Government, Germany, 21Vianet). What works may stop working.",
		Fix:     "Nothing is to be mended on premises. Ask Microsoft for the way that is supported in this cloud; if the tenant in the detail is not yours, correct `tenant` in hmad's config."}
)

// The servers.
var (
	requestLengthTooSmall = &check.Reason{Name: "request_length_too_small", Severity: check.Warning,
		Summary: "ActiveSync takes smaller messages than transport does: large mails that are sent from a phone stay in its outbox.",
		Fix:     "In %ExchangeInstallPath%\\FrontEnd\\HttpProxy\\Sync\\web.config of the servers in the detail set maxRequestLength (KB) to at least the larger of `Get-TransportConfig | Format-List MaxSendSize,MaxReceiveSize`; where these are Unlimited, give them a limit. Look again after every cumulative update, which writes the file anew."}
	exchangeTooOld = &check.Reason{Name: "exchange_too_old", Severity: check.Warning,
		Summary: "A server is too old for hybrid Modern Authentication, or older than a hybrid may be (the current cumulative update, or the one before): phones may fail to sign in, and Microsoft gives no support.",
		Fix:     "Install the current cumulative update on the servers in the detail: `Get-ExchangeServer | Format-List Name,AdminDisplayVersion`. Support for 2013, 2016 and 2019 has ended; Exchange Server SE follows."}
	legacyExchangePresent = &check.Reason{Name: "legacy_exchange_present", Severity: check.Warning,
		Summary: "There is a server of Exchange 2010 or earlier. Mailboxes on it are told to use OAuth, which they cannot, and their clients are cut off.",
		Fix:     "Move what is left on the servers in the detail and uninstall them: `Get-ExchangeServer | Format-List Name,AdminDisplayVersion`. If a server is gone for good, remove its object."}
	virtualDirectoryMismatch = &check.Reason{Name: "virtual_directory_mismatch", Severity: check.Warning,
		Summary: "The ActiveSync URLs that AutoDiscover hands out differ between servers of a site, or from the configured one: phones are sent to a place where they may not find their mailbox.",
		Fix:     "Look with `Get-ActiveSyncVirtualDirectory -ADPropertiesOnly | Format-List Server,ExternalUrl` and set one URL: `Set-ActiveSyncVirtualDirectory '<server>\\Microsoft-Server-ActiveSync (Default Web Site)' -ExternalUrl https://mail.contoso.com/Microsoft-Server-ActiveSync`. If hmad's config is wrong, correct `activesync.url`."}
	oauthMissingOnVirtualDirectory = &check.Reason{Name: "oauth_missing_on_virtual_directory", Severity: check.Warning,
		Summary: "A virtual directory does not offer OAuth. Outlook on phones uses ActiveSync and may go on; AutoDiscover and other clients with modern sign-in may fail.",
		Fix:     "Look with `Get-MapiVirtualDirectory`, `Get-WebServicesVirtualDirectory`, `Get-OABVirtualDirectory` and `Get-AutodiscoverVirtualDirectory`, each with `-ADPropertiesOnly | Format-List Server,*auth*`. Turn it on with `-OAuthAuthentication $true` of the Set- command of the same name; for Mapi add OAuth to `-IISAuthenticationMethods`."}
	tlsOffloadingConfigured = &check.Reason{Name: "tls_offloading_configured", Severity: check.Warning,
		Summary: "A server's ActiveSync directory takes plain HTTP, as it must where TLS ends at the load balancer. TLS offloading is not supported: Exchange then refuses the cloud's tokens and mail on phones goes stale.",
		Fix:     "Let the load balancer re-encrypt (TLS bridging), and require TLS on the servers in the detail: `Set-WebConfigurationProperty -PSPath IIS:\\ -Location \"Default Web Site/Microsoft-Server-ActiveSync\" -Filter system.webServer/security/access -Name sslFlags -Value \"Ssl,Ssl128\"`."}
	authCertificateExpiring = &check.Reason{Name: "auth_certificate_expiring", Severity: check.Warning,
		Summary: "The certificate by which Exchange signs its own tokens ends within 60 days, or has ended. From then on OAuth between servers and with the cloud fails.",
		Fix:     "Renew it: Microsoft's MonitorExchangeAuthCertificate.ps1 does all steps, or `New-ExchangeCertificate` and `Set-AuthConfig -NewCertificateThumbprint '<thumbprint>' -NewCertificateEffectiveDate '<date>'` with a date at least two days ahead. After it took over, " + rerunWizard + ", so that Microsoft Entra knows it."}
	authCertificateMissing = &check.Reason{Name: "auth_certificate_missing", Severity: check.Warning,
		Summary: "A server lacks the certificate by which Exchange signs its own tokens, or its private key (event 2004 of MSExchange OAuth). OAuth between this server, the others and the cloud fails.",
		Fix:     "Compare `Get-AuthConfig | Format-List CurrentCertificateThumbprint` with `Get-ExchangeCertificate -Server '<server>'` on the servers in the detail. Microsoft's MonitorExchangeAuthCertificate.ps1 deploys it anew; restart MSExchangeServiceHost and recycle the application pools afterwards."}
)

// hmad's own knowledge.
var buildTableOld = &check.Reason{Name: "build_table_old", Severity: check.Warning,
	Summary: "The table of Exchange builds in this hmad is old, or does not know the update of a server here, so a server that should be updated may pass. Phones are not concerned.",
	Fix:     "Install a newer hmad. Until then compare `Get-ExchangeServer | Format-List Name,AdminDisplayVersion` by hand with https://learn.microsoft.com/exchange/new-features/build-numbers-and-release-dates."}
