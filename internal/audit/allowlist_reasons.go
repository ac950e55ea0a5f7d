package audit

import "github.com/hmad/hmad/internal/check"

// The reasons of allow_list, and their runbook.
var (
	allowListIncomplete = &check.Reason{Name: "incomplete", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"Microsoft added ranges, and nobody brought the firewall's list up to date.",
				"The list was written by hand from an old page, or without the two ranges of AutoDetect.",
				"The file that hmad reads is an old export.",
			},
			Verify: "Microsoft's own list: `curl -s \"https://endpoints.office.com/endpoints/Worldwide?ServiceAreas=Exchange&ClientRequestId=$(cat " +
				"/proc/sys/kernel/random/uuid)\"`, the entry with id 1. Whether the firewall drops such addresses, its own log says.",
			Owners: []check.Owner{check.OwnerNetwork},
			Mended: "A new export of the firewall's list covers every range, and the next run says so (`hmad check allow_list` at once).",
			Source: "Microsoft's guide asks for the ranges of Exchange Online and AutoDetect (documented). That AutoDetect still comes from its two ranges: " +
				"not confirmed since its host name changed.",
		},
		Summary: "The firewall's list lacks addresses from which Microsoft may reach Exchange: requests from there are dropped, so that accounts cannot be " +
			"added or mail arrives late, for some users or at some times.",
		Fix: "Add the ranges that `hmad check allow_list` lists to the firewall's rule for Exchange, TCP 443, export the list again and " +
			"put it where `allow_list.file` is."}
	allowListChangeDue = &check.Reason{Name: "change_due", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"Microsoft announced new ranges, which it does about 30 days before it uses them.",
				"The firewall has them already, and the file that hmad reads is an old export.",
			},
			Verify: "`curl -s \"https://endpoints.office.com/changes/Worldwide/0000000000?ClientRequestId=$(cat /proc/sys/kernel/random/uuid)\"`: entries with " +
				"endpointSetId 1, their add.ips and add.effectiveDate.",
			Owners: []check.Owner{check.OwnerNetwork},
			Mended: "A new export of the firewall's list covers the new ranges.",
			Source: "Microsoft, «Microsoft 365 IP address and URL web service» (documented).",
		},
		Summary: "Microsoft begins within 30 days to use addresses that the firewall's list lacks. Phones are not affected before that day.",
		Fix:     "Add the ranges to the firewall's rule for Exchange before they are used: `hmad check allow_list` lists ranges and days."}
	allowListSourceOld = &check.Reason{Name: "source_old", Severity: check.Warning,
		Runbook: &check.Runbook{
			Causes: []string{
				"The file of `allow_list.endpoints_file` is no longer brought up to date.",
				"The web service cannot be reached, and hmad judges by the copy that ships with it.",
				"A cache on the way answers in place of the web service.",
			},
			Verify: "The version that Microsoft publishes: `curl -s \"https://endpoints.office.com/version/Worldwide?ClientRequestId=$(cat " +
				"/proc/sys/kernel/random/uuid)\"`.",
			Owners: []check.Owner{check.OwnerHost, check.OwnerNetwork},
			Mended: "hmad_allow_list_published_timestamp_seconds is the day of Microsoft's newest version.",
			Source: "Microsoft publishes about once a month (documented).",
		},
		Summary: "Microsoft's list, by which the firewall's list is judged, is old: ranges that Microsoft uses may be missing unseen. Phones are not affected by " +
			"this itself.",
		Fix: "Let this host reach the web service of `allow_list.endpoints`, or bring `endpoints_file` and `version_file` up to date; a newer hmad brings " +
			"a newer copy."}
)
