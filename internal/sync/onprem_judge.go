package sync

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/sync/plan"
)

const (
	refusedWindow = 15 * time.Minute
	refusedFloor  = 20
	silence       = 30 * time.Minute
	silenceFloor  = 20 // successes that the hour usually has
	slotsOfAnHour = 6  // reported slots from which an hour is known
)

// RefusedShare is the share of the requests above which refusals are a finding.
const RefusedShare = 0.5

// frontEnd is what one server's report holds of the OutlookService's requests.
type frontEnd struct {
	host string
	report.FrontEndRequests
}

// onPrem is all that the verdict of onprem_sync depends on.
type onPrem struct {
	frontEnds  []frontEnd
	partial    bool    // a server's counts are missing
	usual      float64 // successes in an hour like this
	usualKnown bool
	partners   []partner // of the watched mailboxes that are reported
}

// partner is the newest partnership of the cloud with a watched mailbox.
type partner struct {
	key, name  string // its address, and its name by the label mode
	success    time.Time
	staleAfter time.Duration
	asOf       time.Time
}

// byStatus returns the requests of a server's last window, by HTTP status.
func (f frontEnd) byStatus() map[int]int {
	sum := map[int]int{}
	for _, c := range f.Counts {
		if c.Start.Add(f.Slot).After(f.Until.Add(-refusedWindow)) {
			sum[c.Status] += c.Count
		}
	}
	return sum
}

func (f frontEnd) refused() int {
	sum := f.byStatus()
	return sum[401] + sum[403]
}

// byStatus returns the requests of every server's last window, by HTTP status.
func (o onPrem) byStatus() map[int]int {
	sum := map[int]int{}
	for _, f := range o.frontEnds {
		for status, n := range f.byStatus() {
			sum[status] += n
		}
	}
	return sum
}

// lastSuccess returns the newest success on any server.
func (o onPrem) lastSuccess() (last time.Time) {
	for _, f := range o.frontEnds {
		if f.LastSuccess.After(last) {
			last = f.LastSuccess
		}
	}
	return last
}

// counted returns the time that every server has counted.
func (o onPrem) counted() (since, until time.Time) {
	for i, f := range o.frontEnds {
		if i == 0 || f.Since.After(since) {
			since = f.Since
		}
		if i == 0 || f.Until.Before(until) {
			until = f.Until
		}
	}
	return since, until
}

// judgeOnPrem returns the findings, and the reasons that could not be judged.
func judgeOnPrem(o onPrem) (found []check.Finding, unevaluated []*check.Reason) {
	judge := func(r *check.Reason, detail string, known bool) {
		switch {
		case detail != "":
			found = append(found, check.Finding{Reason: r, Detail: detail})
		case !known:
			unevaluated = append(unevaluated, r)
		}
	}
	judge(cloudSyncRefused, o.refused(), len(o.frontEnds) > 0 && !o.partial)
	stopped, known := o.stopped()
	judge(cloudSyncStopped, stopped, known)
	judge(onPremLegStale, o.legStale(), slices.ContainsFunc(o.partners, func(p partner) bool { return !p.success.IsZero() }))
	return found, unevaluated
}

// refused returns the detail of cloud_sync_refused: over half of the requests are
// answered 401 or 403; empty where that is not so.
func (o onPrem) refused() string {
	sum := o.byStatus()
	total, refused := 0, sum[401]+sum[403]
	for _, n := range sum {
		total += n
	}
	if total < refusedFloor || float64(refused) <= RefusedShare*float64(total) {
		return ""
	}
	return fmt.Sprintf("of %d requests in 15 minutes %d were answered 401 and %d 403, by %s", total, sum[401], sum[403], check.List(o.refusing()))
}

// refusing returns the servers that refuse requests, those that refuse most first.
func (o onPrem) refusing() (names []string) {
	all := slices.Clone(o.frontEnds)
	slices.SortFunc(all, func(a, b frontEnd) int {
		return cmp.Or(cmp.Compare(b.refused(), a.refused()), cmp.Compare(a.host, b.host))
	})
	for _, f := range all {
		if n := f.refused(); n > 0 {
			names = append(names, fmt.Sprintf("%s (%d)", f.host, n))
		}
	}
	return names
}

// stopped returns the detail of cloud_sync_stopped: no request has succeeded on
// any server for half an hour, at an hour that usually has many. Known is false
// where a server's counts are missing, because successes may be there.
func (o onPrem) stopped() (detail string, known bool) {
	since, until := o.counted()
	if len(o.frontEnds) == 0 || o.partial || !o.usualKnown || since.After(until.Add(-silence)) {
		return "", false
	}
	last := o.lastSuccess()
	if o.usual < silenceFloor || last.After(until.Add(-silence)) {
		return "", true
	}
	return fmt.Sprintf("no request has succeeded between %s and %s; the last success known: %s; an hour like this usually has %.0f",
		check.Moment(until.Add(-silence)), check.Moment(until), check.Moment(last), o.usual), true
}

// legStale returns the detail of onprem_leg_stale; empty where no partnership is
// stale.
func (o onPrem) legStale() string {
	var stale []string
	for _, p := range o.partners {
		if !p.success.IsZero() && p.asOf.Sub(p.success) >= p.staleAfter {
			stale = append(stale, fmt.Sprintf("%s last synchronised %s (stale_after %s)", cmp.Or(p.name, unnamed), check.Moment(p.success), check.Span(p.staleAfter)))
		}
	}
	if len(stale) == 0 {
		return ""
	}
	return check.List(stale)
}

// learn adds the front ends' new slots to the hours, each slot once: Asked counts
// slots, Moved successes. Counted holds until when each host has been counted.
func learn(h *plan.Hours, counted map[string]time.Time, frontEnds []frontEnd) {
	for _, f := range frontEnds {
		host := strings.ToLower(f.host)
		success := map[time.Time]int{}
		for _, c := range f.Counts {
			if c.Status/100 == 2 {
				success[c.Start.UTC().Truncate(f.Slot)] += c.Count
			}
		}
		at := f.Since.UTC().Truncate(f.Slot)
		if at.Before(f.Since) {
			at = at.Add(f.Slot)
		}
		if counted[host].After(at) {
			at = counted[host].UTC()
		}
		for ; !at.Add(f.Slot).After(f.Until); at = at.Add(f.Slot) {
			h.Add(at, 1, success[at])
			counted[host] = at.Add(f.Slot)
		}
	}
}

// successes returns an hour's successful requests.
func successes(h plan.Hour) (float64, bool) { return float64(h.Moved), h.Asked >= slotsOfAnHour }
