package plan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestStatesOfAMailbox(t *testing.T) {
	now, h := monday, time.Hour
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	synced := func(d time.Duration) Partnership {
		return Partnership{First: ago(30 * day), Attempt: ago(d), Success: ago(d)}
	}
	tries := func(success, attempt time.Duration) Partnership {
		return Partnership{First: ago(30 * day), Attempt: ago(attempt), Success: ago(success)}
	}
	silent := Partnership{First: ago(day), Attempt: ago(0)}
	for name, c := range map[string]struct {
		rows []Partnership
		want State
	}{
		"no partnership":                           {nil, NotProvisioned},
		"a phone that synchronises":                {[]Partnership{synced(time.Minute)}, Fresh},
		"just within":                              {[]Partnership{synced(24*h - 1)}, Fresh},
		"just not":                                 {[]Partnership{synced(24 * h)}, Stale},
		"no success for two weeks":                 {[]Partnership{synced(14 * day)}, Inactive},
		"just under two weeks":                     {[]Partnership{synced(14*day - 1)}, Stale},
		"attempts without success for an hour":     {[]Partnership{tries(h, 0)}, Fresh},
		"for over an hour":                         {[]Partnership{tries(h+time.Second, 0)}, Failing},
		"for days":                                 {[]Partnership{tries(5*day, h)}, Failing},
		"for two weeks":                            {[]Partnership{tries(15*day, h)}, Inactive},
		"attempts that stopped too":                {[]Partnership{tries(5*day, 2*day)}, Stale},
		"an attempt in the future proves nothing":  {[]Partnership{tries(2*h, -h)}, Fresh},
		"an old phone beside a new one":            {[]Partnership{synced(40 * day), synced(h)}, Fresh},
		"an old phone that still tries":            {[]Partnership{tries(9*day, 0), synced(2 * h)}, Fresh},
		"the newest success decides":               {[]Partnership{synced(20 * h), tries(3*h, 0)}, Failing},
		"null alone":                               {[]Partnership{silent}, Unknown},
		"null on the new phone, the old one stale": {[]Partnership{synced(3 * day), silent}, Unknown},
		"the same in another order":                {[]Partnership{silent, synced(3 * day)}, Unknown},
		"null on the new phone, the old one fresh": {[]Partnership{silent, synced(h)}, Fresh},
		"null on an older phone":                   {[]Partnership{{First: ago(90 * day)}, synced(3 * day)}, Stale},
		"null on a phone of unknown age":           {[]Partnership{{}, synced(3 * day)}, Unknown},
		"a success in the future":                  {[]Partnership{{First: ago(day), Success: now.Add(h)}}, Unknown},
		"a clock that is a little ahead":           {[]Partnership{{First: ago(day), Success: now.Add(time.Minute)}}, Fresh},
		"one in the future beside a fresh one":     {[]Partnership{{First: ago(day), Success: now.Add(h)}, synced(h)}, Fresh},
		"unreadable on an older phone":             {[]Partnership{{First: ago(90 * day), Unread: "9999"}, synced(3 * day)}, Unknown},
		"unreadable beside a fresh one":            {[]Partnership{{First: ago(90 * day), Unread: "9999"}, synced(h)}, Fresh},
		"unreadable, but not the success":          {[]Partnership{{Success: ago(3 * day), Unread: "9999"}}, Stale},
		"one in the future beside a stale one":     {[]Partnership{{First: ago(day), Success: now.Add(h)}, synced(2 * day)}, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			v := Judge(now, c.rows, 24*h)
			assert.Equal(t, c.want.String(), v.State.String())
			assert.Equal(t, len(c.rows), v.Devices)
		})
	}
}

// Null is never stale, and nothing in the future is good.
func TestNoVerdictWithoutATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moment := rapid.Custom(func(t *rapid.T) time.Time {
			if rapid.Bool().Draw(t, "null") {
				return time.Time{}
			}
			return monday.Add(time.Duration(rapid.Int64Range(int64(6*time.Minute), int64(1000*day)).Draw(t, "ahead")))
		})
		var rows []Partnership
		for range rapid.IntRange(1, 5).Draw(t, "rows") {
			rows = append(rows, Partnership{First: monday.Add(-day), Attempt: moment.Draw(t, "attempt"), Success: moment.Draw(t, "success")})
		}
		assert.Equal(t, Unknown, Judge(monday, rows, time.Hour).State)
	})
}

// A verdict does not stand for ever: good news runs out.
func TestAVerdictRunsOut(t *testing.T) {
	now := secondsOf(monday)
	m := entry{staleAfter: 24 * 3600}
	m.take(now, Answer{State: Fresh, Success: monday})
	for after, want := range map[time.Duration]State{0: Fresh, 24 * time.Hour: Fresh, 27 * time.Hour: Fresh, 27*time.Hour + time.Second: Unchecked} {
		assert.Equal(t, want, m.at(now.add(after)), after)
	}
	m.take(now, Answer{State: Stale, Success: monday.Add(-day)})
	for after, want := range map[time.Duration]State{day: Stale, 51 * time.Hour: Stale, 52 * time.Hour: Unchecked} {
		assert.Equal(t, want, m.at(now.add(after)), after)
	}
}
