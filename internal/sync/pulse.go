package sync

import (
	"encoding/json"
	"iter"
	"time"
)

const (
	pulseSize    = 360              // samples that are kept: an hour of one in ten seconds
	pulseFloor   = 50               // fewer say nothing
	pulseWindow  = time.Hour        // older ones neither
	movedWithin  = 10 * time.Minute // a mailbox that synchronised so shortly before it was asked has moved
	awakeWithin  = time.Hour
	awakeShare   = 0.4
	awakeFloor   = 20
	awakeNewest  = 60
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

// newest gives the samples of the last window, the newest first.
func (p *Pulse) newest(now seconds, window time.Duration) iter.Seq2[int, beat] {
	return func(yield func(int, beat) bool) {
		for i := range min(p.next, pulseSize) {
			b := p.ring[(p.next-1-i)%pulseSize]
			if now.sub(b.asked) > window || !yield(i, b) {
				return
			}
		}
	}
}

// MarshalJSON writes the samples, oldest first, as [[<Unix time>, <seconds since
// the last success>], …].
func (p Pulse) MarshalJSON() ([]byte, error) {
	out := [][2]int64{}
	for i := max(0, p.next-pulseSize); i < p.next; i++ {
		b := p.ring[i%pulseSize]
		out = append(out, [2]int64{int64(b.asked), int64(b.lag / time.Second)})
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Pulse) UnmarshalJSON(data []byte) error {
	var pairs [][2]int64
	if err := json.Unmarshal(data, &pairs); err != nil {
		return err
	}
	*p = Pulse{}
	for _, b := range pairs {
		p.note(secondsOf(time.Unix(b[0], 0)), time.Duration(b[1])*time.Second)
	}
	return nil
}

// samples are some of the newest, and what is usual of so many.
type samples struct {
	asked, moved int
	expected     float64 // to have moved
	known        bool    // what is usual now
}

// enough says whether they are so many that a stop shows.
func (s samples) enough() bool { return s.asked >= pulseFloor && s.expected >= stopExpected }

// sampled takes the newest samples, as few as are enough: where much moves a
// stop shows in minutes, where little does it takes up to an hour of them.
func (p *Planner) sampled(now time.Time) (s samples) {
	usual, slot := 0.0, seconds(0)
	for _, b := range p.Pulse.newest(secondsOf(now), pulseWindow) {
		if s.enough() {
			break
		}
		if at := b.asked - b.asked%300; at != slot { // five minutes have one usual
			slot = at
			usual, _ = p.Hours.Usual(at.time(), movedShare)
		}
		s.asked, s.expected = s.asked+1, s.expected+usual
		if b.lag <= movedWithin {
			s.moved++
		}
	}
	_, s.known = p.Hours.Usual(now, movedShare)
	return s
}

// awake says whether so many phones synchronise now that asking before time is
// worth while. In a quiet night the answers would be those of the evening.
func (p *Pulse) awake(now seconds) bool {
	asked, moved := 0, 0
	for i, b := range p.newest(now, awakeSamples) {
		if i == awakeNewest {
			break
		}
		asked++
		if b.lag <= awakeWithin {
			moved++
		}
	}
	return asked >= awakeFloor && float64(moved) >= awakeShare*float64(asked)
}
