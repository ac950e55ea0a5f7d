package metadata

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const step = 15 * time.Minute

// estate drives a world in steps of a quarter of an hour. Times are counted
// from the roll-over; the watch begins two hours before it.
type estate struct {
	*world
	start time.Time
	lag   time.Duration // by which the job's clock differs from hmad's, after a step
	job   time.Duration // period of the refresh job; 0: it never runs
	last  time.Time     // last run of the job
}

func newEstate(t *testing.T) *estate {
	w := newWorld(t)
	return &estate{world: w, start: noon}
}

// refresh is the job: it takes the whole list, if it is one that it can take.
func (e *estate) refresh(at time.Time) {
	if n := len(e.published); n > 0 && n <= maxExchange {
		e.stored = slices.Clone(e.published)
	}
	e.last = at
}

// roll publishes a certificate that is new today.
func (e *estate) roll() []byte {
	der := newDER(e.t, "next", e.start.AddDate(0, 0, -20))
	e.published = append(slices.Clone(e.published), der)
	return der
}

// watch runs the check every quarter of an hour for the given time and gives
// what it said, each change with its moment. At each step the world changes
// first (at), then the job runs if it is due, then the check.
func (e *estate) watch(span time.Duration, at map[time.Duration]func()) []string {
	var said []string
	before := ""
	for real := -2 * time.Hour; real <= span; real += step {
		e.now = e.start.Add(real + e.lag)
		if change := at[real]; change != nil {
			change()
			e.now = e.start.Add(real + e.lag)
		}
		if moment := e.start.Add(real); e.job > 0 && moment.Sub(e.last) >= e.job {
			e.refresh(moment)
		}
		if got := outcome(e.run()); got != before {
			before = got
			said = append(said, fmt.Sprintf("%s %s", real, got))
		}
	}
	return said
}

func TestRollOvers(t *testing.T) {
	always := []string{"-2h0m0s good"}
	for name, tc := range map[string]struct {
		job  time.Duration
		made time.Duration // how long before the roll-over the job ran last
		at   func(*estate) map[time.Duration]func()
		want []string
	}{
		"published ahead, an 8-hour job that ran just before": {job: 8 * time.Hour, at: rollAt0, want: always},
		"published ahead, an 8-hour job that runs soon":       {job: 8 * time.Hour, made: 7 * time.Hour, at: rollAt0, want: always},
		"published ahead, a 12-hour job that ran just before: a ticket, never a page": {job: 12 * time.Hour, at: rollAt0,
			want: []string{"-2h0m0s good", "8h0m0s metadata_stale", "12h0m0s good"}},
		"published ahead, a 12-hour job that runs soon": {job: 12 * time.Hour, made: 6 * time.Hour, at: rollAt0, want: always},
		"never refreshed": {at: rollAt0,
			want: []string{"-2h0m0s good", "8h0m0s metadata_stale", "13h0m0s metadata_long_stale"}},
		"never refreshed, hmad restarts between": {
			at: func(e *estate) map[time.Duration]func() {
				changes := rollAt0(e)
				changes[5*time.Hour], changes[9*time.Hour] = e.restart, e.restart
				return changes
			},
			want: []string{"-2h0m0s good", "8h0m0s metadata_stale", "13h0m0s metadata_long_stale"}},
		"never refreshed, out of publication for 23 hours": {
			at: func(e *estate) map[time.Duration]func() {
				changes := rollAt0(e)
				var next []byte
				changes[time.Hour] = func() { next = e.published[3]; e.published = e.published[:3] }
				changes[24*time.Hour] = func() { e.published = append(e.published, next) }
				return changes
			},
			want: []string{"-2h0m0s good", "24h0m0s metadata_long_stale"}},
		"never refreshed, out of publication for 24 hours": {
			at: func(e *estate) map[time.Duration]func() {
				changes := rollAt0(e)
				var next []byte
				changes[time.Hour] = func() { next = e.published[3]; e.published = e.published[:3] }
				changes[25*time.Hour] = func() { e.published = append(e.published, next) }
				return changes
			},
			want: []string{"-2h0m0s good", "33h0m0s metadata_stale", "38h0m0s metadata_long_stale"}},
		"emergency: published and in use at once, the job does not run": {
			at: func(e *estate) map[time.Duration]func() {
				e.signing = e.published[0]
				return map[time.Duration]func(){0: func() { e.signing = e.roll() }}
			},
			want: []string{"-2h0m0s good", "0s signing_key_missing", "8h0m0s signing_key_missing metadata_stale", "13h0m0s signing_key_missing metadata_long_stale"}},
		"emergency, the 8-hour job mends it": {job: 8 * time.Hour, made: 2 * time.Hour,
			at: func(e *estate) map[time.Duration]func() {
				e.signing = e.published[0]
				return map[time.Duration]func(){0: func() { e.signing = e.roll() }}
			},
			want: []string{"-2h0m0s good", "0s signing_key_missing", "6h0m0s good"}},
		"a certificate withdrawn, and stored on": {
			at: func(e *estate) map[time.Duration]func() {
				return map[time.Duration]func(){0: func() { e.published = e.published[1:] }}
			},
			want: always},
		"a missing certificate withdrawn again": {
			at: func(e *estate) map[time.Duration]func() {
				changes := rollAt0(e)
				changes[10*time.Hour] = func() { e.published = e.published[:3] }
				return changes
			},
			want: []string{"-2h0m0s good", "8h0m0s metadata_stale", "10h0m0s good"}},
		"eleven certificates: the job takes none of them": {job: 8 * time.Hour,
			at: func(e *estate) map[time.Duration]func() {
				return map[time.Duration]func(){0: func() { e.published = append(e.published, newDERs(e.t, 8)...) }}
			},
			want: []string{"-2h0m0s good", "0s certificate_limit", "8h0m0s certificate_limit metadata_stale", "13h0m0s certificate_limit metadata_long_stale"}},
		"the document cannot be reached for three hours": {job: 8 * time.Hour,
			at: func(e *estate) map[time.Duration]func() {
				kept := e.published
				return map[time.Duration]func(){0: func() { e.published = nil }, 3 * time.Hour: func() { e.published = kept }}
			},
			want: []string{"-2h0m0s good", "0s error:metadata", "3h0m0s good"}},
		"a certificate appears behind ten hours without the document: its age is not known": {
			at: func(e *estate) map[time.Duration]func() {
				kept := e.published
				return map[time.Duration]func(){0: func() { e.published = nil }, 10 * time.Hour: func() { e.published = kept; e.roll() }}
			},
			want: []string{"-2h0m0s good", "0s error:metadata", "10h0m0s error:state", "18h0m0s metadata_stale", "23h0m0s metadata_long_stale"}},
		"the stored copy loses a certificate": {
			at: func(e *estate) map[time.Duration]func() {
				return map[time.Duration]func(){0: func() { e.stored = e.stored[1:] }}
			},
			want: []string{"-2h0m0s good", "8h0m0s metadata_stale", "13h0m0s metadata_long_stale"}},
		"a roll-over while no report arrives: the age grows all the same": {
			at: func(e *estate) map[time.Duration]func() {
				changes := rollAt0(e)
				changes[step] = func() { e.written = e.now }
				changes[9*time.Hour] = func() { e.written = time.Time{} }
				return changes
			},
			want: []string{"-2h0m0s good", "1h15m0s error:report", "9h0m0s metadata_stale", "13h0m0s metadata_long_stale"}},
		"a report that lags does not make the 8-hour job late": {job: 8 * time.Hour,
			at: func(e *estate) map[time.Duration]func() {
				changes := rollAt0(e)
				changes[7*time.Hour+2*step] = func() { e.frozen = e.report("MBX01") }
				changes[8*time.Hour+step] = func() { e.frozen = nil }
				return changes
			},
			want: always},
		"healthy, the clock steps an hour ahead": {job: 8 * time.Hour, made: 2 * time.Hour, at: stepped(time.Hour), want: always},
		"the job ran just before, and the clock steps an hour ahead: a ticket an hour early, never a page": {job: 8 * time.Hour, at: stepped(time.Hour),
			want: []string{"-2h0m0s good", "7h0m0s metadata_stale", "8h0m0s good"}},
		"healthy, the clock steps an hour back":       {job: 8 * time.Hour, at: stepped(-time.Hour), want: always},
		"12-hour job, the clock steps an hour ahead":  {job: 12 * time.Hour, at: stepped(time.Hour), want: []string{"-2h0m0s good", "7h0m0s metadata_stale", "12h0m0s good"}},
		"never refreshed, the clock steps back":       {at: stepped(-time.Hour), want: []string{"-2h0m0s good", "9h0m0s metadata_stale", "14h0m0s metadata_long_stale"}},
		"never refreshed, the clock steps ahead":      {at: stepped(time.Hour), want: []string{"-2h0m0s good", "7h0m0s metadata_stale", "12h0m0s metadata_long_stale"}},
		"never refreshed, the clock was a day ahead":  {at: ahead24(24 * time.Hour), want: []string{"-2h0m0s good", "9h0m0s metadata_stale", "14h0m0s metadata_long_stale"}},
		"never refreshed, the clock was a year ahead": {at: ahead24(365 * 24 * time.Hour), want: []string{"-2h0m0s good", "9h0m0s metadata_stale", "14h0m0s metadata_long_stale"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t)
			e.job, e.last = tc.job, e.start.Add(-tc.made)
			assert.Equal(t, tc.want, e.watch(40*time.Hour, tc.at(e)))
		})
	}
}

func rollAt0(e *estate) map[time.Duration]func() {
	return map[time.Duration]func(){0: func() { e.roll() }}
}

// stepped rolls over and steps hmad's clock three hours later.
func stepped(by time.Duration) func(*estate) map[time.Duration]func() {
	return func(e *estate) map[time.Duration]func() {
		changes := rollAt0(e)
		changes[3*time.Hour] = func() { e.lag = by }
		return changes
	}
}

// ahead24 has the clock ahead at the roll-over, and sets it right an hour
// later.
func ahead24(by time.Duration) func(*estate) map[time.Duration]func() {
	return func(e *estate) map[time.Duration]func() {
		e.lag = by
		changes := rollAt0(e)
		changes[time.Hour] = func() { e.lag = 0 }
		return changes
	}
}

func TestFirstStart(t *testing.T) {
	for name, tc := range map[string]struct {
		age  time.Duration // of the missing certificate's notBefore
		want []string
	}{
		"valid for less than the window: pending": {2 * time.Hour,
			[]string{"-2h0m0s good", "4h0m0s error:state", "6h0m0s metadata_stale", "11h0m0s metadata_long_stale"}},
		"valid for long: nobody knows how old": {20 * 24 * time.Hour,
			[]string{"-2h0m0s error:state", "6h0m0s metadata_stale", "11h0m0s metadata_long_stale"}},
		"not valid yet: published now": {-time.Hour,
			[]string{"-2h0m0s good", "6h0m0s metadata_stale", "11h0m0s metadata_long_stale"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t)
			e.published = append(slices.Clone(e.published), newDER(t, "next", e.start.Add(-2*time.Hour-tc.age)))
			assert.Equal(t, tc.want, e.watch(14*time.Hour, nil))
		})
	}
}

func TestPendingIsPassedWithADeadline(t *testing.T) {
	e := newEstate(t)
	e.run()
	e.now = e.now.Add(step)
	der := e.roll()
	r := e.run()
	require.Equal(t, "good", outcome(r))
	since, there := sample(r, MissingSince, evoSTS)
	require.True(t, there)
	assert.Equal(t, unix(e.now), since)
	until, _ := sample(r, Deadline, evoSTS)
	assert.Equal(t, unix(e.now.Add(8*time.Hour)), until)
	for set, want := range map[string]float64{"published": 4, "stored": 3, "missing": 1, "extra": 0} {
		got, there := sample(r, Certificates, evoSTS, set)
		assert.True(t, there)
		assert.Equal(t, want, got, set)
	}
	assert.Contains(t, timelineOf(r), ThumbprintOf(der).String()+"  2026-11-22 12:15 UTC     missing                  in order until 2026-11-22 20:15 UTC, critical from 2026-11-23 01:15 UTC")
}
