package lab

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
