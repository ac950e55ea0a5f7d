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

// copiesOf gives the copies of a database.
func (o *traces) copiesOf(database string) []report.DatabaseCopy {
	return slices.DeleteFunc(slices.Clone(o.copies), func(c report.DatabaseCopy) bool { return !strings.EqualFold(c.Database, database) })
}

// judgeRefresh gives the verdict of metadata_refresh.
func judgeRefresh(o traces) *verdict {
	v := new(verdict)
	judgeArbitration(v, o)
	judgeRefused(v, o)
	judgeProven(v, o)
	judgeRuns(v, o)
	return v
}

// judgeArbitration looks whether some server runs the job at all.
func judgeArbitration(v *verdict, o traces) {
	if o.mailboxesErr != nil {
		v.unknown(o.mailboxesErr, arbitrationMailboxMissing, arbitrationMailboxMultiple, databaseNotMounted)
		return
	}
	switch n := len(o.mailboxes); {
	case n == 0:
		v.found(arbitrationMailboxMissing, "no arbitration mailbox has the capability %s", report.RefreshCapability)
		v.unknown(nil, databaseNotMounted)
		return
	case n > 1:
		var names []string
		for _, m := range o.mailboxes {
			names = append(names, m.Name+" in "+m.Database)
		}
		v.found(arbitrationMailboxMultiple, "%d have the capability %s: %s", n, report.RefreshCapability, strings.Join(names, ", "))
	}
	if o.copiesErr != nil {
		v.unknown(o.copiesErr, databaseNotMounted)
		return
	}
	for _, m := range o.mailboxes {
		judgeDatabase(v, o, m)
	}
}

func judgeDatabase(v *verdict, o traces, m report.ArbitrationMailbox) {
	copies := o.copiesOf(m.Database)
	if len(copies) == 0 {
		v.unknown(check.Errorf(check.ReportInput, "the reports show no copy of the database %q of %s", check.Clean(m.Database, 100), check.Clean(m.Name, 100)), databaseNotMounted)
		return
	}
	if !slices.ContainsFunc(copies, isMounted) {
		var seen []string
		for _, c := range copies {
			seen = append(seen, c.Status+" on "+c.Server)
		}
		v.found(databaseNotMounted, "%s of %s: %s", m.Database, m.Name, strings.Join(seen, ", "))
	}
}

// judgeRefused looks for refused tokens that Microsoft's published keys signed.
// Any other key says nothing: whoever can reach Exchange can send such tokens.
func judgeRefused(v *verdict, o traces) {
	n := o.countRefused()
	switch {
	case n.genuine >= refusedAtLeast:
		v.found(tokensRefused, "%d events of refused tokens: %s", n.genuine, strings.Join(n.where, "; "))
	case o.oauthErr != nil:
		v.unknown(o.oauthErr, tokensRefused)
	case n.nameless >= refusedAtLeast:
		v.unknown(check.Errorf(check.ReportInput, "tokens are refused (%d events), and the reports do not say which keys signed them", n.nameless), tokensRefused)
	case o.publishedErr != nil:
		v.unknown(classed(check.Metadata, "tokens are refused, and it is not known which keys are published", o.publishedErr), tokensRefused)
	case o.lateHosts:
		v.unknown(nil, tokensRefused)
	}
}

// refusals counts the events of refused tokens of late: all, those that do not
// say which key signed, and those that a published key signed, with where.
type refusals struct {
	all, nameless, genuine int
	where                  []string
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
			n.where = append(n.where, fmt.Sprintf("%d on %s, key %s, newest %s", e.Count, e.server, e.KeyID, moment(e.Time)))
		}
	}
	return n
}

// judgeProven looks for Exchange's own word that its copy is old, standing for
// longer than the window.
func judgeProven(v *verdict, o traces) {
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
			v.found(staleCopyProven, "%s has said so since %s (event %d of MSExchange OAuth); the stored copy was last written %s", e.server, moment(told), oauthNewKeys, moment(o.updated))
			return
		}
	}
	switch {
	case o.oauthErr != nil:
		v.unknown(o.oauthErr, staleCopyProven)
	case o.lateHosts:
		v.unknown(nil, staleCopyProven)
	}
}

// judgeRuns looks at the job's runs. What is found counts wherever it was
// found; that nothing is wrong, or that there was no run, is believed only
// where the events of the server that runs the job were read.
func judgeRuns(v *verdict, o traces) {
	asOf, complete, why := o.jobWatched()
	if v.has(arbitrationMailboxMissing) || v.has(arbitrationMailboxMultiple) || v.has(databaseNotMounted) {
		why = nil // the cause is found
	}
	switch n := len(o.runs); {
	case n > 0 && o.runs[n-1].Error != nil:
		last := o.runs[n-1]
		v.found(refreshFailing, "the last run, on %s at %s, had event %d: %s", last.Server, moment(last.At), last.Error.ID, last.Error.Message)
	case !complete:
		v.unknown(why, refreshFailing)
	}
	good := o.lastGood
	switch {
	case !good.At.IsZero() && asOf.Sub(good.At) < o.overdueAfter:
	case !complete:
		v.unknown(why, refreshOverdue)
	case o.watched.From.IsZero():
		v.unknown(check.Errorf(check.ReportInput, "the report of the server that runs the refresh job does not tell how far back it read the events"), refreshOverdue)
	case asOf.Sub(o.watched.From) < o.overdueAfter:
		v.unknown(check.Errorf(check.State, "no good run is among the events of the last %s, which is less than metadata.overdue_after", span(asOf.Sub(o.watched.From))), refreshOverdue)
	case !good.At.IsZero():
		v.found(refreshOverdue, "the last good run was on %s at %s, over %s ago", good.Server, moment(good.At), span(o.overdueAfter))
	default:
		v.found(refreshOverdue, "no good run is among the events of the last %s", span(asOf.Sub(o.watched.From)))
	}
}

// jobWatched says whether the events of the server that runs the job were
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
