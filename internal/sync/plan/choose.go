package plan

import "time"

// choose returns the mailbox to ask now. Where there is none, id is -1 and at the
// moment at which there may be one.
func (p *Planner) choose(now time.Time) (id int32, why Why, at time.Time) {
	if len(p.urgent) > 0 {
		return p.urgent[0], Urgent, now
	}
	if p.settings.AskEvery > 0 {
		return p.inTurn(now)
	}
	if every := p.sampleEvery(); every > 0 && !now.Before(p.sampleAt) {
		if id := p.sample(now, every*time.Duration(p.active())); id >= 0 {
			return id, Sample, now
		}
		p.sampleAt = now.Add(every)
	}
	deadline, dueDeadline := p.first(queueEarly, queueLate)
	rest, dueRest := p.first(queueAgain)
	s := secondsOf(now)
	switch {
	case rest >= 0 && dueRest <= s && (deadline < 0 || dueDeadline > s || p.inARow >= againOneIn-1):
		return rest, Again, now
	case deadline >= 0 && dueDeadline <= s:
		return deadline, Deadline, now
	}
	id, paced := p.ahead(now)
	if id >= 0 {
		return id, Early, now
	}
	return -1, 0, p.wake(now, paced, dueDeadline, dueRest)
}

// inTurn chooses in a fleet whose mailboxes are all asked in turn (AskEvery): the
// one that was asked longest ago. Such a visit counts as a sample of the fleet,
// because what is known of the mailbox had no part in the choice.
func (p *Planner) inTurn(now time.Time) (int32, Why, time.Time) {
	id, due := p.first(queueEarly, queueLate, queueAgain)
	switch {
	case id < 0:
		return -1, 0, now.Add(paceEvery)
	case due > secondsOf(now):
		return -1, 0, due.time()
	case p.all[id].state.active():
		return id, Sample, now
	default:
		return id, Again, now
	}
}

// wake returns the earliest moment at which choose may find a mailbox.
func (p *Planner) wake(now, paced time.Time, due ...seconds) time.Time {
	at := now.Add(paceEvery)
	if !paced.IsZero() && paced.Before(at) {
		at = paced
	}
	if p.sampleEvery() > 0 && p.sampleAt.Before(at) {
		at = p.sampleAt
	}
	for _, d := range due {
		if d > 0 && d.time().Before(at) {
			at = d.time()
		}
	}
	return at
}

// chosen records a choice for which the budget had a call.
func (p *Planner) chosen(now time.Time, id int32, why Why) {
	switch why {
	case Urgent:
		p.urgent = p.urgent[1:]
	case Sample:
		if p.settings.AskEvery > 0 { // in turn: there is no rotation to advance
			return
		}
		p.cursor = uint64(id)
		p.sampleAt = now.Add(p.sampleEvery())
		if slot := p.budget.Slot(now, p.slotEvery()); slot.After(p.sampleAt) {
			p.sampleAt = slot
		}
	case Again:
		p.inARow = 0
	case Deadline:
		p.inARow++
		p.pace.last = now
	case Early:
		p.pace.last = now
	}
}

// first returns the mailbox of these queues that is due first; -1: none.
func (p *Planner) first(ids ...queueID) (id int32, due seconds) {
	id = -1
	for _, q := range ids {
		if top, ok := p.queues[q].top(); ok && (id < 0 || p.all[top].due < due) {
			id, due = top, p.all[top].due
		}
	}
	return id, due
}

// ahead returns the mailbox to ask now, before its deadline. Where there is none,
// the id is -1 and the time the moment at which there may be one.
func (p *Planner) ahead(now time.Time) (int32, time.Time) {
	id, due := p.first(queueEarly)
	if id < 0 || due.sub(secondsOf(now)) > p.all[id].limit()/2 || !p.history.Pulse.awake(secondsOf(now)) {
		return -1, time.Time{}
	}
	p.pace.look(now)
	at, ok := p.pace.ready()
	if !ok || now.Before(at) {
		return -1, at
	}
	return id, now
}

// active counts the mailboxes that were last seen fresh, stale or failing.
func (p *Planner) active() int { return p.counts[Fresh] + p.counts[Stale] + p.counts[Failing] }

// sampleEvery returns the least time between two samples; 0: no samples.
func (p *Planner) sampleEvery() time.Duration {
	active := p.active()
	if active == 0 {
		return 0
	}
	rate := min(p.settings.SampleRate, p.settings.SampleRate*float64(active)/samplesSmall)
	return max(time.Duration(float64(time.Second)/rate), p.slotEvery())
}

// slotEvery returns the least time between two samples of any of the tenant's
// targets.
func (p *Planner) slotEvery() time.Duration {
	return time.Duration(float64(time.Second) / (samplesShare * p.budget.Rate()))
}

// sample returns the next active mailbox of the rotation that was not asked
// within the last half round, an hour at most; -1: none was found. The stride has
// no divisor in common with the fleet's size, so that a round visits each mailbox
// once. It is near the golden section of that size, so that a few samples in a
// row are spread over the whole fleet.
func (p *Planner) sample(now time.Time, round time.Duration) int32 {
	n, before := uint64(len(p.all)), secondsOf(now.Add(-min(time.Hour, round/2)))
	stride := uint64(float64(n)*0.618) | 1
	for gcd(stride, n) != 1 {
		stride += 2
	}
	cursor := p.cursor
	for range 64 {
		cursor = (cursor + stride) % n
		if m := &p.all[cursor]; m.queue != queueNone && m.state.active() && m.checked <= before {
			return int32(cursor)
		}
	}
	p.cursor = cursor
	return -1
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
