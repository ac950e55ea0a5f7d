package audit

import "github.com/hmad/hmad/internal/check"

// The tenant's service principal.
var (
	spnMissing = &check.Reason{Name: "spn_missing", Severity: check.Critical, Runbook: spnMissingRunbook,
		Summary: "A mail host is no service principal name of Exchange Online in the tenant: Microsoft's cloud gets no token for it, so accounts cannot " +
			"be added and phones receive no new mail.",
		Fix: "Add each name that `hmad check tenant` lists with Microsoft Graph PowerShell: `$p = Get-MgServicePrincipal -Filter \"appId eq " +
			"'00000002-0000-0ff1-ce00-000000000000'\"`, then `Update-MgServicePrincipal -ServicePrincipalId $p.Id -ServicePrincipalNames " +
			"($p.ServicePrincipalNames + 'https://<host>/')`."}
	exchangePrincipalDisabled = &check.Reason{Name: "exchange_principal_disabled", Severity: check.Critical, Runbook: exchangePrincipalDisabledRunbook,
		Summary: "Exchange Online's service principal is disabled in the tenant: nobody gets tokens for mail, and phones receive none.",
		Fix: "Enable it: `$p = Get-MgServicePrincipal -Filter \"appId eq '00000002-0000-0ff1-ce00-000000000000'\"`, then " +
			"`Update-MgServicePrincipal -ServicePrincipalId $p.Id -AccountEnabled`."}
)

// The tenant as a whole.
var (
	directorySyncOff = &check.Reason{Name: "directory_sync_off", Severity: check.Critical, Runbook: directorySyncOffRunbook,
		Summary: "Directory synchronisation is off: mailboxes on premises are not known to the tenant, and what changes on premises does not reach it.",
		Fix: "Turn it on in Entra Connect or Entra Cloud Sync, and look at its service on premises: `Get-ADSyncScheduler | Format-List " +
			"SyncCycleEnabled,StagingModeEnabled`."}
	directorySyncStale = &check.Reason{Name: "directory_sync_stale", Severity: check.Warning, Runbook: directorySyncStaleRunbook,
		Summary: "Entra Connect has not run for hours: new mailboxes and changed addresses do not reach the tenant. Phones in use are not affected.",
		Fix: "On the server of Entra Connect: `Get-ADSyncScheduler | Format-List SyncCycleEnabled,NextSyncCycleStartTimeInUTC`, then " +
			"`Start-ADSyncSyncCycle -PolicyType Delta`."}
	domainNotVerified = &check.Reason{Name: "domain_not_verified", Severity: check.Warning, Runbook: domainNotVerifiedRunbook,
		Summary: "The mail domain is not a verified domain of the tenant: users of that domain cannot sign in with their mail address.",
		Fix:     "Verify the domain in the Microsoft 365 admin center (Settings, Domains), and look with `Get-MgDomain | Format-Table Id,IsVerified`."}
)

// Conditional access.
var (
	caAppProtectionMissing = &check.Reason{Name: "ca_app_protection_missing", Severity: check.Warning, Runbook: caAppProtectionMissingRunbook,
		Summary: "No enabled conditional access policy requires app protection for Exchange Online on every phone platform. The guide asks for one; mail " +
			"works without it.",
		Fix: "Create the policy of the guide's step 1 in the Entra admin center: Exchange Online, Android and iOS, grant «Require app protection " +
			"policy». If another product does that, accept this reason with a waiver."}
	caApprovedClientRetired = &check.Reason{Name: "ca_approved_client_retired", Severity: check.Warning, Runbook: caApprovedClientRetiredRunbook,
		Summary: "A conditional access policy relies on the grant «Require approved client app», which Microsoft no longer enforces: it protects nothing.",
		Fix: "Replace each policy that `hmad check tenant` names by one with the grant «Require app protection policy»: policies with the retired " +
			"grant cannot be edited any more."}
	caLegacyAuthOpen = &check.Reason{Name: "ca_legacy_auth_open", Severity: check.Warning, Runbook: caLegacyAuthOpenRunbook,
		Summary: "No enabled conditional access policy blocks Exchange ActiveSync or other legacy clients of Exchange Online, as the guide asks. " +
			"Phones with Outlook are not affected.",
		Fix: "Create the policies of the guide's steps 2 and 3 in the Entra admin center: Exchange Online, client apps «Exchange ActiveSync clients» and " +
			"«Other clients», block."}
)

// App protection.
var (
	appProtectionMissing = &check.Reason{Name: "app_protection_missing", Severity: check.Warning, Runbook: appProtectionMissingRunbook,
		Summary: "Intune has no app protection policy that includes Outlook on this platform. Where conditional access requires one, users there get no token.",
		Fix:     "Create one for each platform in the Intune admin center (Apps, App protection policies), with Outlook among the apps."}
	appProtectionWeak = &check.Reason{Name: "app_protection_weak", Severity: check.Warning, Runbook: appProtectionWeakRunbook,
		Summary: "An app protection policy for Outlook asks for less than the guide: PIN, encryption, and no jailbroken or rooted devices.",
		Fix:     "Edit the policies that `hmad check tenant` names in the Intune admin center (Access requirements, Data protection, Conditional launch)."}
	appProtectionUnassigned = &check.Reason{Name: "app_protection_unassigned", Severity: check.Warning, Runbook: appProtectionUnassignedRunbook,
		Summary: "The app protection policies for Outlook are assigned to nobody on this platform. Where conditional access requires one, users there get " +
			"no token.",
		Fix: "Assign them in the Intune admin center to the groups whose users have Outlook on their phones."}
)

// Licences.
var licenceMissing = &check.Reason{Name: "licence_missing", Severity: check.Warning, Runbook: licenceMissingRunbook,
	Summary: "A user lacks a licence that the guide asks for (Intune, and Entra ID P1 or P2). Where conditional access requires app protection, the user " +
		"gets no token.",
	Fix: "Assign the licence in the Microsoft 365 admin center, and look with `Get-MgUserLicenseDetail -UserId '<user>' | Format-List " +
		"SkuPartNumber`. If the probe mailbox has no phone, accept this reason with a waiver."}

// The reasons of the check tenant, by area.
var (
	principalReasons    = []*check.Reason{spnMissing, exchangePrincipalDisabled}
	organizationReasons = []*check.Reason{directorySyncOff, directorySyncStale, domainNotVerified}
	accessReasons       = []*check.Reason{caAppProtectionMissing, caApprovedClientRetired, caLegacyAuthOpen}
	protectionReasons   = []*check.Reason{appProtectionMissing, appProtectionWeak, appProtectionUnassigned}
	licenceReasons      = []*check.Reason{licenceMissing}
)
