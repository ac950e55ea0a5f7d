package probes

import "github.com/hmad/hmad/internal/check"

// The transport reasons, shared by every check that asks a host of the
// customer's. One pointer each: a finding says the same whichever check has it.
var (
	dnsFailed = &check.Reason{Name: "dns_failed", Severity: check.Critical, Confirm: true,
		Runbook: dnsFailedRunbook,
		Summary: "The host name does not resolve, so neither phones nor Microsoft's cloud find the endpoint.",
		Fix: "Look up the name in public DNS and with the resolver that hmad uses (`Resolve-DnsName '<host>' -Server 1.1.1.1`), and correct " +
			"the A, AAAA or CNAME record. The name must resolve publicly."}
	connectFailed = &check.Reason{Name: "connect_failed", Severity: check.Critical, Confirm: true,
		Runbook: connectFailedRunbook,
		Summary: "No TCP connection to the endpoint. Until this is fixed, accounts cannot be added and mail does not reach phones.",
		Fix: "Check the firewall, its list of allowed source addresses and the load balancer's virtual server for this address and port. " +
			"Microsoft's guide requires that the endpoint is open to the Internet. `Test-NetConnection '<host>' -Port 443` repeats the connection."}
	tlsFailed = &check.Reason{Name: "tls_failed", Severity: check.Critical, Confirm: true,
		Runbook: tlsFailedRunbook,
		Summary: "The TLS handshake fails, so Microsoft's cloud cannot talk to the endpoint.",
		Fix: "Check the certificate binding and the protocol settings (TLS 1.2 or later) on the load balancer or in IIS. If only some source " +
			"addresses get a reset, check the firewall's list of allowed addresses."}
	certificateExpired = &check.Reason{Name: "certificate_expired", Severity: check.Critical,
		Runbook: certificateExpiredRunbook,
		Summary: "The certificate has expired or is not valid yet: Microsoft's cloud refuses the connection and phones stop receiving mail.",
		Fix: "Install the renewed certificate on the load balancer and on every Exchange server: `Get-ExchangeCertificate | Format-List " +
			"Thumbprint,NotAfter,Services`, then `Enable-ExchangeCertificate -Thumbprint '<thumbprint>' -Services IIS`."}
	certificateNameMismatch = &check.Reason{Name: "certificate_name_mismatch", Severity: check.Critical, Confirm: true,
		Runbook: certificateNameMismatchRunbook,
		Summary: "The certificate is not for this host name: Microsoft's cloud refuses the connection.",
		Fix: "Bind a certificate whose subject alternative names include the AutoDiscover and the ActiveSync host, on the load balancer and in " +
			"IIS; check that the load balancer picks it for this name (SNI)."}
	certificateChainIncomplete = &check.Reason{Name: "certificate_chain_incomplete", Severity: check.Warning,
		Runbook: certificateChainIncompleteRunbook,
		Summary: "The server does not send its intermediate certificate. Clients that do not fetch it by themselves refuse the connection.",
		Fix: "Install the intermediate certificate together with the server's certificate on the load balancer (as one chain file) and in the " +
			"Intermediate Certification Authorities store of every Exchange server."}
	certificateUntrusted = &check.Reason{Name: "certificate_untrusted", Severity: check.Critical, Confirm: true,
		Runbook: certificateUntrustedRunbook,
		Summary: "The certificate was issued by an authority that is not publicly trusted: Microsoft's cloud refuses the connection.",
		Fix: "Use a certificate of a public authority on the published endpoint. If hmad runs inside and an internal certificate is intended " +
			"there, set the target's `ca_file` to that authority's certificate."}
	certificateExpiringSoon = &check.Reason{Name: "certificate_expiring_soon", Severity: check.Critical,
		Runbook: certificateExpiringSoonRunbook,
		Summary: "The certificate expires within three days. From then on phones receive no mail.",
		Fix: "Renew it now and install it on the load balancer and on every Exchange server: `Get-ExchangeCertificate | Format-List " +
			"Thumbprint,NotAfter,Services`, then `Enable-ExchangeCertificate -Thumbprint '<thumbprint>' -Services IIS`."}
	certificateExpiring = &check.Reason{Name: "certificate_expiring", Severity: check.Warning,
		Runbook: certificateExpiringRunbook,
		Summary: "The certificate expires within three weeks. Phones are not affected until then.",
		Fix:     "Plan the renewal: `Get-ExchangeCertificate | Format-List Thumbprint,NotAfter,Services` on every server, and the load balancer's copy."}
	timedOut = &check.Reason{Name: "timeout", Severity: check.Critical, Confirm: true,
		Runbook: timedOutRunbook,
		Summary: "The endpoint accepted the request and did not answer in time. Phones wait and give up.",
		Fix: "Check the load of the Exchange servers, the application pools (MSExchangeAutodiscoverAppPool, MSExchangeSyncAppPool), and the " +
			"load balancer's time-outs and health checks."}
	responseInvalid = &check.Reason{Name: "response_invalid", Severity: check.Critical, Confirm: true,
		Runbook: responseInvalidRunbook,
		Summary: "The answer cannot be read (not HTTP, incomplete, too large, or not in the expected form), so clients cannot use it either.",
		Fix: "Repeat the request with the curl command of `hmad check` and see what answers. Look for a device in front of Exchange that " +
			"rewrites or truncates answers. Where the connection is closed without any answer, look for a signature of the web application firewall and " +
			"for a rule of IIS URL Rewrite with the action AbortRequest."}
)

// transportReasons lists them in order of judgement: a name, a connection, a
// handshake, the certificate's date, name, chain and trust, and the answer.
var transportReasons = []*check.Reason{
	dnsFailed, connectFailed, tlsFailed,
	certificateExpired, certificateNameMismatch, certificateChainIncomplete, certificateUntrusted,
	certificateExpiringSoon, certificateExpiring,
	timedOut, responseInvalid,
}

// blockedFix mends a refusal of AutoDiscover as well as of ActiveSync.
const blockedFix = "Check IP restrictions, the web application firewall and access rules on the firewall, the load balancer and in IIS. Microsoft's " +
	"guide requires that the endpoint is open to the Internet, or at least to Microsoft's published address ranges. Where IIS " +
	"answers 403.7, the directory requires a client certificate. A filter of " +
	"Cloudflare or of another device may know monitors, although another User-Agent was refused too: allow hmad there, or set `user_agent`."
