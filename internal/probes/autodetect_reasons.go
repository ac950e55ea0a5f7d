package probes

import "github.com/hmad/hmad/internal/check"

// detectCaptures is the source of what is known of AutoDetect's answers.
const detectCaptures = "Public captures of December 2025 and August 2026, and Microsoft's support script for Outlook mobile; an answer for a mailbox on " +
	"premises was not among them."

// askAutoDetect is the question by hand.
const askAutoDetect = "`curl -si -H 'x-email: <mailbox>' 'https://prod.autodetect.outlook.cloud.microsoft/autodetect/detect?services=office365&protocols=" +
	"eas,rest-cloud'`"

// The reasons of autodetect, and their runbook.
var (
	onpremMissing = &check.Reason{Name: "onprem_missing", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"AutoDiscover on premises, or the bearer challenge of ActiveSync, did not answer as it must when AutoDetect last asked.",
				"The tenant has a mailbox of that address (see `cloud_autodiscover`).",
				"An old entry of AutoDetect's database names another provider for the domain.",
			},
			Verify: askAutoDetect + ": services has office365 with onprem and aad.",
			Owners: []check.Owner{check.OwnerExchange, check.OwnerEntra, check.OwnerNetwork},
			Mended: "office365 has an onprem URL; after a repair it may take ten minutes, because AutoDetect keeps answers.",
			Source: detectCaptures,
		},
		Summary: "AutoDetect does not see that the mailbox is on premises: a phone adds a cloud account, or none.",
		Fix: "Look at `autodiscover` and `activesync` of this target first, and mend what they find. If both pass and this stays for an hour, the entry is " +
			"Microsoft's: open a support case."}
	onpremWrong = &check.Reason{Name: "onprem_wrong", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"AutoDiscover gives another ActiveSync URL outside than inside (ExternalUrl).",
				"AutoDetect still has the URL of before a change of name.",
				"`activesync.url` in hmad's config is not the published one.",
			},
			Verify: "`Get-ActiveSyncVirtualDirectory | Format-List Server,ExternalUrl`, and " + askAutoDetect + ".",
			Owners: []check.Owner{check.OwnerExchange, check.OwnerHost},
			Mended: "onprem is the host of `activesync.url`.",
			Source: detectCaptures,
		},
		Summary: "AutoDetect sends phones to another ActiveSync host than the one that hmad watches: accounts may not be added.",
		Fix:     "Set ExternalUrl of the ActiveSync directories to the published URL; or set `activesync.url` if that is the new one."}
	authorityForeign = &check.Reason{Name: "authority_foreign", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"The default authorisation endpoint of Exchange is AD FS, not Entra.",
				"A device in front of ActiveSync answers with a bearer challenge of its own.",
			},
			Verify: "`Get-AuthServer | Format-List Name,Type,IsDefaultAuthorizationEndpoint,AuthorizationEndpoint`: the default one is of Entra.",
			Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
			Mended: "aad is a URL of login.windows.net or login.microsoftonline.com.",
			Source: detectCaptures,
		},
		Summary: "AutoDetect sends phones to sign in somewhere else than Microsoft Entra: the sign-in fails, or bypasses Conditional Access.",
		Fix:     "Make Entra the default: `Set-AuthServer -Identity 'EvoSTS' -IsDefaultAuthorizationEndpoint $true`; `activesync` shows what Exchange offers."}
	legacyOnly = &check.Reason{Name: "legacy_only", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"AutoDetect's questions to AutoDiscover failed, and it guessed from the domain.",
				"The bearer challenge lacks authorization_uri, so that AutoDetect falls back to Basic.",
				"An old entry of AutoDetect's database.",
			},
			Verify: askAutoDetect + ": services is empty, protocols has eas, imap or smtp.",
			Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
			Mended: "services has office365 with onprem.",
			Source: detectCaptures,
		},
		Summary: "AutoDetect offers old protocols alone: a new account gets the dialog of Basic authentication, without Conditional Access.",
		Fix:     "Look at `autodiscover` and `activesync` of this target first. If both pass, the entry is Microsoft's: open a support case."}
	cannotReach = &check.Reason{Name: "cannot_reach", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"The firewall drops AutoDetect's addresses (see `allow_list`).",
				"The AutoDiscover name is not in public DNS (ENOTFOUND).",
				"The certificate's chain is not complete or has expired, as Microsoft sees it.",
			},
			Verify: askAutoDetect + ": the header x-autodv2-error names the error of its socket. The firewall's log of that moment has the source address.",
			Owners: []check.Owner{check.OwnerNetwork},
			Mended: "The answer has no x-autodv2-error.",
			Source: "ENOTFOUND: seen in a public capture. Other values: inferred from the names of Node.js.",
		},
		Summary: "AutoDetect says that it could not reach AutoDiscover on premises: accounts cannot be added with modern sign-in.",
		Fix: "Read the error that `hmad check autodetect` shows: ENOTFOUND is DNS, ECONNREFUSED and ETIMEDOUT are the firewall, words with CERT are the " +
			"certificate. Compare with `autodiscover` from outside, and with `allow_list`."}
	detectNotFound = &check.Reason{Name: "not_found", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"AutoDiscover on premises does not answer AutoDetect.",
				"AutoDetect has trouble: it searches without end for every domain.",
			},
			Verify: askAutoDetect + ": status 200. Ask for a mailbox of another company as well: if that fails too, it is Microsoft's trouble.",
			Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
			Mended: "The status is 200, and services has office365.",
			Source: detectCaptures,
		},
		Summary: "AutoDetect finds nothing for the mailbox: a phone asks its user for servers and protocols.",
		Fix:     "Look at `autodiscover` and `activesync` of this target, and at Microsoft's service health."}
	visitsRefused = &check.Reason{Name: "visits_refused", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"A rule for requests without a known user agent, or for a country, refuses AutoDetect alone.",
				"Pre-authentication was switched on for the AutoDiscover directory.",
				"AutoDiscover's application pool is not healthy on the servers that the finding names.",
			},
			Verify: "On the server that the finding names: `Select-String -Path \"$env:ExchangeInstallPath\\Logging\\HttpProxy\\Autodiscover\\*.LOG\" -Pattern " +
				"'OutlookMobileCloudService-Autodetect' | Select-Object -Last 5`, the columns HttpStatus and Method.",
			Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
			Mended: "GETs of autodiscover.json by that User-Agent get 200.",
			Source: "The User-Agent and its two requests: seen in web logs of 2018 and later. That more than half must be answered: inferred.",
		},
		Summary: "AutoDiscover on premises refuses Microsoft's AutoDetect: accounts cannot be added with modern sign-in.",
		Fix: "Read the statuses that `hmad check autodetect` shows: 401 and 403 are access rules of IIS or of a device in front, 5xx is Exchange. " +
			"hmad's own `autodiscover` may pass where the rule is about User-Agents or source addresses."}
)
