package budget

import (
	"context"
	"math"
	"slices"
	"time"
)

// Caller is one that makes calls, one after the other: the sweep of a target is
// one. Those that have to wait stand in one line, so that none keeps another
// from its turn.
type Caller struct {
	b    *Budget
	turn chan struct{} // capacity 1

	// What it waits for, below the budget's mu.
	urgent bool
	placed bool // it needs no place
}

// Caller gives a new caller, which does not wait.
func (b *Budget) Caller() *Caller { return &Caller{b: b, turn: make(chan struct{}, 1)} }

// Turn tells a caller in line that it is time to ask again.
func (c *Caller) Turn() <-chan struct{} { return c.turn }

// Begin takes a place and spends a call, if it is the caller's turn; End gives
// the place back. Otherwise the caller waits in line, and is to come again at
// the moment given (zero: when Turn says so) or to Leave. What is urgent goes
// before what is not, and may have the last place.
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

// End gives a place back that Begin has taken.
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

// Wait waits until Turn says so, at most until the moment that Begin gave at
// now, or until the context ends.
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

// Await is Begin for what is not urgent, and waits for the turn to come. Its
// error is the context's.
func (c *Caller) Await(ctx context.Context, now func() time.Time) error {
	return c.await(ctx, now, func(moment time.Time) (bool, time.Time) { return c.Begin(moment, false) })
}

// Call waits in line for one more call and spends it, for whoever has a place.
// Its error is the context's.
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

// admit spends a call if it is c's turn. Otherwise c is in line, and it gives
// the moment at which it may be; zero: nobody knows.
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

// room gives how many places must not all be taken for c to have its turn. The
// last one is kept for what is urgent, so that slow calls cannot keep it
// waiting.
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

// ahead counts who goes before c: those that are urgent, unless c is, and then
// by who came first. Nobody waits for one that waits for a place.
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

// filled gives the moment at which the bucket has n calls; zero: it has, and c
// waits only for those ahead to come.
func (b *Budget) filled(now time.Time, n int) time.Time {
	missing := float64(n) - b.limiter.TokensAt(now)
	if missing <= 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(missing / b.Rate() * float64(time.Second)))
}

// leave takes c out of the line: the next one's turn may have come.
func (b *Budget) leave(c *Caller) {
	if at := slices.Index(b.line, c); at >= 0 {
		b.line = slices.Delete(b.line, at, at+1)
		b.rouse()
	}
}

// rouse has everybody in line ask again.
func (b *Budget) rouse() {
	for _, c := range b.line {
		select {
		case c.turn <- struct{}{}:
		default:
		}
	}
}
