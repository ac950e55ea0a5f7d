package state

import (
	"encoding/ascii85"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// storedResult is a check.Result in the form of the file: reasons and metrics by
// name, the error as class and message.
type storedResult struct {
	Start    time.Time        `json:"start"`
	Took     time.Duration    `json:"took"`
	Outcome  check.Outcome    `json:"outcome"`
	Findings []storedFinding  `json:"findings,omitempty"`
	Unjudged []storedUnjudged `json:"unjudged,omitempty"`
	Samples  []storedSamples  `json:"samples,omitempty"`
	Notes    []storedNotes    `json:"notes,omitempty"`
	Error    *storedError     `json:"error,omitempty"`
	Times    *times           `json:"times,omitempty"`
}

// storedRun is a result with what was true of its check after it.
type storedRun struct {
	result *check.Result
	times  *times // nil: not known any more
}

// times are what a check's results in the file do not tell, because it may be
// older than they.
type times struct {
	Since       time.Time            `json:"since"`
	FoundSince  map[string]time.Time `json:"found_since,omitempty"`
	LastSuccess time.Time            `json:"last_success,omitzero"`
}

type storedFinding struct {
	Reason   string   `json:"reason"`
	About    []string `json:"about,omitempty"`
	Detail   string   `json:"detail,omitempty"`
	Accepted bool     `json:"accepted,omitempty"`
	Carried  bool     `json:"carried,omitempty"`
}

type storedUnjudged struct {
	Reason string `json:"reason"`
	Why    string `json:"why,omitempty"`
	Ends   bool   `json:"ends,omitempty"`
}

// storedSamples are samples of one metric that follow one another. A row is the
// value, which may be NaN or infinite, and the labels.
type storedSamples struct {
	Metric string     `json:"metric"`
	Rows   [][]string `json:"rows"`
}

// storedNotes are notes of one kind that follow one another.
type storedNotes struct {
	Kind  check.NoteKind `json:"kind"`
	Texts []string       `json:"texts"`
}

type storedError struct {
	Class   string `json:"class"`
	Message string `json:"message"`
	Skipped bool   `json:"skipped,omitempty"`
}

// skipped is a persisted error that was check.ErrSkipped.
type skipped string

func (s skipped) Error() string { return string(s) }
func (s skipped) Unwrap() error { return check.ErrSkipped }

// encode returns the text that the file has of a content: a run, a value or a
// record; nil of nothing. It recovers, since results come from checks and it
// runs where a panic would end the process.
func encode(content any) (text []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	switch c := content.(type) {
	case storedRun:
		text, err = json.Marshal(store(c))
	case []storedFact:
		text, err = json.Marshal(c)
	case json.RawMessage:
		text = c
	case []byte:
		text = make([]byte, ascii85.MaxEncodedLen(len(c)))
		text = text[:ascii85.Encode(text, c)]
	}
	if err == nil && len(text) > maxValue {
		err = fmt.Errorf("%d bytes, over the limit of %d", len(text), maxValue)
	}
	return text, err
}

// store returns the stored form of a run.
func store(of storedRun) storedResult {
	r := of.result
	s := storedResult{Start: r.Start, Took: r.Took, Outcome: r.Outcome(), Times: of.times}
	for _, f := range r.Report.Findings {
		s.Findings = append(s.Findings, storedFinding{f.Reason.Name, f.About, f.Detail, f.Accepted, f.Carried})
	}
	for _, u := range r.Report.Unjudged {
		s.Unjudged = append(s.Unjudged, storedUnjudged{u.Reason.Name, u.Why, u.Ends})
	}
	for _, x := range r.Report.Samples {
		s.addSample(x)
	}
	for _, n := range r.Report.Notes {
		s.addNote(n)
	}
	if r.Err != nil {
		s.Error = &storedError{check.ClassOf(r.Err).Name, r.Err.Error(), errors.Is(r.Err, check.ErrSkipped)}
	}
	return s
}

func (s *storedResult) addSample(x check.Sample) {
	last := len(s.Samples) - 1
	if last < 0 || s.Samples[last].Metric != x.Metric.Name {
		s.Samples = append(s.Samples, storedSamples{Metric: x.Metric.Name})
		last++
	}
	value := strconv.FormatFloat(x.Value, 'g', -1, 64)
	s.Samples[last].Rows = append(s.Samples[last].Rows, append([]string{value}, x.Labels...))
}

func (s *storedResult) addNote(n check.Note) {
	last := len(s.Notes) - 1
	if last < 0 || s.Notes[last].Kind != n.Kind {
		s.Notes = append(s.Notes, storedNotes{Kind: n.Kind})
		last++
	}
	s.Notes[last].Texts = append(s.Notes[last].Texts, n.Text)
}

func (e *storedError) restore() error {
	switch {
	case e == nil:
		return nil
	case e.Skipped:
		return skipped(e.Message)
	default:
		return &check.Error{Class: check.ClassNamed(e.Class), Err: errors.New(e.Message)}
	}
}
