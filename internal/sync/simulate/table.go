package simulate

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hmad/hmad/internal/phones"
)

// Simulate runs both kinds of fleet, each with the stale_after that fits it,
// and prints what they showed.
func Simulate(out io.Writer, o Options) []Outcome {
	all := []Outcome{Run(o, phones.DayAndNight, 24*time.Hour), Run(o, phones.OfficeHours, 72*time.Hour)}
	fmt.Fprintf(out, "%d mailboxes, %d of them watched, %g calls per second, seed %d: two weeks from a Monday, and their troubles\n\n",
		o.Mailboxes, o.Watched, o.Rate, o.Seed)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.DiscardEmptyColumns)
	line := func(name string, cell func(Outcome) string) {
		fmt.Fprintf(t, "%s\t%s\t%s\n", name, cell(all[0]), cell(all[1]))
	}
	title := func(name string) { fmt.Fprintf(t, "\n%s\n", name) }
	line("phones", func(o Outcome) string { return string(o.Kind) })
	line("stale_after", func(o Outcome) string { return span(o.StaleAfter) })
	line("nine in ten asked after", func(o Outcome) string { return span(o.FirstSweep) })
	line("calls per mailbox and day", func(o Outcome) string { return fmt.Sprintf("%.2f", o.CallsPerDay) })
	line("worst lateness", func(o Outcome) string { return span(o.WorstLate) })
	line("worst lateness, watched", func(o Outcome) string { return span(o.WatchedLate) })
	line("a phone that fails, seen after", func(o Outcome) string { return span(o.FailingLate) })
	line("false verdicts on a mailbox", func(o Outcome) string { return fmt.Sprint(o.FalseVerdicts) })
	line("never asked", func(o Outcome) string { return fmt.Sprint(o.Unasked) })
	line("findings about the fleet", func(o Outcome) string { return names(o.Findings) })
	if !o.LifeOnly {
		title("half the rate for a day")
		troubles(line, func(o Outcome) Trouble { return o.Throttled })
		title("hmad off for 8 h")
		troubles(line, func(o Outcome) Trouble { return o.Outage })
		title("every phone stops, found after")
		for i, s := range all[0].Stops {
			line("  on a Tuesday at "+clock(s.Clock), func(o Outcome) string { return span(o.Stops[i].Found) })
		}
		line("  a week after an outage of 6h", func(o Outcome) string { return span(o.Again.Found) })
		line("  findings in between", func(o Outcome) string { return names(o.Between) })
	}
	t.Flush()
	return all
}

// troubles prints what a trouble showed.
func troubles(line func(string, func(Outcome) string), of func(Outcome) Trouble) {
	line("  worst lateness", func(o Outcome) string { return span(of(o).WorstLate) })
	line("  false verdicts on a mailbox", func(o Outcome) string { return fmt.Sprint(of(o).FalseVerdicts) })
	line("  findings about the fleet", func(o Outcome) string { return names(of(o).Findings) })
	line("  calls refused", func(o Outcome) string { return fmt.Sprint(of(o).Refused) })
	line("  most calls per second, by minute", func(o Outcome) string { return fmt.Sprintf("%.2f", of(o).Peak) })
	line("  nothing over 15m late after", func(o Outcome) string { return span(of(o).Over) })
}

func names(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// span words a duration without the units that are nought.
func span(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}
