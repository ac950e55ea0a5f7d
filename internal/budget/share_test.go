package budget

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// sharer is a target that asks its tenant: call after call, with rests between.
type sharer struct {
	*Caller
	at     time.Time // when it asks next; zero: when its turn comes
	urgent bool
	waits  bool
	before map[*sharer]int // calls of others, not urgent, that began while it waits
}

// tenancy is targets that share a budget in virtual time, and what is known of
// the calls that they made.
type tenancy struct {
	t       *rapid.T
	b       *Budget
	now     time.Time
	sharers []*sharer
	ends    []time.Time // of calls in flight
	tokens  float64     // of a bucket that a call must find full enough
	filled  time.Time
	resume  time.Time
}

func drawTenancy(t *rapid.T) *tenancy {
	w := &tenancy{t: t, now: monday, filled: monday}
	w.b = New(rapid.Float64Range(0.05, 20).Draw(t, "rate"), rapid.IntRange(1, 6).Draw(t, "at once"))
	w.tokens = w.most()
	for range rapid.IntRange(2, 4).Draw(t, "targets") {
		w.sharers = append(w.sharers, &sharer{Caller: w.b.Caller(), at: monday, before: map[*sharer]int{}})
	}
	return w
}

// most is what the bucket holds.
func (w *tenancy) most() float64 { return max(1, math.Ceil(2*w.b.max)) }

// However the calls go: the budget is never exceeded, the last place is kept
// for what is urgent, nobody calls in a pause after a refusal of anybody's, and
// no target keeps another one from its turn.
func TestTargetsShareABudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawTenancy(t)
		for range 300 {
			if !w.round() {
				w.pass()
			}
		}
	})
}

// round lets everybody ask whose moment or turn has come, in any order.
func (w *tenancy) round() (asked bool) {
	w.ends = slices.DeleteFunc(w.ends, func(at time.Time) bool {
		over := !at.After(w.now)
		if over {
			w.b.End()
		}
		return over
	})
	for _, s := range rapid.Permutation(w.sharers).Draw(w.t, "order") {
		if turned(s.Caller) || !s.at.IsZero() && !s.at.After(w.now) {
			w.ask(s)
			asked = true
		}
	}
	return asked
}

// pass goes on to the next moment at which something happens.
func (w *tenancy) pass() {
	var next time.Time
	for _, at := range slices.Concat(w.ends, w.moments()) {
		if at.After(w.now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	require.False(w.t, next.IsZero(), "everybody waits for ever")
	w.now = next
}

func (w *tenancy) moments() (all []time.Time) {
	for _, s := range w.sharers {
		all = append(all, s.at)
	}
	return all
}

func (w *tenancy) ask(s *sharer) {
	ok, at := s.Begin(w.now, s.urgent)
	s.at = at
	if !ok {
		s.waits = true
		return
	}
	w.judge(s)
	w.ends = append(w.ends, w.now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(w.t, "ms that a call takes"))*time.Millisecond))
	s.waits, s.before = false, map[*sharer]int{}
	s.urgent = rapid.IntRange(0, 4).Draw(w.t, "urgent") == 0
	switch rapid.IntRange(0, 20).Draw(w.t, "what then") {
	case 0:
		wait := time.Duration(rapid.IntRange(0, 60).Draw(w.t, "Retry-After")) * time.Second
		if at := w.now.Add(w.b.Refused(w.now, w.now, wait)); at.After(w.resume) {
			w.resume = at
		}
	case 1: // there is nothing to ask for a while
		s.Leave()
		s.at = w.now.Add(time.Duration(rapid.IntRange(1, 30_000).Draw(w.t, "ms of rest")) * time.Millisecond)
	}
}

// judge looks at a call that begins.
func (w *tenancy) judge(s *sharer) {
	require.False(w.t, w.now.Before(w.resume), "a call in the pause")
	w.tokens = min(w.most(), w.tokens+w.b.max*w.now.Sub(w.filled).Seconds()) - 1
	w.filled = w.now
	require.GreaterOrEqual(w.t, w.tokens, -1e-3, "calls per second")
	room := w.b.places
	if !s.urgent && room > 1 {
		room--
	}
	require.Less(w.t, len(w.ends), room, "calls at once")
	for _, o := range w.sharers {
		if o == s || !o.waits || s.urgent {
			continue
		}
		o.before[s]++
		require.LessOrEqual(w.t, o.before[s], 3, "calls of one target while another waits")
	}
}
