// Package budget limits the calls to a tenant of Exchange Online: calls per
// second, calls at once, and no calls for a while after the tenant throttled one.
// All targets of a tenant share one Budget. Callers that have to wait are served
// in the order in which they came.
//
// Time is always an argument, so that tests can simulate weeks in seconds.
package budget

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	pauseStep  = 3 * time.Second  // for each refusal in a row, if it names no time
	pauseOwn   = time.Minute      // the longest pause if a refusal names no time
	pauseMax   = 5 * time.Minute  // the longest pause whatever time it names
	fallOnce   = 10 * time.Second // refusals within this time lower the rate once
	climbEvery = time.Minute
	climbStep  = 0.05 // of the configured rate
	fallTo     = 0.7  // of the rate in force
	floor      = 0.05 // of the configured rate
	slotsMost  = 100  // slots given in advance: more than a tenant has targets
)

// Budget is the budget of one tenant: a token bucket for calls per second, and
// places for calls at once. Both shrink when the tenant refuses a call because
// there are too many (HTTP 429), and grow back slowly. A Budget is safe for
// concurrent use.
type Budget struct {
	mu        sync.Mutex
	max       float64 // calls per second, as configured
	limiter   *rate.Limiter
	moment    time.Time // of the last look at it
	places    int       // now
	maxPlaces int
	used      int
	line      []*Caller // callers that wait, in the order in which they came

	resume  time.Time // no calls before
	raise   time.Time // when the rate grows next; zero: it is as configured
	fell    time.Time // when the rate last shrank
	refused time.Time // when the last refusal came
	row     int       // refusals in a row; those of calls in flight at the same time count once
	slot    time.Time // the next that Slot returns

	memories map[string]Memory // by target
	key      string            // in them
}

// stepBack is how much earlier than another moment one must be, so that the clock
// was set back: callers look at it one beside the other.
const stepBack = time.Second

// New returns a Budget of callsPerSecond on average, with bursts of two seconds'
// worth, and concurrency calls at once.
func New(callsPerSecond float64, concurrency int) *Budget {
	return &Budget{max: callsPerSecond, limiter: rate.NewLimiter(rate.Limit(callsPerSecond), burst(callsPerSecond)),
		places: concurrency, maxPlaces: concurrency, memories: map[string]Memory{}}
}

// burst returns two seconds' worth of calls.
func burst(callsPerSecond float64) int { return max(1, int(math.Ceil(2*callsPerSecond))) }

// Configured returns the calls per second that were configured.
func (b *Budget) Configured() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.max
}

// Rate returns the calls per second that are allowed now.
func (b *Budget) Rate() float64 { return float64(b.limiter.Limit()) }

// Places returns the calls at once that are allowed now.
func (b *Budget) Places() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.places
}

// Paused returns for how long no call may be sent; 0: calls are allowed.
func (b *Budget) Paused(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now)
	return max(b.resume.Sub(now), 0)
}

// Refused notes that the tenant refused a call, sent at sent, because there were
// too many, and asked to wait for after (0: it named no time). All calls pause,
// and continue at a lower rate. It returns how long they pause.
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

// Slot returns the moment of the next turn in a rotation that all callers share,
// with one turn per every. A caller asks for its next turn when this one has
// come.
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

// advance raises the rate by one step if that is due. A wait that is longer than
// the longest possible means that the clock was set back: it is cut short.
func (b *Budget) advance(now time.Time) {
	if b.moment.Sub(now) > stepBack { // or the limiter would wait until its clock is reached again
		b.limiter = rate.NewLimiter(b.limiter.Limit(), b.limiter.Burst())
		b.limiter.AllowN(now, b.limiter.Burst()) // empty: the tenant must not notice
	}
	b.moment = now
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
