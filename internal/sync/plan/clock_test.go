package plan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
)

// Wherever the clock jumps to, every mailbox is asked again in the time that a
// start would take, and samples go on within the hour.
func TestStepsOfTheClock(t *testing.T) {
	const day, n = 24 * time.Hour, 200
	for _, step := range []time.Duration{-20 * 365 * day, -30 * day, -day, -time.Hour, -time.Minute, time.Minute, time.Hour, day, 20 * 365 * day} {
		for name, every := range map[string]time.Duration{"each when it is due": 0, "all in turn": 10 * time.Minute} {
			t.Run(step.String()+", "+name, func(t *testing.T) {
				p := fleet(Settings{StaleAfter: day, Budget: budget.New(2, 4), AskEvery: every}, n)
				drive(p, monday, monday.Add(day+7*time.Minute), syncedAgo(time.Hour))
				now := monday.Add(day + 7*time.Minute + step)

				calls, _ := drive(p, now, now.Add(time.Hour), syncedAgo(time.Hour))
				assert.NotEmpty(t, calls, "in an hour")
				within := restMost
				if every > 0 {
					within = 2 * every
				}
				p = fleet(Settings{StaleAfter: day, Budget: budget.New(2, 4), AskEvery: every}, n)
				drive(p, monday, monday.Add(day+7*time.Minute), syncedAgo(time.Hour))
				_, asked := drive(p, now, now.Add(within), syncedAgo(time.Hour))
				require.Len(t, asked, n)
			})
		}
	}
}
