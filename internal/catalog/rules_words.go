package catalog

import (
	"fmt"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/schedule"
)

// waitsOf reads the check's default schedule.
func waitsOf(d *check.Def) waits {
	parsed, err := schedule.Parse(d.Every)
	if err != nil {
		panic(fmt.Sprintf("catalog: %s: %v", d.Name, err)) // a test holds that schedules are in order
	}
	_, most := parsed.Gaps(time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC))
	return waits{most}
}

// lookAgain is the command that repeats a run on hmad's host, with the paths
// that the packages and the unit use.
const lookAgain = "`hmad check {{ $labels.check }} --target={{ $labels.target }} --config.file=/etc/hmad/hmad.yaml --storage.path=/var/lib/hmad --verbose`"

// description says of whom an alert speaks and where the detail stands, which
// is never a label; then what its families say (check.Quote). Its text is a
// template that Prometheus fills in.
func description(d *check.Def, r *check.Reason) string {
	text := "Check {{ $labels.check }} of target {{ $labels.target }} found {{ $labels.reason }}. " +
		"The details are on the status page of hmad at {{ $labels.instance }}; «Check again» there repeats the check"
	if !r.Gathered {
		text += ", as does, run as root on hmad's host, " + lookAgain
	}
	text += "."
	for _, m := range quotes(d, r) {
		text += sentence(m)
	}
	return text
}

// quotes returns the families that the alert of the reason quotes.
func quotes(d *check.Def, r *check.Reason) []*check.Metric {
	var out []*check.Metric
	for _, m := range quoted(d) {
		if of := m.Quote.Reasons; of == nil || slices.Contains(of, r) {
			out = append(out, m)
		}
	}
	return out
}

// quoted returns the check's families that alerts quote.
func quoted(d *check.Def) []*check.Metric {
	return slices.DeleteFunc(slices.Clone(d.Metrics), func(m *check.Metric) bool { return m.Quote == nil })
}

// sentence returns what an alert says of a family, as a template; it is nothing
// where the query finds nothing.
func sentence(m *check.Metric) string {
	query := "sort(bottomk(5, %s))"
	if m.Quote.Counts {
		query = "sort_desc(%s > 0)"
	}
	query = fmt.Sprintf(query, m.Name+"{instance=%q,check=%q,target=%q}")
	return "{{ with printf `" + query + "` $labels.instance $labels.check $labels.target | query }} " + m.Quote.Lead +
		":{{ range $i, $x := . }}{{ if $i }},{{ end }} {{ with $x }}" + m.Quote.Each + "{{ end }}{{ end }}.{{ end }}"
}
