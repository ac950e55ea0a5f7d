package probes

import "github.com/hmad/hmad/internal/check"

// The runbook of tls_offload, in order of judgement.
var (
	tlsOffloadedRunbook = &check.Runbook{
		Causes: []string{
			"The virtual server ends TLS and sends plain HTTP on.",
			"A second load balancer or web application firewall behind the first one offloads.",
			"The rule for /Microsoft-Server-ActiveSync uses another pool than the rest of the site.",
		},
		Verify: "Read the IIS log of a front end for requests with the user agent hmad-tls-offload: `Select-String -Path " +
			"'C:\\inetpub\\logs\\LogFiles\\W3SVC1\\*.log' -Pattern 'hmad-tls-offload' | Select-Object -Last 5`. The field s-port is 443 " +
			"where the load balancer re-encrypts, and 80 where it offloads.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "s-port is 443 for all new lines, and the probe's diagnostics name a URL with https.",
		Source: "Microsoft's guide documents `Actual 'http://…'`. That a self-made token always draws the sentence: inferred.",
	}
	hostRewrittenRunbook = &check.Runbook{
		Causes: []string{
			"The reverse proxy sets the Host header to the pool member's name.",
			"Application proxy or WAP has «translate URLs in headers» on.",
			"A second name is published and mapped to the first.",
		},
		Verify: "Compare `X-FEServer` with the name after Actual: if Actual is the server's own name, the proxy rewrites. In the IIS log add " +
			"the field cs-host and read it for requests of hmad-tls-offload.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "cs-host is the published name, and so is the host after Actual.",
		Source: "Audience is compared by host: Microsoft documents the sentence; its use for host rewriting is inferred.",
	}
	forgedTokenAcceptedRunbook = &check.Runbook{
		Causes: []string{
			"A device answers 200 to everything, for example a maintenance page.",
			"A device signs in with credentials of its own and forwards.",
			"The OAuth module was removed or replaced on a server.",
		},
		Verify: "Send no token at all, `curl -si 'https://<host>/Microsoft-Server-ActiveSync'`: a 200 there as well means that a device " +
			"answers everything. Look for the request in the IIS logs: if it is not there, it never reached Exchange.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
		Mended: "The forged token and the request without one are both answered 401 by Exchange.",
		Source: "An unsigned token must be refused: RFC 8725 and Exchange's documented checks. A proxy that accepts it: seen with a public " +
			"test tool.",
	}
)
