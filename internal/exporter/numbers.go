package exporter

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// maxNumbers bounds the table of a run's values on the page.
const maxNumbers = 200

// phases are the parts of one request's time, to be drawn as one bar.
type phases struct {
	Where string // host, and address where several were asked
	Total string
	Parts []phase
}

type phase struct {
	Name, Took string
	Class      string // of its colour
	X, Width   int    // in thousandths of the bar
	seconds    float64
}

// newPhases reads the phase samples of a run: a bar per host and address.
func newPhases(samples []check.Sample) []phases {
	var out []phases
	place := map[string]int{}
	for _, s := range samples {
		if s.Metric.Name != check.Phase.Name || len(s.Labels) != 3 || !(s.Value >= 0) || math.IsInf(s.Value, 0) {
			continue
		}
		where := strings.TrimSpace(label(s.Labels[1]) + " " + label(s.Labels[2]))
		if _, ok := place[where]; !ok {
			place[where] = len(out)
			out = append(out, phases{Where: where})
		}
		p := &out[place[where]]
		p.Parts = append(p.Parts, phase{Name: label(s.Labels[0]), Class: phaseClass(s.Labels[0]), Took: check.Span(seconds(s.Value)), seconds: s.Value})
	}
	for i := range out {
		out[i].measure()
	}
	return out
}

// phaseClass returns a phase's colour by its name: a bar without dns has the
// others in the same colours.
func phaseClass(name string) string {
	switch name {
	case "dns", "connect", "tls", "processing", "transfer":
		return "phase-" + name
	default:
		return "phase-other"
	}
}

// measure lays the parts side by side over the whole bar.
func (p *phases) measure() {
	total := 0.0
	for _, x := range p.Parts {
		total += x.seconds
	}
	p.Total = check.Span(seconds(total))
	sum := 0.0
	for i := range p.Parts {
		x := &p.Parts[i]
		if total > 0 {
			x.X = int(1000 * sum / total)
			sum += x.seconds
			x.Width = int(1000*sum/total) - x.X
		}
	}
}

func seconds(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }

// measured is one value of a run.
type measured struct{ Metric, Labels, Value string }

// numbers returns the values of a run other than its phases.
func numbers(samples []check.Sample, now time.Time) []measured {
	var out []measured
	for _, s := range samples {
		if s.Metric.Name == check.Phase.Name || len(out) == maxNumbers {
			continue
		}
		var labels []string
		for i, v := range s.Labels {
			if i < len(s.Metric.Labels) {
				labels = append(labels, s.Metric.Labels[i]+"="+label(v))
			}
		}
		out = append(out, measured{s.Metric.Name, strings.Join(labels, " "), value(s, now)})
	}
	return out
}

// value writes a timestamp as a time, anything else as a number without the dust
// of floating point.
func value(s check.Sample, now time.Time) string {
	if strings.HasSuffix(s.Metric.Name, "_timestamp_seconds") && s.Value > 0 && s.Value < 1e11 {
		m := momentOf(time.Unix(int64(s.Value), 0), now)
		return m.UTC + " (" + m.Ago + ")"
	}
	return strconv.FormatFloat(s.Value, 'g', 10, 64)
}
