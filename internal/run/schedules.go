package run

import (
	"fmt"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/schedule"
)

// Schedules compiles the schedules of checks, each expression once: thousands
// of targets share a handful of them. The zero value is ready to use, by one
// goroutine.
type Schedules struct {
	timings map[string]timing // by expression
}

// timing is a schedule with its gaps.
type timing struct {
	schedule    schedule.Schedule
	least, most time.Duration
}

// Of returns the schedule by which the dispatcher runs c, phase included, and
// its smallest gap. The error is that of schedule.Parse.
func (s *Schedules) Of(c *check.Check) (schedule.Schedule, time.Duration, error) {
	t, err := s.timing(c.Schedule)
	if err != nil {
		return schedule.Schedule{}, 0, err
	}
	return t.phased(c), t.least, nil
}

// timing returns the compiled expression.
func (s *Schedules) timing(expr string) (timing, error) {
	if t, ok := s.timings[expr]; ok {
		return t, nil
	}
	parsed, err := schedule.Parse(expr)
	if err != nil {
		return timing{}, err
	}
	t := timing{schedule: parsed}
	t.least, t.most = parsed.Gaps(schedule.Origin())
	if s.timings == nil {
		s.timings = map[string]timing{}
	}
	s.timings[expr] = t
	return t, nil
}

// phased returns the schedule with the phase of c.
func (t timing) phased(c *check.Check) schedule.Schedule {
	return t.schedule.Phased(schedule.Phase(c.Target, t.least, c.Timeout))
}

// timingsOf returns the timing of each check, in the order of checks. It
// refuses two checks of one ID.
func timingsOf(checks []*check.Check) ([]timing, error) {
	var schedules Schedules
	timings := make([]timing, len(checks))
	seen := make(map[check.ID]bool, len(checks))
	for i, c := range checks {
		if seen[c.ID()] {
			return nil, fmt.Errorf("check %s of target %s is configured twice", c.Name, c.Target)
		}
		seen[c.ID()] = true
		t, err := schedules.timing(c.Schedule)
		if err != nil {
			return nil, fmt.Errorf("check %s of target %s: %w", c.Name, c.Target, err)
		}
		timings[i] = t
	}
	return timings, nil
}
