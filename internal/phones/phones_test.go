package phones

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var monday = time.Date(2026, time.November, 2, 0, 0, 0, 0, time.UTC)

func fleet(k Kind) Fleet { return Fleet{Kind: k, Seed: 3, From: monday, Span: 14 * day} }

func TestAFleetRepeatsItself(t *testing.T) {
	for _, k := range []Kind{DayAndNight, OfficeHours} {
		at := monday.Add(3*day + 11*time.Hour)
		assert.Equal(t, fleet(k).LastSync(17, at), fleet(k).LastSync(17, at))
		other := fleet(k)
		other.Seed = 4
		assert.NotEqual(t, fleet(k).LastSync(17, at), other.LastSync(17, at))
	}
}

// What a phone did by one moment, it did by every later one too.
func TestTimeRunsOneWay(t *testing.T) {
	for _, k := range []Kind{DayAndNight, OfficeHours} {
		f := fleet(k)
		for phone := range 50 {
			var last time.Time
			for at := monday; at.Before(monday.Add(14 * day)); at = at.Add(97 * time.Minute) {
				l := f.LastSync(phone, at)
				assert.False(t, l.After(at))
				assert.False(t, l.Before(last), "%s, phone %d at %s", k, phone, at)
				last = l
			}
		}
	}
}

// share counts the healthy phones that have synchronised within d before t.
func share(f Fleet, at time.Time, d time.Duration) float64 {
	n, all := 0, 0
	for phone := range 2000 {
		if f.Healthy(phone, at, 3*day) {
			all++
			if at.Sub(f.LastSync(phone, at)) <= d {
				n++
			}
		}
	}
	return float64(n) / float64(all)
}

func TestHowPhonesLive(t *testing.T) {
	wednesday, sunday := monday.Add(2*day), monday.Add(6*day)
	for name, c := range map[string]struct {
		kind     Kind
		at       time.Time
		within   time.Duration
		min, max float64
	}{
		"day and night, at noon":            {DayAndNight, wednesday.Add(12 * time.Hour), time.Hour, 0.99, 1},
		"day and night, at night":           {DayAndNight, wednesday.Add(3 * time.Hour), 20 * time.Minute, 0.2, 0.8},
		"day and night, always within 24 h": {DayAndNight, sunday.Add(5 * time.Hour), 24 * time.Hour, 1, 1},
		"office hours, in the morning":      {OfficeHours, wednesday.Add(11 * time.Hour), time.Hour, 0.99, 1},
		"office hours, at night":            {OfficeHours, wednesday.Add(3 * time.Hour), time.Hour, 0, 0},
		"office hours, on a Sunday":         {OfficeHours, sunday.Add(11 * time.Hour), 24 * time.Hour, 0, 0},
		"office hours, the weekend's end":   {OfficeHours, monday.Add(7*day + 7*time.Hour), 72 * time.Hour, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := share(fleet(c.kind), c.at, c.within)
			assert.GreaterOrEqual(t, got, c.min)
			assert.LessOrEqual(t, got, c.max)
		})
	}
}

func TestSomePhonesAreOff(t *testing.T) {
	f, end := fleet(DayAndNight), monday.Add(14*day)
	dead, silent := 0, 0
	for phone := range 5000 {
		if age := monday.Sub(f.LastSync(phone, monday)); age > 14*day {
			dead++
		}
		if !f.Healthy(phone, end, 0) {
			silent++
			assert.Greater(t, end.Sub(f.LastSync(phone, end)), time.Duration(0))
		}
	}
	assert.InDelta(t, 0.05, float64(dead)/5000, 0.01)
	assert.InDelta(t, 0.14, float64(silent)/5000, 0.03)
}

func TestSomePhonesAreOdd(t *testing.T) {
	const all = 5000
	f, end := fleet(DayAndNight), monday.Add(14*day)
	count := func(at time.Time, of func(Seen) bool) (n float64) {
		for phone := range all {
			if of(f.At(phone, at)) {
				n++
			}
		}
		return n / all
	}
	missing := func(s Seen) bool { return !s.SignedIn }
	assert.InDelta(t, 0.05, count(monday, missing), 0.01, "have not signed in at first")
	assert.InDelta(t, 0.03, count(end, missing), 0.01, "have not in the end")
	assert.InDelta(t, 0.01, count(end, func(s Seen) bool { return s.SignedIn && s.Success.IsZero() && s.Attempt.IsZero() }), 0.005, "say nothing")
	failing := 0
	for phone := range all {
		fails := false
		for at := monday; at.Before(end); at = at.Add(5 * time.Hour) {
			s := f.At(phone, at)
			fails = fails || s.Failing()
			assert.False(t, s.Attempt.Before(s.Success), "phone %d at %s", phone, at)
		}
		if fails {
			failing++
			assert.False(t, f.At(phone, end.Add(6*day)).Failing(), "it is mended")
		}
	}
	assert.InDelta(t, 0.02, float64(failing)/all, 0.006)
}
