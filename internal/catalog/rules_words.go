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

// description says of whom an alert speaks, what the finding concerns, what the
// check's families say (check.Quote), what other hmads see, and where the detail
// stands, which is never a label. Its text is a template that Prometheus fills in.
func (s scale) description(d *check.Def, r *check.Reason) string {
	text := "Check {{ $labels.check }} of target {{ $labels.target }} found {{ $labels.reason }}." + s.subjects()
	for _, m := range quotes(d, r) {
		text += sentence(m)
	}
	text += s.elsewhere() + " The details are " + s.page() + "; «Check again» there repeats the check"
	if !r.Gathered {
		text += ", as does, run as root on hmad's host, " + lookAgain
	}
	return text + "."
}

// subjects is the sentence that names what a finding concerns, worst first: what
// stands now, or what stood last where the finding is away. It is nothing where
// the finding names nothing.
func (s scale) subjects() string {
	about := check.FindingAbout.Name + "{instance=%[1]q,check=%[2]q,target=%[3]q,reason=%[4]q}"
	return "{{ with printf `sort(bottomk(5, min by (subject) (" + about + " or on (instance) " + s.within(about, standing) +
		")))` $labels.instance $labels.check $labels.target $labels.reason | query }} It concerns{{ if gt (len .) 1 }}, worst first{{ end }}:" +
		"{{ range $i, $x := . }}{{ if $i }},{{ end }} {{ $x.Labels.subject }}{{ end }}.{{ end }}"
}

// page is where the check's card is: a link, where hmad knows under which URL
// people reach it (--web.external-url), which no rule can know.
func (s scale) page() string {
	return "{{ with printf `" + s.within("hmad_web_info{instance=%q}", standing) + "` $labels.instance | query }}" +
		"at {{ (first .).Labels.external_url }}/#{{ reReplaceAll `[^a-zA-Z0-9_.]` `-` (printf `%s-%s` $labels.target $labels.check) }}" +
		"{{ else }}on the status page of hmad at {{ $labels.instance }}{{ end }}"
}

// elsewhere is the sentence on what other hmads see of the same target and check:
// inside well and outside not is the firewall. The values are 2 where another
// finds the same, 1 where its last verdict is good, 0 where it is not, and -1
// where it has none.
func (s scale) elsewhere() string {
	others := "{instance!=%[1]q,check=%[2]q,target=%[3]q"
	found := "2 * (" + s.last(check.FindingFound.Name+others+",reason=%[4]q}") + " == 1)"
	verdict := s.last(check.Success.Name + others + "}")
	none := "(" + s.last(check.Decided.Name+others+"}") + " == 0) - 1"
	// One vantage for each, also while it changes.
	vantage := "topk by (instance, target) (1, " + s.last("hmad_target_info{target=%[3]q}") + ")"
	return "{{ with printf `sort_desc(max by (instance, vantage) ((" + found + " or on (instance) " + verdict + " or on (instance) " + none +
		") * on (instance, target) group_left (vantage) " + vantage + "))` $labels.instance $labels.check $labels.target $labels.reason | query }}" +
		" Seen by other hmads:{{ range $i, $x := . }}{{ if $i }},{{ end }} the one at {{ $x.Labels.instance }} ({{ $x.Labels.vantage }}) " +
		"{{ if eq $x.Value 2.0 }}finds the same{{ else if eq $x.Value 1.0 }}does not find it{{ else if eq $x.Value 0.0 }}finds another critical fault" +
		"{{ else }}cannot tell{{ end }}{{ end }}.{{ end }}"
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
