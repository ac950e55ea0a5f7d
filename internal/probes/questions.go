package probes

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// rememberedQuestions is the memory's key for the questions of tls_offload.
const rememberedQuestions = "tls_offload"

// maxTries bounds how often a question that draws no answer is put: once, and
// once more to confirm it.
const maxTries = 2

// questions remembers, across restarts, when each address of a URL was asked
// and what that showed.
type questions struct {
	URL   string
	Asked map[string]question // by address
}

// question is one that was put, with the verdict on it.
type question struct {
	At           time.Time
	Tries        int // how often it was put in vain, this time included
	Answered     bool
	Findings     []heldFinding `json:",omitempty"`
	Unevaluated  []string      `json:",omitempty"` // names of reasons
	Inconclusive string        `json:",omitempty"`
	Notes        []string      `json:",omitempty"`
}

type heldFinding struct{ Reason, Detail string }

// recallQuestions gives what is remembered of u, as far as it is recent; of
// another URL nothing is.
func recallQuestions(m check.Memory, u *url.URL, now time.Time, every time.Duration) *questions {
	var qs questions
	if !m.Get(rememberedQuestions, &qs) || qs.URL != shownURL(u) || qs.Asked == nil {
		return &questions{shownURL(u), map[string]question{}}
	}
	maps.DeleteFunc(qs.Asked, func(_ string, q question) bool { return !q.recent(now, every) })
	return &qs
}

// split parts the ways into those that may be asked now and the addresses that
// may not.
func (qs *questions) split(ws []way) (due []way, held []string) {
	for _, w := range ws {
		address := (&Visit{Address: w.address, way: w}).peer()
		if qs.Asked[address].holds() {
			held = append(held, address)
			continue
		}
		due = append(due, w)
	}
	return due, held
}

// holds says whether a recent question stands as it is.
func (q question) holds() bool { return q.Answered || q.Tries >= maxTries }

// recent says whether it is too early to ask again. A schedule of the same
// length may start a little early, hence the slack.
func (q question) recent(now time.Time, every time.Duration) bool {
	age := now.Sub(q.At)
	return age >= 0 && age < every-min(every/60, time.Minute)
}

// put notes a question that was put to the visit's address just now.
func (qs *questions) put(v Visit, judged addressed, inconclusive string, now time.Time) {
	q := question{At: now.UTC(), Tries: 1, Answered: judged.answered, Inconclusive: inconclusive, Notes: v.notes()}
	if before := qs.Asked[judged.address]; !before.Answered {
		q.Tries += before.Tries
	}
	for _, f := range judged.findings {
		q.Findings = append(q.Findings, heldFinding{f.Reason.Name, f.Detail})
	}
	for _, r := range judged.unevaluated {
		q.Unevaluated = append(q.Unevaluated, r.Name)
	}
	qs.Asked[judged.address] = q
}

// verdict gives the verdict of then. Reasons that this version does not know
// are left out.
func (q question) verdict(address string) addressed {
	out := addressed{address: address, answered: q.Answered}
	for _, f := range q.Findings {
		for _, r := range tlsOffloadReasons {
			if r.Name == f.Reason {
				out.findings = append(out.findings, check.Finding{Reason: r, Detail: f.Detail})
			}
		}
	}
	for _, r := range tlsOffloadReasons {
		if slices.Contains(q.Unevaluated, r.Name) {
			out.unevaluated = append(out.unevaluated, r)
		}
	}
	return out
}

// inconclusive gives the reason for which the question told nothing, if it did.
func (q question) inconclusive(address string) []string {
	if q.Inconclusive == "" {
		return nil
	}
	return []string{address + ": " + q.Inconclusive}
}

// notes say that this is the verdict of then.
func (q question) notes(address string, every time.Duration) []string {
	return append([]string{fmt.Sprintf("%s was asked at %s and is not asked again before %s: this is what it showed then",
		address, q.At.Format(time.DateTime), q.At.Add(every).Format(time.DateTime+" MST"))}, q.Notes...)
}
