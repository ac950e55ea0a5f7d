package run

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule is a cron expression, always in UTC, with a phase: the moments at
// which runs are planned. ParseSchedule makes it.
type Schedule struct {
	cron  cron.Schedule
	phase time.Duration
}

const day = 24 * time.Hour

// origin returns the moment from which schedules are measured, so that what is
// derived from them is the same on every start. A leap year, that 29 February
// is found.
func origin() time.Time { return time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC) }

// ParseSchedule reads the five fields of cron (minute, hour, day of month,
// month, day of week) or a descriptor (@hourly, @daily, @weekly, @monthly,
// @yearly, @every 10s). As in cron, a day matches when either day field does,
// if both are restricted. An error is one line: an expression that cannot be
// read, that names a time zone, or that never fires, such as 31 February.
func ParseSchedule(expr string) (Schedule, error) {
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
		// cron rounds silently, a negative interval up to a second.
		if d, err := time.ParseDuration(strings.TrimPrefix(expr, "@every ")); err != nil || d != c.Delay {
			return Schedule{}, errors.New("@every takes whole seconds, at least 1s")
		}
		parsed = every(c.Delay)
	}
	if parsed.Next(origin()).IsZero() {
		return Schedule{}, errors.New("it never fires: no such date")
	}
	return Schedule{cron: parsed}, nil
}

// Phased gives the schedule with every moment later by phase (see Phase).
func (s Schedule) Phased(phase time.Duration) Schedule { return Schedule{s.cron, phase} }

// Next gives the first planned moment after t, in UTC.
func (s Schedule) Next(t time.Time) time.Time {
	t = t.UTC().Add(-s.phase)
	next := s.cron.Next(t)
	if next.IsZero() {
		// cron looks five years ahead, and between 2096 and 2104 no year leaps.
		next = s.cron.Next(t.AddDate(5, 0, 0))
	}
	return next.Add(s.phase)
}

// Gaps gives the smallest and the largest time between two neighbouring
// planned moments of the five years after from. (An expression that fires
// less often gives the gap after its first moment.)
func (s Schedule) Gaps(from time.Time) (least, most time.Duration) {
	if e, ok := s.cron.(every); ok {
		return time.Duration(e), time.Duration(e)
	}
	least = 1<<63 - 1
	see := func(gap time.Duration) { least, most = min(least, gap), max(most, gap) }

	s = s.Phased(0) // which moves days, and changes no gap
	// In UTC all days on which it fires are alike, so that one day is walked
	// moment by moment and the others from their last moment to the next first.
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

// every is cron's @every, aligned to the interval: cron itself counts from the
// moment at which it is asked, so that every delay would add up.
type every time.Duration

func (e every) Next(t time.Time) time.Time {
	return t.Truncate(time.Duration(e)).Add(time.Duration(e))
}

// maxPhase bounds a phase: whoever writes 03:00 means the night.
const maxPhase = time.Hour

// Phase gives the delay by which all runs of a target's check stand behind its
// schedule, so that targets do not all start at one moment: a hash of the
// target's name, within what the smallest gap leaves beside the timeout, and
// within an hour. Checks of one target that have schedule and timeout in
// common so see one moment.
func Phase(target string, minGap, timeout time.Duration) time.Duration {
	return spread(target, min(minGap-timeout, maxPhase))
}

// spread gives name's place in the window, in whole milliseconds.
func spread(name string, window time.Duration) time.Duration {
	if window <= 0 {
		return 0
	}
	place, _ := bits.Mul64(hash(name), uint64(window))
	return time.Duration(place).Truncate(time.Millisecond)
}

// hash is FNV-1a, finished with MurmurHash3's mix: the high bits of FNV alone,
// which decide the place, are nearly the same for names that differ in their
// last letters.
func hash(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
