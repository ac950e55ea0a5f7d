package run

import (
	"container/heap"
	"context"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// job is one check in the dispatcher's hands. It outlives the check's change
// and, while anything of it is at work, its removal: single flight belongs to
// the ID, and a build waits for the one before. The dispatcher's mutex guards
// it.
type job struct {
	check    *check.Check
	schedule Schedule
	timing   timing
	order    int // place in the config: decides between runs due at one moment

	next time.Time // the next planned run
	at   time.Time // when the dispatcher looks at it next: next, or its first run before that

	ctx    context.Context // of the check's runs and its background; ends when it is removed or changed
	cancel context.CancelFunc

	fresh   bool // this build is not tended yet
	tending bool // the Begin or Background of a build, this one or the one before, is at work
	begun   bool // this build may run
	queued  bool // due, and waiting for its turn
	flying  bool // a run is in flight, or left behind and not yet returned
	again   bool // a first run came due while busy
	removed bool
	waiting []chan<- reply // who asked for the run that starts next
}

// reply answers RunNow.
type reply struct {
	result check.Result
	err    error
}

// same says whether c is what the job already runs.
func (j *job) same(c *check.Check) bool {
	return !j.removed && j.check.Hash == c.Hash && j.check.Schedule == c.Schedule
}

// busy says whether a run has to wait for something of the same check to end.
func (j *job) busy() bool { return j.flying || !j.begun }

// plan sets the next planned run, and a first run before it after the given
// delay where there is room.
func (j *job) plan(now time.Time, first time.Duration) {
	j.next = j.schedule.Next(now)
	j.at = now.Add(first)
	if j.at.After(j.next) {
		j.at = j.next
	}
}

// replan makes up for a clock that was set back by -step.
func (j *job) replan(now time.Time, step time.Duration) {
	first := j.at.Before(j.next)
	j.at = j.at.Add(step)
	j.next = j.schedule.Next(now)
	if !first || j.at.After(j.next) {
		j.at = j.next
	}
}

// maxMissed bounds how many missed runs of a check are counted at once (a day
// of five-minute runs): a clock that starts in 1970 has missed millions.
const maxMissed = 288

// pass moves the job behind now and gives how many planned runs came due.
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

// answer replies to all who wait.
func (j *job) answer(r reply) {
	for _, w := range j.waiting {
		w <- r
	}
	j.waiting = nil
}

// jobs is a heap: what is due next comes first. Set replaces it as a whole, so
// that nothing is pushed or popped.
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
