package sync

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

const (
	pauseDefault = 30 * time.Second // after a refusal that does not say how long
	pauseMax     = 5 * time.Minute  // however long it says
	fallOnce     = 10 * time.Second // refusals so close together are one
	climbEvery   = time.Minute
	climbStep    = 0.05 // of the configured rate
	fallTo       = 0.7  // of the rate in force
	floor        = 0.05 // of the configured rate
)

// Budget is a tenant's budget of calls: a token bucket and a number of calls at
// once. Both fall when the tenant refuses a call for being too many, and climb
// back slowly. Its time is an argument; it is not for concurrent use.
type Budget struct {
	max        float64 // calls per second
	limiter    *rate.Limiter
	slots      int // calls at once, now
	maxSlots   int
	used       int
	resume     time.Time // nothing before
	raise      time.Time // when to climb next; zero: at the top
	lastRefuse time.Time
}

// NewBudget allows so many calls per second on average, bursts of two seconds'
// worth, and so many at once.
func NewBudget(callsPerSecond float64, concurrency int) *Budget {
	burst := max(1, int(math.Ceil(2*callsPerSecond)))
	return &Budget{max: callsPerSecond, limiter: rate.NewLimiter(rate.Limit(callsPerSecond), burst),
		slots: concurrency, maxSlots: concurrency}
}

// Rate gives the calls per second allowed now.
func (b *Budget) Rate() float64 { return float64(b.limiter.Limit()) }

// Slots gives the calls at once allowed now.
func (b *Budget) Slots() int { return b.slots }

// Full says whether no visit may begin before another ends.
func (b *Budget) Full() bool { return b.used >= b.slots }

// Ready says whether there is a call to spend; if not, when there will be.
func (b *Budget) Ready(now time.Time) (bool, time.Time) {
	b.climb(now)
	if now.Before(b.resume) {
		return false, b.resume
	}
	r := b.limiter.ReserveN(now, 1)
	d := r.DelayFrom(now)
	r.CancelAt(now)
	return d <= 0, now.Add(d)
}

// Take spends one call, if there is one; if not, it says when there will be.
func (b *Budget) Take(now time.Time) (bool, time.Time) {
	ok, at := b.Ready(now)
	return ok && b.limiter.AllowN(now, 1), at
}

// begin and end frame a visit.
func (b *Budget) begin() { b.used++ }
func (b *Budget) end()   { b.used-- }

// Refused notes that the tenant refused a call for being too many: everything
// pauses for as long as it says (zero: it did not), and goes on slower.
func (b *Budget) Refused(now time.Time, retryAfter time.Duration) {
	if retryAfter <= 0 {
		retryAfter = pauseDefault
	}
	if at := now.Add(min(retryAfter, pauseMax)); at.After(b.resume) {
		b.resume = at
	}
	if now.Sub(b.lastRefuse) < fallOnce {
		return
	}
	b.lastRefuse = now
	b.limiter.SetLimitAt(now, rate.Limit(max(b.Rate()*fallTo, b.max*floor)))
	b.slots = max(1, b.slots-1)
	b.raise = b.resume.Add(climbEvery)
}

// climb takes back a little of what refusals took.
func (b *Budget) climb(now time.Time) {
	if b.raise.IsZero() || now.Before(b.raise) {
		return
	}
	b.limiter.SetLimitAt(now, rate.Limit(min(b.max, b.Rate()+b.max*climbStep)))
	b.slots = min(b.maxSlots, b.slots+1)
	b.raise = now.Add(climbEvery)
	if b.Rate() >= b.max && b.slots == b.maxSlots {
		b.raise = time.Time{}
	}
}
