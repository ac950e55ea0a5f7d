package audit

import "github.com/hmad/hmad/internal/check"

// The runbook of tenant.
var (
	spnMissingRunbook = &check.Runbook{
		Causes: []string{
			"A host name was added or changed after hybrid Modern Authentication was set up.",
			"The names were added in one tenant of several.",
			"A clean-up of the service principal took them away.",
		},
		Verify: "`(Get-MgServicePrincipal -Filter \"appId eq '00000002-0000-0ff1-ce00-000000000000'\").ServicePrincipalNames | Where-Object {$_ -like " +
			"'https://*'}` lists the names. Each host of AutoDiscover and ActiveSync must be among them.",
		Owners: []check.Owner{check.OwnerEntra},
		Mended: "The list holds the name, and the next run clears the reason. Microsoft's cloud uses it within minutes.",
		Source: "Microsoft's «How to configure Exchange Server on-premises to use hybrid Modern Authentication» (documented).",
	}
	exchangePrincipalDisabledRunbook = &check.Runbook{
		Causes: []string{
			"Somebody disabled sign-in for the enterprise application Office 365 Exchange Online.",
			"A script that disables unused applications took it along.",
		},
		Verify: "`Get-MgServicePrincipal -Filter \"appId eq '00000002-0000-0ff1-ce00-000000000000'\" | Format-List AccountEnabled`, and the audit log of " +
			"Entra says who changed it.",
		Owners: []check.Owner{check.OwnerEntra},
		Mended: "AccountEnabled is True, and a user can sign in to Outlook on the web.",
		Source: "Microsoft Graph's documentation of accountEnabled: without it no tokens are issued (documented).",
	}
	directorySyncOffRunbook = &check.Runbook{
		Causes: []string{
			"Somebody turned synchronisation off for a migration or a clean-up.",
			"The last server of Entra Connect was removed.",
			"graph.client_id is an app of another tenant.",
		},
		Verify: "`(Get-MgOrganization).OnPremisesSyncEnabled` must be True. The page «Connect Sync» of the Entra admin center shows the same.",
		Owners: []check.Owner{check.OwnerEntra},
		Mended: "The value is True, and the last run is minutes old.",
		Source: "The guide asks for Entra Connect; null means never (Microsoft Graph's documentation of organization).",
	}
	directorySyncStaleRunbook = &check.Runbook{
		Causes: []string{
			"The server of Entra Connect is off, or its service has stopped.",
			"The scheduler was suspended for maintenance.",
			"The service account is locked, or the way to Microsoft is closed.",
		},
		Verify: "`(Get-MgOrganization).OnPremisesLastSyncDateTime`, and on the server `Get-ADSyncConnectorRunStatus`; Microsoft mails the tenant's " +
			"administrators after 24 hours.",
		Owners: []check.Owner{check.OwnerEntra, check.OwnerNetwork},
		Mended: "The last run is under an hour old.",
		Source: "Entra Connect runs every 30 minutes by default (documented); three hours are hmad's own measure.",
	}
	domainNotVerifiedRunbook = &check.Runbook{
		Causes: []string{
			"The domain was added on premises and never in the tenant.",
			"The domain is verified in another tenant of the company.",
			"The probe mailbox has an address of an internal domain.",
		},
		Verify: "`Get-MgDomain | Format-Table Id,IsVerified,AuthenticationType`.",
		Owners: []check.Owner{check.OwnerEntra},
		Mended: "The domain is in the list with IsVerified True.",
		Source: "Microsoft Graph's documentation of verifiedDomains (documented); what follows for phones is inferred.",
	}
	caAppProtectionMissingRunbook = &check.Runbook{
		Causes: []string{
			"The policy is still report-only.",
			"The policy covers one platform only.",
			"A compliant device is accepted in place of app protection.",
		},
		Verify: "`Get-MgIdentityConditionalAccessPolicy -All | Format-Table DisplayName,State`, and in the Entra admin center the policy's grant.",
		Owners: []check.Owner{check.OwnerEntra, check.OwnerIntune},
		Mended: "An enabled policy for Exchange Online has Android and iOS and the grant «Require app protection policy».",
		Source: "The guide's step 1 (documented). Groups and exclusions are not looked at.",
	}
	caApprovedClientRetiredRunbook = &check.Runbook{
		Causes: []string{
			"The policy is as old as the guide, which allowed either grant.",
			"A template with the old grant was used.",
		},
		Verify: "Open the policy in the Entra admin center: its grant is «Require approved client app» without «Require app protection policy».",
		Owners: []check.Owner{check.OwnerEntra},
		Mended: "No enabled policy for Exchange Online has the retired grant alone.",
		Source: "Microsoft's page on migrating from approved client apps: the end was March, then 30 June 2026 (seen in a later copy).",
	}
	caLegacyAuthOpenRunbook = &check.Runbook{
		Causes: []string{
			"The tenant relies on Microsoft's own end of Basic authentication.",
			"The policies are report-only, or for other applications.",
		},
		Verify: "`Get-MgIdentityConditionalAccessPolicy -All | ForEach-Object {$_.DisplayName; $_.Conditions.ClientAppTypes}`.",
		Owners: []check.Owner{check.OwnerEntra},
		Mended: "An enabled policy blocks the client apps «Exchange ActiveSync clients» or «Other clients» for Exchange Online.",
		Source: "The guide's steps 2 and 3 (documented). Exchange ActiveSync on premises is not touched by them (inferred).",
	}
	appProtectionMissingRunbook = &check.Runbook{
		Causes: []string{
			"Policies exist for one platform only.",
			"Outlook is not among the apps that the policy names.",
			"Another product manages apps.",
		},
		Verify: "Intune admin center, Apps, App protection policies: the columns Platform and Apps.",
		Owners: []check.Owner{check.OwnerIntune},
		Mended: "There is a policy with Outlook for each platform.",
		Source: "The guide's «Create an Intune app protection policy» (documented); fields of Android seen, not documented alike.",
	}
	appProtectionWeakRunbook = &check.Runbook{
		Causes: []string{
			"A policy for tests is still assigned.",
			"PIN was turned off because devices have one of their own.",
		},
		Verify: "Intune admin center, the policy's properties: Access requirements (PIN), Data protection (encryption), Conditional launch (jailbroken/rooted).",
		Owners: []check.Owner{check.OwnerIntune},
		Mended: "The properties ask for PIN and encryption, and block jailbroken or rooted devices.",
		Source: "The guide's conditions of the app protection policy (documented).",
	}
	appProtectionUnassignedRunbook = &check.Runbook{
		Causes: []string{
			"The policy was made and never assigned.",
			"Its group was deleted.",
		},
		Verify: "Intune admin center, the policy's properties: Assignments. Whether the groups hold every user is not asked.",
		Owners: []check.Owner{check.OwnerIntune},
		Mended: "The policy has at least one group.",
		Source: "The guide: each policy is assigned to all users (documented); isAssigned and assignments as Microsoft Graph has them.",
	}
	licenceMissingRunbook = &check.Runbook{
		Causes: []string{
			"The user has a licence without Intune, such as Basic Mobility and Security alone.",
			"The service plan was turned off in the licence.",
			"Group-based licensing failed for lack of free licences.",
		},
		Verify: "`(Get-MgUserLicenseDetail -UserId '<user>').ServicePlans | Where-Object {$_.ServicePlanName -match 'INTUNE|AAD_PREMIUM'} | Format-Table " +
			"ServicePlanName,ProvisioningStatus`.",
		Owners: []check.Owner{check.OwnerEntra, check.OwnerIntune},
		Mended: "The plans are listed with Success. hmad asks again after a day.",
		Source: "The guide's «EMS licensing», whose sentence is ambiguous: Intune and Entra ID P1 or P2 are wanted.",
	}
)
