package metadata

import (
	"time"

	"github.com/hmad/hmad/internal/check"
)

const (
	listAuthServers = "`Get-AuthServer | Format-List Name,Type,Enabled,Realm,IssuerIdentifier,AuthMetadataUrl,IsDefaultAuthorizationEndpoint`"
	refreshNow      = "`Set-AuthServer '<name>' -RefreshAuthMetadata` in Exchange Management Shell, with the name that `Get-AuthServer` gives " +
		"(older organisations: EvoSts); it takes up to 15 minutes until every server has it"
	findRefresher = "`$x = Get-Mailbox -Arbitration | ? {$_.PersistedCapabilities -like \"OrganizationCapabilityManagement\"}; " +
		"Get-MailboxDatabaseCopyStatus $x.Database.Name`"
	readEvents = "read the Application log on the server whose copy is Mounted (source MSExchange AuthAdmin; event 2010: the metadata cannot be " +
		"reached, 2013: updated, 2015: end of a run) and the files in <ExchangeInstallPath>\\Logging\\AuthAdminLogs"
)

// The reasons of the evosts_metadata check.
var (
	authServerMissing = &check.Reason{Name: "auth_server_missing", Severity: check.Critical,
		Runbook: authServerMissingRunbook,
		Summary: "Exchange has no auth server of type AzureAD for this tenant, so it trusts no tokens from Microsoft Entra: accounts cannot be " +
			"added and sync stops.",
		Fix: "Look with " + listAuthServers + ", and run the Hybrid Configuration Wizard again, which creates the auth server. If there is one for " +
			"another tenant, correct `tenant` in hmad's config."}
	authServerDisabled = &check.Reason{Name: "auth_server_disabled", Severity: check.Critical,
		Runbook: authServerDisabledRunbook,
		Summary: "The tenant's auth server is disabled, so Exchange refuses all tokens from Microsoft Entra and no longer refreshes its certificates.",
		Fix:     "`Set-AuthServer '<name>' -Enabled $true`. Find out who disabled it and why."}
	defaultEndpointMissing = &check.Reason{Name: "default_endpoint_missing", Severity: check.Critical,
		Runbook: defaultEndpointMissingRunbook,
		Summary: "The tenant's auth server is not the default authorisation endpoint, so Exchange does not tell phones to sign in at Microsoft Entra.",
		Fix:     "`Set-AuthServer '<name>' -IsDefaultAuthorizationEndpoint $true`, and `$false` on every other; look with " + listAuthServers + "."}
	defaultEndpointAmbiguous = &check.Reason{Name: "default_endpoint_ambiguous", Severity: check.Critical,
		Runbook: defaultEndpointAmbiguousRunbook,
		Summary: "Several auth servers are the default authorisation endpoint: Exchange then names none of them (event 2009 of MSExchange OAuth), " +
			"and phones do not learn where to sign in.",
		Fix: "`Set-AuthServer '<name>' -IsDefaultAuthorizationEndpoint $false` on all others; look with " + listAuthServers + "."}
	realmMismatch = &check.Reason{Name: "realm_mismatch", Severity: check.Warning,
		Runbook: realmMismatchRunbook,
		Summary: "The metadata at the auth server's address belongs to another issuer or tenant than the auth server. Exchange then refuses to refresh " +
			"the certificates (event 2007 of MSExchange AuthAdmin), and phones receive no new mail after Microsoft's next change of certificates.",
		Fix: "Compare " + listAuthServers + " with the issuer of the metadata, and set the tenant's address: `Set-AuthServer '<name>' " +
			"-AuthMetadataUrl 'https://login.windows.net/<tenant>/federationmetadata/2007-06/federationmetadata.xml'`. If the address changes " +
			"back, run the Hybrid Configuration Wizard again."}
	certificateLimit = &check.Reason{Name: "certificate_limit", Severity: check.Warning,
		Runbook: certificateLimitRunbook,
		Summary: "Microsoft publishes nearly as many signing certificates as Exchange accepts, or more. If there are more than ten, Exchange " +
			"stores none of them (event 2011 of MSExchange AuthAdmin), and phones receive no new mail once Microsoft signs with a new one.",
		Fix: "There is nothing to fix on premises. Watch the number of certificates. If it is above ten, open a support case with Microsoft and " +
			"ask for a build of Exchange with a higher limit."}
	signingKeyMissing = &check.Reason{Name: "signing_key_missing", Severity: check.Critical, For: 15 * time.Minute,
		Runbook: signingKeyMissingRunbook,
		Summary: "Microsoft now signs tokens with a key that is missing in Exchange's stored copy. When the servers' short-lived cache expires, " +
			"they refuse those tokens, and phones receive no new mail.",
		Fix: "Refresh at once: " + refreshNow + ". Then see why the job did not: " + findRefresher + ", and " + readEvents + "."}
	metadataLongStale = &check.Reason{Name: "metadata_long_stale", Severity: check.Critical,
		Runbook: metadataLongStaleRunbook,
		Summary: "Microsoft published a signing certificate longer ago than the slowest refresh takes, and Exchange has not copied it: the job " +
			"does not work. Phones stop receiving mail as soon as Microsoft signs with it, which may be at any time.",
		Fix: "Refresh by hand: " + refreshNow + ". Then find the server that runs the job, " + findRefresher + ", and " + readEvents + ". " +
			"Check that this server reaches the metadata through `Get-ExchangeServer | Format-List Name,InternetWebProxy`."}
	metadataStale = &check.Reason{Name: "metadata_stale", Severity: check.Warning,
		Runbook: metadataStaleRunbook,
		Summary: "Microsoft published a signing certificate longer ago than the refresh should take, and Exchange has not copied it yet. Phones " +
			"are not affected until Microsoft signs with it.",
		Fix: "See whether the job works: " + findRefresher + ", and " + readEvents + ". Refresh by hand: " + refreshNow + "; a scheduled task can " +
			"do this every 24 hours. If you know that the job runs every twelve hours, set `metadata.window` to 13h and `metadata.page_after` to 16h."}
)

// evostsReasons lists them in order of judgement.
var evostsReasons = []*check.Reason{
	authServerMissing, authServerDisabled, defaultEndpointMissing, defaultEndpointAmbiguous,
	realmMismatch, certificateLimit, signingKeyMissing, metadataLongStale, metadataStale,
}

// The reasons of the metadata_refresh check.
var (
	arbitrationMailboxMissing = &check.Reason{Name: "arbitration_mailbox_missing", Severity: check.Warning,
		Runbook: arbitrationMailboxMissingRunbook,
		Summary: "No arbitration mailbox has the capability OrganizationCapabilityManagement, so no server refreshes the signing certificates. " +
			"Phones receive no new mail after Microsoft's next change of certificates.",
		Fix: "Look with `Get-Mailbox -Arbitration | Format-List Name,Database,PersistedCapabilities`. The migration mailbox should have it. If " +
			"that mailbox is missing, re-create it with `Setup.exe /PrepareAD` and `Enable-Mailbox -Arbitration -Identity " +
			"\"Migration.8f3e7716-2011-43e4-96b1-aba62d229136\"` and then assign the capability: `Set-Mailbox -Arbitration -Identity " +
			"\"Migration.8f3e7716-2011-43e4-96b1-aba62d229136\" -Management $true`."}
	arbitrationMailboxMultiple = &check.Reason{Name: "arbitration_mailbox_multiple", Severity: check.Warning,
		Runbook: arbitrationMailboxMultipleRunbook,
		Summary: "Several arbitration mailboxes have the capability OrganizationCapabilityManagement, so it is not certain which server refreshes " +
			"the signing certificates, or whether any does.",
		Fix: "Look with `Get-Mailbox -Arbitration | ? {$_.PersistedCapabilities -like \"OrganizationCapabilityManagement\"} | Format-List " +
			"Name,Database` and remove the capability from all but one of them."}
	databaseNotMounted = &check.Reason{Name: "database_not_mounted", Severity: check.Warning,
		Runbook: databaseNotMountedRunbook,
		Summary: "The database of the arbitration mailbox is not mounted on any server, so no server refreshes the signing certificates. Phones " +
			"receive no new mail after Microsoft's next change of certificates.",
		Fix: "Look with " + findRefresher + ", then `Mount-Database '<database>'`, or activate a healthy copy: `Move-ActiveMailboxDatabase " +
			"'<database>' -ActivateOnServer '<server>'`."}
	tokensRefused = &check.Reason{Name: "tokens_refused", Severity: check.Critical,
		Runbook: tokensRefusedRunbook,
		Summary: "Exchange refuses many tokens that are signed with a key that Microsoft publishes: phones receive no new mail.",
		Fix: "Refresh the certificates: " + refreshNow + ". Read event 2006 of MSExchange OAuth on the servers concerned; where only some " +
			"servers have it, restart MSExchangeServiceHost and recycle MSExchangeSyncAppPool and MSExchangeAutodiscoverAppPool there."}
	staleCopyProven = &check.Reason{Name: "stale_copy_proven", Severity: check.Warning,
		Runbook: staleCopyProvenRunbook,
		Summary: "Exchange's own events say that the published metadata contains certificates that are missing in its stored copy, and nothing has " +
			"updated the copy within the window. Tokens are accepted only as long as the servers can fetch the metadata themselves.",
		Fix: "Refresh by hand: " + refreshNow + ". Then see why the job does not: " + findRefresher + ", and " + readEvents + "."}
	refreshFailing = &check.Reason{Name: "refresh_failing", Severity: check.Warning,
		Runbook: refreshFailingRunbook,
		Summary: "The last run of the refresh job ended with errors. Phones are not affected until Microsoft changes its certificates; from then " +
			"on they receive no new mail.",
		Fix: "On the server that ran the job " + readEvents + ". For 2010 check that it reaches the metadata through `Get-ExchangeServer | " +
			"Format-List Name,InternetWebProxy` (none: directly). Try by hand: " + refreshNow + "."}
	refreshOverdue = &check.Reason{Name: "refresh_overdue", Severity: check.Warning,
		Runbook: refreshOverdueRunbook,
		Summary: "The last good run of the refresh job is longer ago than it should be. Phones are not affected until Microsoft changes its " +
			"certificates; from then on they receive no new mail.",
		Fix: "Find the server that runs the job: " + findRefresher + ", and " + readEvents + ". Restarting MSExchangeServiceHost there starts " +
			"a run. Servers in a child domain need `Set-OrganizationConfig -EnableAuthAdminReadSession:$true`."}
)

// refreshReasons lists them in order of judgement.
var refreshReasons = []*check.Reason{
	arbitrationMailboxMissing, arbitrationMailboxMultiple, databaseNotMounted,
	tokensRefused, staleCopyProven, refreshFailing, refreshOverdue,
}

const seeCollector = "Look at the log file of hmad's collector on the host, `C:\\ProgramData\\hmad\\log\\Get-HmadReport.log`, which records what " +
	"each run did, then at its scheduled task: `Get-ScheduledTask *hmad* | Get-ScheduledTaskInfo`"

// The reasons of the onprem_report check. None of them concerns phones.
var (
	reportInvalid = &check.Reason{Name: "report_invalid", Severity: check.Warning,
		Runbook: reportInvalidRunbook,
		Summary: "A report from an Exchange server cannot be read, so some checks lack data. Phones are not affected.",
		Fix: "See the error with `hmad check onprem_report`. " + seeCollector + ", install the collector of this version of hmad, and " +
			"check that it writes the file completely (under a new name, then a rename)."}
	reportMissing = &check.Reason{Name: "report_missing", Severity: check.Warning,
		Runbook: reportMissingRunbook,
		Summary: "A host that should send reports does not, so some checks lack data. Phones are not affected.",
		Fix: "If the collector is not installed yet, see docs/onprem-report.md. " + seeCollector + ", its network path to hmad and its token, or " +
			"the folder of `onprem.report.file`. If the host is permanently gone, remove it from `onprem.report.hosts`."}
	reportClockSkew = &check.Reason{Name: "report_clock_skew", Severity: check.Warning,
		Runbook: reportClockSkewRunbook,
		Summary: "A report is dated in the future: the host's clock or hmad's clock is wrong, and so are ages that hmad computes from the report. Phones " +
			"are not affected.",
		Fix: "Check both clocks: `w32tm /query /status` on the Exchange server, `timedatectl` on hmad's host."}
	reportLate = &check.Reason{Name: "report_late", Severity: check.Warning,
		Runbook: reportLateRunbook,
		Summary: "The last report of a host is over three of its intervals old, or over two hours; hmad no longer judges by it. Phones are " +
			"not affected.",
		Fix: seeCollector + ", its last result, and the network path to hmad. `hmad check onprem_report` shows whether a later push was refused. The task must run " +
			"at least every 40 minutes."}
	reportSectionFailed = &check.Reason{Name: "report_section_failed", Severity: check.Warning,
		Runbook: reportSectionFailedRunbook,
		Summary: "A section of a report, or a value in one, is missing or cannot be read, so checks that need it cannot reach a verdict. Phones are not affected.",
		Fix: "See the error with `hmad check onprem_report`. If a section is missing or in an unknown form, install the collector of this version of hmad. The " +
			"collector's account needs the role group View-Only Organization Management, the group Event Log Readers, and read access to the " +
			"front-end configuration on the host."}
)

// reportReasons lists them in order of judgement.
var reportReasons = []*check.Reason{reportInvalid, reportMissing, reportClockSkew, reportLate, reportSectionFailed}
