package run

import "time"

// maxStarts is the number of runs that may start in any one second.
const maxStarts = 60

// pacer holds the pace of starts. After a jump of the clock everything is due
// at once; in the ordinary course it hardly ever makes a run wait, because the
// phases spread them. Times are on the monotonic clock, counted from any zero.
type pacer struct {
	free [maxStarts]time.Duration // when each of the second's places is free again
	next int                      // the place that has been taken longest
}

// wait gives how long the next start has to wait; 0 or less: it need not.
func (p *pacer) wait(now time.Duration) time.Duration { return p.free[p.next] - now }

// start takes a place.
func (p *pacer) start(now time.Duration) {
	p.free[p.next] = now + time.Second
	p.next = (p.next + 1) % maxStarts
}
