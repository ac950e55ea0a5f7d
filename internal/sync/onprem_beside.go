package sync

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
)

// OnPremWithoutHMA counts the requests of Outlook mobile that HMA does not cover.
var OnPremWithoutHMA = &check.Metric{Name: "hmad_onprem_sync_without_hma_requests", Kind: check.Gauge,
	Help: "Requests of Outlook mobile without HMA (basic authentication through the cloud) that Exchange's front ends answered in the period that " +
		"their reports cover, an hour by default."}

// noteUnreported records what the collector says of watched mailboxes that it
// could not report, by their names in label mode.
func (o *onPremSync) noteUnreported(v *check.Verdict, r report.Report) {
	errs, leftOut := r.PartnershipErrors()
	for _, key := range slices.Sorted(maps.Keys(errs)) {
		if !slices.ContainsFunc(o.sync.Watch, func(w config.Watch) bool { return strings.EqualFold(w.Mailbox, key) }) {
			continue
		}
		name := cmp.Or(o.names.Of(key), check.UnnamedMailbox)
		if report.IsUnknownMailbox(errs[key]) {
			v.Note("%s: Exchange does not know this mailbox (%s of %s)", name, errs[key], r.Host)
		} else {
			v.Note("%s: its partnership could not be read on %s: %s", name, r.Host, errs[key])
		}
	}
	if leftOut > 0 {
		v.Note("%s: %d mailboxes of -Mailboxes were not asked about: the collector asks about at most 200", r.Host, leftOut)
	}
}

// withoutHMA returns how many requests of Outlook mobile without HMA the reports
// count; known is false where none tells.
func (o onPrem) withoutHMA() (n int, known bool) {
	for _, f := range o.frontEnds {
		if f.WithoutHMA >= 0 {
			n, known = n+f.WithoutHMA, true
		}
	}
	return n, known
}

// noteWithoutHMA records a note on them, where there are any.
func (o onPrem) noteWithoutHMA(v *check.Verdict) {
	n, _ := o.withoutHMA()
	if n == 0 {
		return
	}
	since, until := o.frontEnds[0].Since, o.frontEnds[0].Until
	for _, f := range o.frontEnds {
		if f.Since.Before(since) {
			since = f.Since
		}
		if f.Until.After(until) {
			until = f.Until
		}
	}
	v.Note("%d requests of Outlook mobile without HMA (basic authentication through the cloud) from %s to %s: blocking them is the guide's last step, "+
		`New-ActiveSyncDeviceAccessRule -Characteristic DeviceModel -QueryString "Outlook for iOS and Android" -AccessLevel Block`,
		n, check.Moment(since), check.Moment(until))
}
