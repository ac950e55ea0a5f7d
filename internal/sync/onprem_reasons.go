package sync

import "github.com/hmad/hmad/internal/check"

const thatLeg = " This is the leg from the cloud to Exchange on premises: phones still synchronise with the cloud, but show old mail."

// The reasons of the onprem_sync check.
var (
	cloudSyncRefused = &check.Reason{Name: "cloud_sync_refused", Severity: check.Critical,
		Runbook: cloudSyncRefusedRunbook,
		Summary: "Exchange refuses most of the cloud's own ActiveSync requests: new mail does not reach phones." + thatLeg,
		Fix: "Look at `tls_offload`, `evosts_metadata` and `metadata_refresh` of this target first. On the servers concerned read event 2006 of " +
			"MSExchange OAuth and the lines with OutlookService in <ExchangeInstallPath>\\Logging\\HttpProxy\\Eas; 401: a token was refused; 403: " +
			"a device or a mailbox was refused: `Get-ActiveSyncDeviceAccessRule`, `Get-CASMailbox '<user>' | Format-List ActiveSync*`."}
	cloudSyncStopped = &check.Reason{Name: "cloud_sync_stopped", Severity: check.Critical, Gathered: true,
		Runbook: cloudSyncStoppedRunbook,
		Summary: "None of the cloud's own ActiveSync requests has succeeded for half an hour, although this hour usually has many: new mail does not reach " +
			"phones." + thatLeg,
		Fix: "If there are no requests at all, the cloud cannot reach Exchange: check `activesync` from outside, and whether the firewall allows " +
			"Exchange Online's addresses. If there are requests, see their status in `hmad_onprem_sync_requests`."}
	onPremLegStale = &check.Reason{Name: "onprem_leg_stale", Severity: check.Warning,
		Runbook: onPremLegStaleRunbook,
		Summary: "The cloud's own partnership with a watched mailbox on premises has not synchronised for longer than its `stale_after`." + thatLeg,
		Fix: "Look in Exchange Management Shell: `Get-MobileDeviceStatistics -Mailbox '<user>' | ? {$_.DeviceType -eq 'OutlookService'} | Format-List " +
			"DeviceAccessState,LastSyncAttemptTime,LastSuccessSync`."}
)

// onPremReasons lists them in order of judgement.
var onPremReasons = []*check.Reason{cloudSyncRefused, cloudSyncStopped, onPremLegStale}

// The families of the leg from the cloud to Exchange.
var (
	OnPremRequests = &check.Metric{Name: "hmad_onprem_sync_requests", Kind: check.Gauge, Labels: []string{"status"},
		Help: "ActiveSync requests of the OutlookService that Exchange's front ends answered in the last 15 minutes of their reports, by HTTP status (the " +
			"leg cloud to Exchange)."}
	OnPremSuccess = &check.Metric{Name: "hmad_onprem_sync_last_success_timestamp_seconds", Kind: check.Gauge,
		Help: "Unix time of the newest of those requests that succeeded on any server."}
	OnPremMailboxSuccess = &check.Metric{Name: "hmad_onprem_mailbox_last_success_sync_timestamp_seconds", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Unix time at which the OutlookService last synchronised with a watched mailbox on premises (the leg cloud to Exchange)."}
)
