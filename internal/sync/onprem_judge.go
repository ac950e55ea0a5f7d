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
	lacking    []error // why reports are no evidence; onprem_report finds these
	failed     []error // why counts within the other reports cannot be read
	usual      float64 // successes in an hour like this
	usualKnown bool
	watched    int       // mailboxes of the watch list
	partners   []partner // of those that are reported
	unread     []error   // why partnerships within the reports cannot be read; onprem_report finds these
}

// partner is the newest partnership of the cloud with a watched mailbox.
type partner struct {
	key, name  string // its address, and its name by the label mode
	success    time.Time
	unread     string // the form of a success that cannot be read; empty: it can, or is not given
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

// unreadSuccess returns why a server's newest success cannot be read; nil where
// all can.
func (o onPrem) unreadSuccess() error {
	for _, f := range o.frontEnds {
		if err := f.Lacks("lastSuccess"); err != nil {
			return err
		}
	}
	return nil
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

// judgeOnPrem mentions every reason of onprem_sync.
func judgeOnPrem(v *check.Verdict, o onPrem) {
	o.leaveUncounted(v)
	o.judgeRefused(v)
	o.judgeStopped(v)
	o.judgeLeg(v)
}

// leaveUncounted leaves the reasons open that need the counts of every server,
// where some are missing: refusals or successes may be there.
func (o onPrem) leaveUncounted(v *check.Verdict) {
	reasons := []*check.Reason{cloudSyncRefused, cloudSyncStopped}
	for _, err := range o.failed {
		v.Undecided(err, reasons...)
	}
	switch {
	case len(o.failed) > 0:
	case len(o.frontEnds) == 0 && len(o.lacking) > 0:
		v.Undecided(o.lacking[0], reasons...)
	case len(o.frontEnds) == 0:
		v.Undecided(check.Errorf(check.ReportInput,
			"no report counts the OutlookService's requests: install this hmad's collector on the servers that receive them"), reasons...)
	case len(o.lacking) > 0:
		v.Open(fmt.Sprintf("not all servers' requests are counted, see onprem_report: %v", o.lacking[0]), reasons...)
	}
}

// judgeRefused judges cloud_sync_refused: over half of the requests are answered
// 401 or 403. A few requests can only show that it is not so.
func (o onPrem) judgeRefused(v *check.Verdict) {
	sum := o.byStatus()
	total, refused := 0, sum[401]+sum[403]
	for _, n := range sum {
		total += n
	}
	switch {
	case total == 0:
		v.Open(fmt.Sprintf("no request was counted in %s", check.Span(refusedWindow)), cloudSyncRefused)
	case float64(refused) <= RefusedShare*float64(total):
		v.Clear(cloudSyncRefused)
	case total < refusedFloor:
		v.Open(fmt.Sprintf("of only %d requests in %s %d were refused; %d requests or more are judged",
			total, check.Span(refusedWindow), refused, refusedFloor), cloudSyncRefused)
	default:
		hosts, counts := o.refusing()
		v.Find(cloudSyncRefused, hosts, "of %d requests in 15 minutes %d were answered 401 and %d 403, by %s", total, sum[401], sum[403], check.List(counts))
	}
}

// refusing returns the servers that refuse requests, those that refuse most first,
// and the same names with the number of refusals.
func (o onPrem) refusing() (hosts, counts []string) {
	all := slices.Clone(o.frontEnds)
	slices.SortFunc(all, func(a, b frontEnd) int {
		return cmp.Or(cmp.Compare(b.refused(), a.refused()), cmp.Compare(a.host, b.host))
	})
	for _, f := range all {
		if n := f.refused(); n > 0 {
			hosts, counts = append(hosts, f.host), append(counts, fmt.Sprintf("%s (%d)", f.host, n))
		}
	}
	return hosts, counts
}

// judgeStopped judges cloud_sync_stopped: no request has succeeded on any server
// for half an hour, at an hour that usually has many. A success shows that it is
// not so, also in a quiet hour, but silence shows nothing then.
func (o onPrem) judgeStopped(v *check.Verdict) {
	since, until := o.counted()
	last, from := o.lastSuccess(), until.Add(-silence)
	switch {
	case len(o.frontEnds) == 0 || len(o.lacking)+len(o.failed) > 0: // see leaveUncounted
	case last.After(from):
		v.Clear(cloudSyncStopped)
	case o.unreadSuccess() != nil:
		v.Undecided(o.unreadSuccess(), cloudSyncStopped)
	case since.After(from):
		v.Open(fmt.Sprintf("not all servers' reports count the requests of the same %s", check.Span(silence)), cloudSyncStopped)
	case !o.usualKnown:
		v.Open("it is not known yet how many requests usually succeed at this hour", cloudSyncStopped)
	case o.usual < silenceFloor:
		v.Open("at this hour so few requests usually succeed that a stop cannot be seen", cloudSyncStopped)
	default:
		v.Find(cloudSyncStopped, o.silent(), "no request has succeeded between %s and %s; the last success known: %s; an hour like this usually has %.0f",
			check.Moment(from), check.Moment(until), check.Moment(last), o.usual)
	}
}

// silent returns the servers, the one that succeeded longest ago first.
func (o onPrem) silent() (hosts []string) {
	all := slices.Clone(o.frontEnds)
	slices.SortFunc(all, func(a, b frontEnd) int {
		return cmp.Or(a.LastSuccess.Compare(b.LastSuccess), cmp.Compare(a.host, b.host))
	})
	for _, f := range all {
		hosts = append(hosts, f.host)
	}
	return hosts
}

// judgeLeg judges onprem_leg_stale. It is clear where the reports show a success
// of every watched mailbox.
func (o onPrem) judgeLeg(v *check.Verdict) {
	known := slices.DeleteFunc(slices.Clone(o.partners), func(p partner) bool { return p.success.IsZero() })
	slices.SortStableFunc(known, func(a, b partner) int { return a.success.Compare(b.success) })
	var about, stale []string
	for _, p := range known {
		if p.asOf.Sub(p.success) >= p.staleAfter {
			about = append(about, p.name)
			stale = append(stale, fmt.Sprintf("%s last synchronised %s (stale_after "+
				"%s)", cmp.Or(p.name, check.UnnamedMailbox), check.Moment(p.success), check.Span(p.staleAfter)))
		}
	}
	switch {
	case o.watched == 0:
		v.NotApplicable(noWatched, onPremLegStale)
	case len(stale) > 0:
		v.Find(onPremLegStale, about, "%s", check.List(stale))
	case len(known) < o.watched && len(o.unread) > 0:
		v.Open(o.unread[0].Error(), onPremLegStale)
	case len(known) < o.watched:
		v.Open(fmt.Sprintf("the reports do not show when %d of %d watched mailboxes last synchronised%s",
			o.watched-len(known), o.watched, o.unreadDates().after()), onPremLegStale)
	default:
		v.Clear(onPremLegStale)
	}
}

// unreadDates returns the watched mailboxes whose last success cannot be read.
func (o onPrem) unreadDates() (all unreadDates) {
	for _, p := range o.partners {
		if p.unread != "" {
			all.add(p.unread)
		}
	}
	return all
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
