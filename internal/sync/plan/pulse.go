package plan

import (
	"cmp"
	"encoding/json"
	"iter"
	"slices"
	"time"
)

const (
	// SamplesFloor is the least number of samples from which something follows.
	SamplesFloor = 50
	// MovedWithin is the time before a sample within which the mailbox must have
	// synchronised to count as moved.
	MovedWithin = 10 * time.Minute
)

const (
	pulseSize    = 360       // samples that are kept: an hour's, at one in ten seconds
	pulseWindow  = time.Hour // the age of the oldest sample that counts
	movedFloor   = 15        // samples that should have moved, from which a stop can be told
	hourLookedAt = 10        // samples from which an hour is known
	awakeWithin  = time.Hour
	awakeShare   = 0.4
	awakeFloor   = 20
	awakeNewest  = 60
	awakeSamples = 30 * time.Minute
)

// History is what the samples have shown: counts of the last weeks by hour, and
// the newest samples one by one.
type History struct {
	Hours Hours
	Pulse Pulse
}

// Pulse holds the newest samples. The sampled mailboxes are chosen in rotation,
// whatever is known of them, so that they are representative of the fleet.
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

// newest returns the samples of the last window, newest first.
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

// all returns the samples, oldest first.
func (p *Pulse) all() []beat {
	all := make([]beat, 0, pulseSize)
	for i := max(0, p.next-pulseSize); i < p.next; i++ {
		all = append(all, p.ring[i%pulseSize])
	}
	return all
}

const slotOfPulse = 5 * time.Minute

// SlotsKept is a number of slots of which no two are in Pulse.Slots and have the
// same remainder.
const SlotsKept = int64(pulseWindow/slotOfPulse) + 2

// Slots returns the samples that say something beside the newest by the five
// minutes in which they were asked, in five minutes since 1970. Most of these do
// not change any more.
func (p *Pulse) Slots() map[int64]Pulse {
	slots := map[int64]Pulse{}
	all := p.all()
	for _, b := range all {
		if all[len(all)-1].asked.sub(b.asked) > pulseWindow {
			continue
		}
		n := int64(b.asked) / int64(slotOfPulse/time.Second)
		slot := slots[n]
		slot.note(b.asked, b.lag)
		slots[n] = slot
	}
	return slots
}

// Join takes over the samples of another and keeps the newest of both.
func (p *Pulse) Join(other Pulse) {
	all := append(p.all(), other.all()...)
	slices.SortStableFunc(all, func(a, b beat) int { return cmp.Compare(a.asked, b.asked) })
	*p = Pulse{}
	for _, b := range all {
		p.note(b.asked, b.lag)
	}
}

// MarshalJSON writes the samples, oldest first, as [[<Unix time>, <seconds since
// the last success>], …].
func (p Pulse) MarshalJSON() ([]byte, error) {
	out := [][2]int64{}
	for _, b := range p.all() {
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

// Movement sums up the newest samples.
type Movement struct {
	Asked, Moved int
	Expected     float64 // how many of so many usually move at this time of the week
	Known        bool    // it is known what is usual now
}

// Enough reports whether there are enough samples to tell a stop.
func (m Movement) Enough() bool { return m.Asked >= SamplesFloor && m.Expected >= movedFloor }

// Movement returns the sum of the newest samples, as few as are enough to tell a
// stop: a few minutes of them where many mailboxes usually move, up to an hour
// where few do.
func (p *Planner) Movement(now time.Time) (m Movement) {
	usual, slot := 0.0, seconds(0)
	for _, b := range p.history.Pulse.newest(secondsOf(now), pulseWindow) {
		if m.Enough() {
			break
		}
		if at := b.asked - b.asked%300; at != slot { // what is usual is computed once for five minutes
			slot = at
			usual, _ = p.history.Hours.Usual(at.time(), movedShare)
		}
		m.Asked, m.Expected = m.Asked+1, m.Expected+usual
		if b.lag <= MovedWithin {
			m.Moved++
		}
	}
	_, m.Known = p.history.Hours.Usual(now, movedShare)
	return m
}

// movedShare returns the share of an hour's samples that had moved.
func movedShare(h Hour) (float64, bool) {
	return float64(h.Moved) / float64(max(h.Asked, 1)), h.Asked >= hourLookedAt
}

// awake reports whether enough phones synchronise now to make early visits worth
// their calls. In a quiet night the answers would be the same as in the evening.
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
