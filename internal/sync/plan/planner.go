package plan

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/budget"
)

const (
	sampleRate   = 0.1 // per second by default: 60 in ten minutes
	samplesShare = 0.1 // of the budget at most, for all of the tenant's targets together
	samplesSmall = 100 // active mailboxes; fewer of them have fewer samples
	againOneIn   = 10  // visits for a deadline, after which a mailbox of queueAgain has its turn
)

// Settings of a Planner.
type Settings struct {
	StaleAfter time.Duration
	Budget     *budget.Budget // the tenant's
	SampleRate float64        // samples per second; 0: one in ten seconds
	// AskEvery makes the Planner ask all mailboxes in turn, each once in this
	// time, if the budget suffices: for small fleets. 0: a mailbox is asked only
	// when the answer can change its verdict.
	AskEvery time.Duration
	Seed     uint64 // where the rotation of samples begins
}

// Planner decides which mailbox is asked next, and when. A decision takes
// O(log n). A Planner is not safe for concurrent use.
type Planner struct {
	budget   *budget.Budget
	caller   *budget.Caller
	settings Settings
	history  History
	all      []entry
	free     []int32            // unused entries of all
	index    map[string]int32   // entry by key
	places   map[Location]int32 // entry of the mailbox that is counted at a location
	queues   [queues]queue
	urgent   []int32
	pace     pace
	counts   [states]int // by last verdict
	cursor   uint64      // entry of the last sample
	sampleAt time.Time   // no sample before
	moment   time.Time   // of the last choice
	inARow   int         // visits for a deadline since the last one of queueAgain
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

// Len returns the number of mailboxes.
func (p *Planner) Len() int { return len(p.index) }

// Has reports whether the fleet has the mailbox.
func (p *Planner) Has(key string) bool { _, ok := p.index[key]; return ok }

// Add adds a mailbox that is to be asked at once. One that the fleet has stays as
// it is.
func (p *Planner) Add(now time.Time, key string) { p.Restore(now, key, nil, 0) }

// Restore adds a mailbox with its record of an earlier process. One that the
// fleet has stays as it is. A record that cannot be read is ignored, and one that
// was written by a clock in the future does not delay the next visit. Sources are
// those of the config: the mailbox keeps those of its record among them, or gets
// all of them where its record names none.
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

// insert puts a mailbox into a free entry, or a new one.
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

// Watch marks a mailbox as watched and sets its own stale_after. It adds one that
// the fleet does not have.
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

// Urge makes a mailbox the next to be asked, once. It does nothing for one that
// is being asked.
func (p *Planner) Urge(key string) {
	if id, ok := p.index[key]; ok && p.all[id].queue != queueNone && !slices.Contains(p.urgent, id) {
		p.urgent = append(p.urgent, id)
	}
}

// NextUrgent is like Next, but returns only mailboxes that were urged.
func (p *Planner) NextUrgent(now time.Time) (Ask, bool, time.Time) {
	if len(p.urgent) == 0 {
		return Ask{}, false, time.Time{}
	}
	return p.Next(now)
}

// Next returns the mailbox to ask now, and spends a call of the budget. Where
// there is none it returns false and the moment at which to try again; zero: when
// Turn fires or the fleet has changed. A caller that does not try again must call
// Leave, or it holds up the tenant's other targets.
func (p *Planner) Next(now time.Time) (Ask, bool, time.Time) {
	if now.Before(p.moment) {
		p.setBack(now)
	}
	p.moment = now
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

// setBack plans anew after the clock was set back: what was planned by the later
// clock does not delay the next visit, as in Restore, nor the next sample.
func (p *Planner) setBack(now time.Time) {
	p.sampleAt, p.pace.last = now, now
	at := secondsOf(now)
	for id := range p.all {
		m := &p.all[id]
		m.checked = min(m.checked, at)
		most := secondsOf(now.Add(max(m.limit(), restMost)))
		if p.settings.AskEvery > 0 {
			most = at.add(p.settings.AskEvery)
		}
		if m.queue != queueNone && m.due > most {
			p.dequeue(int32(id))
			m.due = most
			p.enqueue(now, int32(id))
		}
	}
}

// Turn fires when the tenant's budget has room for another call at once.
func (p *Planner) Turn() <-chan struct{} { return p.caller.Turn() }

// Leave frees the place in the line of the tenant's targets.
func (p *Planner) Leave() { p.caller.Leave() }

func (p *Planner) ask(id int32, why Why) Ask {
	m := &p.all[id]
	a := Ask{Key: m.key, Why: why, StaleAfter: m.limit(), Location: m.location, Located: m.located.time(), Failed: m.tries > 0, id: id}
	if m.state == Fresh {
		a.Ends = m.ends().time()
	}
	return a
}

// Settle records the answer of a visit and plans the next one.
func (p *Planner) Settle(now time.Time, a Ask, v Answer) {
	p.budget.End()
	m := &p.all[a.id]
	if m.gone {
		p.drop(a.id)
		return
	}
	if !p.countsAt(a.id, v.Location) {
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

// Release takes back a mailbox without an answer, as one whose call was
// refused or cut short.
func (p *Planner) Release(now time.Time, a Ask) {
	p.budget.End()
	if p.all[a.id].gone {
		p.drop(a.id)
		return
	}
	p.enqueue(now, a.id)
}

// beat records a sample: the mailbox last synchronised lag ago.
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

// queueOf returns the queue of a mailbox. One whose phone has been silent for a
// while, although others synchronise, is not asked early: the answer would be the
// same.
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

// History returns a copy of what the samples have shown, to be kept across
// restarts.
func (p *Planner) History() History { return History{p.history.Hours.clone(), p.history.Pulse} }

// Resume sets the history of an earlier process. The caller must not use it
// afterwards.
func (p *Planner) Resume(h History) { p.history = h }

// Record returns a mailbox's record, to be kept across restarts; nil: the fleet
// does not have the mailbox.
func (p *Planner) Record(key string) []byte {
	if id, ok := p.index[key]; ok {
		return p.all[id].record()
	}
	return nil
}
