package budget

import (
	"context"
	"math"
	"slices"
	"time"
)

// Caller makes calls one after the other: the sweep of a target is a Caller.
// Callers that have to wait form one line, so that each gets its turn.
type Caller struct {
	b    *Budget
	turn chan struct{} // capacity 1

	// What it waits for; guarded by the budget's mu.
	urgent bool
	placed bool // it has a place already
}

// Caller returns a new Caller, which is not in line.
func (b *Budget) Caller() *Caller { return &Caller{b: b, turn: make(chan struct{}, 1)} }

// Turn returns the channel on which a caller in line learns that it should call
// Begin again.
func (c *Caller) Turn() <-chan struct{} { return c.turn }

// Begin takes a place and spends a call if it is the caller's turn, and returns
// true; End returns the place. Otherwise the caller is in line. It must call Begin
// again at the moment returned (zero: when Turn fires), or Leave. Urgent calls go
// before others, and may take the last place.
func (c *Caller) Begin(now time.Time, urgent bool) (bool, time.Time) {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.urgent = urgent
	ok, at := c.b.admit(c, now)
	if ok {
		c.b.used++
	}
	return ok, at
}

// End returns the place that Begin has taken.
func (b *Budget) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used--
	b.rouse()
}

// Leave takes the caller out of the line.
func (c *Caller) Leave() {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.leave(c)
}

// Wait waits until Turn fires, until the moment at that Begin returned, called at
// now, or until the context ends, whichever is first.
func (c *Caller) Wait(ctx context.Context, now, at time.Time) {
	var timer <-chan time.Time
	if !at.IsZero() {
		t := time.NewTimer(max(at.Sub(now), time.Millisecond))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
	case <-timer:
	case <-c.turn:
	}
}

// Await is Begin for a call that is not urgent, and waits for its turn. The error
// is that of the context.
func (c *Caller) Await(ctx context.Context, now func() time.Time) error {
	return c.await(ctx, now, func(moment time.Time) (bool, time.Time) { return c.Begin(moment, false) })
}

// Call waits in line for one more call and spends it. The caller has a place
// already. The error is that of the context.
func (b *Budget) Call(ctx context.Context, now func() time.Time) error {
	c := b.Caller()
	c.placed = true
	return c.await(ctx, now, c.call)
}

func (c *Caller) await(ctx context.Context, now func() time.Time, begin func(time.Time) (bool, time.Time)) error {
	defer c.Leave()
	for ctx.Err() == nil {
		moment := now()
		ok, at := begin(moment)
		if ok {
			return nil
		}
		c.Wait(ctx, moment, at)
	}
	return ctx.Err()
}

func (c *Caller) call(now time.Time) (bool, time.Time) {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return c.b.admit(c, now)
}

// admit spends a call and returns true if it is the turn of c. Otherwise it puts
// c in line and returns the moment at which its turn may come; zero: not known.
func (b *Budget) admit(c *Caller, now time.Time) (bool, time.Time) {
	b.advance(now)
	if !slices.Contains(b.line, c) {
		b.line = append(b.line, c)
	}
	switch {
	case now.Before(b.resume):
		return false, b.resume
	case b.used >= b.room(c):
		return false, time.Time{}
	}
	ahead := b.ahead(c)
	if ahead == 0 && b.limiter.AllowN(now, 1) {
		b.leave(c)
		return true, now
	}
	return false, b.filled(now, ahead+1)
}

// room returns how many places c may use: one of them must be free for its turn.
// The last place is kept for urgent calls, so that slow calls cannot delay
// them.
func (b *Budget) room(c *Caller) int {
	switch {
	case c.placed:
		return math.MaxInt
	case c.urgent || b.places == 1:
		return b.places
	default:
		return b.places - 1
	}
}

// ahead returns how many callers go before c: the urgent ones first, then in the
// order in which they came. A caller that waits for a place does not count.
func (b *Budget) ahead(c *Caller) (n int) {
	own := slices.Index(b.line, c)
	for i, o := range b.line {
		before := o.urgent && !c.urgent || o.urgent == c.urgent && i < own
		if before && b.used < b.room(o) {
			n++
		}
	}
	return n
}

// filled returns the moment at which the bucket has n calls; zero: it has them
// now, and c only waits for the callers ahead of it.
func (b *Budget) filled(now time.Time, n int) time.Time {
	missing := float64(n) - b.limiter.TokensAt(now)
	if missing <= 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(missing / b.Rate() * float64(time.Second)))
}

// leave takes c out of the line, and wakes the others: one of them may be next.
func (b *Budget) leave(c *Caller) {
	if at := slices.Index(b.line, c); at >= 0 {
		b.line = slices.Delete(b.line, at, at+1)
		b.rouse()
	}
}

// rouse wakes every caller in line.
func (b *Budget) rouse() {
	for _, c := range b.line {
		select {
		case c.turn <- struct{}{}:
		default:
		}
	}
}
