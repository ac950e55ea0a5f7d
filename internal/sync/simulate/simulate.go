// Package simulate runs the planner of package sync against modelled fleets of
// phones in virtual time: two weeks of 100,000 mailboxes take seconds.
package simulate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
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
}

// Outcome is what one fleet's simulation showed.
type Outcome struct {
	Kind          phones.Kind
	StaleAfter    time.Duration
	FirstSweep    time.Duration // until nine in ten mailboxes had been asked
	CallsPerDay   float64       // per mailbox, over two weeks
	WorstLate     time.Duration // after the first day, of a verdict that ended
	WatchedLate   time.Duration // the same of watched mailboxes, until they were seen stale
	FalseVerdicts int           // phones in normal life called stale or failing
	Findings      []string      // of the check about the fleet, in two weeks in which nothing was wrong
	StopFound     time.Duration // after every phone stopped, on a Tuesday at 10:00
	Throttled     Trouble       // a Wednesday on which the tenant allows half
	Outage        Trouble       // a Wednesday on which hmad is off from 10:00 to 18:00
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

const twoWeeks = 14 * day

// Run simulates one fleet.
func Run(o Options, kind phones.Kind, staleAfter time.Duration) Outcome {
	out := Outcome{Kind: kind, StaleAfter: staleAfter}
	w := newWorld(o, kind, staleAfter, twoWeeks)
	for w.asked() < 0.9 && w.now.Before(start().Add(day)) {
		w.until(w.now.Add(10 * time.Minute))
	}
	out.FirstSweep = w.now.Sub(start())
	w.until(start().Add(day))
	w.lateness, w.watchedLate = 0, 0
	w.until(start().Add(9 * day))
	out.Throttled = w.fork().throttled(o.Rate / 2)
	w.until(start().Add(9*day + 10*time.Hour))
	out.Outage = w.fork().outage()
	w.until(start().Add(twoWeeks))
	out.CallsPerDay = w.perDay(twoWeeks)
	out.WorstLate, out.WatchedLate, out.FalseVerdicts, out.Findings = w.late(), w.watchedLate, w.falseVerdicts, w.found()
	out.StopFound = w.stopped()
	return out
}

// stopped goes on until the Tuesday after, and lets every phone stop.
func (w *world) stopped() time.Duration {
	w.until(start().Add(twoWeeks + day + 10*time.Hour))
	w.reset()
	w.stop = w.now
	for w.now.Sub(w.stop) < day {
		w.until(w.now.Add(schedule))
		if at, ok := w.findings["sync_stopped"]; ok {
			return at.Sub(w.stop)
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

// recover goes on for two days after the trouble and sums it up.
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

// Simulate runs both kinds of fleet, each with the stale_after that fits it,
// and prints what they showed.
func Simulate(out io.Writer, o Options) []Outcome {
	began := time.Now()
	all := []Outcome{Run(o, phones.DayAndNight, 24*time.Hour), Run(o, phones.OfficeHours, 72*time.Hour)}
	fmt.Fprintf(out, "%d mailboxes, %d of them watched, %g calls per second, seed %d: two weeks from a Monday, and their troubles, in %s\n\n",
		o.Mailboxes, o.Watched, o.Rate, o.Seed, time.Since(began).Round(100*time.Millisecond))
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	line := func(name string, cell func(Outcome) string) {
		fmt.Fprintf(t, "%s\t%s\t%s\n", name, cell(all[0]), cell(all[1]))
	}
	line("phones", func(o Outcome) string { return string(o.Kind) })
	line("stale_after", func(o Outcome) string { return fmt.Sprintf("%.0fh", o.StaleAfter.Hours()) })
	line("nine in ten asked after", func(o Outcome) string { return span(o.FirstSweep) })
	line("calls per mailbox and day", func(o Outcome) string { return fmt.Sprintf("%.2f", o.CallsPerDay) })
	line("worst lateness", func(o Outcome) string { return span(o.WorstLate) })
	line("worst lateness, watched", func(o Outcome) string { return span(o.WatchedLate) })
	line("false verdicts on a mailbox", func(o Outcome) string { return fmt.Sprint(o.FalseVerdicts) })
	line("findings about the fleet", func(o Outcome) string { return names(o.Findings) })
	line("fleet-wide stop found after", func(o Outcome) string { return span(o.StopFound) })
	for _, trouble := range []struct {
		name string
		of   func(Outcome) Trouble
	}{{"half the rate for a day", func(o Outcome) Trouble { return o.Throttled }}, {"hmad off for 8 h", func(o Outcome) Trouble { return o.Outage }}} {
		line("", func(Outcome) string { return "" })
		line(trouble.name, func(Outcome) string { return "" })
		line("  worst lateness", func(o Outcome) string { return span(trouble.of(o).WorstLate) })
		line("  false verdicts on a mailbox", func(o Outcome) string { return fmt.Sprint(trouble.of(o).FalseVerdicts) })
		line("  findings about the fleet", func(o Outcome) string { return names(trouble.of(o).Findings) })
		line("  calls refused", func(o Outcome) string { return fmt.Sprint(trouble.of(o).Refused) })
		line("  most calls per second, by minute", func(o Outcome) string { return fmt.Sprintf("%.2f", trouble.of(o).Peak) })
		line("  nothing over 15m late after", func(o Outcome) string { return span(trouble.of(o).Over) })
	}
	t.Flush()
	return all
}

func names(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

func span(d time.Duration) string { return d.Round(time.Second).String() }

// found lists the findings about the fleet, of whatever time.
func (w *world) found() []string {
	fleet := maps.Clone(w.findings)
	maps.DeleteFunc(fleet, func(name string, _ time.Time) bool { return strings.HasPrefix(name, "watched_") })
	return slices.Sorted(maps.Keys(fleet))
}

// late gives the worst lateness, of mailboxes too that still wait.
func (w *world) late() time.Duration { return max(w.lateness, w.plan.Count(w.now).Lag) }

// asked gives the share of the fleet of which something is known.
func (w *world) asked() float64 { return float64(w.plan.Count(w.now).Asked()) / float64(w.size) }
