package metadata

import (
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/report"
)

// The events that matter (domain notes, section 6.5). Ids are those of their
// source: MSExchange AuthAdmin for the job, MSExchange OAuth for the tokens.
const (
	jobErrorFirst = 2003 // to jobErrorLast: something went wrong in a run
	jobErrorLast  = 2012
	jobUpdated    = 2013 // the stored certificates were replaced
	jobCompleted  = 2015 // a run ended, well or not

	oauthRefused = 2006 // a token was refused for its signature
	oauthNewKeys = 2008 // the published metadata holds what the stored copy lacks
)

// runLasts is how long before its end a run's errors may lie. A run takes
// seconds; one that failed is tried again after a quarter of an hour.
const runLasts = 10 * time.Minute

// jobRun is one run of the refresh job.
type jobRun struct {
	At     time.Time
	Server string
	Error  *report.Event // nil: a good run
}

// runsOf returns the runs of a server by its events, oldest first. A run is
// good that completed (2015) without an error (2003 to 2012) of that run;
// errors behind the last completed run are a run of their own that did not
// complete. Events about other auth servers than the tenant's do not count.
func runsOf(server string, events []report.Event, all serverNames) []jobRun {
	var ends []time.Time
	var errs []report.Event
	for _, e := range events {
		switch {
		case e.ID == jobCompleted:
			ends = append(ends, e.First, e.Time)
		case e.ID >= jobErrorFirst && e.ID <= jobErrorLast && all.concerns(e):
			errs = append(errs, e)
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	ends = slices.CompactFunc(ends, time.Time.Equal)
	slices.SortFunc(errs, func(a, b report.Event) int { return a.Time.Compare(b.Time) })
	var runs []jobRun
	var before time.Time
	for _, end := range ends {
		from := end.Add(-runLasts)
		if before.After(from) {
			from = before
		}
		runs = append(runs, jobRun{end, server, errorWithin(errs, from, end)})
		before = end
	}
	if n := len(errs); n > 0 && errs[n-1].Time.After(before) {
		runs = append(runs, jobRun{errs[n-1].Time, server, &errs[n-1]})
	}
	return runs
}

// errorWithin returns the newest error with an occurrence after from
// and not after to. Of several that the collector counted as one only the
// first and the last are known: one that spans the time counts, so that a run
// is not called good unproven.
func errorWithin(errs []report.Event, from, to time.Time) *report.Event {
	for i := len(errs) - 1; i >= 0; i-- {
		e := &errs[i]
		known := within(e.First, from, to) || within(e.Time, from, to)
		spans := e.Count > 2 && e.First.Before(to) && e.Time.After(to)
		if known || spans {
			return e
		}
	}
	return nil
}

func within(t, from, to time.Time) bool { return t.After(from) && !t.After(to) }

// serverNames are words by which an event names an auth server.
type serverNames struct{ own, others []string }

// namesOf sorts the words of the tenant's auth servers from those of others.
func namesOf(tenant string, all []report.AuthServer) serverNames {
	var n serverNames
	own := report.OfTenant(all, tenant)
	for _, s := range all {
		words := &n.others
		if slices.ContainsFunc(own, func(o report.AuthServer) bool { return o.Name == s.Name }) {
			words = &n.own
		}
		for _, w := range []string{s.Name, s.MetadataURL} {
			if w != "" {
				*words = append(*words, strings.ToLower(w))
			}
		}
	}
	return n
}

// concerns reports whether an event may be about the tenant's auth server: it is
// not when it names another one and not the tenant's.
func (n serverNames) concerns(e report.Event) bool {
	text := strings.ToLower(e.Message)
	named := func(words []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	return named(n.own) || !named(n.others)
}
