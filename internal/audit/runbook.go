package audit

import "github.com/hmad/hmad/internal/check"

// The runbook of configuration.
var (
	outlookServiceBlockedRunbook = &check.Runbook{
		Causes: []string{
			"An administrator blocked an unknown device type seen in a list of devices.",
			"An MDM product wrote a blocking rule for everything that it does not manage.",
			"The service was quarantined, and somebody chose «block».",
		},
		Verify: "`Get-MobileDevice -ResultSize 50 -Filter \"DeviceType -eq 'OutlookService'\" | Format-Table " +
			"DeviceAccessState,DeviceAccessStateReason,DeviceAccessControlRule`: DeviceRule and its rule are the culprit.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerIntune},
		Mended: "DeviceAccessState is Allowed for these rows, and requests of OutlookService bring 200 in the front-end log.",
		Source: "Microsoft's guide, «Enable hybrid Modern Authentication» step 2 (documented).",
	}
	outlookServiceNotAllowedRunbook = &check.Runbook{
		Causes: []string{
			"The default was set to Block or Quarantine to keep other mail apps out, and the rule was forgotten.",
			"The rule was written with another text, for example «Outlook Service» or a wildcard.",
			"The rule was deleted in a clean-up.",
		},
		Verify: "`Get-ActiveSyncDeviceAccessRule | Where-Object QueryString -ceq 'OutlookService' | Format-List Characteristic,AccessLevel`: " +
			"exactly one, DeviceType and Allow.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The command prints that rule, and new accounts synchronise.",
		Source: "Microsoft's guide, step 2 with the exact command (documented). No wildcards: documented.",
	}
	basicOutlookAllowedRunbook = &check.Runbook{
		Causes: []string{
			"The migration from Basic is not finished, and the rule was put off.",
			"The step was overlooked, because everything works without it.",
		},
		Verify: "How many still use it: `Get-MobileDevice -ResultSize Unlimited -Filter \"DeviceModel -eq 'Outlook for iOS and Android'\" | " +
			"Group-Object DeviceAccessState | Format-Table Count,Name`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The rule is listed, and a test account that was set up by hand is refused.",
		Source: "Microsoft's guide, step 3 and «Is there a way for a user to bypass AutoDetect» (documented).",
	}
	oauthProfileDisabledRunbook = &check.Runbook{
		Causes: []string{
			"Hybrid Modern Authentication was prepared and never turned on.",
			"It was turned off in the search for a fault with Outlook on Windows, and stayed off.",
		},
		Verify: "`(Get-OrganizationConfig).OAuth2ClientProfileEnabled`, and who changed it: `Search-AdminAuditLog -Cmdlets " +
			"Set-OrganizationConfig -Parameters OAuth2ClientProfileEnabled`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The value is True, and `activesync` finds authorization_uri also for the probe mailbox.",
		Source: "Microsoft's «How to configure Exchange Server on-premises to use hybrid Modern Authentication» (documented).",
	}
	hybridConfigurationMissingRunbook = &check.Runbook{
		Causes: []string{
			"Only directory synchronisation was set up, without the Hybrid Configuration Wizard.",
			"The object was removed after most mailboxes had moved.",
			"Minimal or express hybrid was chosen.",
		},
		Verify: "`Get-HybridConfiguration | Format-List Features,Domains,ClientAccessServers,ServiceInstance`. Empty means none; the log of " +
			"the wizard is in `%APPDATA%\\Microsoft\\Exchange Hybrid Configuration`.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerEntra},
		Mended: "The object has your domains, and ServiceInstance is 0.",
		Source: "Microsoft's guide, requirements: classic full hybrid (documented). Causes: inferred.",
	}
	hybridAgentInUseRunbook = &check.Runbook{
		Causes: []string{
			"The wizard offered the modern topology, and it was the quicker way.",
			"The agent was used for migrations only and never removed.",
			"Exchange may not be published to the Internet by policy.",
		},
		Verify: "On each Windows server: `Get-Service -Name 'MSHybridSvc' -ErrorAction SilentlyContinue`, and in the addresses of " +
			"Get-MigrationEndpoint in Exchange Online look for `his.msappproxy.net`.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "No address ends in msappproxy.net, and phones reach the published name themselves.",
		Source: "Microsoft's guide: not supported with the Hybrid Agent (documented). Name of the service: reported.",
	}
	dedicatedAppMissingRunbook = &check.Runbook{
		Causes: []string{
			"The change of 2025 was missed: before it, all used Microsoft's shared principal.",
			"The script was run, but the setting override was not created or names another organisation.",
			"Servers have no build of April 2025 or later.",
		},
		Verify: "`Get-AuthServer | Where-Object Type -eq 'AzureAD' | Format-List Name,ApplicationIdentifier`, and in the Entra admin centre, " +
			"App registrations: an app named ExchangeServerApp with the organisation's identifier.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerEntra},
		Mended: "ApplicationIdentifier equals the app's client ID, and free/busy of a cloud mailbox shows on premises; allow up to 60 minutes.",
		Source: "Microsoft's Exchange Team blog and ConfigureExchangeHybridApplication.ps1 (documented).",
	}
	cloudUnsupportedRunbook = &check.Runbook{
		Causes: []string{
			"The tenant is in GCC High, DoD, 21Vianet or a German cloud.",
			"`tenant` in hmad's config names a tenant of another company.",
		},
		Verify: "The tenant's own statement: `curl -s 'https://login.microsoftonline.com/<tenant>/v2.0/.well-known/openid-configuration'`, " +
			"keys tenant_region_sub_scope and cloud_instance_name.",
		Owners: []check.Owner{check.OwnerEntra, check.OwnerHost},
		Mended: "cloud_instance_name is microsoftonline.com without a government scope, or the waiver says who decided it.",
		Source: "Microsoft's guide: Enterprise, Business or Education organisations only (documented).",
	}
	requestLengthTooSmallRunbook = &check.Runbook{
		Causes: []string{
			"A cumulative update replaced web.config with its default of 10240 KB.",
			"The transport limits were raised, and ActiveSync's was forgotten.",
			"One server was installed later than the others.",
		},
		Verify: "`Select-String -Path \"$env:ExchangeInstallPath\\FrontEnd\\HttpProxy\\Sync\\web.config\" -Pattern 'maxRequestLength'` on each " +
			"server. Then send a message just below the limit from a test phone.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The number is at least the transport limit in KB on all servers, and the test message leaves the outbox.",
		Source: "Microsoft's guide, step 4 (documented). Updates that overwrite the file: inferred.",
	}
	exchangeTooOldRunbook = &check.Runbook{
		Causes: []string{
			"Updates wait for a maintenance window.",
			"A server in a branch is overlooked because it has no mailboxes.",
			"The version is out of support, and the successor is not installed yet.",
		},
		Verify: "The file version is exact, where AdminDisplayVersion leaves out security updates: `Get-Command Exsetup.exe | ForEach-Object { " +
			"$_.FileVersionInfo.FileVersion }` on each server.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The version on every server is that of the current cumulative update or the one before.",
		Source: "Microsoft's build numbers and the rule for hybrids (documented). The date of hmad's table stands in the finding of " +
			"build_table_old.",
	}
	exchangeUnsupportedRunbook = &check.Runbook{
		Causes: []string{
			"The move to Exchange Server SE is not done yet.",
			"A server that only manages recipients was left behind.",
		},
		Verify: "`Get-ExchangeServer | Format-Table Name,AdminDisplayVersion`: 15.0, 15.1, and 15.2 below build 2562 are out of support.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "Every server is at 15.2, build 2562 or later.",
		Source: "Microsoft's lifecycle pages: support of 2016 and 2019 ended on 14 October 2025 (documented). The end of extended updates in October 2026: " +
			"Microsoft's announcement in translation.",
	}
	securityUpdateOldRunbook = &check.Runbook{
		Causes: []string{
			"The update waits for a maintenance window.",
			"The update failed on one server, and nobody looked at it afterwards.",
		},
		Verify: "`Get-Command Exsetup.exe | ForEach-Object { $_.FileVersionInfo.FileVersion }` on each server, against Microsoft's page «Exchange Server build " +
			"numbers and release dates».",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The collector's next report has the new build.",
		Source: "The builds of microsoft/CSS-Exchange (documented), complete up to the date in hmad_security_update_table_timestamp_seconds.",
	}
	legacyExchangePresentRunbook = &check.Runbook{
		Causes: []string{
			"The last mailboxes or public folders of the old version were never moved.",
			"The server was switched off without uninstalling, and its object is left.",
		},
		Verify: "Is it alive: `Test-Connection '<server>' -Count 2`, and does it hold anything: `Get-Mailbox -Server '<server>' -ResultSize 5`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "Get-ExchangeServer lists no version 8 or 14.",
		Source: "Microsoft's guide and prerequisites: no Exchange 2007 or 2010 for these clients (documented).",
	}
	virtualDirectoryMismatchRunbook = &check.Runbook{
		Causes: []string{
			"A new server still has the default or an empty ExternalUrl.",
			"The namespace was changed on some servers only.",
			"A site has its own namespace on purpose, and hmad's target covers another.",
		},
		Verify: "With the site of each: `Get-ExchangeServer | Where-Object IsClientAccessServer | ForEach-Object { $v = " +
			"Get-ActiveSyncVirtualDirectory -Server $_.Name -ADPropertiesOnly; \"$($_.Site) $($_.Name) $($v.ExternalUrl)\" }`.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerHost},
		Mended: "Lines of the same site end with the same address.",
		Source: "Microsoft's guide, cause C2 (documented). Choice by site: documented for AutoDiscover.",
	}
	oauthMissingOnVirtualDirectoryRunbook = &check.Runbook{
		Causes: []string{
			"The directory was re-created, and authentication set by hand without OAuth.",
			"A hardening script sets the methods and leaves OAuth out.",
		},
		Verify: "One line for each directory of a server: `Get-AutodiscoverVirtualDirectory -Server '<server>' -ADPropertiesOnly | Format-List " +
			"Name,InternalAuthenticationMethods,ExternalAuthenticationMethods`, and the same for Mapi, WebServices and OAB.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "OAuth is in all four lists on all servers.",
		Source: "Microsoft's «How to configure … hybrid Modern Authentication», «Verify virtual directories» (documented).",
	}
	tlsOffloadingConfiguredRunbook = &check.Runbook{
		Causes: []string{
			"«Require SSL» was turned off in IIS for a load balancer that offloads.",
			"It was turned off for a test with plain HTTP.",
			"A script for offloading (Exchange 2013 instructions) was run.",
		},
		Verify: "`Get-WebConfigurationProperty -PSPath 'IIS:\\' -Location 'Default Web Site/Microsoft-Server-ActiveSync' -Filter " +
			"'system.webServer/security/access' -Name sslFlags` on the server. The answer must contain Ssl.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "The answer contains Ssl, and plain HTTP to the path brings 403.4.",
		Source: "Microsoft's guide: offloading is not supported (documented). The flag is a sign, no proof: inferred.",
	}
	authCertificateExpiringRunbook = &check.Runbook{
		Causes: []string{
			"It is five years old and nobody renewed it.",
			"A new one is set, but its effective date lies ahead or was not published.",
		},
		Verify: "`$c = Get-AuthConfig; Get-ExchangeCertificate -Thumbprint $c.CurrentCertificateThumbprint | Format-List Subject,NotAfter; $c " +
			"| Format-List Next*,NewCertificate*`.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerEntra},
		Mended: "NotAfter of the current one is years ahead, and `Test-OAuthConnectivity -Service EWS -TargetUri " +
			"'https://outlook.office365.com/ews/exchange.asmx' -Mailbox '<address>'` says Success.",
		Source: "MonitorExchangeAuthCertificate and its documentation by Microsoft (documented).",
	}
	authCertificateMissingRunbook = &check.Runbook{
		Causes: []string{
			"A new or restored server did not get it.",
			"It was deleted as «expired» or unknown in the certificate store.",
			"The private key cannot be read by Network Service.",
		},
		Verify: "On the server: `$t = (Get-AuthConfig).CurrentCertificateThumbprint; Get-ChildItem \"Cert:\\LocalMachine\\My\\$t\" | " +
			"Format-List Subject,HasPrivateKey`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "HasPrivateKey is True on every server, and event 2004 of MSExchange OAuth does not return.",
		Source: "Event 2004: seen. Deployment of the certificate: Microsoft (documented).",
	}
	buildTableOldRunbook = &check.Runbook{
		Causes: []string{
			"hmad has not been updated for months.",
			"A server has a build that is newer than this version of hmad.",
		},
		Verify: "`hmad version` shows the version; compare its date with the last security update of Exchange on Microsoft's page of build " +
			"numbers.",
		Owners: []check.Owner{check.OwnerHost},
		Mended: "After the update of hmad the finding is gone, and exchange_too_old has judged every server.",
		Source: "How hmad works: the table is part of the program, and its date is known.",
	}
	clientCertificateRequiredRunbook = &check.Runbook{
		Causes: []string{
			"Certificates were required for the phones' own mail apps, before Outlook was introduced.",
			"A setting of the Default Web Site is inherited by ActiveSync.",
			"An MDM product's instructions for signing in by certificate were followed.",
		},
		Verify: "Ask without a certificate and read the substatus in the IIS log of a front end: `Select-String -Path " +
			"'C:\\inetpub\\logs\\LogFiles\\W3SVC1\\*.log' -Pattern 'Microsoft-Server-ActiveSync.* 403 7 ' | Select-Object -Last 5`. 403.7 means that " +
			"IIS wanted a certificate.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerIntune},
		Mended: "No new line with 403 7 appears, and `Get-ActiveSyncVirtualDirectory | Format-List Server,ClientCertAuth` shows Ignore or Accepted everywhere.",
		Source: "403.7 and sslFlags: documented by Microsoft for IIS. That Exchange Online brings no client certificate: inferred.",
	}
)
