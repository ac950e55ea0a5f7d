package budget

import (
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// standing is what of a Budget outlives a process, and a change of what is
// configured.
type standing struct {
	Share  float64   `json:"share"`  // of the configured rate, in force
	Fewer  int       `json:"fewer"`  // calls at once than configured
	Resume time.Time `json:"resume"` // nothing before
}

// Memory keeps values over restarts, as check.Memory does.
type Memory interface {
	Get(key string, into any) bool
	Put(key string, v any)
}

// Remember has the budget keep its pause and lowered rate in a target's memory,
// and go on from what an earlier process put there. Each target of the tenant
// has them, because any may be taken away.
func (b *Budget) Remember(now time.Time, tenant, target string, m Memory) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.memories[target] != nil {
		return
	}
	b.memories[target], b.key = m, "budget_"+strings.ToLower(tenant)
	var s standing
	if b.resume.IsZero() && m.Get(b.key, &s) { // else this process knows better
		b.take(now, s)
	}
}

// Configure changes what is allowed. A pause goes on, and the rate in force stays
// the same share of the configured one.
func (b *Budget) Configure(now time.Time, callsPerSecond float64, concurrency int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if callsPerSecond == b.max && concurrency == b.maxPlaces {
		return
	}
	s := b.standing()
	b.max, b.maxPlaces = callsPerSecond, concurrency
	b.limiter.SetBurstAt(now, burst(callsPerSecond))
	b.take(now, s)
	b.rouse()
}

func (b *Budget) standing() standing {
	if b.raise.IsZero() { // at the top, whatever that is: a config with faults may say 0
		return standing{Share: 1, Resume: b.resume}
	}
	return standing{Share: b.Rate() / b.max, Fewer: b.maxPlaces - b.places, Resume: b.resume}
}

// take goes on from a standing; advance bounds its pause.
func (b *Budget) take(now time.Time, s standing) {
	share := min(1, max(floor, s.Share))
	b.limiter.SetLimitAt(now, rate.Limit(b.max*share))
	b.places = min(b.maxPlaces, max(1, b.maxPlaces-s.Fewer))
	b.resume, b.raise = s.Resume, time.Time{}
	if share < 1 || b.places < b.maxPlaces {
		b.raise = now.Add(max(b.resume.Sub(now), 0) + climbEvery)
	}
	b.advance(now)
}

// keep writes the standing down.
func (b *Budget) keep() {
	for _, m := range b.memories {
		m.Put(b.key, b.standing())
	}
}
