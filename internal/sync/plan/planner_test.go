package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hmad/hmad/internal/budget"
)

// released is the state of a visit that the tenant refused.
const released = states

// drive lets the planner work in virtual time, answering by answer, and gives
// the moments of the calls, and of the answers by mailbox.
func drive(p *Planner, from, to time.Time, answer func(now time.Time, a Ask) Answer) (calls []time.Time, asked map[string][]time.Time) {
	asked = map[string][]time.Time{}
	for now := from; now.Before(to); {
		a, ok, at := p.Next(now)
		if !ok {
			now = at
			continue
		}
		calls = append(calls, now)
		v := answer(now, a)
		if v.State == released {
			p.Release(now, a)
			now = now.Add(time.Second)
			continue
		}
		asked[a.Key] = append(asked[a.Key], now)
		p.Settle(now, a, v)
	}
	return calls, asked
}

func fleet(s Settings, n int) *Planner {
	p := New(s)
	for i := range n {
		p.Add(monday, fmt.Sprintf("user%d@contoso.com", i))
	}
	return p
}

// syncedAgo answers that the mailbox synchronised so long before it is asked.
func syncedAgo(lag time.Duration) func(time.Time, Ask) Answer {
	return func(now time.Time, a Ask) Answer {
		d := Partnership{Success: now.Add(-lag), Attempt: now.Add(-lag)}
		return Judge(now, []Partnership{d}, a.StaleAfter)
	}
}

func TestTheBudgetIsNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.01, 5).Draw(t, "rate")
		p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(rate, 4)}, rapid.IntRange(1, 300).Draw(t, "mailboxes"))
		lag := time.Duration(rapid.IntRange(0, 30*24).Draw(t, "hours since a sync")) * time.Hour
		calls, _ := drive(p, monday, monday.Add(6*time.Hour), syncedAgo(lag))
		burst := max(1, math.Ceil(2*rate))
		tokens, last := burst, monday
		for _, at := range calls {
			tokens = min(burst, tokens+rate*at.Sub(last).Seconds()) - 1
			require.GreaterOrEqual(t, tokens, -1e-3, "at %s", at)
			last = at
		}
	})
}

// However little the budget and whatever the answers, everybody's turn comes.
func TestNoMailboxStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "mailboxes")
		rate := rapid.Float64Range(0.0005, 0.05).Draw(t, "rate")
		states := rapid.SliceOfN(rapid.SampledFrom([]State{Fresh, Fresh, Stale, Failing, Unknown, NotProvisioned, Cloud, Error}), n, n).Draw(t, "states")
		refused := rapid.SampledFrom([]float64{0, 0.1, 0.5}).Draw(t, "share that is refused")
		luck := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "luck"), 0))
		p := fleet(Settings{StaleAfter: 4 * time.Hour, Budget: budget.New(rate, 1)}, n)
		round := time.Duration(float64(n+8)/(1-refused)/rate*againOneIn*2)*time.Second + 26*time.Hour
		end := monday.Add(3 * round)
		_, asked := drive(p, monday, end, func(now time.Time, a Ask) Answer {
			if luck.Float64() < refused {
				return Answer{State: released}
			}
			return Answer{State: states[a.id], Success: now.Add(-time.Minute)}
		})
		for i := range n {
			times := append(append([]time.Time{monday}, asked[fmt.Sprintf("user%d@contoso.com", i)]...), end)
			for j := range times[1:] {
				require.LessOrEqual(t, times[j+1].Sub(times[j]), round, "user%d, %s, between %s and %s", i, states[i], times[j], times[j+1])
			}
		}
	})
}

// The verdict of a phone that lives is never over for longer than some calls
// take, of which every tenth may be a sample.
func TestDeadlinesAreMetWhenTheBudgetSuffices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(10, 400).Draw(t, "mailboxes")
		spare := rapid.Float64Range(1.5, 5).Draw(t, "budget over need")
		lag := time.Duration(rapid.IntRange(0, 60).Draw(t, "minutes since a sync")) * time.Minute
		limit := 24 * time.Hour
		p := fleet(Settings{StaleAfter: limit, Budget: budget.New(spare*float64(n)/limit.Seconds(), 2)}, n)
		first, patience := monday.Add(limit), 10*time.Second*time.Duration(limit.Seconds()/float64(n)/spare)
		drive(p, monday, monday.Add(4*limit), func(now time.Time, a Ask) Answer {
			if now.After(first) {
				require.False(t, !a.Ends.IsZero() && now.Sub(a.Ends) > patience, "%s is asked at %s, %s after its deadline", a.Key, now, now.Sub(a.Ends))
			}
			return syncedAgo(lag)(now, a)
		})
	})
}

func TestAPlanGoesOnAfterARestart(t *testing.T) {
	s := Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1, 4)}
	p := fleet(s, 1000)
	half := monday.Add(500 * time.Second)
	_, before := drive(p, monday, half, syncedAgo(time.Minute))
	p.Leave()
	again := New(s)
	for i := range 1000 {
		key := fmt.Sprintf("user%d@contoso.com", i)
		again.Restore(half, key, p.Record(key), AllSources)
	}
	_, after := drive(again, half, half.Add(495*time.Second), func(now time.Time, a Ask) Answer {
		if a.Why != Sample { // which is meant to ask again
			assert.NotContains(t, before, a.Key, "asked twice")
		}
		return syncedAgo(time.Minute)(now, a)
	})
	assert.Greater(t, len(before)+len(after), 900)
}

// The clock of the process before was years ahead.
func TestARecordOfTheFuturePutsNothingOff(t *testing.T) {
	empty := func() *Planner { return fleet(Settings{StaleAfter: day, Budget: budget.New(1, 1)}, 0) }
	for _, state := range []State{Fresh, Stale, Unknown, NotProvisioned, Error} {
		before := empty()
		before.Add(monday, "jane@contoso.com")
		later := monday.AddDate(3, 0, 0)
		a, ok, _ := before.Next(later)
		require.True(t, ok)
		before.Settle(later, a, Answer{State: state, Success: later})
		again := empty()
		again.Restore(monday, "jane@contoso.com", before.Record("jane@contoso.com"), AllSources)
		_, asked := drive(again, monday, monday.Add(3*day), syncedAgo(time.Minute))
		assert.NotEmpty(t, asked["jane@contoso.com"], "%s", state)
	}
}

func TestUrgentMailboxesComeFirst(t *testing.T) {
	p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1, 4)}, 100)
	p.Urge("user70@contoso.com")
	p.Urge("user70@contoso.com")
	p.Urge("nobody@contoso.com")
	a, ok, _ := p.Next(monday)
	require.True(t, ok)
	assert.Equal(t, "user70@contoso.com", a.Key)
	assert.Equal(t, Urgent, a.Why)
	p.Settle(monday, a, Answer{State: Fresh, Success: monday})
	a, ok, _ = p.Next(monday)
	require.True(t, ok)
	assert.Equal(t, Again, a.Why, "it is asked once")
}

func TestAMailboxIsNotAskedWhileItIsAsked(t *testing.T) {
	p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(100, 10)}, 1)
	a, ok, _ := p.Next(monday)
	require.True(t, ok)
	p.Urge(a.Key)
	_, ok, at := p.Next(monday.Add(time.Second))
	assert.False(t, ok)
	assert.True(t, at.After(monday))
	p.Release(monday.Add(2*time.Second), a)
	_, ok, _ = p.Next(monday.Add(2 * time.Second))
	assert.True(t, ok, "one that was given back is asked again")
}

func TestNoMoreCallsAtOnceThanAllowed(t *testing.T) {
	p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(100, 2)}, 5)
	var asks []Ask
	for {
		a, ok, at := p.Next(monday)
		if !ok {
			assert.True(t, at.IsZero(), "the end of a visit is waited for")
			break
		}
		asks = append(asks, a)
	}
	assert.Len(t, asks, 1)
	p.Urge("user4@contoso.com")
	a, ok, _ := p.Next(monday)
	assert.True(t, ok, "the last one is for what is urgent")
	assert.Equal(t, "user4@contoso.com", a.Key)
}

func TestRemovedMailboxes(t *testing.T) {
	p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(100, 10)}, 3)
	p.remove("user1@contoso.com")
	p.remove("nobody@contoso.com")
	a, _, _ := p.Next(monday)
	b, _, _ := p.Next(monday)
	_, ok, _ := p.Next(monday)
	assert.False(t, ok)
	assert.ElementsMatch(t, []string{"user0@contoso.com", "user2@contoso.com"}, []string{a.Key, b.Key})
	p.remove(a.Key)
	p.Settle(monday, a, Answer{State: Fresh, Success: monday})
	p.remove(b.Key)
	p.Release(monday, b)
	assert.Zero(t, p.Len())
	assert.Zero(t, p.Count(monday).Active)
	p.Add(monday, "new@contoso.com")
	c, ok, _ := p.Next(monday.Add(time.Second))
	assert.True(t, ok)
	assert.Equal(t, "new@contoso.com", c.Key)
	assert.Nil(t, p.Record("user1@contoso.com"))
}

// Sources may call one mailbox by several names: it counts once.
func TestAMailboxOfTwoNamesCountsOnce(t *testing.T) {
	here, there := Location{1}, Location{2}
	at := map[string]Location{}
	ask := func(p *Planner, now time.Time) {
		drive(p, now, now.Add(30*time.Hour), func(now time.Time, a Ask) Answer {
			return Answer{State: Fresh, Success: now, Location: at[a.Key], Located: now}
		})
	}
	state := func(p *Planner, key string) State { return p.all[p.index[key]].state }
	for name, c := range map[string]struct {
		keys, watch, counted []string
	}{
		"the address":                {[]string{"jane doe", "jane@contoso.com"}, nil, []string{"jane@contoso.com"}},
		"whichever comes first":      {[]string{"jane@contoso.com", "jane doe"}, nil, []string{"jane@contoso.com"}},
		"the first of two addresses": {[]string{"jane@contoso.com", "j@contoso.com"}, nil, []string{"jane@contoso.com"}},
		"the one that is watched":    {[]string{"jane@contoso.com", "jane doe"}, []string{"jane doe"}, []string{"jane doe"}},
		"both that are watched":      {[]string{"jane@contoso.com", "jane doe"}, []string{"jane doe", "jane@contoso.com"}, []string{"jane doe", "jane@contoso.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1, 1)}, 0)
			for _, key := range c.keys {
				at[key] = here
				p.Add(monday, key)
			}
			for _, key := range c.watch {
				p.Watch(monday, key, 24*time.Hour)
			}
			ask(p, monday)
			var counted []string
			for _, key := range c.keys {
				if state(p, key) == Fresh {
					counted = append(counted, key)
				}
			}
			assert.ElementsMatch(t, c.counted, counted)
			count := p.Count(monday.Add(30 * time.Hour))
			assert.Equal(t, len(c.counted), count.Active)
			assert.Equal(t, len(c.keys)-len(c.counted), count.States[Duplicate])
		})
	}
	t.Run("until they are two, or one is gone", func(t *testing.T) {
		p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1, 1)}, 0)
		keys := []string{"a@contoso.com", "b@contoso.com", "c@contoso.com"}
		for _, key := range keys {
			at[key] = here
			p.Add(monday, key)
		}
		ask(p, monday)
		require.Equal(t, 1, p.Count(monday.Add(30*time.Hour)).Active)
		again := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1, 1)}, 0)
		for _, key := range []string{"c@contoso.com", "b@contoso.com", "a@contoso.com"} {
			again.Restore(monday, key, p.Record(key), AllSources)
		}
		assert.Equal(t, Fresh, state(again, "a@contoso.com"), "after a restart")
		at["b@contoso.com"] = there
		again.remove("a@contoso.com")
		ask(again, monday.Add(30*time.Hour))
		assert.Equal(t, 2, again.Count(monday.Add(60*time.Hour)).Active)
	})
}

// The name that counted is taken away, and a third one gets its place in memory.
func TestANameCountsWhenTheOneThatDidIsGone(t *testing.T) {
	p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1, 1)}, 2)
	here := func(now time.Time, a Ask) Answer {
		v := syncedAgo(time.Minute)(now, a)
		v.Location, v.Located = Location{1}, now
		return v
	}
	drive(p, monday, monday.Add(time.Hour), here)
	counts, other := "user0@contoso.com", "user1@contoso.com"
	if p.all[p.index[counts]].state == Duplicate {
		counts, other = other, counts
	}
	require.Equal(t, Duplicate, p.all[p.index[other]].state)
	p.remove(counts)
	p.Restore(monday.Add(time.Hour), "new@contoso.com", p.Record(other), AllSources)
	assert.True(t, p.countsAt(p.index[other], Location{1}))
}

func TestAMailboxIsSmall(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(entry{}), uintptr(80))
}

func TestRecordsReadTheSameAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := entry{key: "a", staleAfter: 3600}
		m.take(1000, Answer{State: State(rapid.IntRange(0, int(states)-1).Draw(t, "state")), Devices: rapid.IntRange(0, 300).Draw(t, "devices"),
			Success: time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "success"), 0), Attempt: time.Unix(9, 0), Location: Location{1, 2}, Located: time.Unix(7, 0)})
		for range rapid.IntRange(0, 3).Draw(t, "visits without an answer after it") {
			m.take(1060, Answer{State: Error})
		}
		again := entry{key: "a", staleAfter: 3600}
		require.NoError(t, again.restore(m.record()))
		assert.Equal(t, m, again)
	})
	for name, b := range map[string][]byte{"nothing": {}, "cut": make([]byte, recordSize-1), "another version": append([]byte{9}, make([]byte, recordSize-1)...),
		"an unknown state": append([]byte{1, 99}, make([]byte, recordSize-2)...)} {
		t.Run(name, func(t *testing.T) { assert.Error(t, new(entry).restore(b)) })
	}
}

// With AskEvery everybody is asked in turn, whatever is known of them, and no
// oftener than that.
func TestASmallFleetIsAskedInTurn(t *testing.T) {
	const n, every = 120, 5 * time.Minute
	states := []State{Fresh, Stale, Failing, Inactive, Unknown, NotProvisioned, Cloud, Error}
	p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1, 1), AskEvery: every}, n)
	end := monday.Add(3 * time.Hour)
	_, asked := drive(p, monday, end, func(now time.Time, a Ask) Answer {
		return Answer{State: states[int(a.id)%len(states)], Success: now.Add(-time.Minute)}
	})
	for key, times := range asked {
		for i := range times[1:] {
			require.InDelta(t, every.Seconds(), times[i+1].Sub(times[i]).Seconds(), n, "%s at %s", key, times[i])
		}
	}
	require.Equal(t, n, len(asked))
	c := p.Count(end)
	assert.Zero(t, c.Behind)
	assert.GreaterOrEqual(t, p.history.Pulse.next, (int(end.Sub(monday)/every)-1)*n*3/8, "after the first round every visit of an active mailbox is a sample")
}

// A budget that does not reach makes rounds longer and leaves nobody out; the
// count says how many wait for long.
func TestATurnThatComesLateIsBehind(t *testing.T) {
	const n, every = 600, time.Minute
	p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1, 1), AskEvery: every}, n)
	end := monday.Add(time.Hour)
	_, asked := drive(p, monday, end, syncedAgo(time.Minute))
	for key, times := range asked {
		require.InDelta(t, 6, len(times), 1, key)
	}
	require.Equal(t, n, len(asked))
	c := p.Count(end)
	assert.InDelta(t, n*(10-1)/10, c.Overdue, 20)
	assert.InDelta(t, n*(10-3)/10, c.Behind, 20)
	assert.InDelta(t, 9*time.Minute, c.Lag, float64(30*time.Second))
}

// However short the rounds are, who is late by less than a minute is not behind.
func TestAMomentLateIsNotBehind(t *testing.T) {
	const n = 100
	p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(1000, 10), AskEvery: time.Second}, n)
	end := monday.Add(10 * time.Second)
	drive(p, monday, end, syncedAgo(time.Minute))
	for late, behind := range map[time.Duration]int{50 * time.Second: 0, 65 * time.Second: n} {
		c := p.Count(end.Add(late))
		assert.Equal(t, []int{n, behind}, []int{c.Overdue, c.Behind}, "after %s", late)
	}
}

// While phones synchronise, mailboxes are asked before their deadlines, so that
// these do not all come at once; in a quiet night they are not, the answers would
// be those of the evening.
func TestDeadlinesAreLevelledWhilePhonesSynchronise(t *testing.T) {
	for name, c := range map[string]struct {
		lag  time.Duration
		want bool
	}{"phones that synchronise": {time.Minute, true}, "phones that are silent": {90 * time.Minute, false}} {
		t.Run(name, func(t *testing.T) {
			p := fleet(Settings{StaleAfter: 24 * time.Hour, Budget: budget.New(2, 4)}, 20_000)
			early := 0
			synced := syncedAgo(c.lag)
			drive(p, monday, monday.Add(20*time.Hour), func(now time.Time, a Ask) Answer {
				if a.Why == Early {
					early++
				}
				return synced(now, a)
			})
			assert.Equal(t, c.want, early > 0, "%d were asked early", early)
		})
	}
}
