package plan

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/budget"
)

const (
	sampleRate   = 0.1 // per second, where nothing is set: 50 in ten minutes
	samplesShare = 0.1 // of the budget at most, of all the tenant's targets together
	samplesSmall = 100 // active mailboxes, below which there are fewer samples
	againOneIn   = 10  // visits, however many deadlines press
)

// Settings of a Planner.
type Settings struct {
	StaleAfter time.Duration
	Budget     *budget.Budget // the tenant's
	SampleRate float64        // mailboxes asked in rotation per second; 0: one in ten seconds
	// AskEvery is how often each mailbox is asked at least, as far as the budget
	// reaches: all of them in turn, for a fleet so small. 0: as rarely as the
	// verdict allows.
	AskEvery time.Duration
	Seed     uint64 // of the sample's rotation
}

// Planner decides which mailbox is asked next and when. Its time is an argument
// and it does no I/O; a decision takes O(log n). It is not for concurrent use.
type Planner struct {
	budget   *budget.Budget
	caller   *budget.Caller
	settings Settings
	history  History
	all      []entry
	free     []int32 // places in all
	index    map[string]int32
	places   map[Location]int32 // the mailbox that counts of those at a location
	queues   [queues]queue
	urgent   []int32
	pace     pace
	counts   [states]int // by last verdict
	cursor   uint64      // of the sample's rotation
	sampleAt time.Time
	inARow   int // deadlines since the last of queue again
}

// New returns a Planner of an empty fleet.
func New(s Settings) *Planner {
	if s.SampleRate == 0 {
		s.SampleRate = sampleRate
	}
	p := &Planner{budget: s.Budget, caller: s.Budget.Caller(), settings: s, index: map[string]int32{}, places: map[Location]int32{}, pace: newPace(s.StaleAfter)}
	for i := range p.queues {
		p.queues[i].p = p
	}
	p.cursor = rand.New(rand.NewPCG(s.Seed, 0)).Uint64()
	return p
}

// Len is the number of mailboxes.
func (p *Planner) Len() int { return len(p.index) }

// Has reports whether the fleet has the mailbox.
func (p *Planner) Has(key string) bool { _, ok := p.index[key]; return ok }

// Add adds a mailbox, unless it is there.
func (p *Planner) Add(now time.Time, key string) { p.Restore(now, key, nil, 0) }

// Restore adds a mailbox, unless it is there, and goes on from its record of an
// earlier process. A record that cannot be read is as none, and one by a clock
// that was ahead does not put the next visit off. Of the sources that the record
// names, those that are given stay; where it names none, all of these may have
// the mailbox.
func (p *Planner) Restore(now time.Time, key string, record []byte, sources Sources) {
	if p.Has(key) {
		return
	}
	m := entry{key: key, staleAfter: uint32(p.settings.StaleAfter / time.Second), due: secondsOf(now)}
	if record != nil && m.restore(record) != nil {
		m.due = secondsOf(now)
	}
	if m.sources == 0 {
		m.sources = sources
	}
	m.sources &= sources
	m.due = min(m.due, secondsOf(now.Add(max(m.limit(), restMost))))
	m.inTime(p.settings.AskEvery, m.checked)
	p.insert(now, m)
}

// insert gives a mailbox a place in the fleet.
func (p *Planner) insert(now time.Time, m entry) {
	id := int32(len(p.all))
	if n := len(p.free); n > 0 {
		id, p.free = p.free[n-1], p.free[:n-1]
		p.all[id] = m
	} else {
		p.all = append(p.all, m)
	}
	p.index[m.key] = id
	if m.state != Duplicate && m.location != (Location{}) {
		p.places[m.location] = id
	}
	p.counts[m.state]++
	p.enqueue(now, id)
}

// Watch adds a mailbox, unless it is there, and gives it a stale_after of its
// own.
func (p *Planner) Watch(now time.Time, key string, staleAfter time.Duration) {
	p.Add(now, key)
	id := p.index[key]
	m := &p.all[id]
	waits := m.queue != queueNone
	if waits {
		p.dequeue(id)
	}
	m.watched, m.staleAfter = true, uint32(staleAfter/time.Second)
	if m.state != Unchecked && m.state != Error {
		m.due = m.next(m.checked)
	}
	m.inTime(p.settings.AskEvery, m.checked)
	if waits {
		p.enqueue(now, id)
	}
}

// remove takes a mailbox out of the fleet.
func (p *Planner) remove(key string) {
	id, ok := p.index[key]
	if !ok {
		return
	}
	m := &p.all[id]
	delete(p.index, key)
	if p.places[m.location] == id {
		delete(p.places, m.location)
	}
	p.counts[m.state]--
	p.urgent = slices.DeleteFunc(p.urgent, func(u int32) bool { return u == id })
	if m.queue == queueNone {
		m.gone = true
		return
	}
	p.dequeue(id)
	p.drop(id)
}

func (p *Planner) drop(id int32) {
	p.all[id] = entry{}
	p.free = append(p.free, id)
}

// Urge puts a mailbox before all others, once.
func (p *Planner) Urge(key string) {
	if id, ok := p.index[key]; ok && p.all[id].queue != queueNone && !slices.Contains(p.urgent, id) {
		p.urgent = append(p.urgent, id)
	}
}

// NextUrgent is Next of the mailboxes that were urged alone.
func (p *Planner) NextUrgent(now time.Time) (Ask, bool, time.Time) {
	if len(p.urgent) == 0 {
		return Ask{}, false, time.Time{}
	}
	return p.Next(now)
}

// Next gives the mailbox to ask now and spends a call on it. Otherwise it gives
// the moment at which to come again; zero: when Turn says so or the fleet has
// changed. Who does not come again must Leave.
func (p *Planner) Next(now time.Time) (Ask, bool, time.Time) {
	id, why, at := p.choose(now)
	if id < 0 {
		p.Leave()
		return Ask{}, false, at
	}
	if ok, at := p.caller.Begin(now, why == Urgent); !ok {
		return Ask{}, false, at
	}
	p.chosen(now, id, why)
	p.dequeue(id)
	return p.ask(id, why), true, now
}

// Turn tells when one of the tenant's calls at once has come free.
func (p *Planner) Turn() <-chan struct{} { return p.caller.Turn() }

// Leave lets others of the tenant go before.
func (p *Planner) Leave() { p.caller.Leave() }

func (p *Planner) ask(id int32, why Why) Ask {
	m := &p.all[id]
	a := Ask{Key: m.key, Why: why, StaleAfter: m.limit(), Location: m.location, Located: m.located.time(), Failed: m.tries > 0, id: id}
	if m.state == Fresh {
		a.Ends = m.ends().time()
	}
	return a
}

// Settle takes what a visit found out.
func (p *Planner) Settle(now time.Time, a Ask, v Answer) {
	p.budget.End()
	m := &p.all[a.id]
	if m.gone {
		p.drop(a.id)
		return
	}
	if !p.counted(a.id, v.Location) {
		v = Answer{State: Duplicate, Location: v.Location, Located: v.Located}
	}
	p.counts[m.state]--
	m.take(secondsOf(now), v)
	m.inTime(p.settings.AskEvery, secondsOf(now))
	p.counts[m.state]++
	if a.Why == Sample && v.State.active() {
		p.beat(now, now.Sub(v.Success))
	}
	p.enqueue(now, a.id)
}

// Release gives a mailbox back that was not asked after all.
func (p *Planner) Release(now time.Time, a Ask) {
	p.budget.End()
	if p.all[a.id].gone {
		p.drop(a.id)
		return
	}
	p.enqueue(now, a.id)
}

// beat counts a sample.
func (p *Planner) beat(now time.Time, lag time.Duration) {
	p.history.Pulse.note(secondsOf(now), lag)
	moved := 0
	if lag <= MovedWithin {
		moved = 1
	}
	p.history.Hours.Add(now, 1, moved)
}

// enqueue puts a mailbox into its queue.
func (p *Planner) enqueue(now time.Time, id int32) {
	m := &p.all[id]
	m.queue = p.queueOf(secondsOf(now), m)
	p.queues[m.queue].push(id)
	if m.queue != queueAgain {
		p.pace.add(m.due)
	}
}

func (p *Planner) dequeue(id int32) {
	m := &p.all[id]
	p.queues[m.queue].remove(int(m.slot))
	if m.queue != queueAgain {
		p.pace.remove(m.due)
	}
	m.queue = queueNone
}

// queueOf: a phone that is silent while others synchronise is not asked early,
// the answer would be the same.
func (p *Planner) queueOf(now seconds, m *entry) queueID {
	switch {
	case m.state != Fresh || m.tries > 0:
		return queueAgain
	case now.sub(m.success) > m.limit()/8 && p.history.Pulse.awake(now):
		return queueLate
	default:
		return queueEarly
	}
}

// History returns what must be kept of the samples, a copy.
func (p *Planner) History() History { return History{p.history.Hours.clone(), p.history.Pulse} }

// Resume goes on from the history of an earlier process, which is the Planner's
// from now on.
func (p *Planner) Resume(h History) { p.history = h }

// Record returns what must be kept of a mailbox; nil where it is not known.
func (p *Planner) Record(key string) []byte {
	if id, ok := p.index[key]; ok {
		return p.all[id].record()
	}
	return nil
}
