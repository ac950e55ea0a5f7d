package lab

import "net/http"

// allowListFaults are those of the firewall's list, seen against what Microsoft
// publishes.
func allowListFaults() []fault {
	publishing := func(reason, doc string, s endpointsSide) fault {
		return fault{atMicrosoft, "allow_list." + reason, doc, func(b *behaviour) { b.services.endpoints = s }}
	}
	return []fault{
		publishing("incomplete", "Microsoft has used another range for a month, which the firewall's list lacks.", endpointsSide{more: "20.20.0.0/16", in: -30 * day}),
		publishing("change_due", "Microsoft announces a range that it uses in ten days.", endpointsSide{more: "20.20.0.0/16", in: 10 * day}),
		publishing("source_old", "A cache answers with Microsoft's list of half a year ago.", endpointsSide{old: 180 * day}),
	}
}

// placementFaults are those of what Exchange Online's AutoDiscover says of the
// probe mailbox.
func placementFaults() []fault {
	saying := func(reason, doc string, s placementSide) fault {
		return fault{atMicrosoft, "cloud_autodiscover." + reason, doc, func(b *behaviour) { b.services.placement = s }}
	}
	return []fault{
		saying("cloud_host_wrong", "The mail user's ExternalEmailAddress has a routing domain, and Exchange Online sends to its AutoDiscover.",
			placementSide{host: "autodiscover.routing." + domain}),
		saying("cloud_has_mailbox", "A licence came before the mailbox's GUID, and the tenant has a second mailbox.", placementSide{cloud: true}),
		saying("mailbox_unknown_in_cloud", "Entra Connect does not synchronise the probe mailbox.", placementSide{unknown: true}),
		saying("redirect_insecure", "Exchange Online sends to AutoDiscover on premises by http.", placementSide{scheme: "http"}),
		saying("answer_unusual", "Exchange Online refuses the protocol that it is asked for.", placementSide{answer: writeDiscoveryError(discoveryError{
			http.StatusBadRequest, "ProtocolNotSupported", "The given protocol value 'ActiveSync' is invalid."})}),
	}
}

// detectFaults are those of what AutoDetect answers, and of its visits.
func detectFaults() []fault {
	const check = "autodetect."
	answering := func(reason, doc string, s detectSide) fault {
		return fault{atMicrosoft, check + reason, doc, func(b *behaviour) { b.services.detect = s }}
	}
	return []fault{
		answering("onprem_missing", "AutoDetect takes the probe mailbox for one in the cloud.", detectSide{onprem: "-"}),
		answering("onprem_wrong", "AutoDetect still has the ActiveSync host of before a change of name.", detectSide{onprem: "owa." + domain}),
		answering("authority_foreign", "AutoDetect sends phones to AD FS.", detectSide{authority: "https://adfs." + domain + "/adfs/oauth2/authorize"}),
		answering("legacy_only", "AutoDetect offers ActiveSync with a password alone.", detectSide{legacy: true}),
		answering("cannot_reach", "AutoDetect cannot reach AutoDiscover, and answers from its memory.", detectSide{failed: "ETIMEDOUT"}),
		answering("not_found", "AutoDetect finds nothing for the probe mailbox.", detectSide{status: http.StatusNoContent}),
		reporting(check+"visits_refused", "A rule in front of AutoDiscover refuses AutoDetect's User-Agent (403).", func(r *report) {
			r.set("autodetectVisits", visitsOf(r, http.StatusForbidden))
		}),
	}
}

// visitsOf is what a server's collector counts of AutoDetect's visits, whose GETs
// meet the status.
func visitsOf(r *report, status int) row {
	return row{"since": r.GeneratedAt.Add(-logsCounted), "until": r.GeneratedAt, "lastVisit": r.GeneratedAt.Add(-slot), "counts": []row{
		{"method": "GET", "document": "json", "status": status, "count": 6}, {"method": "POST", "document": "xml", "status": http.StatusUnauthorized, "count": 6}}}
}
