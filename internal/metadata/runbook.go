package metadata

import "github.com/hmad/hmad/internal/check"

// The runbook of evosts_metadata, in order of judgement.
var (
	authServerMissingRunbook = &check.Runbook{
		Causes: []string{
			"The Hybrid Configuration Wizard was never finished, or its OAuth step failed.",
			"The object was deleted in a clean-up of an old hybrid.",
			"`tenant` in hmad's config is not the tenant of this organisation.",
		},
		Verify: "`Get-AuthServer | Where-Object Type -eq 'AzureAD' | Format-List Name,Realm`. An empty answer: missing. Another Realm: compare " +
			"it with the tenant's identifier in the Entra admin centre.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerHost},
		Mended: "The command lists one object whose Realm is the tenant's identifier.",
		Source: "One object per tenant, of type AzureAD: Microsoft (documented). Causes: inferred.",
	}
	authServerDisabledRunbook = &check.Runbook{
		Causes: []string{
			"Somebody disabled it during a test, or to turn modern sign-in off.",
			"A script disabled all auth servers but one.",
		},
		Verify: "Who and when: `Search-AdminAuditLog -Cmdlets Set-AuthServer -StartDate (Get-Date).AddDays(-30) | Format-List " +
			"RunDate,Caller,CmdletParameters`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "`(Get-AuthServer '<name>').Enabled` prints True, and refused tokens (event 2006 of MSExchange OAuth) stop.",
		Source: "Set-AuthServer -Enabled: Microsoft (documented). Effect on the refresh: reported.",
	}
	defaultEndpointMissingRunbook = &check.Runbook{
		Causes: []string{
			"The flag was never set after the Hybrid Configuration Wizard.",
			"A new object «EvoSts - {GUID}» was created, and the flag is on the old one of another tenant.",
			"ADFS was made the default.",
		},
		Verify: "`Get-AuthServer | Format-Table Name,Type,Enabled,IsDefaultAuthorizationEndpoint`: read which row has True.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "True is in the row of type AzureAD and in no other; `activesync` then finds authorization_uri.",
		Source: "Microsoft's guide, cause C4 (documented).",
	}
	defaultEndpointAmbiguousRunbook = &check.Runbook{
		Causes: []string{
			"The Hybrid Configuration Wizard created a second object and left the flag on the first.",
			"Two tenants are connected, and each object was made the default.",
		},
		Verify: "Event 2009 names the objects: `Get-WinEvent -FilterHashtable @{LogName='Application'; ProviderName='MSExchange OAuth'; " +
			"Id=2009} -MaxEvents 3 | Format-List TimeCreated,Message`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "No new event 2009 is written, and the challenge has authorization_uri again.",
		Source: "Event 2009 and «exactly one»: reported for Exchange 2013 CU23.",
	}
	realmMismatchRunbook = &check.Runbook{
		Causes: []string{
			"AuthMetadataUrl has another tenant's name in it, after a copy of commands from instructions.",
			"It names a domain that moved to another tenant.",
			"Realm or IssuerIdentifier was changed by hand.",
		},
		Verify: "Fetch it as Exchange would: `curl -s '<auth metadata url>' | grep -o 'entityID=\"[^\"]*\"'`. The entityID must equal " +
			"IssuerIdentifier of the auth server.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "entityID equals IssuerIdentifier, and the next run of the job writes no event 2007 of MSExchange AuthAdmin.",
		Source: "Event 2007 and the comparison: reported for Exchange 2013 CU23. Healthy values: Microsoft (documented).",
	}
	certificateLimitRunbook = &check.Runbook{
		Causes: []string{
			"Microsoft changes its keys and publishes old and new ones together for a time.",
			"The metadata of a special cloud contains more certificates.",
		},
		Verify: "Count what is published in the first role: `curl -s '<auth metadata url>' | grep -o '<X509Certificate>[^<]*' | sort -u | wc -l`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The count is below eight, and event 2011 of MSExchange AuthAdmin is not written.",
		Source: "The limit of ten and event 2011: reported for Exchange 2013 CU23; newer builds may accept more.",
	}
	signingKeyMissingRunbook = &check.Runbook{
		Causes: []string{
			"Microsoft began to sign with a new key sooner than the refresh job ran.",
			"The refresh job has not worked for days, and nobody noticed until the change.",
			"The server that runs the job cannot reach the metadata.",
		},
		Verify: "Compare x5t of a fresh token with the stored certificates: `Get-AuthServer '<name>' | Select-Object -ExpandProperty " +
			"CertificateStrings | ForEach-Object { " +
			"[Security.Cryptography.X509Certificates.X509Certificate2]::new([Convert]::FromBase64String($_)).Thumbprint }`.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "The thumbprint that hmad names is in the list; within about 15 minutes no new event 2006 of MSExchange OAuth appears.",
		Source: "Key change without notice: Microsoft (documented). 15 minutes: Microsoft's support texts. CertificateStrings: documented.",
	}
	metadataLongStaleRunbook = &check.Runbook{
		Causes: []string{
			"The arbitration mailbox's database is mounted nowhere, or on a server without Internet.",
			"The outbound proxy (InternetWebProxy) was removed or asks for a sign-in.",
			"Servers are in a child domain, and EnableAuthAdminReadSession is False.",
		},
		Verify: "On the server that runs the job: `Invoke-WebRequest -UseBasicParsing '<auth metadata url>' | Select-Object StatusCode`, with " +
			"`-Proxy '<internet web proxy>'` where one is set. Not 200: the network; 200: the job itself.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "After Set-AuthServer -RefreshAuthMetadata this check passes, and the next event 2015 of MSExchange AuthAdmin comes by itself.",
		Source: "Proxy and child domains: Microsoft (documented) and reported. Twelve hours at most: Exchange's certificate documentation.",
	}
	metadataStaleRunbook = &check.Runbook{
		Causes: []string{
			"The job is late by some hours after a failover of the database.",
			"The job runs every twelve hours here, and `metadata.window` assumes eight.",
			"A transient download error; the job tries again.",
		},
		Verify: "See the file of the last run: `Get-ChildItem \"$env:ExchangeInstallPath\\Logging\\AuthAdminLogs\" | Sort-Object LastWriteTime " +
			"| Select-Object -Last 3`. Its time tells whether the job is alive.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "A file newer than the published certificate is there, and the check passes without anybody's help.",
		Source: "Eight hours: Microsoft's guide; twelve: Exchange's certificate documentation. The two disagree.",
	}
)
