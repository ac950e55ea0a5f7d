package plan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestWhenALocationIsTooOld(t *testing.T) {
	for name, c := range map[string]struct {
		age      time.Duration
		why      Why
		was, now State
		want     bool
	}{
		"a good answer needs none":            {30 * day, Deadline, Fresh, Fresh, false},
		"a good verdict ends":                 {day, Deadline, Fresh, Stale, true},
		"it ends, and the location is recent": {day - 1, Deadline, Fresh, Stale, false},
		"nothing good was heard for long":     {3 * day, Again, Stale, Stale, true},
		"nothing good was heard for a day":    {2 * day, Again, Stale, Stale, false},
		"a watched one, daily":                {day, Urgent, Fresh, Fresh, true},
		"a watched one, not oftener":          {day - 1, Urgent, Stale, Stale, false},
		"one of which nobody says when":       {day, Again, Unknown, Unknown, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := Ask{Why: c.why, Located: monday.Add(-c.age)}
			if c.was == Fresh {
				a.Ends = monday
			}
			assert.Equal(t, c.want, a.LocateAgain(monday, c.now))
		})
	}
}
