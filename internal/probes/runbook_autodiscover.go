package probes

import "github.com/hmad/hmad/internal/check"

// The runbook of autodiscover, in order of judgement.
var (
	autodiscoverPointsToCloudRunbook = &check.Runbook{
		Causes: []string{
			"Somebody followed the Microsoft 365 admin centre, which asks for a CNAME to autodiscover.outlook.com.",
			"The domain's mailboxes were planned to be in the cloud, and DNS was changed too early.",
			"The internal resolver has another record than the public one.",
		},
		Verify: "Follow the name: `dig +short CNAME 'autodiscover.<domain>' @1.1.1.1`. Any name under outlook.com or office365.com is wrong " +
			"while mailboxes are on premises.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "The name ends at the company's own public address, and the answer has an X-FEServer that is one of your servers.",
		Source: "Microsoft's guide: in a hybrid AutoDiscover points on premises (documented). The admin centre's demand: reported in Exchange " +
			"blogs.",
	}
	autodiscoverPreauthDeviceRunbook = &check.Runbook{
		Causes: []string{
			"A publishing rule with pre-authentication was applied to the whole site (F5 APM, NetScaler AAA, Kemp ESP, Entra application " +
				"proxy, ADFS WAP).",
			"A new path rule left out /autodiscover/ from the exceptions.",
			"After an upgrade the device's template turned its sign-in page on again.",
		},
		Verify: "Ask with `curl -sD - -o /dev/null " +
			"'https://<host>/autodiscover/autodiscover.json?Email=<address>&Protocol=activesync&RedirectCount=3'`. Cookies such as " +
			"MRHSession, NSC_TMAS or AzureAppProxyAccessCookie, or a redirect to /my.policy or /adfs/ls, name the device.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "The same request brings JSON with «Url», no cookie of the device and an X-FEServer header.",
		Source: "Microsoft's guide, connection flow step 1: no pre-authentication (documented). Fingerprints of devices: seen in public " +
			"captures.",
	}
	authenticationRequiredRunbook = &check.Runbook{
		Causes: []string{
			"Anonymous authentication was turned off on the Autodiscover virtual directory by a hardening script.",
			"An authentication setting was made at the level of the Default Web Site and is inherited.",
			"A reverse proxy asks for Basic itself.",
		},
		Verify: "On each server: `Get-WebConfigurationProperty -PSPath 'IIS:\\' -Location 'Default Web Site/Autodiscover' -Filter " +
			"'system.webServer/security/authentication/anonymousAuthentication' -Name enabled`. The value must be True.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "The request without credentials is answered with 200 and JSON at every server.",
		Source: "AutoDetect asks without credentials: Microsoft's guide (documented). Causes: inferred.",
	}
	autodiscoverBlockedRunbook = &check.Runbook{
		Causes: []string{
			"The firewall admits listed addresses only, and hmad's is not among them: phones may be well.",
			"A web application firewall takes the address in the query for an attack.",
			"«IP Address and Domain Restrictions» in IIS, or a geographic block.",
		},
		Verify: "Read the web application firewall's log for the time of the run. Then ask from inside, past the firewall, with `curl -sI " +
			"--resolve '<host>:443:<server address>' 'https://<host>/autodiscover/autodiscover.json'`. A 400 there proves that Exchange " +
			"itself does not block.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "From outside the request is answered by Exchange (200, or 400 without parameters) instead of 403.",
		Source: "Microsoft's guide: firewall, address list, C1 of its causes (documented). Which rule: inferred.",
	}
	autodiscoverServerErrorRunbook = &check.Runbook{
		Causes: []string{
			"The application pool MSExchangeAutodiscoverAppPool is stopped or crashes.",
			"All pool members are in maintenance: the load balancer itself answers 503.",
			"The ExternalUrl of an ActiveSync virtual directory is empty.",
			"An update of Exchange did not finish, and the services are disabled.",
		},
		Verify: "On a server: `Get-WebAppPoolState -Name 'MSExchangeAutodiscoverAppPool'` must show Started; read the Application log, source " +
			"ASP.NET or WAS, for the time of the run.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The pool is started on every server, `Get-ServerHealth '<server>' -HealthSet Autodiscover` shows Healthy, and the request " +
			"brings 200.",
		Source: "Microsoft's documentation of managed availability (documented). Empty ExternalUrl answered with 500: inferred from published " +
			"sources of Exchange 2013.",
	}
	redirectLoopRunbook = &check.Runbook{
		Causes: []string{
			"A rule on the load balancer sends http to https although the request was https already.",
			"HTTP Redirect of the Default Web Site points at /owa and is inherited by /autodiscover.",
			"Two names redirect to each other after a migration.",
		},
		Verify: "Show the hops: `curl -sIL --max-redirs 6 'https://<host>/autodiscover/autodiscover.json' | grep -i '^location'`. In IIS: " +
			"`Get-WebConfigurationProperty -PSPath 'IIS:\\' -Location 'Default Web Site/Autodiscover' -Filter " +
			"'system.webServer/httpRedirect' -Name enabled`.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
		Mended: "No Location line is printed for the published name, or exactly one that is followed by 200.",
		Source: "HTTP redirects: RFC 9110. Inheritance in IIS: documented by Microsoft. Causes: inferred.",
	}
	redirectInsecureRunbook = &check.Runbook{
		Causes: []string{
			"TLS ends at the load balancer, and Exchange builds its redirect from the plain HTTP that it receives.",
			"A redirect rule was written with http.",
		},
		Verify: "Look at the scheme of the Location: `curl -sI 'https://<host>/autodiscover/autodiscover.json' | grep -i '^location'`. On the " +
			"load balancer look at the port of the pool members: 80 means offloading.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "The Location begins with https, or there is none; the pool uses port 443.",
		Source: "TLS offloading is not supported: Microsoft's guide (documented). That a redirect to http points to it: seen in public " +
			"captures.",
	}
	redirectsToCloudRunbook = &check.Runbook{
		Causes: []string{
			"The probe mailbox was moved to Exchange Online.",
			"The address belongs to a mail user with a target address in the cloud.",
			"The address does not exist: Exchange then answers for another user, who is in the cloud.",
		},
		Verify: "On premises: `Get-Recipient '<address>' | Format-List RecipientType,RecipientTypeDetails,ExternalEmailAddress`. Only " +
			"UserMailbox is right; RemoteUserMailbox means that it was moved.",
		Owners: []check.Owner{check.OwnerHost, check.OwnerExchange},
		Mended: "RecipientTypeDetails is UserMailbox, and AutoDiscover answers 200 with the on-premises address.",
		Source: "Answer for a remote mailbox, and for an unknown address: reported for Exchange 2013 CU23; newer builds may differ.",
	}
	autodiscoverUnexpectedStatusRunbook = &check.Runbook{
		Causes: []string{
			"/autodiscover/autodiscover.json is not published: the load balancer knows only autodiscover.xml.",
			"A server older than Exchange 2016 CU3, or 2013 CU without AutoDiscover v2, answers.",
			"A redirect leads to a host of your own that hmad does not follow.",
		},
		Verify: "Compare old and new: `curl -s -o /dev/null -w '%{http_code}\\n' 'https://<host>/autodiscover/autodiscover.xml'` and the same " +
			"for /autodiscover/autodiscover.json. 401 for the first and 404 for the second: the path is not published or the build is too old.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
		Mended: "autodiscover.json with the probe mailbox's address brings 200.",
		Source: "AutoDiscover v2 since Exchange 2016 CU3: Microsoft (documented). Unpublished path: inferred.",
	}
	probeMailboxUnknownRunbook = &check.Runbook{
		Causes: []string{
			"A typing error in `mailbox` of hmad's config.",
			"The mailbox was deleted or renamed.",
			"Its domain is not an accepted domain of this organisation.",
		},
		Verify: "In Exchange Management Shell look for the address anywhere: `Get-Recipient -Filter \"EmailAddresses -eq 'smtp:<address>'\" | " +
			"Format-List Name,RecipientTypeDetails`.",
		Owners: []check.Owner{check.OwnerHost, check.OwnerExchange},
		Mended: "Exactly one recipient is found, and the next run answers for it.",
		Source: "ErrorCode UserNotFound and DomainNotFound: reported for Exchange 2013 CU23.",
	}
	autodiscoverErrorRunbook = &check.Runbook{
		Causes: []string{
			"The ActiveSync virtual directory is missing or incomplete on a server.",
			"A device rewrites the query, so that Email or Protocol is missing (MandatoryParameterMissing).",
			"Active Directory does not answer the server.",
		},
		Verify: "Read ErrorCode in the body: `curl -s " +
			"'https://<host>/autodiscover/autodiscover.json?Email=<address>&Protocol=activesync&RedirectCount=3'`. " +
			"MandatoryParameterMissing and InvalidProtocol point at a device; InternalServerError at the virtual directory; the rest at " +
			"Active Directory.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "The body has «Protocol» and «Url» and no «ErrorCode».",
		Source: "Error codes: reported for Exchange 2013, some seen in captures of newer builds.",
	}
	protocolWrongRunbook = &check.Runbook{
		Causes: []string{
			"A rule on the device rewrites or drops the query.",
			"A cache in front answers with the answer to another request.",
		},
		Verify: "Ask two protocols one after the other, `Protocol=activesync` and `Protocol=ews`, and compare the «Protocol» in both bodies. " +
			"The same answer to both is a cache or a rewrite.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "«Protocol» in the answer is ActiveSync, in any spelling.",
		Source: "Microsoft's guide shows the answer (documented). Causes: inferred.",
	}
	urlMissingRunbook = &check.Runbook{
		Causes: []string{
			"ExternalUrl was never set after a server was installed.",
			"The virtual directory was re-created, which clears the address.",
			"Only some servers have it.",
		},
		Verify: "Read it from Active Directory, for all servers at once: `Get-ActiveSyncVirtualDirectory -ADPropertiesOnly | Where-Object { " +
			"-not $_.ExternalUrl } | Format-List Server,InternalUrl`. Every server in the list lacks it.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "The list is empty, and the JSON answer has a «Url». Exchange may need an IISReset or some minutes until it answers with it.",
		Source: "Microsoft's guide, cause C2: ExternalUrl (documented). Delay: inferred.",
	}
	urlInsecureRunbook = &check.Runbook{
		Causes: []string{
			"ExternalUrl was typed with http.",
			"The address was set by a script for a load balancer that offloads TLS.",
		},
		Verify: "List those that do not begin with https: `Get-ActiveSyncVirtualDirectory -ADPropertiesOnly | Where-Object { " +
			"\"$($_.ExternalUrl)\" -notlike 'https://*' } | Format-List Server,ExternalUrl`.",
		Owners: []check.Owner{check.OwnerExchange},
		Mended: "No server is listed, and «Url» in the answer begins with https.",
		Source: "Microsoft's guide shows an https address (documented). Causes: inferred.",
	}
	urlMismatchRunbook = &check.Runbook{
		Causes: []string{
			"One server was installed with the default address, its internal host name.",
			"The namespace was changed, and hmad's config or one server has the old one.",
			"Several sites have addresses of their own, and the answer comes from the site of the mailbox.",
		},
		Verify: "Group the addresses: `Get-ActiveSyncVirtualDirectory -ADPropertiesOnly | Group-Object ExternalUrl | Format-Table Count,Name`. " +
			"More than one group in one site is the fault; one group that differs from `activesync.url` means that hmad's config is wrong.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerHost},
		Mended: "One group for each site, and it equals `activesync.url`.",
		Source: "Microsoft's guide, cause C2: wrong Url (documented). That the answer follows ExternalUrl: reported.",
	}
	privateAddressRunbook = &check.Runbook{
		Causes: []string{
			"Split DNS: the outside resolver is fed from the internal zone.",
			"The record was set for a VPN or for ExpressRoute.",
			"A typing error in the public zone.",
		},
		Verify: "Ask an outside resolver: `dig +short '<host>' @1.1.1.1`. Addresses beginning with 10., 192.168., 172.16. to 172.31., 100.64. " +
			"to 100.127. or fc and fd are private.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "The public answer contains routed addresses only.",
		Source: "Microsoft's guide, FAQ on ExpressRoute: no private addresses, names must resolve in public DNS (documented). RFC 1918, 6598, " +
			"4193.",
	}
)
