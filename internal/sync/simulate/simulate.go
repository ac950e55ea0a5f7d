// Package simulate runs the planner of package plan against modelled fleets of
// phones in virtual time: weeks of 100,000 mailboxes take seconds.
package simulate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/hmad/hmad/internal/phones"
)

// Options of a simulation.
type Options struct {
	Mailboxes int
	Watched   int     // of them on the watch list, chosen among those that will be switched off
	Rate      float64 // calls per second
	Seed      uint64
	LifeOnly  bool // two weeks without troubles, and nothing after them
}

// Outcome is what one fleet's simulation showed.
type Outcome struct {
	Kind          phones.Kind
	StaleAfter    time.Duration
	FirstSweep    time.Duration // until nine in ten mailboxes had been asked
	CallsPerDay   float64       // per mailbox, over two weeks, the first sweep and every look-up included
	WorstLate     time.Duration // of a verdict that ended
	WatchedLate   time.Duration // the same of watched mailboxes, until they were seen stale
	FailingLate   time.Duration // from when a phone had failed for an hour until that was seen
	FalseVerdicts int           // phones in normal life called stale or failing, silent ones called fresh
	Unasked       int           // mailboxes of which nothing was known in the end
	Findings      []string      // of the check about the fleet, in two weeks in which nothing was wrong
	Throttled     Trouble       // a Wednesday on which the tenant allows half
	Outage        Trouble       // a Wednesday on which hmad is off from 10:00 to 18:00
	Stops         []Stop        // on the Tuesday after the two weeks
	Again         Stop          // a week after such a stop
	Between       []string      // findings of the week between, from the day after the stop on
}

// Trouble is what a day of trouble, and the two after it, showed.
type Trouble struct {
	WorstLate     time.Duration
	FalseVerdicts int
	Findings      []string
	Refused       int
	Peak          float64       // calls per second over a minute
	Over          time.Duration // after the trouble's end nothing is over 15 minutes late any more
}

// Stop is one of the whole fleet's.
type Stop struct {
	Clock time.Duration // of the day, when it begins
	Found time.Duration // until sync_stopped; a day: it was not
}

const (
	twoWeeks = 14 * day
	lasting  = 6 * time.Hour // of a stop that is mended
)

// Office is the part of a day in which at least half of the people of an office
// are there: they come between 7:00 and 9:30 and leave between 16:00 and 19:00.
var Office = struct{ From, To time.Duration }{8*time.Hour + 30*time.Minute, 17 * time.Hour}

// stopsAt are the times of day at which a stop is tried.
func stopsAt() []time.Duration {
	at := []time.Duration{3 * time.Hour, 7 * time.Hour, 7*time.Hour + 30*time.Minute, 8 * time.Hour}
	for t := Office.From; t <= Office.To; t += 30 * time.Minute {
		at = append(at, t)
	}
	return append(at, 18*time.Hour, 22*time.Hour)
}

// Run simulates one fleet.
func Run(o Options, kind phones.Kind, staleAfter time.Duration) Outcome {
	out := Outcome{Kind: kind, StaleAfter: staleAfter}
	w := newWorld(o, kind, staleAfter, twoWeeks)
	for w.asked() < 0.9 && w.now.Before(start().Add(7*day)) {
		w.until(w.now.Add(10 * time.Minute))
	}
	out.FirstSweep = w.now.Sub(start())
	w.until(start().Add(9 * day))
	if !o.LifeOnly {
		out.Throttled = w.fork().throttled(o.Rate / 2)
	}
	w.until(start().Add(9*day + 10*time.Hour))
	if !o.LifeOnly {
		out.Outage = w.fork().outage()
	}
	w.until(start().Add(twoWeeks))
	out.CallsPerDay = w.perDay(twoWeeks)
	out.WorstLate, out.WatchedLate, out.FailingLate = w.late(), w.watchedLate, w.failingLate
	out.FalseVerdicts, out.Findings, out.Unasked = w.falseVerdicts, w.found(), w.unasked()
	if !o.LifeOnly {
		w.stops(&out)
	}
	return out
}

// stops lets every phone stop on the Tuesday after the two weeks, and a week
// later again.
func (w *world) stops(out *Outcome) {
	tuesday := start().Add(twoWeeks + day)
	for _, clock := range stopsAt() {
		w.until(tuesday.Add(clock))
		out.Stops = append(out.Stops, Stop{clock, w.fork().stop()})
	}
	w.until(tuesday.Add(day + 10*time.Hour))
	w.quiet = quiet{w.now, w.now.Add(lasting)}
	w.until(w.now.Add(day))
	w.reset()
	w.until(w.quiet.from.Add(7 * day))
	out.Between = w.found()
	out.Again = Stop{10 * time.Hour, w.fork().stop()}
}

// stop stops every phone and returns the time until that is found.
func (w *world) stop() time.Duration {
	w.quiet = quiet{w.now, w.now.Add(2 * day)}
	for w.now.Sub(w.quiet.from) < day {
		w.until(w.now.Add(schedule))
		if at, ok := w.findings["sync_stopped"]; ok {
			return at.Sub(w.quiet.from)
		}
	}
	return day
}

// throttled lets the tenant allow less for a day.
func (w *world) throttled(allowed float64) Trouble {
	w.tenant = rate.NewLimiter(rate.Limit(allowed), 20)
	w.until(w.now.Add(day))
	w.tenant = nil
	return w.recover()
}

// outage lets hmad sleep for eight hours.
func (w *world) outage() Trouble {
	w.restart(8 * time.Hour)
	return w.recover()
}

// recover runs for two days after the trouble and returns what they showed.
func (w *world) recover() Trouble {
	from, refused, over := w.now, w.refused, time.Duration(0)
	for w.now.Sub(from) < 2*day {
		w.until(w.now.Add(10 * time.Minute))
		if w.plan.Count(w.now).Lag > 15*time.Minute {
			over = w.now.Sub(from)
		}
	}
	return Trouble{WorstLate: w.late(), FalseVerdicts: w.falseVerdicts, Findings: w.found(), Refused: refused, Peak: w.peak(), Over: over}
}

// found returns the names of all findings about the fleet so far.
func (w *world) found() []string {
	fleet := maps.Clone(w.findings)
	maps.DeleteFunc(fleet, func(name string, _ time.Time) bool { return strings.HasPrefix(name, "watched_") })
	return slices.Sorted(maps.Keys(fleet))
}

// late returns the worst lateness, that of mailboxes which still wait included.
func (w *world) late() time.Duration { return max(w.lateness, w.plan.Count(w.now).Lag) }

// asked returns the share of the fleet with a known state.
func (w *world) asked() float64 { return float64(w.plan.Count(w.now).Asked()) / float64(w.size) }

// unasked returns the number of mailboxes without a known state.
func (w *world) unasked() int { c := w.plan.Count(w.now); return c.Mailboxes - c.Asked() }
