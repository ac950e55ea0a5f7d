package sync

import "github.com/hmad/hmad/internal/check"

// The runbook of mailbox_sync and onprem_sync, in order of judgement.
var (
	syncStoppedRunbook = &check.Runbook{
		Causes: []string{
			"The published endpoint is down: certificate, firewall or load balancer.",
			"A Conditional Access policy, or a change of it, refuses the sign-in of all.",
			"Exchange Online or Microsoft Entra has an outage.",
			"A public holiday.",
		},
		Verify: "Take your own phone: open Outlook, pull down, and see whether it reports an error. Then read failed sign-ins of the " +
			"application Outlook Mobile in the Entra admin centre, Sign-in logs, last hour.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerEntra, check.OwnerExchange},
		Mended: "Your own phone shows a new message that was sent to it, and the sample recovers within half an hour of office hours.",
		Source: "Microsoft's guide, connection flow (documented). That hardly any of a sample means all: hmad's inference, docs/sync.md.",
	}
	syncFailingRunbook = &check.Runbook{
		Causes: []string{
			"A Conditional Access policy refuses one group or one platform.",
			"App protection or the licence of a group was removed.",
			"Tokens were revoked after a reset of passwords.",
		},
		Verify: "Find what the failing ones share: Entra admin centre, Sign-in logs, filter Status Failure and application Outlook Mobile, and " +
			"group by error code and policy. AADSTS53003 is Conditional Access, AADSTS50173 a revoked token.",
		Owners: []check.Owner{check.OwnerEntra, check.OwnerIntune},
		Mended: "The failures stop in the sign-in log, and the last success of these mailboxes follows their last attempt.",
		Source: "LastSyncAttemptTime and LastSuccessSync: Microsoft's guide names the cmdlet (documented). Error codes: Microsoft Entra " +
			"(documented).",
	}
	syncStaleRunbook = &check.Runbook{
		Causes: []string{
			"Weekend or holiday with `sync.stale_after` too short.",
			"Many users have a new phone and use another app.",
			"One site, operator or Wi-Fi blocks Microsoft's addresses.",
		},
		Verify: "Is it spread or grouped? Compare offices and phone models of ten stale users in the Intune admin centre, Devices, column Last " +
			"check-in. Old check-ins too: the phones are off.",
		Owners: []check.Owner{check.OwnerIntune, check.OwnerNetwork},
		Mended: "The stale count on the card falls over the next sweep.",
		Source: "hmad's rule, docs/sync.md. Causes: inferred.",
	}
	syncUnknownRunbook = &check.Runbook{
		Causes: []string{
			"Microsoft leaves LastSuccessSync empty for these partnerships.",
			"The credential reads only part of the mailboxes.",
			"Mailboxes were just provisioned.",
			"Dates come in a form that hmad cannot read, without a zone for one: `hmad check mailbox_sync` says how many, and which form.",
		},
		Verify: "In Exchange Online PowerShell look at the blank ones: `Get-MobileDevice -Mailbox '<user>' | Format-List " +
			"ClientType,FirstSyncTime,WhenChanged`. FirstSyncTime without a success a day later is Microsoft's gap.",
		Owners: []check.Owner{check.OwnerEntra},
		Mended: "A time of last success is shown for the mailbox on its page.",
		Source: "Blank times: seen in a public issue of April 2026, for another cmdlet; whether the statistics do so is open.",
	}
	watchedStaleCriticalRunbook = &check.Runbook{
		Causes: []string{
			"The user's phone is off, has no network, or is new.",
			"The user's sign-in needs attention: expired password, lost multi-factor method.",
			"The cause of a fault for all; then other findings stand beside this one.",
		},
		Verify: "Call the user, and read this one account in the Entra sign-in logs. `hmad check mailbox_sync` asks Exchange Online again.",
		Owners: []check.Owner{check.OwnerIntune, check.OwnerEntra},
		Mended: "The user sees a test message on the phone, and the time of last success is newer than it.",
		Source: "hmad's rule for the watch list, docs/sync.md.",
	}
	watchedStaleRunbook = &check.Runbook{
		Causes: []string{
			"The phone is switched off or out of coverage.",
			"The user removed the account, or replaced the phone.",
			"The app was stopped by the phone's battery saver.",
		},
		Verify: "Which device is it: `Get-MobileDevice -Mailbox '<user>' | Sort-Object WhenChanged | Format-Table " +
			"FriendlyName,DeviceModel,WhenChanged` in Exchange Online PowerShell. A newer one in the list: a new phone.",
		Owners: []check.Owner{check.OwnerIntune},
		Mended: "One of the user's devices synchronised within `stale_after`.",
		Source: "Old partnerships stay as rows, the newest counts: seen and docs/sync.md.",
	}
	watchedNotProvisionedRunbook = &check.Runbook{
		Causes: []string{
			"The user never signed in with Outlook, but with the phone's own mail app.",
			"The account is not synchronised to Entra, or lost its licence.",
			"The account was deleted and restored: the cloud copy is removed after 30 days.",
		},
		Verify: "Entra admin centre, Users, the user: «On-premises sync enabled» Yes and a licence. On the phone the account must be labelled " +
			"Exchange (Hybrid).",
		Owners: []check.Owner{check.OwnerEntra, check.OwnerIntune},
		Mended: "Get-MailboxLocation lists a ComponentShared location for the user.",
		Source: "Microsoft's guide: label Exchange (Hybrid), removal after 30 days (documented).",
	}
	watchedInCloudRunbook = &check.Runbook{
		Causes: []string{
			"The mailbox was migrated to Exchange Online.",
			"A licence was assigned before the mailbox was known to the cloud, and a second mailbox was made.",
		},
		Verify: "On premises: `Get-RemoteMailbox '<address>'` finds a migrated one. `Get-Mailbox '<address>'` finds it on premises although " +
			"the cloud has one too: a second mailbox, which must be merged.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerHost},
		Mended: "The watch list names on-premises mailboxes only.",
		Source: "Double mailboxes: Microsoft's support blog (documented). Licence as the cause: inferred.",
	}
	sweepBehindRunbook = &check.Runbook{
		Causes: []string{
			"Exchange Online throttles the tenant because another application asks too much.",
			"Mailboxes were added, and `exchange_online.rate` was left as it was.",
			"hmad was down, and catches up.",
		},
		Verify: "`rate(hmad_exchange_online_requests_total[15m])` by code against the configured rate: many 429 are throttling; none, and the " +
			"rate at its limit, is a budget too small. docs/sizing.md has the sum.",
		Owners: []check.Owner{check.OwnerHost, check.OwnerEntra},
		Mended: "The lag on the card falls from run to run, and no calls are refused.",
		Source: "hmad's plan, docs/sync.md; throttling answers 429 with Retry-After: Microsoft (documented).",
	}
	cloudSyncRefusedRunbook = &check.Runbook{
		Causes: []string{
			"Exchange refuses tokens: TLS offloading, or old signing certificates (401).",
			"A device access rule or a disabled ActiveSync for mailboxes (403).",
			"A web application firewall refuses the requests before Exchange does.",
		},
		Verify: "Count by status on a front end: `Get-Content \"$env:ExchangeInstallPath\\Logging\\HttpProxy\\Eas\\HttpProxy_*.LOG\" | " +
			"Select-String 'OutlookService' | Select-Object -Last 20`. No such lines although hmad counted them earlier: a device in front " +
			"refuses.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "New lines with OutlookService have status 200, and a message sent now reaches a phone.",
		Source: "Microsoft's guide: data becomes old when the second token is refused (documented). Statuses: inferred.",
	}
	cloudSyncStoppedRunbook = &check.Runbook{
		Causes: []string{
			"A firewall or address list now blocks Exchange Online.",
			"Public DNS or the certificate changed.",
			"All phones stopped: nobody asks the cloud to synchronise.",
			"The collector reads another folder than the logs are in.",
		},
		Verify: "Is anything of Microsoft arriving: `Get-ChildItem \"$env:ExchangeInstallPath\\Logging\\HttpProxy\\Eas\" | Sort-Object " +
			"LastWriteTime | Select-Object -Last 1 | Get-Content -Tail 50 | Select-String 'OutlookService'`; then the firewall's log for " +
			"sources of Microsoft's published ranges.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
		Mended: "Requests of OutlookService with 200 appear again in every report.",
		Source: "Microsoft's guide, connection flow step 7 (documented). «None in half an hour» as a sign: hmad's inference from the same " +
			"hours before.",
	}
	onPremLegStaleRunbook = &check.Runbook{
		Causes: []string{
			"The user's device was blocked or quarantined on premises.",
			"The user's refresh token ended, and the cloud waits for a new sign-in.",
			"The mailbox was moved to a database or server with a fault.",
		},
		Verify: "`Get-CASMailbox '<user>' | Format-List ActiveSyncEnabled,ActiveSyncAllowedDeviceIDs,ActiveSyncBlockedDeviceIDs`, and open the " +
			"same mailbox in Outlook on the web: if that fails too, it is the mailbox.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "LastSuccessSync of the OutlookService partnership is newer than the last message in the inbox.",
		Source: "Partnership with DeviceType OutlookService: Microsoft's guide (documented). Refresh token: guide, step 7.",
	}
)
