package probes

import "github.com/hmad/hmad/internal/check"

const reportedFor2013 = "Order of Exchange's checks and their numbers: reported for Exchange 2013; not tried with a live server of today."

// The runbook of token_acceptance.
var (
	audienceNotRegisteredRunbook = &check.Runbook{
		Causes: []string{
			"The host name was changed or added after hybrid Modern Authentication was set up.",
			"A clean-up of the service principal took the name away.",
			"`tenant` in the config is another one than that of the mailboxes.",
		},
		Verify: "`(Get-MgServicePrincipal -Filter \"appId eq '00000002-0000-0ff1-ce00-000000000000'\").ServicePrincipalNames | Where-Object {$_ -like " +
			"'https://*'}` must list the host.",
		Owners: []check.Owner{check.OwnerEntra},
		Mended: "The next run gets its token; `tenant` clears spn_missing.",
		Source: "AADSTS500011 in Microsoft's list of error codes (documented); seen for this case.",
	}
	ewsAudienceNotRegisteredRunbook = &check.Runbook{
		Causes: []string{"Exchange Web Services are published on a name of their own that was never registered.", "`token_acceptance.url` has a wrong host."},
		Verify: "`(Get-MgServicePrincipal -Filter \"appId eq '00000002-0000-0ff1-ce00-000000000000'\").ServicePrincipalNames`, and on premises " +
			"`Get-WebServicesVirtualDirectory -ADPropertiesOnly | Format-List ExternalUrl,InternalUrl`.",
		Owners: []check.Owner{check.OwnerEntra},
		Mended: "The next run gets its token.",
		Source: "Microsoft's «How to configure Exchange Server on-premises to use hybrid Modern Authentication» wants these names, too (documented).",
	}
	oauthOffOnDirectoryRunbook = &check.Runbook{
		Causes: []string{"OAuthAuthentication was turned off on the directory.", "Hybrid Modern Authentication is off in the organisation."},
		Verify: "`Get-WebServicesVirtualDirectory -ADPropertiesOnly | Format-List Server,OAuthAuthentication` on premises.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The answer to hmad's request has a Bearer challenge.",
		Source: "Microsoft's documentation of the setting. " + reportedFor2013,
	}
	audienceMismatchRunbook = &check.Runbook{
		Causes: []string{"The load balancer ends TLS and sends plain HTTP on.", "A reverse proxy sets the Host header to the server's own name."},
		Verify: "Enable `tls_offload`, which looks at the path of ActiveSync; read s-port in the IIS log for requests to /EWS.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "The diagnostics name no other URL any more.",
		Source: "Microsoft's guide documents the sentence with `Actual 'http://…'`. " + reportedFor2013,
	}
	issuerUnknownRunbook = &check.Runbook{
		Causes: []string{
			"The auth server EvoSTS is disabled, or was never made.",
			"It is that of another tenant.",
			"Several auth servers exist, and the default one is another.",
		},
		Verify: "`Get-AuthServer | Format-List Name,Type,Enabled,IsDefaultAuthorizationEndpoint,Realm,IssuerIdentifier`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "Exchange refuses the token only for want of a role.",
		Source: reportedFor2013,
	}
	signatureRefusedRunbook = &check.Runbook{
		Causes: []string{
			"Microsoft has changed its signing key, and Exchange has not copied the new one.",
			"The IIS worker holds old keys although the directory has new ones.",
			"Exchange cannot reach Microsoft's metadata.",
		},
		Verify: "`Get-WinEvent -FilterHashtable @{LogName='Application'; ProviderName='MSExchange OAuth'; Id=2006} -MaxEvents 5` on the server; " +
			"`evosts_metadata` compares what Microsoft publishes with what Exchange has stored.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "Exchange refuses the token only for want of a role, at every address.",
		Source: reportedFor2013 + " A warning until somebody has seen it live.",
	}
	expiredOnArrivalRunbook = &check.Runbook{
		Causes: []string{"The server's clock is ahead.", "The virtual machine was paused or restored."},
		Verify: "`w32tm /query /status` on the server; `vantage` compares hmad's own clock with Microsoft's.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The next token is not refused as expired.",
		Source: reportedFor2013,
	}
)
