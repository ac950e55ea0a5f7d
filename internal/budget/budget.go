// Package budget is what a tenant of Exchange Online allows hmad: so many calls
// per second, so many at once, and none for a while after one was refused for
// being too many. All targets of a tenant share one Budget, whichever checks
// they have; who is first in line is served first.
//
// Time is an argument throughout, so that two weeks can be tried in seconds.
package budget

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	pauseStep  = 3 * time.Second  // where a refusal does not say how long, for each in a row
	pauseOwn   = time.Minute      // the longest of our own choice
	pauseMax   = 5 * time.Minute  // however long it says
	fallOnce   = 10 * time.Second // refusals so close together lower the rate once
	climbEvery = time.Minute
	climbStep  = 0.05 // of the configured rate
	fallTo     = 0.7  // of the rate in force
	floor      = 0.05 // of the configured rate
	slotsMost  = 100  // given and not over: more than a tenant has targets
)

// Budget is one tenant's: a token bucket and a number of places, one for each
// call at once. Both fall when the tenant refuses a call for being too many,
// and climb back slowly. It is safe for concurrent use.
type Budget struct {
	mu        sync.Mutex
	max       float64 // calls per second, as configured
	limiter   *rate.Limiter
	places    int // now
	maxPlaces int
	used      int
	line      []*Caller // who waits, in the order in which they came

	resume  time.Time // nothing before
	raise   time.Time // when to climb next; zero: at the top
	fell    time.Time // when the rate last fell
	refused time.Time // when the last refusal came
	row     int       // refusals in a row; those of calls in flight together are one
	slot    time.Time // the next that Slot gives

	memories map[string]Memory // by target
	key      string            // in them
}

// New allows so many calls per second on average, bursts of two seconds' worth,
// and so many at once.
func New(callsPerSecond float64, concurrency int) *Budget {
	return &Budget{max: callsPerSecond, limiter: rate.NewLimiter(rate.Limit(callsPerSecond), burst(callsPerSecond)),
		places: concurrency, maxPlaces: concurrency, memories: map[string]Memory{}}
}

// burst is two seconds' worth of calls.
func burst(callsPerSecond float64) int { return max(1, int(math.Ceil(2*callsPerSecond))) }

// Configured gives the calls per second that were configured.
func (b *Budget) Configured() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.max
}

// Rate gives the calls per second allowed now.
func (b *Budget) Rate() float64 { return float64(b.limiter.Limit()) }

// Places gives the calls at once allowed now.
func (b *Budget) Places() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.places
}

// Paused gives for how long no call must be sent; 0: they may.
func (b *Budget) Paused(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now)
	return max(b.resume.Sub(now), 0)
}

// Refused notes that the tenant refused a call, sent at sent, for being too
// many and asked to wait for after (0: it did not say). Everything pauses, and
// goes on slower; it gives for how long.
func (b *Budget) Refused(sent, now time.Time, after time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now)
	if b.row == 0 || sent.After(b.refused) {
		b.row++
		b.refused = now
	}
	if after <= 0 {
		after = min(pauseStep*time.Duration(b.row), pauseOwn)
	}
	if at := now.Add(min(after, pauseMax)); at.After(b.resume) {
		b.resume = at
	}
	if now.Sub(b.fell) >= fallOnce {
		b.fell = now
		b.limiter.SetLimitAt(now, rate.Limit(max(b.Rate()*fallTo, b.max*floor)))
		b.places = max(1, b.places-1)
		b.raise = b.resume.Add(climbEvery)
	}
	b.keep()
	return b.resume.Sub(now)
}

// Answered notes that a call sent at sent was not refused.
func (b *Budget) Answered(sent time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if sent.After(b.refused) {
		b.row = 0
	}
}

// Slot gives the moment of the caller's next turn in a rotation of all callers,
// in which there is one turn in every so much time. Who is given one asks for the
// next when it has come.
func (b *Budget) Slot(now time.Time, every time.Duration) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if left := b.slot.Sub(now); left < 0 || left > slotsMost*every { // or the clock was set back
		b.slot = now
	}
	slot := b.slot
	b.slot = slot.Add(every)
	return slot
}

// advance takes back a little of what refusals took, where it is time. A wait
// that is longer than any can be is that of a clock which was set back since.
func (b *Budget) advance(now time.Time) {
	if b.resume.Sub(now) > pauseMax || b.raise.Sub(now) > pauseMax+climbEvery {
		b.resume, b.raise, b.fell, b.refused = now, now.Add(climbEvery), now, now
	}
	if b.raise.IsZero() || now.Before(b.raise) {
		return
	}
	b.limiter.SetLimitAt(now, rate.Limit(min(b.max, b.Rate()+b.max*climbStep)))
	b.places = min(b.maxPlaces, b.places+1)
	b.raise = now.Add(climbEvery)
	if b.Rate() >= b.max && b.places == b.maxPlaces {
		b.raise = time.Time{}
	}
	b.keep()
	b.rouse()
}
