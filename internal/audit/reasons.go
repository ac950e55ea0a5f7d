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
		Runbook: outlookServiceBlockedRunbook,
		Summary: "A device access rule blocks Exchange Online, which synchronises for the phones: accounts cannot be added and phones receive no new mail.",
		Fix: "Look with " + showRules + " and remove the rule that blocks: `Get-ActiveSyncDeviceAccessRule | ? {$_.QueryString -like " +
			"\"*OutlookService*\" -and $_.AccessLevel -ne \"Allow\"} | Remove-ActiveSyncDeviceAccessRule`. If devices are not allowed by default, " +
			"add " + allowService + "."}
	outlookServiceNotAllowed = &check.Reason{Name: "outlook_service_not_allowed", Severity: check.Critical,
		Runbook: outlookServiceNotAllowedRunbook,
		Summary: "Devices are not allowed by default, and no rule allows Exchange Online, which synchronises for the phones: accounts cannot be " +
			"added and phones receive no new mail. Quarantine has the same effect.",
		Fix: "Add the rule, with exactly this text: " + allowService + ". Look with " + showRules + " and `Get-ActiveSyncOrganizationSettings " +
			"| Format-List DefaultAccessLevel`."}
	basicOutlookAllowed = &check.Reason{Name: "basic_outlook_allowed", Severity: check.Warning,
		Runbook: basicOutlookAllowedRunbook,
		Summary: "No rule blocks Outlook with Basic authentication: users who set up the account by hand may bypass Conditional Access and Intune. " +
			"Phones that use modern sign-in are not affected.",
		Fix: "Add the rule: `New-ActiveSyncDeviceAccessRule -Characteristic DeviceModel -QueryString \"Outlook for iOS and Android\" " +
			"-AccessLevel Block`. This blocks users who still use Basic. Until all have moved, accept this reason with a waiver."}
)

// The organisation's settings and its kind of hybrid.
var (
	oauthProfileDisabled = &check.Reason{Name: "oauth_profile_disabled", Severity: check.Warning,
		Runbook: oauthProfileDisabledRunbook,
		Summary: "Modern sign-in is off for the organisation's clients: phones fall back to Basic or cannot sign in.",
		Fix: "`Set-OrganizationConfig -OAuth2ClientProfileEnabled $true`, after the other steps of «How to configure Exchange Server " +
			"on-premises to use hybrid Modern Authentication» are done."}
	hybridConfigurationMissing = &check.Reason{Name: "hybrid_configuration_missing", Severity: check.Warning,
		Runbook: hybridConfigurationMissingRunbook,
		Summary: "The organisation has no hybrid configuration. Outlook on phones needs a full hybrid in the classic topology; without it accounts " +
			"may not be added.",
		Fix: "Look with `Get-HybridConfiguration`, and " + rerunWizard + ": Full Hybrid Configuration, Exchange Classic Hybrid Topology."}
	hybridAgentInUse = &check.Reason{Name: "hybrid_agent_in_use", Severity: check.Warning,
		Runbook: hybridAgentInUseRunbook,
		Summary: "The hybrid is published through the Hybrid Agent, with which hybrid Modern Authentication is not supported: phones may fail to " +
			"synchronise.",
		Fix: "Publish Exchange to the Internet and " + rerunWizard + " with Exchange Classic Hybrid Topology. Look on both sides, on premises " +
			"and in Exchange Online, with `Get-IntraOrganizationConnector | Format-List Name,TargetSharingEpr,DiscoveryEndpoint` and " +
			"`Get-OrganizationRelationship | Format-List Name,TargetSharingEpr`."}
	dedicatedAppMissing = &check.Reason{Name: "dedicated_app_missing", Severity: check.Warning,
		Runbook: dedicatedAppMissingRunbook,
		Summary: "Exchange has no dedicated app in Microsoft Entra, and Microsoft has blocked the shared one for Exchange Web Services. Free/busy, " +
			"MailTips and " +
			"photos between the two sides fail. Mail on phones does not use this and is not affected.",
		Fix: "Run Microsoft's ConfigureExchangeHybridApplication.ps1 or " + rerunWizard + ", then look with `Get-SettingOverride | ? " +
			"{$_.SectionName -eq \"ExchangeOnpremAsThirdPartyAppId\"}` and `Get-AuthServer | Format-List Name,Realm,ApplicationIdentifier`. If you " +
			"do not use these features, accept this reason with a waiver."}
	cloudUnsupported = &check.Reason{Name: "cloud_unsupported", Severity: check.Warning,
		Runbook: cloudUnsupportedRunbook,
		Summary: "The tenant is in a cloud where hybrid Modern Authentication for Outlook on phones is not supported (US Government, Germany, " +
			"21Vianet). It may work now and stop at any time.",
		Fix: "There is nothing to fix on premises. Ask Microsoft what is supported in this cloud. If hmad watches a tenant that is not yours, " +
			"correct `tenant` in hmad's config."}
)

// The servers.
var (
	requestLengthTooSmall = &check.Reason{Name: "request_length_too_small", Severity: check.Warning,
		Runbook: requestLengthTooSmallRunbook,
		Summary: "ActiveSync accepts only smaller messages than transport does: large messages sent from a phone stay in its outbox.",
		Fix: "In %ExchangeInstallPath%\\FrontEnd\\HttpProxy\\Sync\\web.config of the servers concerned set maxRequestLength (KB) to at " +
			"least the larger of `Get-TransportConfig | Format-List MaxSendSize,MaxReceiveSize`; if these are Unlimited, set a limit. Check again " +
			"after every cumulative update, which overwrites the file."}
	exchangeTooOld = &check.Reason{Name: "exchange_too_old", Severity: check.Warning,
		Runbook: exchangeTooOldRunbook,
		Summary: "A server is too old for hybrid Modern Authentication or for a hybrid deployment (the current cumulative update or the one before " +
			"is required): phones may fail to sign in, and Microsoft does not support it.",
		Fix: "Install the current cumulative update on the servers concerned: `Get-ExchangeServer | Format-List Name,AdminDisplayVersion`. " +
			"Support for 2013, 2016 and 2019 has ended; their successor is Exchange Server SE."}
	legacyExchangePresent = &check.Reason{Name: "legacy_exchange_present", Severity: check.Warning,
		Runbook: legacyExchangePresentRunbook,
		Summary: "There is a server with Exchange 2010 or earlier. Clients of its mailboxes are told to use OAuth, which this server does not " +
			"support, and cannot connect.",
		Fix: "Move the remaining mailboxes from the servers concerned and uninstall Exchange there: `Get-ExchangeServer | Format-List " +
			"Name,AdminDisplayVersion`. If a server no longer exists, remove its object."}
	exchangeUnsupported = &check.Reason{Name: "exchange_unsupported", Severity: check.Warning,
		Runbook: exchangeUnsupportedRunbook,
		Summary: "A server runs a version of Exchange that Microsoft no longer supports: it gets no security updates, and Exchange Online blocks mail from " +
			"old builds. Phones are not affected until then.",
		Fix: "Move to Exchange Server SE. The contract for extended updates of 2016 and 2019, which hmad cannot see, ended in October 2026. If the move " +
			"is planned, accept this reason with a waiver."}
	securityUpdateOld = &check.Reason{Name: "security_update_old", Severity: check.Warning,
		Runbook: securityUpdateOldRunbook,
		Summary: "A server lacks the newest security update that hmad knows of. Phones are not affected.",
		Fix: "Install the newest security update on the servers concerned, and run Microsoft's HealthChecker.ps1. The exact build: `Get-Command " +
			"Exsetup.exe | ForEach-Object { $_.FileVersionInfo.FileVersion }`."}
	virtualDirectoryMismatch = &check.Reason{Name: "virtual_directory_mismatch", Severity: check.Warning,
		Runbook: virtualDirectoryMismatchRunbook,
		Summary: "The ActiveSync URLs that AutoDiscover returns differ between servers of a site, or from the configured one: phones may be sent " +
			"to an address where their mailbox is not found.",
		Fix: "Look with `Get-ActiveSyncVirtualDirectory -ADPropertiesOnly | Format-List Server,ExternalUrl` and set one URL: " +
			"`Set-ActiveSyncVirtualDirectory '<server>\\Microsoft-Server-ActiveSync (Default Web Site)' -ExternalUrl " +
			"https://mail.contoso.com/Microsoft-Server-ActiveSync`. If hmad's config is wrong, correct `activesync.url`."}
	oauthMissingOnVirtualDirectory = &check.Reason{Name: "oauth_missing_on_virtual_directory", Severity: check.Warning,
		Runbook: oauthMissingOnVirtualDirectoryRunbook,
		Summary: "A virtual directory does not offer OAuth. Outlook on phones uses ActiveSync and may still work. AutoDiscover and other clients " +
			"with modern sign-in may fail.",
		Fix: "Look with `Get-MapiVirtualDirectory`, `Get-WebServicesVirtualDirectory`, `Get-OABVirtualDirectory` and " +
			"`Get-AutodiscoverVirtualDirectory`, each with `-ADPropertiesOnly | Format-List Server,*auth*`. Turn it on with the matching Set- " +
			"command and `-OAuthAuthentication $true`; for Mapi add OAuth to `-IISAuthenticationMethods`."}
	tlsOffloadingConfigured = &check.Reason{Name: "tls_offloading_configured", Severity: check.Warning,
		Runbook: tlsOffloadingConfiguredRunbook,
		Summary: "A server's ActiveSync directory accepts plain HTTP, a sign that TLS ends at the load balancer. TLS offloading is not supported: " +
			"Exchange then refuses the cloud's tokens and phones receive no new mail.",
		Fix: "Configure the load balancer to re-encrypt (TLS bridging), and require TLS on the servers concerned: `Set-WebConfigurationProperty " +
			"-PSPath IIS:\\ -Location \"Default Web Site/Microsoft-Server-ActiveSync\" -Filter system.webServer/security/access -Name sslFlags " +
			"-Value \"Ssl,Ssl128\"`."}
	clientCertificateRequired = &check.Reason{Name: "client_certificate_required", Severity: check.Critical,
		Runbook: clientCertificateRequiredRunbook,
		Summary: "A server's ActiveSync directory requires a client certificate. Exchange Online, which synchronises for the phones, has none: it is " +
			"refused (403.7), accounts cannot be added and phones receive no new mail.",
		Fix: "Take SslRequireCert away on the servers concerned: `Set-WebConfigurationProperty -PSPath IIS:\\ -Location \"Default Web " +
			"Site/Microsoft-Server-ActiveSync\" -Filter system.webServer/security/access -Name sslFlags -Value \"Ssl,Ssl128\"`. In the Exchange " +
			"admin center it is «Require client certificates» of the directory. Where other devices sign in by certificates, give them a " +
			"directory of their own; or, if only one server is meant for them, keep Exchange Online away from it."}
	authCertificateExpiring = &check.Reason{Name: "auth_certificate_expiring", Severity: check.Warning,
		Runbook: authCertificateExpiringRunbook,
		Summary: "The certificate with which Exchange signs its own tokens expires within 60 days, or has expired. From then on OAuth between " +
			"servers and with the cloud fails.",
		Fix: "Renew it: Microsoft's MonitorExchangeAuthCertificate.ps1 does all steps. By hand: `New-ExchangeCertificate` and `Set-AuthConfig " +
			"-NewCertificateThumbprint '<thumbprint>' -NewCertificateEffectiveDate '<date>'` with a date at least two days ahead. After it took " +
			"over, " + rerunWizard + ", so that Microsoft Entra knows it."}
	authCertificateMissing = &check.Reason{Name: "auth_certificate_missing", Severity: check.Warning,
		Runbook: authCertificateMissingRunbook,
		Summary: "A server does not have the certificate with which Exchange signs its own tokens, or its private key (event 2004 of MSExchange OAuth). " +
			"OAuth between this server, the others and the cloud fails.",
		Fix: "Compare `Get-AuthConfig | Format-List CurrentCertificateThumbprint` with `Get-ExchangeCertificate -Server '<server>'` on the " +
			"servers concerned. Microsoft's MonitorExchangeAuthCertificate.ps1 deploys it again. Afterwards restart MSExchangeServiceHost and " +
			"recycle the application pools."}
)

// hmad's own knowledge.
var buildTableOld = &check.Reason{Name: "build_table_old", Severity: check.Warning,
	Runbook: buildTableOldRunbook,
	Summary: "The table of Exchange builds in this version of hmad is old, or does not contain the build of one of your servers. A server that " +
		"should be updated may pass. Phones are not affected.",
	Fix: "Install a newer hmad. Until then compare `Get-ExchangeServer | Format-List Name,AdminDisplayVersion` by hand with " +
		"https://learn.microsoft.com/exchange/new-features/build-numbers-and-release-dates."}
