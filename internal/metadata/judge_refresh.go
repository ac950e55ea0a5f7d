package metadata

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

const (
	// refusedAtLeast events of refused tokens in a report, the newest within
	// refusedWithin, are «in numbers». Exchange logs one in some minutes
	// only, however many tokens it refuses.
	refusedAtLeast = 10
	refusedWithin  = time.Hour
	// settles is how long after an update servers may still see the old copy.
	settles = time.Hour
)

func isRefreshCapability(s string) bool { return strings.EqualFold(s, report.RefreshCapability) }

func isMounted(c report.DatabaseCopy) bool { return strings.EqualFold(c.Status, report.Mounted) }

// copiesOf returns the copies of a database.
func (o *traces) copiesOf(database string) []report.DatabaseCopy {
	return slices.DeleteFunc(slices.Clone(o.copies), func(c report.DatabaseCopy) bool { return !strings.EqualFold(c.Database, database) })
}

// judgeRefresh fills the verdict of metadata_refresh.
func judgeRefresh(v *check.Verdict, o traces) {
	judgeArbitration(v, o)
	judgeRefused(v, o)
	judgeProven(v, o)
	judgeFailing(v, o)
	judgeOverdue(v, o)
}

// judgeArbitration looks whether some server runs the job at all.
func judgeArbitration(v *check.Verdict, o traces) {
	if o.mailboxesErr != nil {
		v.Undecided(o.mailboxesErr, arbitrationMailboxMissing, arbitrationMailboxMultiple, databaseNotMounted)
		return
	}
	v.Clear(arbitrationMailboxMissing, arbitrationMailboxMultiple)
	switch n := len(o.mailboxes); {
	case n == 0:
		v.Find(arbitrationMailboxMissing, nil, "no arbitration mailbox has the capability %s", report.RefreshCapability)
		v.NotApplicable("no arbitration mailbox has the capability "+report.RefreshCapability, databaseNotMounted)
		return
	case n > 1:
		var names, places []string
		for _, m := range o.mailboxes {
			names, places = append(names, m.Name), append(places, m.Name+" in "+m.Database)
		}
		v.Find(arbitrationMailboxMultiple, names, "%d have the capability %s: %s", n, report.RefreshCapability, check.List(places))
	}
	if o.copiesErr != nil {
		v.Undecided(o.copiesErr, databaseNotMounted)
		return
	}
	for _, m := range o.mailboxes {
		judgeDatabase(v, o, m)
	}
}

func judgeDatabase(v *check.Verdict, o traces, m report.ArbitrationMailbox) {
	copies := o.copiesOf(m.Database)
	switch {
	case len(copies) == 0:
		v.Undecided(check.Errorf(check.ReportInput, "the reports show no copy of the database %q of "+
			"%s", check.Clean(m.Database, 100), check.Clean(m.Name, 100)), databaseNotMounted)
	case slices.ContainsFunc(copies, isMounted):
		v.Clear(databaseNotMounted)
	default:
		var seen []string
		for _, c := range copies {
			seen = append(seen, c.Status+" on "+c.Server)
		}
		v.Find(databaseNotMounted, []string{m.Database}, "%s of %s: %s", m.Database, m.Name, check.List(seen))
	}
}

// someLate is why what some hosts' events would show is left open.
const someLate = "some hosts' reports are too old, as onprem_report tells: their events are not seen"

// judgeRefused looks for refused tokens that Microsoft's published keys signed.
// Any other key says nothing: whoever can reach Exchange can send such tokens.
func judgeRefused(v *check.Verdict, o traces) {
	n := o.countRefused()
	switch {
	case n.genuine >= refusedAtLeast:
		v.Find(tokensRefused, n.servers(), "%d events of refused tokens: %s", n.genuine, n)
	case o.oauthErr != nil:
		v.Undecided(o.oauthErr, tokensRefused)
	case n.nameless >= refusedAtLeast:
		v.Undecided(check.Errorf(check.ReportInput, "tokens are refused (%d events), and the reports do not say which keys signed "+
			"them", n.nameless), tokensRefused)
	case o.publishedErr != nil:
		v.Undecided(classed(check.Metadata, "tokens are refused, and it is not known which keys are published", o.publishedErr), tokensRefused)
	case o.lateHosts:
		v.Open(someLate, tokensRefused)
	case o.oauthSeen:
		v.Clear(tokensRefused)
	}
}

// refusals counts the events of refused tokens within the last hour: all, those
// that do not say which key signed, and those that a published key signed.
type refusals struct {
	all, nameless, genuine int
	signed                 []oauthEvent // by published keys, the most tokens first
}

func (o *traces) countRefused() (n refusals) {
	published := map[string]bool{}
	for _, t := range o.published {
		published[t.String()] = true
	}
	for _, e := range o.oauth {
		if e.ID != oauthRefused || e.asOf.Sub(e.Time) > refusedWithin {
			continue
		}
		n.all += e.Count
		if e.KeyID == "" {
			n.nameless += e.Count
		}
		if published[strings.ToUpper(e.KeyID)] {
			n.genuine += e.Count
			n.signed = append(n.signed, e)
		}
	}
	slices.SortStableFunc(n.signed, func(a, b oauthEvent) int { return b.Count - a.Count })
	return n
}

func (n refusals) servers() []string {
	var out []string
	for _, e := range n.signed {
		out = append(out, e.server)
	}
	return out
}

// String lists where tokens of published keys were refused.
func (n refusals) String() string {
	var out []string
	for _, e := range n.signed {
		out = append(out, fmt.Sprintf("%d on %s, key %s, newest %s", e.Count, e.server, e.KeyID, check.Moment(e.Time)))
	}
	return strings.Join(out, "; ")
}

// judgeProven looks for Exchange's own word that its copy is old, standing for
// longer than the window.
func judgeProven(v *check.Verdict, o traces) {
	after := o.updated
	if !after.IsZero() {
		after = after.Add(settles)
	}
	for _, e := range o.oauth {
		if e.ID != oauthNewKeys || !e.Time.After(after) {
			continue
		}
		told := e.First
		if !told.After(after) {
			told = e.Time
		}
		if e.asOf.Sub(told) >= o.window {
			v.Find(staleCopyProven, []string{e.server}, "%s has said so since %s (event %d of MSExchange OAuth); the stored copy was last written: %s",
				e.server, check.Moment(told), oauthNewKeys, check.Moment(o.updated))
			return
		}
	}
	switch {
	case o.oauthErr != nil:
		v.Undecided(o.oauthErr, staleCopyProven)
	case o.lateHosts:
		v.Open(someLate, staleCopyProven)
	case o.oauthSeen:
		v.Clear(staleCopyProven)
	}
}

// judgeFailing looks whether the job's last run had an error. One that is found
// counts on whatever server it was; that there is none is believed only where
// the events of the server that runs the job were read.
func judgeFailing(v *check.Verdict, o traces) {
	n := len(o.runs)
	switch _, complete, why := o.jobWatched(); {
	case n > 0 && o.runs[n-1].Error != nil:
		last := o.runs[n-1]
		v.Find(refreshFailing, []string{last.Server}, "the last run, on %s at %s, had event %d: "+
			"%s", last.Server, check.Moment(last.At), last.Error.ID, last.Error.Message)
	case !complete:
		leaveRuns(v, why, refreshFailing)
	case n == 0:
		v.Open("no run is among the events that the report shows", refreshFailing)
	default:
		v.Clear(refreshFailing)
	}
}

// judgeOverdue looks how long ago the last good run was. That there was none is
// believed only where the events of the server that runs the job were read.
func judgeOverdue(v *check.Verdict, o traces) {
	asOf, complete, why := o.jobWatched()
	server, _ := o.refresher()
	good, reach := o.lastGood, asOf.Sub(o.watched.From)
	switch {
	case !good.At.IsZero() && asOf.Sub(good.At) < o.overdueAfter:
		v.Clear(refreshOverdue)
	case !complete:
		leaveRuns(v, why, refreshOverdue)
	case o.watched.From.IsZero():
		v.Undecided(check.Errorf(check.ReportInput, "the report of the server that runs the refresh job does not show how far back it read the "+
			"events"), refreshOverdue)
	case reach < o.overdueAfter:
		v.Undecided(check.Errorf(check.State, "no good run is among the events of the last %s, which is less than "+
			"metadata.overdue_after", check.Span(reach)), refreshOverdue)
	case !good.At.IsZero():
		v.Find(refreshOverdue, []string{server}, "the last good run was on %s at %s, over %s "+
			"ago", good.Server, check.Moment(good.At), check.Span(o.overdueAfter))
	default:
		v.Find(refreshOverdue, []string{server}, "no good run is among the events of the last %s", check.Span(reach))
	}
}

// leaveRuns leaves a reason unjudged because the job's events were not read: needs
// a server that runs the job, which another finding tells of, or for an
// error.
func leaveRuns(v *check.Verdict, why error, r *check.Reason) {
	for _, cause := range []*check.Reason{arbitrationMailboxMissing, arbitrationMailboxMultiple, databaseNotMounted} {
		if v.Found(cause) {
			v.Open("it is not known which server runs the refresh job, see "+cause.Name+"", r)
			return
		}
	}
	v.Undecided(why, r)
}

// jobWatched reports whether the events of the server that runs the job were
// read, as of when, and why not.
func (o *traces) jobWatched() (asOf time.Time, complete bool, why error) {
	asOf = o.now
	server, _ := o.refresher()
	for host, seen := range o.jobSeen {
		if server != "" && report.SameHost(host, server) {
			return seen.To, true, nil
		}
	}
	for host, err := range o.jobErr {
		if server == "" || report.SameHost(host, server) {
			why = err
		}
	}
	switch {
	case why != nil:
		return asOf, false, why
	case server == "":
		return asOf, false, check.Errorf(check.ReportInput, "it is not known which server runs the refresh job")
	default:
		return asOf, false, check.Errorf(check.ReportInput, "%s runs the refresh job, and there is no report of it", check.Clean(server, 100))
	}
}
