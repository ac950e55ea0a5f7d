package plan

import "time"

// ages are the values of the label age of hmad_mailboxes_synced_within.
var ages = [7]struct {
	name string
	age  time.Duration
}{
	{"15m", 15 * time.Minute}, {"1h", time.Hour}, {"4h", 4 * time.Hour}, {"12h", 12 * time.Hour},
	{"24h", 24 * time.Hour}, {"72h", 72 * time.Hour}, {"168h", 168 * time.Hour},
}

// Within counts the mailboxes whose last success is not older than an age.
type Within struct {
	Age       string // as a label's value: "24h"
	Mailboxes int
}

// Counts sums up what is known of the fleet at one moment.
type Counts struct {
	Mailboxes int
	States    map[State]int // each mailbox is in one
	Active    int           // fresh, stale or failing when last asked, however long ago
	Lost      int           // no longer active, but synchronised within LostWithin
	Within    []Within
	Newest    time.Time     // success of any mailbox
	Overdue   int           // their verdict has ended, or their turn has come, and they have not been asked
	Behind    int           // the overdue ones whose verdict no longer counts
	Lag       time.Duration // of the mailbox that is overdue longest
}

// Asked returns the number of mailboxes with a known state.
func (c Counts) Asked() int { return c.Mailboxes - c.States[Unchecked] - c.States[Error] }

// Known reports whether at least half of the fleet is known: enough to judge it
// by shares.
func (c Counts) Known() bool { return c.Mailboxes > 0 && 2*c.Asked() >= c.Mailboxes }

// Count returns the fleet's Counts. It looks at every mailbox.
func (p *Planner) Count(now time.Time) Counts {
	c := Counts{Mailboxes: p.Len(), States: make(map[State]int, states), Active: p.active()}
	t := tally{now: secondsOf(now), every: seconds(p.settings.AskEvery / time.Second)}
	for j, a := range ages {
		t.since[j] = t.now.add(-a.age)
	}
	for i := range p.all {
		if m := &p.all[i]; m.member() {
			t.add(m)
		}
	}
	for state, n := range t.in {
		c.States[State(state)] = n
	}
	within := 0
	for j, a := range ages { // what is within one age is within the longer ones
		within += t.within[j]
		c.Within = append(c.Within, Within{a.name, within})
	}
	c.Newest, c.Overdue, c.Behind, c.Lost, c.Lag = t.newest.time(), t.overdue, t.behind, t.lost, time.Duration(t.lag)*time.Second
	return c
}

// LostWithin is the age of the last known sync up to which a mailbox that is no
// longer active counts as lost.
const LostWithin = 2 * InactiveAfter

// lost reports whether phones synchronised with the mailbox within LostWithin,
// although by its last answer none does.
func (m *entry) lost(now seconds) bool {
	return (m.state == Inactive || m.state == NotProvisioned) && m.success != 0 && now.sub(m.success) < LostWithin
}

// tally is Counts while counting.
type tally struct {
	now             seconds
	every           seconds    // AskEvery
	since           [7]seconds // now less each of ages
	in              [states]int
	within          [7]int // each mailbox at the smallest age that holds it
	newest, lag     seconds
	overdue, behind int
	lost            int
}

func (t *tally) add(m *entry) {
	at := m.at(t.now)
	t.in[at]++
	for j, since := range t.since {
		if m.synced() >= since {
			t.within[j]++
			break
		}
	}
	t.newest = max(t.newest, m.synced())
	if m.lost(t.now) {
		t.lost++
	}
	t.addTurn(m)
}

// addTurn counts a mailbox whose turn to be asked has come.
func (t *tally) addTurn(m *entry) {
	turn, slack := m.ends(), m.slack()
	if t.every > 0 {
		turn, slack = m.due, max(2*t.every, leastSlack)
	} else if m.state != Fresh {
		return
	}
	if m.checked == 0 || t.now <= turn {
		return
	}
	t.overdue++
	t.lag = max(t.lag, t.now-turn)
	if t.now > turn+slack {
		t.behind++
	}
}
