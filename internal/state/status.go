package state

import (
	"maps"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// How long a check's history is.
const (
	lastRuns    = 20 // of any outcome
	lastNotGood = 30 // of those neither passed nor warned
)

// Status is all that the Store knows of one check.
type Status struct {
	ID     check.ID
	Next   time.Time     // the next run, phase included; zero until planned
	MaxGap time.Duration // the largest gap of the schedule; 0 until planned

	Last    check.Result  // the latest recorded run; a zero Start: none yet
	Decided *check.Result // the latest run with a verdict; nil before the first
	Since   time.Time     // when the present outcome began
	// FoundSince is, by reason, the start of the first of the unbroken row
	// of decided runs that found it. A run that could not tell, or could not
	// evaluate the reason, does not break the row.
	FoundSince  map[string]time.Time
	LastSuccess time.Time // start of the last run that passed or warned
	Facts       []Fact    // in the order in which they were first seen
	// History is newest first: the last 20 runs, and the last 30 that were
	// neither passed nor warned, merged.
	History []check.Result
}

// entry is a check's status with the numbers of its runs. The slices and maps
// of the status are replaced, never changed: snapshots share them.
type entry struct {
	status  Status
	numbers []uint64 // of the runs in History
	last    uint64   // number of the latest run; they begin at 1
	decided uint64   // number of the run in Decided

	factsChanged bool // by the latest run
}

func newEntry(id check.ID) *entry { return &entry{status: Status{ID: id}} }

// outcome returns the latest run's, "" before the first.
func (e *entry) outcome() check.Outcome {
	if len(e.status.History) == 0 {
		return ""
	}
	return e.status.Last.Outcome()
}

// add makes r the latest run.
func (e *entry) add(r check.Result) {
	s, outcome := &e.status, r.Outcome()
	if outcome != e.outcome() {
		s.Since = r.Start
	}
	e.last++
	s.Last = r
	if outcome.Decided() {
		s.Decided, e.decided = &r, e.last
		s.FoundSince = foundSince(s.FoundSince, r)
	}
	if outcome.Good() {
		s.LastSuccess = r.Start
	}
	s.Facts, e.factsChanged = withFacts(s.Facts, r.Report.Facts, r.Start)
	e.remember(r)
}

// remember puts r in front of the history and drops what is too old.
func (e *entry) remember(r check.Result) {
	old := e.status.History
	history := append(make([]check.Result, 0, len(old)+1), r)
	numbers := append(make([]uint64, 0, len(old)+1), e.last)
	notGood := 0
	if !r.Outcome().Good() {
		notGood++
	}
	for i, h := range old {
		good := h.Outcome().Good()
		if !good {
			notGood++
		}
		if i+1 < lastRuns || !good && notGood <= lastNotGood {
			history, numbers = append(history, h), append(numbers, e.numbers[i])
		}
	}
	e.status.History, e.numbers = slices.Clip(history), slices.Clip(numbers)
}

// stored returns run number n, of result r, with the times if it is the latest.
func (e *entry) stored(n uint64, r *check.Result) storedRun {
	if n != e.last {
		return storedRun{result: r}
	}
	return storedRun{r, &times{e.status.Since, e.status.FoundSince, e.status.LastSuccess}}
}

// runs calls f for each run that the file has of this check: its history and
// the run behind the present verdict.
func (e *entry) runs(f func(number uint64, r *check.Result)) {
	inHistory := false
	for i, n := range e.numbers {
		f(n, &e.status.History[i])
		inHistory = inHistory || n == e.decided
	}
	if e.status.Decided != nil && !inHistory {
		f(e.decided, e.status.Decided)
	}
}

// foundSince returns the rows of findings after the decided run r.
func foundSince(before map[string]time.Time, r check.Result) map[string]time.Time {
	after := make(map[string]time.Time, len(before))
	for _, u := range r.Report.Unjudged {
		if t, ok := before[u.Reason.Name]; ok && !u.Ends {
			after[u.Reason.Name] = t
		}
	}
	for _, f := range r.Report.Findings {
		t, ok := before[f.Reason.Name]
		if !ok {
			t = r.Start
		}
		after[f.Reason.Name] = t
	}
	if maps.Equal(before, after) {
		return before
	}
	return after
}

// Standing returns what the latest decided run of a check found, in the order
// of its report; nil before the first.
func (s *Store) Standing(id check.ID) []check.Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[id]; e != nil && e.status.Decided != nil {
		return e.status.Decided.Report.Findings
	}
	return nil
}
