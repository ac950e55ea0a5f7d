package sync

import "time"

const (
	pulseSize    = 60               // samples that are looked at together
	pulseFloor   = 50               // fewer say nothing
	pulseWindow  = time.Hour        // older ones neither
	movedWithin  = 10 * time.Minute // a mailbox that synchronised so shortly before it was asked has moved
	awakeWithin  = time.Hour
	awakeShare   = 0.4
	awakeFloor   = 20
	awakeSamples = 30 * time.Minute
)

// Pulse is the newest of the samples: mailboxes asked in rotation, whatever is
// known of them, so that they stand for the fleet.
type Pulse struct {
	ring [pulseSize]beat
	next int
}

type beat struct {
	asked seconds
	lag   time.Duration // between the last success and asking
}

func (p *Pulse) note(asked seconds, lag time.Duration) {
	p.ring[p.next%pulseSize] = beat{asked, lag}
	p.next++
}

// within counts the samples of the last window, and those of them that had
// synchronised within limit before they were asked.
func (p *Pulse) within(now seconds, window, limit time.Duration) (asked, moved int) {
	for _, b := range p.ring {
		if b.asked == 0 || now.sub(b.asked) > window {
			continue
		}
		asked++
		if b.lag <= limit {
			moved++
		}
	}
	return asked, moved
}

// awake says whether so many phones synchronise now that asking before time is
// worth while. In a quiet night the answers would be those of the evening.
func (p *Pulse) awake(now seconds) bool {
	asked, moved := p.within(now, awakeSamples, awakeWithin)
	return asked >= awakeFloor && float64(moved) >= awakeShare*float64(asked)
}
