package run

import "time"

// maxStarts is the number of runs that may start in any one second.
const maxStarts = 60

// pacer limits the starts per second. It matters after a jump of the clock,
// when everything is due at once; otherwise the phases spread the runs and hardly
// any has to wait. Times are readings of the monotonic clock.
type pacer struct {
	free [maxStarts]time.Duration // when each place is free again
	next int                      // the place that was taken first
}

// wait returns how long the next start has to wait; 0 or less: it may start now.
func (p *pacer) wait(now time.Duration) time.Duration { return p.free[p.next] - now }

// start takes a place for one second.
func (p *pacer) start(now time.Duration) {
	p.free[p.next] = now + time.Second
	p.next = (p.next + 1) % maxStarts
}
