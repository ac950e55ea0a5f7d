package metadata

import "github.com/hmad/hmad/internal/check"

// The runbook of metadata_refresh and onprem_report, in order of judgement.
var (
	arbitrationMailboxMissingRunbook = &check.Runbook{
		Causes: []string{
			"The mailbox was deleted with a database or an old server.",
			"It was re-created without the capability.",
			"Only legacy arbitration mailboxes are left after a migration.",
		},
		Verify: "`Get-Mailbox -Arbitration | Where-Object { $_.PersistedCapabilities -like '*OrganizationCapabilityManagement*' } | " +
			"Measure-Object | Select-Object Count` prints 0; `Get-ADUser -Filter \"Name -like 'Migration.*'\"` tells whether the account " +
			"still exists.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The count is 1, and within twelve hours event 2015 of MSExchange AuthAdmin is written on one server.",
		Source: "Role of the mailbox: Microsoft (documented). Causes: inferred.",
	}
	arbitrationMailboxMultipleRunbook = &check.Runbook{
		Causes: []string{
			"A mailbox was re-created while the old one was only disconnected.",
			"Two organisations or forests were merged by hand.",
			"The capability was assigned to a second one in the search for a fault.",
		},
		Verify: "`Get-Mailbox -Arbitration | Where-Object { $_.PersistedCapabilities -like '*OrganizationCapabilityManagement*' } | " +
			"Format-Table Name,Database,WhenCreated`: the newer one is usually the one too many.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "One row is left, and AuthAdmin's events come from one server only.",
		Source: "«More than one is an error»: inferred from how the job finds its server.",
	}
	databaseNotMountedRunbook = &check.Runbook{
		Causes: []string{
			"The database was dismounted after a full disk or a failed log replay.",
			"All servers with a copy are down or in maintenance.",
			"It was dismounted on purpose for a move.",
		},
		Verify: "`Get-MailboxDatabase -Status | Where-Object { -not $_.Mounted } | Format-List Name,Server,MountedOnServer`, then the " +
			"Application log of its server, source ESE or MSExchangeIS.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "Mounted is True for it, and the mailbox opens: `Test-MAPIConnectivity -Database '<database>'` says Success.",
		Source: "Where the job runs: reported; the cmdlets: Microsoft (documented).",
	}
	tokensRefusedRunbook = &check.Runbook{
		Causes: []string{
			"The stored signing certificates are old.",
			"One server has not read the new ones and needs a restart of its workers.",
			"A server's clock is wrong, so tokens look expired or not yet valid.",
		},
		Verify: "Group the events by server and key: `Get-WinEvent -FilterHashtable @{LogName='Application'; ProviderName='MSExchange OAuth'; " +
			"Id=2006; StartTime=(Get-Date).AddHours(-1)} | Group-Object MachineName,Message | Sort-Object Count`. On each server `w32tm " +
			"/query /status`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "No new event 2006 with a published key for half an hour, and `onprem_sync` shows successful requests.",
		Source: "Event 2006: reported for Exchange 2013 CU23. Remedy: Microsoft (documented).",
	}
	staleCopyProvenRunbook = &check.Runbook{
		Causes: []string{
			"Servers fetch the metadata themselves, but the job that writes it to Active Directory does not run.",
			"The job's account cannot write to the auth server's object.",
		},
		Verify: "Event 2008 of MSExchange OAuth after the last event 2013 of MSExchange AuthAdmin is the proof: `Get-WinEvent -FilterHashtable " +
			"@{LogName='Application'; ProviderName='MSExchange OAuth','MSExchange AuthAdmin'; Id=2008,2013} -MaxEvents 10 | Format-Table " +
			"TimeCreated,Id,MachineName`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "A newer event 2013 stands above the last 2008.",
		Source: "Events 2008 and 2013: reported for Exchange 2013 CU23. The order as a proof: inferred.",
	}
	refreshFailingRunbook = &check.Runbook{
		Causes: []string{
			"The server reaches the metadata only through a proxy that it does not know (2010, 2004).",
			"A firewall that inspects TLS replaces the certificate.",
			"The auth server's addresses or certificates are wrong (2006 to 2009, 2011, 2012).",
		},
		Verify: "Read the first error of the last run: `Get-WinEvent -FilterHashtable @{LogName='Application'; ProviderName='MSExchange " +
			"AuthAdmin'; Level=2,3} -MaxEvents 5 | Format-List TimeCreated,Id,Message`, on the server with the mounted copy.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
		Mended: "The next event 2015 has no event 2003 to 2012 in the same minute before it.",
		Source: "Event identifiers: reported for Exchange 2013 CU23; Microsoft documents 2014 only.",
	}
	refreshOverdueRunbook = &check.Runbook{
		Causes: []string{
			"MSExchangeServiceHost is stopped or hangs on the server with the mounted copy.",
			"The database moved to another server, and that one starts its period anew.",
			"Child domain without EnableAuthAdminReadSession: the job never starts.",
		},
		Verify: "`Get-ExchangeDiagnosticInfo -Server '<server>' -Process Microsoft.Exchange.ServiceHost` and look for lastRunTime in the XML, " +
			"under AuthAdmin's CacheScheduler.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "lastRunTime is recent, and event 2015 follows a restart of MSExchangeServiceHost at once.",
		Source: "lastRunTime, EnableAuthAdminReadSession and the start on restart: Microsoft's support code and documentation.",
	}
	reportInvalidRunbook = &check.Runbook{
		Causes: []string{
			"The file was read while it was being written or copied.",
			"The collector's version does not fit hmad's.",
			"Another program writes into the folder.",
		},
		Verify: "Judge the file itself: `Get-Content '<report>.json' -Raw | ConvertFrom-Json | Select-Object " +
			"schema,collector,host,generatedAt`. An error there is the fault; without one compare the collector's version.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerHost},
		Mended: "The file is read without an error, and `hmad check onprem_report` passes.",
		Source: "How hmad works: docs/onprem-report.md.",
	}
	reportMissingRunbook = &check.Runbook{
		Causes: []string{
			"The collector's task was never installed, or is disabled.",
			"The server is off or was retired.",
			"A firewall between the server and hmad closes the port.",
			"The token of the push was changed on one side only.",
		},
		Verify: "On the host: `Get-ScheduledTask '*hmad*' | Get-ScheduledTaskInfo | Format-List LastRunTime,LastTaskResult`, then " +
			"`Test-NetConnection '<hmad host>' -Port '<port>'`.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork, check.OwnerHost},
		Mended: "LastTaskResult is 0, and the host stands on the page with a report a few minutes old.",
		Source: "How hmad works: docs/onprem-report.md. Causes: inferred.",
	}
	reportClockSkewRunbook = &check.Runbook{
		Causes: []string{
			"The Exchange server takes its time from the hypervisor.",
			"The domain controller with the PDC role has the wrong time, and all follow it.",
			"hmad's own clock is behind.",
		},
		Verify: "Ask a third clock from both sides: `w32tm /stripchart /computer:'<time server>' /samples:3 /dataonly` on the server and " +
			"`chronyc tracking` on hmad's host.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerHost},
		Mended: "The offset to the same time server is below a second on both sides.",
		Source: "How hmad works; w32tm: Microsoft (documented).",
	}
	reportLateRunbook = &check.Runbook{
		Causes: []string{
			"The task still runs or was ended at its time limit: a cmdlet waits for a server that is down.",
			"The password of the account expired, or the gMSA is not usable on this host any more.",
			"The host was restarted and the task is not set to run after it.",
		},
		Verify: "Read the end of its log: `Get-Content 'C:\\ProgramData\\hmad\\log\\Get-HmadReport.log' -Tail 40`. It names the section at " +
			"which the last run stopped.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The log ends with a delivered report, twice in a row at the distance of the interval.",
		Source: "How hmad works: docs/onprem-report.md. Causes: inferred.",
	}
	reportSectionFailedRunbook = &check.Runbook{
		Causes: []string{
			"The account lost a role group or a right on the host.",
			"Exchange's PowerShell endpoint was not reachable during the run.",
			"The server writes no front-end logs, or to another folder.",
			"A size, date or number has a form that hmad does not know: it names section and property. Please report it.",
		},
		Verify: "Run the section's cmdlet as that account. Its groups: `Get-RoleGroupMember 'View-Only Organization Management'` and " +
			"`Get-LocalGroupMember 'Event Log Readers'`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The next report lists the section with ok true.",
		Source: "How hmad works: docs/onprem-report.md names what each section needs.",
	}
)
