// Package schedule is the moments at which runs are planned: cron expressions in
// UTC, their gaps, and the phase of a target within them.
package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule is the moments at which runs are planned: those of a cron expression
// in UTC, each later by a phase. Parse returns one.
type Schedule struct {
	cron  cron.Schedule
	phase time.Duration
}

const day = 24 * time.Hour

// Origin returns the moment from which the gaps of schedules are measured. It is
// fixed, so that phases are the same on every start, and in a leap year, so that
// 29 February is found.
func Origin() time.Time { return time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC) }

// Parse reads the five fields of cron (minute, hour, day of month,
// month, day of week) or a descriptor (@hourly, @daily, @weekly, @monthly,
// @yearly, @every 10s). As in cron, if both day fields are restricted, a day has
// to match one of them. It returns an error of one line for an expression that
// cannot be read, that names a time zone, or that never fires, such as 31
// February.
func Parse(expr string) (Schedule, error) {
	expr = strings.Join(strings.Fields(expr), " ")
	s, err := parse(expr)
	if err != nil {
		return Schedule{}, fmt.Errorf("schedule %q: %w", expr, err)
	}
	return s, nil
}

func parse(expr string) (Schedule, error) {
	if strings.HasPrefix(expr, "TZ=") || strings.HasPrefix(expr, "CRON_TZ=") {
		return Schedule{}, errors.New("a time zone is not accepted: schedules are in UTC")
	}
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	parsed, err := parser.Parse(expr)
	if err != nil {
		return Schedule{}, err
	}
	if c, ok := parsed.(cron.ConstantDelaySchedule); ok {
		// cron rounds without an error, and takes a negative interval for a second.
		if d, err := time.ParseDuration(strings.TrimPrefix(expr, "@every ")); err != nil || d != c.Delay {
			return Schedule{}, errors.New("@every takes whole seconds, at least 1s")
		}
		parsed = every(c.Delay)
	}
	if parsed.Next(Origin()).IsZero() {
		return Schedule{}, errors.New("it never fires: no such date")
	}
	return Schedule{cron: parsed}, nil
}

// Phased returns the schedule with every moment later by phase (see Phase).
func (s Schedule) Phased(phase time.Duration) Schedule { return Schedule{s.cron, phase} }

// Next returns the first planned moment after t, in UTC.
func (s Schedule) Next(t time.Time) time.Time {
	t = t.UTC().Add(-s.phase)
	next := s.cron.Next(t)
	if next.IsZero() {
		// cron looks five years ahead, and there is no leap year between 2096 and 2104.
		next = s.cron.Next(t.AddDate(5, 0, 0))
	}
	return next.Add(s.phase)
}

// Gaps returns the smallest and the largest time between two consecutive planned
// moments in the five years after from. For an expression that fires less often
// it returns the gap after its first moment.
func (s Schedule) Gaps(from time.Time) (least, most time.Duration) {
	if e, ok := s.cron.(every); ok {
		return time.Duration(e), time.Duration(e)
	}
	least = 1<<63 - 1
	see := func(gap time.Duration) { least, most = min(least, gap), max(most, gap) }

	s = s.Phased(0) // a phase changes no gap
	// In UTC all days on which it fires have the same moments. So every moment of
	// one day is visited, and of the other days only the last one.
	today := s.Next(from).Truncate(day)
	last := s.Next(today.Add(-time.Second))
	for t := s.Next(last); t.Before(today.Add(day)); t = s.Next(t) {
		see(t.Sub(last))
		last = t
	}
	evening := last.Sub(today)
	for end := s.repeats(from); ; {
		next := s.Next(last)
		see(next.Sub(last))
		if next.After(end) {
			return least, most
		}
		last = next.Truncate(day).Add(evening)
	}
}

// repeats returns the moment after which s brings no new gaps: two weeks after
// from where the day of the week alone decides on which days it fires, five
// years otherwise.
func (s Schedule) repeats(from time.Time) time.Time {
	const everyDay, everyMonth = (1<<31 - 1) << 1, (1<<12 - 1) << 1 // bits 1 to 31, bits 1 to 12
	if spec, ok := s.cron.(*cron.SpecSchedule); ok && spec.Dom&everyDay == everyDay && spec.Month&everyMonth == everyMonth {
		return from.AddDate(0, 0, 14)
	}
	return from.AddDate(5, 0, 0)
}

// every is cron's @every, aligned to multiples of the interval. (cron itself
// counts from the moment of the call, so that delays would add up.)
type every time.Duration

func (e every) Next(t time.Time) time.Time {
	return t.Truncate(time.Duration(e)).Add(time.Duration(e))
}

// maxPhase limits a phase: a schedule of 03:00 must still run at night.
const maxPhase = time.Hour

// Phase returns the delay of all runs of a target's check after its schedule, so
// that not all targets start at the same moment. It is derived from a hash of the
// target's name, and is less than the smallest gap minus the timeout, and less
// than an hour. Checks of one target with the same schedule and timeout have the
// same phase, and so look at the same moment.
func Phase(target string, minGap, timeout time.Duration) time.Duration {
	return Spread(target, min(minGap-timeout, maxPhase))
}

// Spread returns the place of name in the window, in whole milliseconds, by its
// hash.
func Spread(name string, window time.Duration) time.Duration {
	if window <= 0 {
		return 0
	}
	place, _ := bits.Mul64(hash(name), uint64(window))
	return time.Duration(place).Truncate(time.Millisecond)
}

// hash returns FNV-1a of s, finished with MurmurHash3's mix. The high bits decide
// the place, and those of FNV alone are nearly the same for names that differ
// only in their last letters.
func hash(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
