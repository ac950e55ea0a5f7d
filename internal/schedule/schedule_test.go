package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", s)
	if err != nil {
		panic(err)
	}
	return t
}

func parsed(t *testing.T, expr string) Schedule {
	t.Helper()
	s, err := Parse(expr)
	require.NoError(t, err)
	return s
}

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ expr, want string }{
		"nothing":                    {"", "empty spec"},
		"four fields":                {"* * * *", "expected exactly 5 fields"},
		"seconds":                    {"0 */5 * * * *", "expected exactly 5 fields"},
		"a minute beyond the hour":   {"60 * * * *", "above maximum"},
		"31 February":                {"0 0 31 2 *", "never fires"},
		"31 of the short months":     {"0 0 31 4,6,9,11 *", "never fires"},
		"an empty list":              {", * * * *", "never fires"},
		"a time zone":                {"TZ=Europe/Berlin 0 3 * * *", "UTC"},
		"cron's time zone":           {"CRON_TZ=Europe/Berlin 0 3 * * *", "UTC"},
		"a time zone and no more":    {"TZ=UTC", "UTC"},
		"a time zone after a space":  {" TZ=UTC 0 3 * * *", "UTC"},
		"an unknown descriptor":      {"@fortnightly", "unrecognized descriptor"},
		"an interval under a second": {"@every 10ms", "whole seconds"},
		"a negative interval":        {"@every -5m", "whole seconds"},
		"a broken second":            {"@every 1500ms", "whole seconds"},
		"no interval":                {"@every soon", "failed to parse duration"},
		"two lines":                  {"*/5 * * *\nnonsense", "failed to parse int"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tc.expr)
			require.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestScheduleNext(t *testing.T) {
	for name, tc := range map[string]struct {
		expr, from string
		phase      time.Duration
		want       []string
	}{
		"every five minutes":       {"*/5 * * * *", "2026-11-22 09:58:01", 0, []string{"2026-11-22 10:00:00", "2026-11-22 10:05:00"}},
		"strictly after":           {"*/5 * * * *", "2026-11-22 10:00:00", 0, []string{"2026-11-22 10:05:00"}},
		"spaces around":            {"  0   3 * * * ", "2026-11-22 10:00:00", 0, []string{"2026-11-23 03:00:00"}},
		"the leap day":             {"0 0 29 2 *", "2026-11-22 10:00:00", 0, []string{"2028-02-29 00:00:00", "2032-02-29 00:00:00"}},
		"no leap day in 2100":      {"0 0 29 2 *", "2096-03-01 00:00:00", 0, []string{"2104-02-29 00:00:00"}},
		"@hourly":                  {"@hourly", "2026-11-22 10:30:00", 0, []string{"2026-11-22 11:00:00", "2026-11-22 12:00:00"}},
		"@every keeps its beat":    {"@every 10s", "2026-11-22 10:00:03", 0, []string{"2026-11-22 10:00:10", "2026-11-22 10:00:20"}},
		"with a phase":             {"*/5 * * * *", "2026-11-22 10:00:00", 90 * time.Second, []string{"2026-11-22 10:01:30", "2026-11-22 10:06:30"}},
		"with a phase, behind it":  {"*/5 * * * *", "2026-11-22 10:01:30", 90 * time.Second, []string{"2026-11-22 10:06:30"}},
		"no daylight saving (UTC)": {"30 2 * * *", "2026-03-28 12:00:00", 0, []string{"2026-03-29 02:30:00", "2026-03-30 02:30:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, moment := parsed(t, tc.expr).Phased(tc.phase), at(tc.from)
			for _, want := range tc.want {
				moment = s.Next(moment)
				assert.Equal(t, at(want), moment)
			}
		})
	}
}

func TestScheduleNextIsUTCWhereverItIsAskedFrom(t *testing.T) {
	east := time.FixedZone("UTC+5:30", 5*3600+1800)
	next := parsed(t, "0 3 * * *").Next(time.Date(2026, 11, 22, 8, 0, 0, 0, east)) // 02:30 UTC
	assert.Equal(t, at("2026-11-22 03:00:00"), next)
	assert.Equal(t, time.UTC, next.Location())
}

func TestGaps(t *testing.T) {
	const hour, week = time.Hour, 7 * day
	for expr, want := range map[string][2]time.Duration{
		"*/5 * * * *":         {5 * time.Minute, 5 * time.Minute},
		"*/7 * * * *":         {4 * time.Minute, 7 * time.Minute},
		"17 * * * *":          {hour, hour},
		"0,10 * * * *":        {10 * time.Minute, 50 * time.Minute},
		"*/5 8-17 * * 1-5":    {5 * time.Minute, 2*day + 14*hour + 5*time.Minute}, // Friday 17:55 to Monday 08:00
		"0 3 * * *":           {day, day},
		"0 9,17 * * *":        {8 * hour, 16 * hour},
		"0 3 * * 1":           {week, week},
		"0 3 * * 1,2":         {day, 6 * day},
		"0 3 1 * *":           {28 * day, 31 * day},
		"0 3 31 * *":          {31 * day, 61 * day},
		"0 3 29 * *":          {29 * day, 59 * day}, // from January to March where February has 28 days
		"0 3 13 * 5":          {day, 7 * day},       // the 13th or a Friday
		"0 0 29 2 *":          {1461 * day, 1461 * day},
		"@yearly":             {365 * day, 366 * day},
		"@every 10s":          {10 * time.Second, 10 * time.Second},
		"@every 36h":          {36 * hour, 36 * hour},
		"* * * * *":           {time.Minute, time.Minute},
		"59 23 31 12 *":       {365 * day, 366 * day},
		"0,59 0,23 * * *":     {time.Minute, 22*hour + time.Minute},
		"30 12 * 1-6,8-12 *":  {day, 32 * day},
		"*/10 0 1-7 * *":      {10 * time.Minute, 24*day + 23*hour + 10*time.Minute},
		"*/20 6-18/6 * * 0,6": {20 * time.Minute, 5*day + 11*hour + 20*time.Minute},
	} {
		t.Run(expr, func(t *testing.T) {
			for _, from := range []string{"2000-01-01 00:00:00", "2026-11-22 10:31:07"} {
				least, most := parsed(t, expr).Gaps(at(from))
				assert.Equal(t, want, [2]time.Duration{least, most}, "from %s", from)
			}
		})
	}
}

// The quick walk over five years must say what walking every moment does.
func TestGapsAgreesWithWalkingEveryMoment(t *testing.T) {
	for _, expr := range []string{"*/5 8-17 * * 1-5", "0 3 1 * *", "7,23 1,5 */9 2-11/3 *", "0 0 1,15 * 3", "50 23 * * *",
		"20 4 * * 0,2,3", "0 6 1-31 * 1", "0 6 * 1-6 1", "0 6 2-31 * 1"} {
		s, from := parsed(t, expr), at("2026-11-22 10:31:07")
		var least, most time.Duration = 1 << 62, 0
		for last, end := s.Next(from), from.AddDate(5, 0, 0); last.Before(end); {
			next := s.Next(last)
			least, most = min(least, next.Sub(last)), max(most, next.Sub(last))
			last = next
		}
		gotLeast, gotMost := s.Gaps(from)
		assert.Equal(t, []time.Duration{least, most}, []time.Duration{gotLeast, gotMost}, expr)
	}
}

func TestPhase(t *testing.T) {
	t.Run("leaves room for the timeout", func(t *testing.T) {
		for i := range 1000 {
			p := Phase(fmt.Sprint("target", i), 5*time.Minute, 30*time.Second)
			require.True(t, 0 <= p && p < 270*time.Second, "%s", p)
		}
	})
	t.Run("is the same on every start", func(t *testing.T) {
		assert.Equal(t, 180888*time.Millisecond, Phase("contoso", 5*time.Minute, 30*time.Second))
	})
	t.Run("no room, no phase", func(t *testing.T) {
		assert.Zero(t, Phase("contoso", time.Minute, time.Minute))
		assert.Zero(t, Phase("contoso", time.Minute, 2*time.Minute))
	})
	t.Run("a nightly run stays in its night", func(t *testing.T) {
		for i := range 1000 {
			require.Less(t, Phase(fmt.Sprint("target", i), day, time.Minute), time.Hour)
		}
	})
	t.Run("names that differ in a letter are spread evenly", func(t *testing.T) {
		const places = 30
		var seen [places]int
		for i := range 3000 {
			seen[Phase(strings.Repeat("contoso-", 3)+fmt.Sprint(i), places*time.Second, 0)/time.Second]++
		}
		for second, n := range seen {
			assert.InDelta(t, 100, n, 50, "second %d", second)
		}
	})
}
