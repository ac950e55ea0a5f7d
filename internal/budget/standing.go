package budget

import (
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// standing is the part of a Budget that outlives the process and a change of the
// config.
type standing struct {
	Share  float64   `json:"share"`  // the rate in force, as a share of the configured one
	Fewer  int       `json:"fewer"`  // how many calls at once fewer than configured
	Resume time.Time `json:"resume"` // no calls before
}

// Memory keeps values across restarts, as check.Memory does.
type Memory interface {
	Get(key string, into any) bool
	Put(key string, v any)
}

// Remember makes the budget keep its pause and its lowered rate in the memory of
// a target, and continue from what an earlier process kept there. Every target of
// the tenant has a copy, because any target may be removed.
func (b *Budget) Remember(now time.Time, tenant, target string, m Memory) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.memories[target] != nil {
		return
	}
	b.memories[target], b.key = m, "budget_"+strings.ToLower(tenant)
	var s standing
	if b.resume.IsZero() && m.Get(b.key, &s) { // otherwise this process knows better
		b.take(now, s)
	}
}

// Configure changes the limits. A pause continues, and the rate in force stays
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
	if b.raise.IsZero() { // the rate is as configured, which may be 0 in a faulty config
		return standing{Share: 1, Resume: b.resume}
	}
	return standing{Share: b.Rate() / b.max, Fewer: b.maxPlaces - b.places, Resume: b.resume}
}

// take continues from a standing. advance limits its pause.
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

// keep puts the standing into the memories.
func (b *Budget) keep() {
	for _, m := range b.memories {
		m.Put(b.key, b.standing())
	}
}
