package probes

import "github.com/hmad/hmad/internal/check"

// The runbook of hmad's own way out and of a connection, in order of judgement.
var (
	vantageOfflineRunbook = &check.Runbook{
		Causes: []string{
			"A firewall or proxy between hmad's host and the Internet was changed, or refuses the sign-in host.",
			"DNS on hmad's host does not answer.",
			"The Internet line of the site is down.",
		},
		Verify: "On hmad's host run `curl -sv https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration -o /dev/null`, " +
			"with the proxy of the config where one is set. The line at which it stops (name, connection, certificate, answer) names the " +
			"link.",
		Owners: []check.Owner{check.OwnerHost, check.OwnerNetwork},
		Mended: "The same curl ends with HTTP 200, and `hmad check vantage` passes. Checks behind this way out are decided again in their next " +
			"run.",
		Source: "How hmad works. The address is Microsoft's documented OpenID discovery document; the order of causes is inferred.",
	}
	clockSkewRunbook = &check.Runbook{
		Causes: []string{
			"The time service on hmad's host is stopped, or cannot reach its servers.",
			"A virtual machine was resumed or restored from a snapshot, and its clock was not set again.",
			"The hypervisor and the time service both set the clock.",
		},
		Verify: "Compare `date -u` on hmad's host with the Date header of `curl -sI https://login.microsoftonline.com`.",
		Owners: []check.Owner{check.OwnerHost},
		Mended: "`chronyc tracking` shows an offset of less than a second, and both times above agree.",
		Source: "How hmad works: the Date header of HTTP (RFC 9110) against the local clock. Causes: inferred.",
	}
	dnsFailedRunbook = &check.Runbook{
		Causes: []string{
			"The public record was deleted or mistyped in a change of DNS.",
			"The name exists in internal DNS only.",
			"The zone's DNS servers do not answer, the domain has expired, or its DNSSEC signatures are not valid.",
			"The resolver that hmad uses has another answer than public DNS. (Where it answers about no name, not even Microsoft's sign-in host, the " +
				"check is undecided.)",
		},
		Verify: "Ask two public resolvers, `dig +short '<host>' @1.1.1.1` and `dig +short '<host>' @8.8.8.8`, then the zone's own servers with " +
			"`dig +trace '<host>'`. If all three answer, hmad's resolver is at fault.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "Both public resolvers return the published addresses. The old negative answer may stay cached for the time in the zone's SOA " +
			"record.",
		Source: "Microsoft's guide: the namespaces must be accessible from the Internet (documented). Causes: inferred.",
	}
	connectFailedRunbook = &check.Runbook{
		Causes: []string{
			"A firewall rule or its list of source addresses was changed.",
			"The load balancer's virtual server is down because none of its pool members is healthy.",
			"The public address moved, and DNS still has the old one.",
			"The Internet line, or the address translation in front of the load balancer, is down.",
		},
		Verify: "Connect from a host outside the company, for example a phone's network: `curl -v --connect-timeout 10 'https://<host>/'`. " +
			"«Connection refused» means that a device answers and nothing listens; no answer means a filter or a route.",
		Owners: []check.Owner{check.OwnerNetwork},
		Mended: "The connection opens from outside and from hmad's host, on every address of the name.",
		Source: "Microsoft's guide, connection flow: AutoDiscover or ActiveSync not accessible, firewall or load balancer (documented). Order: " +
			"inferred.",
	}
	tlsFailedRunbook = &check.Runbook{
		Causes: []string{
			"A firewall with inspection, or a list of addresses, resets the connection during the handshake.",
			"The certificate was replaced and is no longer bound to the site in IIS, or to the virtual server.",
			"Only TLS 1.0 or 1.1 is enabled after a change of the security baseline, or no cipher suite is common.",
			"The virtual server expects a client certificate or plain HTTP on port 443.",
		},
		Verify: "Run `openssl s_client -connect '<host>:443' -servername '<host>' -tls1_2`, and again with `-tls1_3`. A reset before any " +
			"certificate points at the network; an alert points at the TLS settings.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
		Mended: "The command prints a certificate and «Verify return code», for TLS 1.2 at least.",
		Source: "Microsoft's guide requires public TLS endpoints (documented). Resets for some source addresses only: inferred from how " +
			"address lists work.",
	}
	certificateExpiredRunbook = &check.Runbook{
		Causes: []string{
			"The renewal was forgotten, or its reminder went to somebody who left.",
			"The certificate was renewed on the Exchange servers, but not on the load balancer, or the other way round.",
			"An automatic renewal (ACME) fails, or renews the file without reloading the device.",
			"One server of the pool still has the old certificate.",
		},
		Verify: "See what is served: `echo | openssl s_client -connect '<host>:443' -servername '<host>' | openssl x509 -noout -dates " +
			"-fingerprint`. Repeat it with each front end's own address in `-connect`.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "`notAfter` lies in the future at every address and front end, and the fingerprint is the new one.",
		Source: "Certificate validity: RFC 5280. That the cloud needs a valid public certificate: Microsoft's guide and its hybrid " +
			"prerequisites (documented). Order: inferred.",
	}
	certificateNameMismatchRunbook = &check.Runbook{
		Causes: []string{
			"The load balancer answers with its default certificate, because no SNI rule matches the name.",
			"A renewed certificate was ordered without one of the names.",
			"DNS points the name at another service.",
		},
		Verify: "List the names in what is served: `echo | openssl s_client -connect '<host>:443' -servername '<host>' | openssl x509 -noout " +
			"-ext subjectAltName`. Then without `-servername`: if the output is the same, SNI is not used.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
		Mended: "The list of names contains the AutoDiscover host or the ActiveSync host, whichever was asked, or a wildcard one label above.",
		Source: "Name matching: RFC 9525. Causes: inferred.",
	}
	certificateChainIncompleteRunbook = &check.Runbook{
		Causes: []string{
			"The certificate was imported without the authority's intermediate file.",
			"The authority changed its intermediate with the renewal, and the old one is still sent.",
			"The intermediate is missing in the store of one server of the pool.",
		},
		Verify: "Count what is sent: `echo | openssl s_client -connect '<host>:443' -servername '<host>' -showcerts | grep -c 'BEGIN " +
			"CERTIFICATE'`. One means that the intermediate is missing. A browser is no proof, because it fetches or remembers " +
			"intermediates.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
		Mended: "The count is two or more, and the command without grep ends with «Verify return code: 0 (ok)».",
		Source: "RFC 8446 section 4.4.2: the server sends its chain. That some clients fetch what is missing: documented by browser vendors.",
	}
	certificateUntrustedRunbook = &check.Runbook{
		Causes: []string{
			"An internal authority's certificate, or Exchange's self-signed one, is bound after a reinstallation.",
			"A device that inspects TLS replaces the certificate between hmad and the endpoint.",
			"The authority is no longer trusted publicly.",
		},
		Verify: "Read the issuer: `echo | openssl s_client -connect '<host>:443' -servername '<host>' | openssl x509 -noout -issuer`, once " +
			"from hmad's host and once from outside. Two different issuers mean an inspecting device on hmad's way.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "The issuer is a public authority when seen from outside.",
		Source: "Microsoft's guide and hybrid prerequisites: a certificate of a trusted third-party authority (documented). Causes: inferred.",
	}
	certificateExpiringSoonRunbook = &check.Runbook{
		Causes: []string{
			"The order for the renewal waits for an approval or a proof of domain control.",
			"The new certificate exists, but has not been installed on the device that serves the name.",
			"The automatic renewal has failed for weeks.",
		},
		Verify: "Ask the authority's portal or the ACME client's log for the state of the renewal, and compare serial numbers: `echo | openssl " +
			"s_client -connect '<host>:443' -servername '<host>' | openssl x509 -noout -serial -enddate`.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "The serial number is that of the new certificate at every address, days before the old one ends.",
		Source: "The certificate's own dates (RFC 5280). Three days is hmad's limit. Causes: inferred.",
	}
	certificateExpiringRunbook = &check.Runbook{
		Causes: []string{
			"Normal: the renewal is due and planned.",
			"The yearly reminder was missed.",
			"The validity of public certificates became shorter, and the old habit renews too late.",
		},
		Verify: "List what each server holds, with the end of each: `Get-ExchangeServer | ForEach-Object { Get-ExchangeCertificate -Server " +
			"$_.Name } | Format-Table Subject,NotAfter,Services`.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "The served certificate ends more than three weeks from now. hmad shows the new end on the card.",
		Source: "The certificate's own dates (RFC 5280). Three weeks is hmad's limit. Causes: inferred.",
	}
	timedOutRunbook = &check.Runbook{
		Causes: []string{
			"The servers are overloaded, or wait for a domain controller or a database.",
			"The application pool hangs or is being recycled.",
			"The load balancer sends requests to a pool member that accepts connections and does no work.",
			"A firewall with inspection holds the answer back.",
		},
		Verify: "Time the parts: `curl -s -o /dev/null -w '%{time_connect} %{time_appconnect} %{time_starttransfer}\\n' " +
			"'https://<host>/autodiscover/healthcheck.htm'`, and the same with /Microsoft-Server-ActiveSync/healthcheck.htm. Then ask each " +
			"front end by `curl --resolve '<host>:443:<address>'`.",
		Owners: []check.Owner{check.OwnerExchange, check.OwnerNetwork},
		Mended: "healthcheck.htm answers 200 with the server's name in well under a second at every front end.",
		Source: "healthcheck.htm per protocol: documented by Microsoft for load balancers (Exchange 2013 and later). Causes: inferred.",
	}
	responseInvalidRunbook = &check.Runbook{
		Causes: []string{
			"A web application firewall or proxy replaces the answer by a page of its own.",
			"The load balancer cuts off answers, or talks another protocol on the port.",
			"Something else than Exchange listens on the address.",
		},
		Verify: "Save headers and body: `curl -sv " +
			"'https://<host>/autodiscover/autodiscover.json?Email=<address>&Protocol=activesync&RedirectCount=3' -o answer.txt`. Compare " +
			"it with the answer of one Exchange server, asked with `curl --resolve '<host>:443:<address>'`.",
		Owners: []check.Owner{check.OwnerNetwork, check.OwnerExchange},
		Mended: "Through the published name and from the server itself the same answer comes, with an X-FEServer header.",
		Source: "X-FEServer on every front-end answer: Exchange's web.config (documented by Microsoft's support tools). Causes: inferred.",
	}
)
