package state

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// names finds the reasons and metrics that stored results name.
type names struct {
	checks  map[string]vocabulary
	dropped map[string]int // what could not be used, and how often
}

type vocabulary struct {
	reasons map[string]*check.Reason
	metrics map[string]*check.Metric
	facts   map[string]*check.Fact
}

func newNames(defs []*check.Def) *names {
	n := &names{checks: map[string]vocabulary{}, dropped: map[string]int{}}
	for _, d := range defs {
		v := vocabulary{map[string]*check.Reason{}, map[string]*check.Metric{}, map[string]*check.Fact{}}
		for _, f := range d.Facts {
			v.facts[f.Name] = f
		}
		for _, r := range d.Reasons {
			v.reasons[r.Name] = r
		}
		for _, metrics := range [][]*check.Metric{check.Common, {check.Phase}, d.Metrics} {
			for _, m := range metrics {
				v.metrics[m.Name] = m
			}
		}
		n.checks[d.Name] = v
	}
	return n
}

// check reports whether there is a check of this name.
func (n *names) check(name string) bool {
	_, ok := n.checks[name]
	if !ok {
		n.dropped["unknown check "+name]++
	}
	return ok
}

// reason finds a check's reason; nil when there is none of this name.
func (n *names) reason(of, name string) *check.Reason {
	r := n.checks[of].reasons[name]
	if r == nil {
		n.dropped["unknown reason "+of+"."+name]++
	}
	return r
}

// metric finds a check's metric; nil when there is none of this name with so
// many labels.
func (n *names) metric(of, name string, labels int) *check.Metric {
	m := n.checks[of].metrics[name]
	if m == nil || len(m.Labels) != labels {
		n.dropped["unknown metric "+name]++
		return nil
	}
	return m
}

// decode reads a stored run. What this version has no name for is dropped, and
// the whole run where that would turn its verdict into another.
func (n *names) decode(id check.ID, value []byte) (storedRun, error) {
	var s storedResult
	if err := json.Unmarshal(value, &s); err != nil {
		return storedRun{}, err
	}
	r := &check.Result{Check: id.Check, Target: id.Target, Start: s.Start, Took: s.Took,
		Report: n.report(id.Check, s), Err: s.Error.restore()}
	if len(r.Report.Findings) < len(s.Findings) && r.Outcome() != s.Outcome {
		return storedRun{}, fmt.Errorf("its verdict, %s, is based on a reason that no longer exists", s.Outcome)
	}
	if s.Times != nil {
		maps.DeleteFunc(s.Times.FoundSince, func(reason string, _ time.Time) bool { return n.reason(id.Check, reason) == nil })
	}
	return storedRun{r, s.Times}, nil
}

func (n *names) report(of string, s storedResult) check.Report {
	var report check.Report
	for _, f := range s.Findings {
		if reason := n.reason(of, f.Reason); reason != nil {
			report.Findings = append(report.Findings, check.Finding{Reason: reason, About: f.About, Detail: f.Detail, Accepted: f.Accepted, Carried: f.Carried})
		}
	}
	for _, u := range s.Unjudged {
		if reason := n.reason(of, u.Reason); reason != nil {
			report.Unjudged = append(report.Unjudged, check.Unjudged{Reason: reason, Why: u.Why, Ends: u.Ends})
		}
	}
	for _, x := range s.Samples {
		report.Samples = append(report.Samples, n.samples(of, x)...)
	}
	for _, x := range s.Notes {
		for _, text := range x.Texts {
			report.Notes = append(report.Notes, check.Note{Kind: x.Kind, Text: text})
		}
	}
	return report
}

func (n *names) samples(of string, s storedSamples) (samples []check.Sample) {
	for _, row := range s.Rows {
		m := n.metric(of, s.Metric, len(row)-1)
		if m == nil {
			continue
		}
		if value, err := strconv.ParseFloat(row[0], 64); err == nil {
			samples = append(samples, check.Sample{Metric: m, Value: value, Labels: row[1:]})
		}
	}
	return samples
}
