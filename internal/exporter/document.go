package exporter

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// Document returns the results as the JSON document that the API and
// `hmad check --output=json` share; the value encodes with encoding/json.
// Lists are never null, times are RFC 3339 in UTC, and a value that JSON has no
// number for (NaN, infinities) is null.
func Document(results []check.Result) any {
	d := document{Version: 1, Results: make([]resultDoc, 0, len(results))}
	for _, r := range results {
		d.Results = append(d.Results, newResultDoc(r))
	}
	return d
}

type document struct {
	Version int         `json:"version"`
	Results []resultDoc `json:"results"`
}

type resultDoc struct {
	Check       string        `json:"check"`
	Target      string        `json:"target"`
	Outcome     check.Outcome `json:"outcome"`
	Start       time.Time     `json:"start"`
	Duration    number        `json:"duration_seconds"`
	Findings    []findingDoc  `json:"findings"`
	Unevaluated []string      `json:"unevaluated"`
	Unjudged    []unjudgedDoc `json:"unjudged"`
	Samples     []sampleDoc   `json:"samples"`
	Notes       []string      `json:"notes"` // all of them, also those of the next two
	Repeat      []string      `json:"repeat"`
	Timeline    []string      `json:"timeline"`
	Error       *errorDoc     `json:"error"`
}

type findingDoc struct {
	Reason   string         `json:"reason"`
	Severity check.Severity `json:"severity"`
	Detail   string         `json:"detail"`
	Summary  string         `json:"summary"`
	Fix      string         `json:"fix"`
	Accepted bool           `json:"accepted"`
	Carried  bool           `json:"carried"` // an earlier run found it, and this one did not judge it
	About    []string       `json:"about"`
}

type unjudgedDoc struct {
	Reason string `json:"reason"`
	Why    string `json:"why"`
}

type sampleDoc struct {
	Metric string            `json:"metric"`
	Labels map[string]string `json:"labels"`
	Value  number            `json:"value"`
}

type errorDoc struct {
	Class   string `json:"class"`
	Message string `json:"message"`
}

// number is a float that encodes as null where JSON has no number for it.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func newResultDoc(r check.Result) resultDoc {
	d := resultDoc{
		Check: r.Check, Target: r.Target, Outcome: r.Outcome(),
		Start:       r.Start.UTC().Truncate(time.Millisecond),
		Duration:    number(r.Took.Seconds()),
		Findings:    make([]findingDoc, 0, len(r.Report.Findings)),
		Unevaluated: make([]string, 0, len(r.Report.Unjudged)),
		Unjudged:    make([]unjudgedDoc, 0, len(r.Report.Unjudged)),
		Samples:     make([]sampleDoc, 0, len(r.Report.Samples)),
		Notes:       append([]string{}, r.Report.Texts()...),
		Repeat:      append([]string{}, r.Report.Texts(check.Repeat)...),
		Timeline:    append([]string{}, r.Report.Texts(check.Timeline)...),
	}
	for _, f := range r.Report.Findings {
		d.Findings = append(d.Findings, findingDoc{f.Reason.Name, f.Reason.Severity, f.Detail, f.Reason.Summary, f.Reason.Fix, f.Accepted,
			f.Carried, append([]string{}, f.About...)})
	}
	for _, u := range r.Report.Unjudged {
		d.Unevaluated = append(d.Unevaluated, u.Reason.Name)
		d.Unjudged = append(d.Unjudged, unjudgedDoc{u.Reason.Name, u.Why})
	}
	for _, s := range r.Report.Samples {
		d.Samples = append(d.Samples, sampleDoc{s.Metric.Name, labelMap(s), number(s.Value)})
	}
	if r.Err != nil {
		d.Error = &errorDoc{errorClass(r), r.Err.Error()}
	}
	return d
}

// errorClass names the class of a result's error; a skipped run has no class
// of hmad_check_errors_total and is called by its outcome.
func errorClass(r check.Result) string {
	if errors.Is(r.Err, check.ErrSkipped) {
		return string(check.Skipped)
	}
	return check.ClassOf(r.Err).Name
}

// labelMap pairs a sample's labels with their names; a surplus value, which the
// declaration has no name for, is kept under its position.
func labelMap(s check.Sample) map[string]string {
	m := make(map[string]string, len(s.Labels))
	for i, v := range s.Labels {
		if i < len(s.Metric.Labels) {
			m[s.Metric.Labels[i]] = v
		} else {
			m[strconv.Itoa(i)] = v
		}
	}
	return m
}
