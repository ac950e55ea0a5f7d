package probes

import "github.com/hmad/hmad/internal/check"

// The runbook of activesync, in order of judgement.
var (
	activesyncPointsToCloudRunbook = &check.Runbook{
		Causes: []string{
			"The ActiveSync name was moved to Exchange Online together with other records.",
			"ExternalUrl names outlook.office365.com.",
			"The name resolves to Microsoft in the resolver of hmad only.",
		},
		Verify: "`dig +short '<host>' @1.1.1.1`, and read the 401: trusted_issuers that end in `@*` are Exchange Online's own.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
		Mended: "trusted_issuers names your tenant's identifier after the @, and X-FEServer names one of your servers.",
		Source: "`@*` in Exchange Online's challenge: seen in captures of 2026.",
	}
	activesyncPreauthDeviceRunbook = &check.Runbook{
		Causes: []string{
			"The device's ActiveSync policy asks for Basic or a client certificate itself, as it did for native mail apps.",
			"An MDM gateway (Sentry, SEG) is published under the ActiveSync name.",
			"Pre-authentication was turned on for the whole name.",
		},
		Verify: "`curl -si -H 'Authorization: Bearer ' 'https://<host>/Microsoft-Server-ActiveSync'`: without X-FEServer, request-id and a " +
			"Bearer line, the device answered. Compare with one Exchange server, asked past the device.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerIntune},
		Mended: "The 401 has X-FEServer and `Bearer client_id=\"00000002-0000-0ff1-ce00-000000000000\"`.",
		Source: "Microsoft's guide, connection flow: pre-authentication, cause C5 (documented). Fingerprints: seen in public captures.",
	}
	activesyncBlockedRunbook = &check.Runbook{
		Causes: []string{
			"The company restricts ActiveSync to listed addresses: Microsoft's may be admitted and hmad's not.",
			"A firewall update blocks the empty token. (hmad has tried two User-Agents.)",
			"A geographic or reputation list covers Microsoft's addresses.",
		},
		Verify: "Look for Microsoft's own requests in the IIS log of a front end: `Select-String -Path " +
			"'C:\\inetpub\\logs\\LogFiles\\W3SVC1\\*.log' -Pattern 'OutlookService' | Select-Object -Last 5`. If recent lines have status " +
			"200, only hmad is blocked.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "hmad gets 401 with a challenge, and new OutlookService lines with 200 appear.",
		Source: "Microsoft's guide, cause C3 and FAQ on address restrictions (documented). OutlookService in the log: the guide's device type " +
			"(documented).",
	}
	activesyncServerErrorRunbook = &check.Runbook{
		Causes: []string{
			"MSExchangeSyncAppPool is stopped, or was disabled after repeated crashes.",
			"The load balancer has no healthy member and answers 502 or 503.",
			"The back end or its database is down.",
		},
		Verify: "`Get-WebAppPoolState -Name 'MSExchangeSyncAppPool'` on each server, and `Invoke-WebRequest -UseBasicParsing " +
			"'https://<server>/Microsoft-Server-ActiveSync/healthcheck.htm'`. If the servers answer 200, the load balancer is at fault.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "The pool is started everywhere, healthcheck.htm brings 200, and the empty token is answered with 401.",
		Source: "healthcheck.htm and managed availability: Microsoft (documented). Causes: inferred.",
	}
	activesyncUnexpectedStatusRunbook = &check.Runbook{
		Causes: []string{
			"The path is not published on the load balancer (404).",
			"A redirect to /owa applies to the whole site (30x).",
			"The device signs in itself with stored credentials (200).",
		},
		Verify: "Only the status counts: `curl -s -o /dev/null -w '%{http_code} %{redirect_url}\\n' -H 'Authorization: Bearer ' " +
			"'https://<host>/Microsoft-Server-ActiveSync'`, through the name and at one server.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
		Mended: "401 through the name and at the server.",
		Source: "Microsoft's guide shows the 401 that is wanted (documented). What other statuses mean: inferred.",
	}
	challengeMissingRunbook = &check.Runbook{
		Causes: []string{
			"A reverse proxy removes WWW-Authenticate, or replaces the body and headers of every 401.",
			"A pre-authentication device answers 401 without a challenge.",
			"All authentication methods of the virtual directory are off.",
		},
		Verify: "Compare headers on both sides of the device: `curl -sI -H 'Authorization: Bearer ' " +
			"'https://<host>/Microsoft-Server-ActiveSync' | grep -i authenticate`, then with `curl --resolve '<host>:443:<server address>'`. " +
			"Lines only in the second: the device drops them.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
		Mended: "Both commands print the same WWW-Authenticate lines.",
		Source: "Microsoft's guide, cause C5: no WWW-Authenticate at all (documented).",
	}
	bearerMissingRunbook = &check.Runbook{
		Causes: []string{
			"A server was built from an old image, or its cumulative update is too old.",
			"The OAuth module is missing in Sync\\web.config after an update that did not finish.",
			"A reverse proxy replaces the challenge by Basic of its own.",
		},
		Verify: "On the server: `Select-String -Path \"$env:ExchangeInstallPath\\FrontEnd\\HttpProxy\\Sync\\web.config\" -Pattern 'OAuth'` " +
			"must find the module. A 401 with X-FEServer but without Bearer comes from Exchange itself.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "The answer has a WWW-Authenticate line that begins with Bearer, at every front end.",
		Source: "Minimum builds: Microsoft (documented). Proxies that rewrite WWW-Authenticate: seen in public issue threads.",
	}
	oauthNotAvailableRunbook = &check.Runbook{
		Causes: []string{
			"OAuth2ClientProfileEnabled is False, after a restore of settings or since it was never turned on.",
			"No auth server, or more than one, is the default.",
			"An authentication policy is the organisation's default and blocks modern sign-in.",
		},
		Verify: "Two requests tell organisation from mailbox: the empty token without and with `-H 'X-User-Identity: <address>'`. Only the " +
			"second without authorization_uri: a policy of that mailbox; both: the organisation. Settings: `Get-OrganizationConfig | " +
			"Format-List OAuth2ClientProfileEnabled,DefaultAuthenticationPolicy`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The challenge has authorization_uri and no `error_category=\"oauth_not_available\"` in x-ms-diagnostics.",
		Source: "Diagnostics 4000000 «oauth_not_available»: seen in captures of 2019 and SE. Its causes: reported.",
	}
	clientIDWrongRunbook = &check.Runbook{
		Causes: []string{
			"Another application answers under the name (SharePoint, an ADFS-protected site, a gateway).",
			"A device builds the challenge itself.",
		},
		Verify: "Print it: `curl -sI -H 'Authorization: Bearer ' 'https://<host>/Microsoft-Server-ActiveSync' | grep -io " +
			"'client_id=\"[^\"]*\"'`. 00000003-0000-0ff1-ce00-000000000000 would be SharePoint.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "The printed client_id is 00000002-0000-0ff1-ce00-000000000000.",
		Source: "Microsoft's guide shows the challenge (documented); SharePoint's: seen.",
	}
	authorizationURIMissingRunbook = &check.Runbook{
		Causes: []string{
			"No auth server is the default after a new run of the Hybrid Configuration Wizard created a second object.",
			"Two are the default: Exchange then names none.",
			"The default one is disabled or has no AuthorizationEndpoint.",
		},
		Verify: "Count them: `@(Get-AuthServer | Where-Object { $_.Enabled -and $_.IsDefaultAuthorizationEndpoint -and " +
			"$_.AuthorizationEndpoint }).Count` must print 1.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The count is 1, and the challenge has authorization_uri within about 15 minutes.",
		Source: "Microsoft's guide, cause C4 (documented). «Exactly one», and event 2009: reported for Exchange 2013 CU23. Delay: inferred.",
	}
	authorizationURIForeignRunbook = &check.Runbook{
		Causes: []string{
			"ADFS was set up for Outlook on premises and is still the default.",
			"A script for Windows clients set IsDefaultAuthorizationEndpoint on the ADFS object.",
		},
		Verify: "`Get-AuthServer | Where-Object IsDefaultAuthorizationEndpoint | Format-List Name,Type,AuthorizationEndpoint`: Type must be " +
			"AzureAD. ADFS means that hybrid Modern Authentication is not in force.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "Type is AzureAD, and the challenge has `issuer_kind=\"AzureAD\"` or a login.windows.net address.",
		Source: "Challenge with ADFS as default: seen in captures of Exchange SE. Remedy: Microsoft (documented).",
	}
	authorizationURIUnusualRunbook = &check.Runbook{
		Causes: []string{
			"The auth server was created for one tenant, with the tenant's identifier in the path.",
			"The address of AuthMetadataUrl was changed to login.microsoftonline.com, from which Exchange derives it.",
		},
		Verify: "Print the value that phones see: `curl -sI -H 'Authorization: Bearer ' 'https://<host>/Microsoft-Server-ActiveSync' | grep " +
			"-io 'authorization_uri=\"[^\"]*\"'`. Then add an account on a test phone: if it works, accept the reason with a waiver.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The value is https://login.windows.net/common/oauth2/authorize, or the waiver stands.",
		Source: "The value that Microsoft's web test wants: seen. That the host follows AuthMetadataUrl: reported.",
	}
	activesyncTLSOffloadedRunbook = &check.Runbook{
		Causes: []string{
			"The load balancer's virtual server offloads: its pool members use port 80.",
			"A new virtual server was made from an offloading template.",
			"«SSL offload» was turned on to save load on the servers.",
		},
		Verify: "x-ms-diagnostics of the answer says `Actual 'http://<host>'` where Expected says https. On a server, requests of the load " +
			"balancer arrive on port 80: `Get-NetTCPConnection -LocalPort 80 -State Established | Group-Object RemoteAddress`.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "No connection of the load balancer arrives on port 80, and Actual begins with https, or no such diagnostics are sent.",
		Source: "Microsoft's guide, Troubleshooting: «Expected … Actual 'http://…'» (documented).",
	}
	tenantMismatchRunbook = &check.Runbook{
		Causes: []string{
			"The organisation has auth servers of two tenants after a merger or a change of tenant.",
			"`tenant` in hmad's config is that of a test tenant.",
		},
		Verify: "The identifier after the @ in trusted_issuers is the tenant's. Compare it with `curl -s " +
			"'https://login.microsoftonline.com/<domain>/v2.0/.well-known/openid-configuration' | grep -o '\"issuer\":\"[^\"]*\"'`.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerHost},
		Mended: "The identifier in trusted_issuers, the issuer of your domain and `tenant` are the same.",
		Source: "trusted_issuers lists auth servers of Access Control Service and partner applications: reported.",
	}
	tokenErrorRunbook = &check.Runbook{
		Causes: []string{
			"Exchange's copy of the signing certificates is old (invalid_signature).",
			"A cluster of front ends is half updated.",
			"The server's own auth certificate is missing (invalid_certificate).",
		},
		Verify: "Repeat the request ten times and note error_category and X-FEServer of each: always one server, that server; all servers, the " +
			"organisation. Then `Get-WinEvent -FilterHashtable @{LogName='Application'; ProviderName='MSExchange OAuth'} -MaxEvents 20` on " +
			"it.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "Ten answers in a row have no `error=` parameter.",
		Source: "A healthy Exchange SE adds no error: seen in 2026. Meaning of categories: reported.",
	}
	mailboxOAuthOffRunbook = &check.Runbook{
		Causes: []string{
			"An authentication policy with BlockModernAuthActiveSync is assigned to the user, perhaps by a group script.",
			"The mailbox is on a server that cannot use OAuth (2010).",
			"The accepted domain's organisation flag is off.",
		},
		Verify: "`Get-User '<address>' | Format-List AuthenticationPolicy` and `Get-AuthenticationPolicy '<policy>' | Format-List " +
			"*ModernAuth*`. Ask once with `-H 'X-User-Identity: <address>'` for this mailbox and once for another: only this one lacks " +
			"authorization_uri.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "Both answers have authorization_uri.",
		Source: "X-User-Identity makes the answer per mailbox: seen with SE, reported for 2013.",
	}
	addressesDisagreeRunbook = &check.Runbook{
		Causes: []string{
			"One server was updated, restored or reconfigured, and the others were not.",
			"One server is in maintenance and still in the pool.",
			"One of several public addresses belongs to another site or an old device.",
		},
		Verify: "Ask each one: `curl -si --resolve '<host>:443:<address>' -H 'Authorization: Bearer ' " +
			"'https://<host>/Microsoft-Server-ActiveSync'`, and put status, X-FEServer, X-OWA-Version and WWW-Authenticate beside each " +
			"other.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "The four values agree at all addresses, apart from X-FEServer.",
		Source: "How hmad works. X-OWA-Version holds the full build: seen. Causes: inferred.",
	}
)
