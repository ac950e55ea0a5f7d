package probes

import "github.com/hmad/hmad/internal/check"

// The reasons of the autodiscover check.
var (
	autodiscoverPointsToCloud = &check.Reason{Name: "points_to_cloud", Severity: check.Critical,
		Summary: "Exchange Online itself answers under the AutoDiscover name, so nobody can tell phones where the on-premises endpoint is.",
		Fix:     "Point the AutoDiscover host in public DNS at the on-premises servers (`Resolve-DnsName autodiscover.DOMAIN -Type CNAME` must not end at autodiscover.outlook.com) while mailboxes are on premises."}
	autodiscoverPreauthDevice = &check.Reason{Name: "preauth_device", Severity: check.Critical,
		Summary: "A device in front of Exchange asks for a sign-in or answers by itself. Microsoft's cloud cannot pass it, so accounts cannot be added.",
		Fix:     "Publish /autodiscover/ without pre-authentication (pass-through) on the device named in the detail. AutoDiscover must not be fronted by a pre-authentication solution."}
	authenticationRequired = &check.Reason{Name: "authentication_required", Severity: check.Critical,
		Summary: "AutoDiscover wants credentials for a question that is asked without any, so phones are not told where their endpoint is.",
		Fix:     "Allow anonymous access to /autodiscover/autodiscover.json in IIS and on the load balancer; compare `Get-AutodiscoverVirtualDirectory | Format-List Identity,*auth*` across the servers, and look for a device in front that asks first."}
	autodiscoverBlocked = &check.Reason{Name: "blocked", Severity: check.Critical,
		Summary: "AutoDiscover refuses the request (403). If Microsoft's addresses are refused as well, accounts cannot be added.",
		Fix:     "Check IP restrictions, the web application firewall and access rules on the firewall, the load balancer and in IIS. The guide asks for the endpoint to be open to the Internet, or for Microsoft's published ranges to be on the allow-list."}
	autodiscoverServerError = &check.Reason{Name: "server_error", Severity: check.Critical, Confirm: true,
		Summary: "AutoDiscover answers with a server error, so accounts cannot be added.",
		Fix:     "Check the application pool MSExchangeAutodiscoverAppPool and the load balancer's pool (`Get-ServerComponentState SERVER`, `Get-ServerHealth SERVER -HealthSet Autodiscover`). An InternalServerError in JSON may come from an empty ExternalUrl: `Get-ActiveSyncVirtualDirectory | Format-List Identity,ExternalUrl`."}
	redirectLoop = &check.Reason{Name: "redirect_loop", Severity: check.Critical,
		Summary: "AutoDiscover redirects without end, so phones are not told where their endpoint is.",
		Fix:     "Follow the hops in the notes of this result and mend the redirect rule on the load balancer or in IIS (HTTP Redirect on the Default Web Site reaches down to /autodiscover)."}
	redirectInsecure = &check.Reason{Name: "redirect_insecure", Severity: check.Critical,
		Summary: "AutoDiscover redirects to an address without TLS, which is not followed. Exchange may be seeing plain HTTP itself.",
		Fix:     "Let the redirect name https, and check that the load balancer re-encrypts towards Exchange (TLS bridging; offloading is not supported)."}
	redirectsToCloud = &check.Reason{Name: "redirects_to_cloud", Severity: check.Warning,
		Summary: "AutoDiscover sends the probe mailbox to Exchange Online: it was moved there or is not known here. Other mailboxes may be well, but the on-premises answer is no longer tested.",
		Fix:     "Set `mailbox` to a real on-premises mailbox: `Get-Mailbox ADDRESS` must find it here, and `Get-RemoteMailbox ADDRESS` must not."}
	autodiscoverUnexpectedStatus = &check.Reason{Name: "unexpected_status", Severity: check.Critical,
		Summary: "AutoDiscover gives an answer that tells phones nothing.",
		Fix:     "Check what the load balancer publishes at /autodiscover/autodiscover.json (Exchange 2016 CU3 or later serves it), and repeat the request with the curl line of this result. A redirect to a host of your own that is right belongs in `autodiscover.redirect_hosts`."}
	probeMailboxUnknown = &check.Reason{Name: "probe_mailbox_unknown", Severity: check.Warning,
		Summary: "Exchange does not know the probe mailbox, so its answer says nothing of other mailboxes.",
		Fix:     "Set `mailbox` to a real on-premises mailbox: `Get-Mailbox ADDRESS`, and `Get-AcceptedDomain` for its domain."}
	autodiscoverError = &check.Reason{Name: "autodiscover_error", Severity: check.Critical,
		Summary: "AutoDiscover answers with an error instead of the ActiveSync address, so accounts cannot be added.",
		Fix:     "Look the error code of the detail up in the AutoDiscover logs (%ExchangeInstallPath%\\Logging\\Autodiscover), and check `Get-ActiveSyncVirtualDirectory | Format-List Identity,ExternalUrl`."}
	protocolWrong = &check.Reason{Name: "protocol_wrong", Severity: check.Critical,
		Summary: "AutoDiscover was asked for ActiveSync and answers for another protocol, so phones get no usable address.",
		Fix:     "See what answers (the curl line of this result): a device or rule that rewrites the query is likely. On Exchange check `Get-ActiveSyncVirtualDirectory`."}
	urlMissing = &check.Reason{Name: "url_missing", Severity: check.Critical,
		Summary: "AutoDiscover gives no ActiveSync address, so accounts cannot be added.",
		Fix:     "Set it: `Set-ActiveSyncVirtualDirectory -Identity \"SERVER\\Microsoft-Server-ActiveSync (Default Web Site)\" -ExternalUrl https://HOST/Microsoft-Server-ActiveSync`."}
	urlInsecure = &check.Reason{Name: "url_insecure", Severity: check.Critical,
		Summary: "The ActiveSync address that AutoDiscover gives is not an https URL, so tokens cannot be used with it.",
		Fix:     "Correct it: `Set-ActiveSyncVirtualDirectory -Identity \"SERVER\\Microsoft-Server-ActiveSync (Default Web Site)\" -ExternalUrl https://HOST/Microsoft-Server-ActiveSync`."}
	urlMismatch = &check.Reason{Name: "url_mismatch", Severity: check.Critical,
		Summary: "AutoDiscover sends phones to another ActiveSync address than the configured one; tokens are issued for that host.",
		Fix:     "Compare `Get-ActiveSyncVirtualDirectory | Format-List Identity,ExternalUrl` on all servers of the site with the published name, and correct what differs with `Set-ActiveSyncVirtualDirectory … -ExternalUrl`; or correct `activesync.url` in hmad's config."}
	privateAddress = &check.Reason{Name: "private_address", Severity: check.Warning,
		Summary: "Seen from outside, a published name resolves to an address that the Internet does not route, so Microsoft's cloud cannot reach it there.",
		Fix:     "Publish a public address for the name in public DNS. There is no private address space for ExpressRoute here either."}
)

// autodiscoverReasons lists every reason of the check in order of judgement.
var autodiscoverReasons = append(transportReasons[:len(transportReasons):len(transportReasons)],
	autodiscoverPointsToCloud, autodiscoverPreauthDevice, authenticationRequired, autodiscoverBlocked, autodiscoverServerError,
	redirectLoop, redirectInsecure, redirectsToCloud, autodiscoverUnexpectedStatus,
	probeMailboxUnknown, autodiscoverError,
	protocolWrong, urlMissing, urlInsecure, urlMismatch,
	privateAddress,
)
