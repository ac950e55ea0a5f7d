package plan

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
)

// lived fills the hours of so many days before a moment: busy says whether many
// move at t.
func lived(until time.Time, days int, busy func(time.Time) bool) *Hours {
	h := new(Hours)
	for at := until.Add(-time.Duration(days) * day).Truncate(time.Hour); at.Before(until.Truncate(time.Hour)); at = at.Add(time.Hour) {
		moved := 2
		if busy(at) {
			moved = 60
		}
		h.Add(at, 100, moved)
	}
	return h
}

func always(time.Time) bool { return true }

func never(time.Time) bool { return false }

func working(t time.Time) bool {
	return t.Weekday() != time.Saturday && t.Weekday() != time.Sunday && t.Hour() >= 7 && t.Hour() < 18
}

// except returns office hours with some days, so long ago, on which nothing moves.
func except(now time.Time, daysAgo ...int) func(time.Time) bool {
	return func(t time.Time) bool {
		for _, d := range daysAgo {
			if t.YearDay() == now.Add(-time.Duration(d)*day).YearDay() {
				return false
			}
		}
		return working(t)
	}
}

// noon is a Monday's, in office hours.
var noon = monday.Truncate(day).Add(12 * time.Hour)

func TestWhatIsUsual(t *testing.T) {
	const much, little = 0.6, 0.02
	saturday := noon.Add(-2 * day)
	for name, c := range map[string]struct {
		at    time.Time
		days  int // for which hmad has run
		busy  func(time.Time) bool
		want  float64
		known bool
	}{
		"the same time of the weeks before":           {noon, 29, working, much, true},
		"a weekend has its own":                       {saturday, 29, working, little, true},
		"a night too":                                 {noon.Add(-9 * time.Hour), 29, working, little, true},
		"a fleet that always moves":                   {noon, 29, always, much, true},
		"one that never moves":                        {noon, 29, never, little, true},
		"an outage a week ago is not the norm":        {noon, 29, except(noon, 7), much, true},
		"nor in the third week":                       {noon, 15, except(noon, 7), much, true},
		"nor are holidays of two weeks, in the fifth": {noon, 29, except(noon, 7, 14), much, true},
		"three quiet weeks are the norm":              {noon, 29, except(noon, 7, 14, 21), little, true},
		"one busy Saturday is not, in the fifth week": {saturday, 29, func(t time.Time) bool {
			return working(t) || saturday.Sub(t).Abs() < 8*day && saturday.Sub(t).Abs() > 6*day
		}, little, true},
		"in the second week the one before":                    {noon, 8, working, much, true},
		"in the second week, when it was an outage, nothing":   {noon, 8, except(noon, 7), 0, false},
		"in the second week a weekend cannot be told from one": {saturday, 8, working, 0, false},
		"but a night can":                                         {noon.Add(-9 * time.Hour), 8, working, little, true},
		"at first nothing":                                        {noon, 0, always, 0, false},
		"the day of installation says nothing":                    {noon, 1, always, 0, false},
		"in the first week what never rests":                      {noon, 3, always, much, true},
		"in the first week, what rests at night has no norm":      {noon, 6, working, 0, false},
		"the first weekend has none":                              {saturday, 5, working, 0, false},
		"people who come an hour later when clocks are put back":  {noon.Add(-5 * time.Hour), 29, working, little, true},
		"the middle of the morning is between its hours' middles": {noon.Add(-3*time.Hour - 45*time.Minute), 29, working, little + 0.75*(much-little), true},
	} {
		t.Run(name, func(t *testing.T) {
			got, known := lived(c.at, c.days, c.busy).Usual(c.at, movedShare)
			assert.Equal(t, c.known, known)
			assert.InDelta(t, c.want, got, 1e-9)
		})
	}
}

func TestHoursThatWereHardlyLookedAtDoNotCount(t *testing.T) {
	h := new(Hours)
	for week := range 4 {
		h.Add(noon.Add(-time.Duration(4-week)*7*day), 3, 3)
	}
	_, known := h.Usual(noon, movedShare)
	assert.False(t, known)
}

// In an outage of the first week what never rests stays known for a day.
func TestAStopDoesNotBecomeTheNormWhileItStands(t *testing.T) {
	began := noon.Add(-20 * time.Hour)
	h := lived(noon, 4, began.After)
	usual, known := h.Usual(noon, movedShare)
	assert.True(t, known)
	assert.InDelta(t, 0.6, usual, 1e-9)
}

// A gap of hmad's own leaves the hours beside it.
func TestAnHourNotLookedAtIsAsItsNeighbour(t *testing.T) {
	h := new(Hours)
	for week := range 4 {
		h.Add(noon.Add(-time.Duration(4-week)*7*day), 100, 60)
	}
	usual, known := h.Usual(noon.Add(40*time.Minute), movedShare)
	assert.True(t, known)
	assert.InDelta(t, 0.6, usual, 1e-9)
	_, known = h.Usual(noon.Add(2*time.Hour), movedShare)
	assert.False(t, known, "but not those after")
}

func TestHoursAreKeptForFourWeeks(t *testing.T) {
	h := new(Hours)
	for i := range 60 * 24 {
		h.Add(monday.Add(time.Duration(i)*time.Hour), 1, 1)
	}
	assert.InDelta(t, hoursKept, len(h.counts), 2)
	text, err := json.Marshal(h)
	require.NoError(t, err)
	assert.Less(t, len(text), 20_000)
	var again Hours
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, h.counts, again.counts)
	assert.Error(t, json.Unmarshal([]byte(`{"x":[1,2]}`), &again))
}

func TestHoursInPartsAreTheSameAgain(t *testing.T) {
	h, kept := new(Hours), map[int64]Hours{}
	for i := range 100 * 24 {
		h.Add(monday.Add(time.Duration(i)*time.Hour), 1, i)
		for n, day := range h.Days() {
			kept[n%DaysKept] = day
		}
	}
	var again Hours
	for _, day := range kept {
		again.Join(day)
	}
	assert.Equal(t, h.counts, again.counts)
}

func TestRehearsedWeeksAreKnown(t *testing.T) {
	var h Hours
	h.Rehearse(monday, Hour{100, 80})
	usual, known := h.Usual(monday, movedShare)
	assert.True(t, known)
	assert.InDelta(t, 0.8, usual, 1e-9)
}

// Samples are taken from the newest back until they are enough to show a stop.
func TestAsManySamplesAsShowAStop(t *testing.T) {
	for name, c := range map[string]struct {
		usual       int           // in a hundred
		every       time.Duration // between samples
		want, moved int
		expected    float64
	}{
		"where much moves the least number":     {60, 10 * time.Second, SamplesFloor, SamplesFloor / 2, 30},
		"where little does, more":               {10, 10 * time.Second, 150, 75, 15},
		"where next to nothing does, an hour's": {1, 10 * time.Second, 360, 180, 3.6},
		"few samples, what an hour has":         {10, time.Minute, 60, 30, 6},
	} {
		t.Run(name, func(t *testing.T) {
			p := New(Settings{StaleAfter: day, Budget: budget.New(1, 1)})
			for i := range 400 {
				p.history.Pulse.note(secondsOf(noon.Add(-time.Duration(400-i)*c.every+c.every)), time.Duration(i%2)*time.Hour)
			}
			p.history.Hours.Rehearse(noon, Hour{100, c.usual})
			s := p.Movement(noon)
			assert.True(t, s.Known)
			assert.InDelta(t, c.want, s.Asked, 1)
			assert.InDelta(t, c.moved, s.Moved, 1)
			assert.InDelta(t, c.expected, s.Expected, 0.2)
		})
	}
}
