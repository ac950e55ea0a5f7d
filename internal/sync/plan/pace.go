package plan

import "time"

const (
	paceEvery  = time.Minute
	paceMargin = 1.02
	bins       = 128 // of one stale_after
)

// pace levels the load. It knows how many verdicts end when, and computes the
// lowest steady rate of visits that renews all of them in time: the maximum over
// h of n(h)/h, where n(h) is the number that end within h. Early visits at that
// rate prevent a morning in which 100,000 mailboxes were asked for the first time
// from becoming a peak on every day that follows.
type pace struct {
	width  seconds         // of a bin
	counts map[seconds]int // verdicts that end in a bin, by number of the bin
	rate   float64         // visits per second
	looked time.Time
	last   time.Time // last paced visit
}

func newPace(staleAfter time.Duration) pace {
	return pace{width: seconds(max(staleAfter/bins, time.Second) / time.Second), counts: map[seconds]int{}}
}

func (p *pace) add(due seconds) { p.counts[due/p.width]++ }

func (p *pace) remove(due seconds) {
	bin := due / p.width
	if p.counts[bin]--; p.counts[bin] <= 0 {
		delete(p.counts, bin)
	}
}

// look computes the rate again, once a minute.
func (p *pace) look(now time.Time) {
	if now.Sub(p.looked) < paceEvery && !now.Before(p.looked) {
		return
	}
	p.looked, p.rate = now, 0
	first, n := secondsOf(now)/p.width, 0
	for bin := first; bin <= first+4*bins; bin++ {
		if p.counts[bin] == 0 {
			continue
		}
		n += p.counts[bin]
		until := max(float64(bin*p.width)-float64(now.Unix()), float64(p.width))
		p.rate = max(p.rate, paceMargin*float64(n)/until)
	}
}

// ready returns the moment of the next visit at this rate; false: no visit is
// needed.
func (p *pace) ready() (time.Time, bool) {
	if p.rate <= 0 {
		return time.Time{}, false
	}
	return p.last.Add(time.Duration(float64(time.Second) / p.rate)), true
}
