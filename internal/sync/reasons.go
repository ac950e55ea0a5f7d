package sync

import (
	"time"

	"github.com/hmad/hmad/internal/check"
)

const (
	byHand = "$l = Get-MailboxLocation '<user>' | ? {$_.MailboxLocationType -eq 'ComponentShared'}; Get-MobileDeviceStatistics -Mailbox $l.MailboxGuid " +
		"| Format-List DeviceModel,ClientType,FirstSyncTime,LastSyncAttemptTime,LastSuccessSync"
	askOne    = "`" + byHand + "` in Exchange Online PowerShell"
	lookFirst = "Look first at `autodiscover`, `activesync` and `evosts_metadata` of this target, which find most causes earlier. "
	otherLeg  = " This is the leg from the phone to the cloud; `onprem_sync` watches the leg to Exchange on premises."
)

// The reasons of the mailbox_sync check.
var (
	syncStopped = &check.Reason{Name: "sync_stopped", Severity: check.Critical, Gathered: true,
		Runbook: syncStoppedRunbook,
		Summary: "Phones no longer synchronise: hardly any mailbox of the rotating sample has synchronised recently, although at this hour many " +
			"usually have." + otherLeg,
		Fix: lookFirst + "Check the service health of Exchange Online and Microsoft Entra in the Microsoft 365 admin centre, and whether a Conditional " +
			"Access policy has changed. On a public holiday, silence the alert."}
	syncFailing = &check.Reason{Name: "sync_failing", Severity: check.Critical, For: 30 * time.Minute, Gathered: true,
		Runbook: syncFailingRunbook,
		Summary: "Many phones try to synchronise and fail: their last attempt is over an hour newer than their last success." + otherLeg,
		Fix: lookFirst + "Then take one mailbox of `hmad_mailbox_last_sync_attempt_timestamp_seconds - hmad_mailbox_last_success_sync_timestamp_seconds " +
			"> 3600` and look: " + askOne + "."}
	syncStale = &check.Reason{Name: "sync_stale", Severity: check.Critical, For: 30 * time.Minute, Gathered: true,
		Runbook: syncStaleRunbook,
		Summary: "Many phones have not synchronised for longer than `sync.stale_after`." + otherLeg,
		Fix:     lookFirst + "If phones are not used at weekends, set `sync.stale_after` to 72h. Look at one mailbox: " + askOne + "."}
	syncUnknown = &check.Reason{Name: "sync_unknown", Severity: check.Warning, Gathered: true,
		Runbook: syncUnknownRunbook,
		Summary: "Exchange Online does not say when many mailboxes, or a watched one, last synchronised, so hmad cannot tell whether their phones work.",
		Fix: "Look at one mailbox: " + askOne + ". If LastSuccessSync is empty for phones that work, Microsoft does not fill it in: open a support " +
			"case, and until it is solved rely on `onprem_sync`."}
	watchedStaleCritical = &check.Reason{Name: "watched_mailbox_stale_critical", Severity: check.Critical,
		Runbook: watchedStaleCriticalRunbook,
		Summary: "A watched mailbox with `severity: critical` has not synchronised for longer than its `stale_after`, or fails to." + otherLeg,
		Fix:     "Ask its user whether the phone is on and has a network. Look: " + askOne + "."}
	watchedStale = &check.Reason{Name: "watched_mailbox_stale", Severity: check.Warning,
		Runbook: watchedStaleRunbook,
		Summary: "A watched mailbox has not synchronised for longer than its `stale_after`, or fails to." + otherLeg,
		Fix:     "Ask its user whether the phone is on and has a network. Look: " + askOne + "."}
	watchedNotProvisioned = &check.Reason{Name: "watched_mailbox_not_provisioned", Severity: check.Warning,
		Runbook: watchedNotProvisionedRunbook,
		Summary: "A watched mailbox has no part in Exchange Online, or no partnership of Outlook there: nobody has signed in to it with Outlook " +
			"for iOS or Android, or its cloud data was removed.",
		Fix: "Check the address and that the account is synchronised to Microsoft Entra: `Get-MailboxLocation '<user>'` in Exchange Online PowerShell. " +
			"Sign in once with Outlook on a phone."}
	watchedInCloud = &check.Reason{Name: "watched_mailbox_in_cloud", Severity: check.Warning,
		Runbook: watchedInCloudRunbook,
		Summary: "A watched mailbox is in Exchange Online itself, so it shows nothing about hybrid Modern Authentication.",
		Fix:     "Watch a mailbox on premises instead; `Get-MailboxLocation '<user>'` shows Primary for one in the cloud."}
	sweepBehind = &check.Reason{Name: "sweep_behind", Severity: check.Warning, For: 30 * time.Minute, Gathered: true,
		Runbook: sweepBehindRunbook,
		Summary: "hmad asks about mailboxes much later than planned, so it may report too late that a phone does not synchronise. Phones are not affected.",
		Fix: "See `hmad_sync_budget_calls_per_second`: if the current rate is below the configured one, Exchange Online throttles the tenant, " +
			"perhaps because of other applications. Otherwise raise `exchange_online.rate`, lengthen `sync.stale_after` or list fewer mailboxes."}
)

// mailboxReasons lists them in order of judgement.
var mailboxReasons = []*check.Reason{syncStopped, syncFailing, syncStale, syncUnknown,
	watchedStaleCritical, watchedStale, watchedNotProvisioned, watchedInCloud, sweepBehind}
