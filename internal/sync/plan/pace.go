package plan

import "time"

const (
	paceEvery  = time.Minute
	paceMargin = 1.02
	bins       = 128 // of one stale_after
)

// pace levels the load: it knows how many verdicts end when, and gives the
// least steady rate of visits that is in time for all of them (the greatest of
// n(h)/h, n(h) being those that end within h). Going at that rate while there
// is nothing more urgent keeps a morning in which 100,000 mailboxes were first
// asked from coming back every day as a peak.
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

// look finds the rate anew, once a minute.
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

// ready gives the moment of the next visit at this pace; false: none is needed.
func (p *pace) ready() (time.Time, bool) {
	if p.rate <= 0 {
		return time.Time{}, false
	}
	return p.last.Add(time.Duration(float64(time.Second) / p.rate)), true
}
