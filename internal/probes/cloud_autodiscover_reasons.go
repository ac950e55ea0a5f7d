package probes

import "github.com/hmad/hmad/internal/check"

// capturesOnly is the source of what is known of Exchange Online's AutoDiscover.
const capturesOnly = "Public captures of 2019 and 2020, and a support session of Microsoft's quoted in an issue of its documentation; not documented, " +
	"and not yet seen by us on a live tenant."

// The reasons of cloud_autodiscover, and their runbook.
var (
	cloudHostWrong = &check.Reason{Name: "cloud_host_wrong", Severity: check.Critical, Confirm: true,
		Runbook: &check.Runbook{
			Causes: []string{
				"ExternalEmailAddress of the mail user in the tenant has another domain: a routing domain, or an internal one such as contoso.local.",
				"The mailbox's primary SMTP domain has no AutoDiscover name of yours in public DNS, or another one.",
				"`autodiscover.host` in hmad's config is not the name that is published.",
			},
			Verify: "In Exchange Online: `Get-MailUser -Identity '<mailbox>' | Format-List ExternalEmailAddress,PrimarySmtpAddress`. The host is autodiscover. and " +
				"the domain of ExternalEmailAddress.",
			Owners: []check.Owner{check.OwnerExchange, check.OwnerEntra, check.OwnerNetwork},
			Mended: "Exchange Online sends to `autodiscover.host`; the next run says so.",
			Source: capturesOnly,
		},
		Summary: "Exchange Online sends AutoDetect to a host that is not yours for AutoDiscover: accounts cannot be added, or are added with Basic authentication.",
		Fix: "Correct the mail user's primary address on premises and let Entra Connect synchronise it, so that ExternalEmailAddress has the published domain. " +
			"If the host is right, add it to `autodiscover.redirect_hosts`."}
	cloudHasMailbox = &check.Reason{Name: "cloud_has_mailbox", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"A licence was assigned before the mailbox's GUID reached Entra, and the tenant made a second, empty mailbox.",
				"The mailbox was moved to Exchange Online.",
				"A move was cleaned up by hand, or Enable-Mailbox was used in the tenant.",
			},
			Verify: "In Exchange Online: `Get-Recipient -Identity '<mailbox>' | Format-List RecipientTypeDetails`: MailUser for a mailbox on premises, " +
				"UserMailbox for one in the cloud.",
			Owners: []check.Owner{check.OwnerExchange, check.OwnerEntra},
			Mended: "RecipientTypeDetails is MailUser, and Exchange Online sends to `autodiscover.host`.",
			Source: capturesOnly,
		},
		Summary: "Exchange Online has a mailbox of its own for this address: a phone shows that one, often empty, instead of the one on premises. " +
			"It says nothing about other mailboxes.",
		Fix: "If the mailbox has moved, set `mailbox` (or `cloud_autodiscover.mailboxes`) to one that is on premises. If there are two, follow Microsoft's steps " +
			"for a mailbox in both places: take the licence away, remove the cloud mailbox, and let the mailbox's GUID synchronise first."}
	mailboxUnknownInCloud = &check.Reason{Name: "mailbox_unknown_in_cloud", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"Entra Connect does not synchronise the user: a filter by unit, group or attribute.",
				"The user was synchronised, and its mail attributes were not.",
				"The domain is not verified in the tenant.",
			},
			Verify: "In Exchange Online: `Get-MailUser -Identity '<mailbox>' | Format-List PrimarySmtpAddress,ExternalEmailAddress`: nothing means unknown.",
			Owners: []check.Owner{check.OwnerEntra, check.OwnerExchange},
			Mended: "Get-MailUser shows the mailbox, and Exchange Online sends to `autodiscover.host` for it and not for an absent address.",
			Source: capturesOnly,
		},
		Summary: "The tenant does not know this mailbox: an account of it cannot be added with modern sign-in. Others may be affected in the same way.",
		Fix: "Look for the user in Entra Connect's filters and in `Get-MailUser` of Exchange Online, and let it synchronise with its mail attributes. Is the " +
			"address in the config the primary one?"}
	cloudRedirectInsecure = &check.Reason{Name: "redirect_insecure", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"A record SRV or a redirect method of AutoDiscover names port 80.",
				"A device on hmad's own way out rewrites the redirect.",
			},
			Verify: "Repeat the request with the curl command of `hmad check cloud_autodiscover`, from another network: Location begins with https.",
			Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
			Mended: "Location begins with https.",
			Source: capturesOnly,
		},
		Summary: "Exchange Online sends AutoDetect to your AutoDiscover without TLS: AutoDetect may not follow, and accounts may not be added.",
		Fix:     "Look up the SRV record `_autodiscover._tcp` of the domain: it must name port 443 or be absent."}
	cloudAnswerUnusual = &check.Reason{Name: "answer_unusual", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"Microsoft changed the answer.",
				"The mailbox forwards to an address elsewhere in the cloud.",
				"The tenant has trouble with this user: two objects of one address.",
			},
			Verify: "Repeat the request with the curl command of `hmad check cloud_autodiscover`, and compare with a mailbox for which phones work.",
			Owners: []check.Owner{check.OwnerExchange, check.OwnerHost},
			Mended: "The answer is a redirect to `autodiscover.host`.",
			Source: capturesOnly,
		},
		Summary: "Exchange Online's AutoDiscover gives an answer that hmad cannot place. Phones may or may not be affected: try to add an account.",
		Fix: "Compare with another mailbox. If phones work, accept this reason with a waiver and report the answer to hmad's authors; if not, open a support " +
			"case with Microsoft."}
)
