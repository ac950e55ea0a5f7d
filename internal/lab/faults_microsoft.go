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
