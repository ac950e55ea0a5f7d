package run

import (
	"container/heap"
	"context"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/schedule"
)

// job is the dispatcher's state of one check ID, guarded by the dispatcher's
// mutex. It stays when a reload changes the check, and after the check's removal
// until its run and its Background have ended: only so can no two runs of one ID
// overlap.
type job struct {
	check    *check.Check
	schedule schedule.Schedule
	timing   timing
	order    int // place in the config; orders runs that are due at the same moment

	next time.Time // the next planned run
	at   time.Time // when it is due: next, or before that its first run

	ctx    context.Context // of its runs and its Background; ends when the check is removed or changed
	cancel context.CancelFunc

	fresh   bool // tend has not been called since the check was set
	tending bool // Begin or Background is working, of this check or of the one before the change
	begun   bool // Begin has returned, the check may run
	queued  bool // due, and in the queue
	flying  bool // a run is in flight, or was left behind and has not returned
	again   bool // a first run came due while busy
	removed bool
	waiting []chan<- reply // calls of RunNow that get the result of the next run
}

// reply answers RunNow.
type reply struct {
	result check.Result
	err    error
}

// same reports whether the job already runs c.
func (j *job) same(c *check.Check) bool {
	return !j.removed && j.check.Hash == c.Hash && j.check.Schedule == c.Schedule
}

// busy reports whether a run has to wait until another, or Begin, has ended.
func (j *job) busy() bool { return j.flying || !j.begun }

// plan sets the next planned run, and a first run after the given delay if that
// is earlier.
func (j *job) plan(now time.Time, first time.Duration) {
	j.next = j.schedule.Next(now)
	j.at = now.Add(first)
	if j.at.After(j.next) {
		j.at = j.next
	}
}

// replan moves the job after the clock was set back by -step.
func (j *job) replan(now time.Time, step time.Duration) {
	first := j.at.Before(j.next)
	j.at = j.at.Add(step)
	j.next = j.schedule.Next(now)
	if !first || j.at.After(j.next) {
		j.at = j.next
	}
}

// maxMissed limits how many missed runs of a check are counted at once (a day of
// five-minute runs): a clock that jumps from 1970 to today has missed millions.
const maxMissed = 288

// pass moves the job to its next run after now and returns how many planned runs
// have come due.
func (j *job) pass(now time.Time) (planned int) {
	for ; !j.next.After(now) && planned < maxMissed; planned++ {
		j.next = j.schedule.Next(j.next)
	}
	if !j.next.After(now) {
		j.next = j.schedule.Next(now)
	}
	j.at = j.next
	return planned
}

// answer sends r to every call that waits.
func (j *job) answer(r reply) {
	for _, w := range j.waiting {
		w <- r
	}
	j.waiting = nil
}

// jobs is a heap of jobs, the one that is due next first. Set replaces it as a
// whole: nothing is pushed or popped.
type jobs []*job

var _ heap.Interface = jobs(nil)

func (h jobs) Len() int      { return len(h) }
func (h jobs) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h jobs) Push(any)      {}
func (h jobs) Pop() any      { return nil }
func (h jobs) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].order < h[j].order
	}
	return h[i].at.Before(h[j].at)
}
