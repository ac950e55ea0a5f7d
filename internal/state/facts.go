package state

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// maxFacts bounds the facts of a check.
const maxFacts = 64

// Fact is what the Store knows of one fact of a check.
type Fact struct {
	check.Observed           // the present value
	Before         string    // the value before; empty: it never changed
	Changed        time.Time // start of the run that saw it change; zero: it never did
}

// withFacts returns the facts after a run that saw these: a value that is not
// the one before is a change, a fact that is new is none, and one that the run
// did not see stays. Above the bound those that changed longest ago go.
func withFacts(known []Fact, seen []check.Observed, at time.Time) (after []Fact, changed bool) {
	after = slices.Clone(known)
	for _, o := range seen {
		i := slices.IndexFunc(after, func(f Fact) bool { return f.Fact == o.Fact && f.Subject == o.Subject })
		switch {
		case i < 0:
			after, changed = append(after, Fact{Observed: o}), true
		case after[i].Value != o.Value:
			after[i], changed = Fact{o, after[i].Value, at}, true
		}
	}
	if !changed {
		return known, false
	}
	for len(after) > maxFacts {
		oldest := 0
		for i, f := range after {
			if f.Changed.Before(after[oldest].Changed) {
				oldest = i
			}
		}
		after = slices.Delete(after, oldest, oldest+1)
	}
	return after, true
}

// storedFact is a Fact in the form of the file.
type storedFact struct {
	Fact    string    `json:"fact"`
	Subject string    `json:"subject,omitempty"`
	Value   string    `json:"value"`
	Before  string    `json:"before,omitempty"`
	Changed time.Time `json:"changed,omitzero"`
}

func factsKey(id check.ID) key { return key{factTable, id.Target, id.Check, ""} }

func storeFacts(facts []Fact) []storedFact {
	out := make([]storedFact, 0, len(facts))
	for _, f := range facts {
		out = append(out, storedFact{f.Fact.Name, f.Subject, f.Value, f.Before, f.Changed})
	}
	return out
}

// takeFacts reads a check's facts; those that this version does not declare are
// dropped.
func (l *loaded) takeFacts(id check.ID, value []byte) error {
	var stored []storedFact
	if err := json.Unmarshal(value, &stored); err != nil {
		return err
	}
	var facts []Fact
	for _, f := range stored[:min(len(stored), maxFacts)] {
		if fact := l.names.checks[id.Check].facts[f.Fact]; fact != nil {
			facts = append(facts, Fact{check.Observed{Fact: fact, Subject: f.Subject, Value: f.Value}, f.Before, f.Changed})
		}
	}
	l.facts[id] = facts
	return nil
}
