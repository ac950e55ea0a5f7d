package metadata

import (
	"time"

	"github.com/hmad/hmad/internal/check"
)

const (
	listAuthServers = "`Get-AuthServer | Format-List Name,Type,Enabled,Realm,IssuerIdentifier,AuthMetadataUrl,IsDefaultAuthorizationEndpoint`"
	refreshNow      = "`Set-AuthServer '<name>' -RefreshAuthMetadata` in Exchange Management Shell, with the auth server's name from the detail (older organisations: EvoSts); allow a quarter of an hour until every server has it"
	findRefresher   = "`$x = Get-Mailbox -Arbitration | ? {$_.PersistedCapabilities -like \"OrganizationCapabilityManagement\"}; Get-MailboxDatabaseCopyStatus $x.Database.Name`"
	readEvents      = "read the Application log on the server whose copy is Mounted (source MSExchange AuthAdmin; 2010 means that the metadata cannot be reached, 2013 an update, 2015 the end of a run) and the files in <ExchangeInstallPath>\\Logging\\AuthAdminLogs"
)

// The reasons of the evosts_metadata check.
var (
	authServerMissing = &check.Reason{Name: "auth_server_missing", Severity: check.Critical,
		Summary: "Exchange has no auth server of type AzureAD for this tenant, so it trusts no token of Microsoft Entra's: accounts cannot be added and sync stops.",
		Fix:     "Look with " + listAuthServers + ", and run the Hybrid Configuration Wizard again, which makes the auth server. If another tenant's is there, correct `tenant` in hmad's config."}
	authServerDisabled = &check.Reason{Name: "auth_server_disabled", Severity: check.Critical,
		Summary: "The tenant's auth server is disabled, so Exchange refuses every token of Microsoft Entra's and its certificates are refreshed no more.",
		Fix:     "`Set-AuthServer '<name>' -Enabled $true`, and ask who turned it off and why."}
	defaultEndpointMissing = &check.Reason{Name: "default_endpoint_missing", Severity: check.Critical,
		Summary: "The tenant's auth server is not the default authorisation endpoint, so Exchange does not tell phones to sign in at Microsoft Entra.",
		Fix:     "`Set-AuthServer '<name>' -IsDefaultAuthorizationEndpoint $true`, and `$false` on every other; look with " + listAuthServers + "."}
	defaultEndpointAmbiguous = &check.Reason{Name: "default_endpoint_ambiguous", Severity: check.Critical,
		Summary: "Several auth servers are the default authorisation endpoint: Exchange then names none of them (event 2009 of MSExchange OAuth), and phones are not told where to sign in.",
		Fix:     "`Set-AuthServer '<name>' -IsDefaultAuthorizationEndpoint $false` on all but the tenant's own; look with " + listAuthServers + "."}
	realmMismatch = &check.Reason{Name: "realm_mismatch", Severity: check.Warning,
		Summary: "The metadata at the auth server's address is of another issuer or tenant than the auth server. Exchange then refuses to refresh the certificates (event 2007 of MSExchange AuthAdmin), and mail on phones goes stale at Microsoft's next change.",
		Fix:     "Compare " + listAuthServers + " with the issuer in the detail, and set the tenant's address: `Set-AuthServer '<name>' -AuthMetadataUrl 'https://login.windows.net/<tenant>/federationmetadata/2007-06/federationmetadata.xml'`. If that does not hold, run the Hybrid Configuration Wizard again."}
	certificateLimit = &check.Reason{Name: "certificate_limit", Severity: check.Warning,
		Summary: "Microsoft publishes nearly as many signing certificates as Exchange takes, or more. Above ten Exchange stores none of them (event 2011 of MSExchange AuthAdmin), and phones lose mail once a new one signs.",
		Fix:     "Nothing is to be mended on premises. Watch this number; above ten open a case with Microsoft and ask for a build of Exchange with a higher limit."}
	signingKeyMissing = &check.Reason{Name: "signing_key_missing", Severity: check.Critical, For: 15 * time.Minute,
		Summary: "Microsoft signs tokens now with a key that Exchange's stored copy lacks. Once the servers' own short cache does not help, they refuse those tokens, and mail on phones goes stale.",
		Fix:     "Refresh at once: " + refreshNow + ". Then see why the job did not: " + findRefresher + ", and " + readEvents + "."}
	metadataLongStale = &check.Reason{Name: "metadata_long_stale", Severity: check.Critical,
		Summary: "A signing certificate has been published for longer than the slowest refresh takes and Exchange has not copied it: the job does not work. Phones stop receiving mail as soon as Microsoft signs with it, which may be at any moment.",
		Fix:     "Refresh by hand: " + refreshNow + ". Then find the server that runs the job, " + findRefresher + ", and " + readEvents + ". Check that this server reaches the metadata through `Get-ExchangeServer | Format-List Name,InternetWebProxy`."}
	metadataStale = &check.Reason{Name: "metadata_stale", Severity: check.Warning,
		Summary: "A signing certificate has been published for longer than the refresh should take and Exchange has not copied it yet. Phones are not affected until Microsoft signs with it.",
		Fix:     "See whether the job works: " + findRefresher + ", and " + readEvents + ". Refresh by hand: " + refreshNow + "; a scheduled task may do so every 24 hours. Where the job is known to run every twelve hours, set `metadata.window` to 13h and `metadata.page_after` to 16h."}
)

// evostsReasons lists them in order of judgement.
var evostsReasons = []*check.Reason{
	authServerMissing, authServerDisabled, defaultEndpointMissing, defaultEndpointAmbiguous,
	realmMismatch, certificateLimit, signingKeyMissing, metadataLongStale, metadataStale,
}

// The reasons of the metadata_refresh check.
var (
	arbitrationMailboxMissing = &check.Reason{Name: "arbitration_mailbox_missing", Severity: check.Warning,
		Summary: "No arbitration mailbox has the capability OrganizationCapabilityManagement, so no server refreshes the signing certificates. Mail on phones goes stale at Microsoft's next change.",
		Fix:     "Look with `Get-Mailbox -Arbitration | Format-List Name,Database,PersistedCapabilities`. It is the migration mailbox that should have it: re-create it with `Setup.exe /PrepareAD` and `Enable-Mailbox -Arbitration -Identity \"Migration.8f3e7716-2011-43e4-96b1-aba62d229136\"` where it is gone, and give it the capability: `Set-Mailbox -Arbitration -Identity \"Migration.8f3e7716-2011-43e4-96b1-aba62d229136\" -Management $true`."}
	arbitrationMailboxMultiple = &check.Reason{Name: "arbitration_mailbox_multiple", Severity: check.Warning,
		Summary: "Several arbitration mailboxes have the capability OrganizationCapabilityManagement, so it is not certain which server refreshes the signing certificates, or that one does.",
		Fix:     "Look with `Get-Mailbox -Arbitration | ? {$_.PersistedCapabilities -like \"OrganizationCapabilityManagement\"} | Format-List Name,Database` and leave the capability with one of them."}
	databaseNotMounted = &check.Reason{Name: "database_not_mounted", Severity: check.Warning,
		Summary: "The database of the arbitration mailbox is mounted nowhere, so no server refreshes the signing certificates. Mail on phones goes stale at Microsoft's next change.",
		Fix:     "Look with " + findRefresher + ", then `Mount-Database <database>`, or activate a healthy copy: `Move-ActiveMailboxDatabase <database> -ActivateOnServer <server>`."}
	tokensRefused = &check.Reason{Name: "tokens_refused", Severity: check.Critical,
		Summary: "Exchange refuses, in numbers, tokens that are signed with a key that Microsoft publishes: mail on phones goes stale now.",
		Fix:     "Refresh the certificates: " + refreshNow + ". Read event 2006 of MSExchange OAuth on the servers in the detail; where only some servers have it, restart MSExchangeServiceHost and recycle MSExchangeSyncAppPool and MSExchangeAutodiscoverAppPool there."}
	staleCopyProven = &check.Reason{Name: "stale_copy_proven", Severity: check.Warning,
		Summary: "Exchange itself says that the published metadata holds certificates that its stored copy lacks, and nothing has updated the copy within the window. Tokens pass only as long as the servers can fetch the metadata by themselves.",
		Fix:     "Refresh by hand: " + refreshNow + ". Then see why the job does not: " + findRefresher + ", and " + readEvents + "."}
	refreshFailing = &check.Reason{Name: "refresh_failing", Severity: check.Warning,
		Summary: "The last run of the refresh job ended with errors. Phones are not affected until Microsoft changes its certificates; from then on mail goes stale.",
		Fix:     "On the server in the detail " + readEvents + ". For 2010 check that it reaches the metadata through `Get-ExchangeServer | Format-List Name,InternetWebProxy` (none: directly). Try by hand: " + refreshNow + "."}
	refreshOverdue = &check.Reason{Name: "refresh_overdue", Severity: check.Warning,
		Summary: "The refresh job has not completed a good run for longer than it should take. Phones are not affected until Microsoft changes its certificates; from then on mail goes stale.",
		Fix:     "Find the server that runs the job: " + findRefresher + ", and " + readEvents + ". Restarting MSExchangeServiceHost there starts a run. Servers in a child domain need `Set-OrganizationConfig -EnableAuthAdminReadSession:$true`."}
)

// refreshReasons lists them in order of judgement.
var refreshReasons = []*check.Reason{
	arbitrationMailboxMissing, arbitrationMailboxMultiple, databaseNotMounted,
	tokensRefused, staleCopyProven, refreshFailing, refreshOverdue,
}

const seeCollector = "Look at the log file of hmad's collector on the host, `C:\\ProgramData\\hmad\\log\\Get-HmadReport.log`, which says what each run did, then at its scheduled task: `Get-ScheduledTask *hmad* | Get-ScheduledTaskInfo`"

// The reasons of the onprem_report check. None of them concerns phones.
var (
	reportInvalid = &check.Reason{Name: "report_invalid", Severity: check.Warning,
		Summary: "A report from the Exchange side cannot be read, so hmad knows less than it should. Phones are not concerned.",
		Fix:     "See the error in the detail. " + seeCollector + ", install the collector that belongs to this hmad, and see that it writes the file whole (a new name, then a rename)."}
	reportMissing = &check.Reason{Name: "report_missing", Severity: check.Warning,
		Summary: "A host that should report does not, so hmad knows less than it should. Phones are not concerned.",
		Fix:     "Where the collector is not installed yet, docs/onprem-report.md says how. " + seeCollector + ", its network way to hmad and its token, or the folder of `onprem.report.file`. If the host is gone for good, take it out of `onprem.report.hosts`."}
	reportClockSkew = &check.Reason{Name: "report_clock_skew", Severity: check.Warning,
		Summary: "A report is dated in the future: the host's clock or hmad's is wrong, and ages that hmad tells from the report are too. Phones are not concerned.",
		Fix:     "Check both clocks: `w32tm /query /status` on the Exchange server, `timedatectl` on hmad's host."}
	reportLate = &check.Reason{Name: "report_late", Severity: check.Warning,
		Summary: "The last report of a host is over three of its intervals old, or over two hours; hmad does not judge by it any more. Phones are not concerned.",
		Fix:     seeCollector + ", its last result, and the network way to hmad. The detail says whether a later push was refused. It must run every 40 minutes or oftener."}
	reportSectionFailed = &check.Reason{Name: "report_section_failed", Severity: check.Warning,
		Summary: "A part of a report is missing or cannot be read, so checks that need it cannot tell. Phones are not concerned.",
		Fix:     "See the error in the detail. Where a part is missing or of another form, install the collector that belongs to this hmad. The collector's account needs the role group View-Only Organization Management, the group Event Log Readers, and read access to the front-end configuration on the host."}
)

// reportReasons lists them in order of judgement.
var reportReasons = []*check.Reason{reportInvalid, reportMissing, reportClockSkew, reportLate, reportSectionFailed}
