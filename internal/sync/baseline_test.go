package sync

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// week fills the hours before monday: office says whether many move at t.
func week(days int, office func(time.Time) bool) *Hours {
	h := new(Hours)
	for at := monday.Add(-time.Duration(days) * day); at.Before(monday); at = at.Add(time.Hour) {
		moved := 2
		if office(at) {
			moved = 60
		}
		h.Add(at, 100, moved)
	}
	return h
}

func working(t time.Time) bool {
	return t.Weekday() != time.Saturday && t.Weekday() != time.Sunday && t.Hour() >= 7 && t.Hour() < 18
}

func TestWhatIsUsual(t *testing.T) {
	always := func(time.Time) bool { return true }
	never := func(time.Time) bool { return false }
	for name, c := range map[string]struct {
		hours *Hours
		at    time.Time
		want  float64
		known bool
	}{
		"the same hour a week ago decides":              {week(8, working), monday, 0.6, true},
		"not the days between, which were a weekend":    {week(8, working), monday.Add(-2 * day), 0.02, true},
		"the hour in which people begin is not usual":   {week(8, working), monday.Add(-3 * time.Hour), 0.02, true},
		"the one in which they leave neither":           {week(8, working), monday.Add(-3 * day).Add(7 * time.Hour), 0.02, true},
		"nothing is known at first":                     {new(Hours), monday, 0, false},
		"today alone says nothing":                      {week(0, always), monday, 0, false},
		"in the first week the least of its days":       {week(3, working), monday, 0.02, true},
		"in the first week what today saw too":          {week(4, always), monday.Add(-time.Hour), 0.6, true},
		"a fleet that always moves":                     {week(8, always), monday, 0.6, true},
		"a fleet that never moves":                      {week(8, never), monday, 0.02, true},
		"hours that were hardly looked at do not count": {func() *Hours { h := new(Hours); h.Add(monday.Add(-7*day), 3, 3); return h }(), monday, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, known := c.hours.Usual(c.at, movedShare)
			assert.Equal(t, c.known, known)
			assert.InDelta(t, c.want, got, 1e-9)
		})
	}
}

// On the first Saturday the five days before say that this hour moves.
func TestTheFirstWeekendIsNoStop(t *testing.T) {
	saturday := monday.Add(-2 * day)
	h := new(Hours)
	for at := saturday.Add(-5*day - 10*time.Hour); at.Before(saturday); at = at.Add(time.Hour) {
		moved := 0
		if working(at) {
			moved = 60
		}
		h.Add(at, 100, moved)
	}
	usual, known := h.Usual(saturday, movedShare)
	assert.True(t, known)
	assert.Zero(t, usual)
}

func TestHoursAreKeptForEightDays(t *testing.T) {
	h := new(Hours)
	for i := range 20 * 24 {
		h.Add(monday.Add(time.Duration(i)*time.Hour), 1, 1)
	}
	assert.LessOrEqual(t, len(h.counts), hoursKept+2)
	text, err := json.Marshal(h)
	require.NoError(t, err)
	assert.Less(t, len(text), 10_000)
	var again Hours
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, h.counts, again.counts)
	assert.Error(t, json.Unmarshal([]byte(`{"x":[1,2]}`), &again))
}

func TestARehearsedWeekIsKnown(t *testing.T) {
	var h Hours
	h.Rehearse(monday, Hour{100, 80})
	usual, known := h.Usual(monday, movedShare)
	assert.True(t, known)
	assert.InDelta(t, 0.8, usual, 1e-9)
}
