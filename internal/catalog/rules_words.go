package catalog

import (
	"fmt"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/run"
)

// waitsOf reads the check's default schedule.
func waitsOf(d *check.Def) waits {
	schedule, err := run.ParseSchedule(d.Every)
	if err != nil {
		panic(fmt.Sprintf("catalog: %s: %v", d.Name, err)) // a test holds that schedules are in order
	}
	_, most := schedule.Gaps(time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC))
	return waits{most}
}

// description says of whom an alert speaks and where the detail stands, which
// is never a label; where the check counts a fleet, also the counts and the
// worst five. Its text is a template that Prometheus fills in.
func description(d *check.Def) string {
	text := "Check {{ $labels.check }} of target {{ $labels.target }} found {{ $labels.reason }}. " +
		"What it saw is on the status page of hmad at {{ $labels.instance }}; " +
		"`hmad check {{ $labels.check }} --target={{ $labels.target }} --verbose` looks again."
	for _, f := range facts {
		if declares(d, f.metric) {
			text += f.text()
		}
	}
	return text
}

func declares(d *check.Def, name string) bool {
	for _, m := range d.Metrics {
		if m.Name == name {
			return true
		}
	}
	return false
}

// fact is what an alert adds of a family of its check, by a query of its own
// when it fires.
type fact struct {
	metric string
	query  string // %s stands for the matchers of the alert's check
	lead   string
	each   string // one element, a template; its label is the one of the family

	example, value, want string // for the rules' unit tests: a series, and what becomes of it
}

// facts: a family is worth a sentence when it counts or dates the members of a
// fleet.
var facts = []fact{
	{metric: "hmad_mailboxes", query: "sort_desc(hmad_mailboxes{%s} > 0)",
		lead: "Mailboxes by state", each: "{{ .Labels.state }} {{ .Value }}",
		example: `state="stale"`, value: "12", want: " Mailboxes by state: stale 12."},
	{metric: "hmad_mailbox_last_success_sync_timestamp_seconds",
		query: "sort(bottomk(5, hmad_mailbox_last_success_sync_timestamp_seconds{%s}))",
		lead:  "Longest without synchronising", each: "{{ .Labels.mailbox }} (since {{ .Value | humanizeTimestamp }})",
		example: `mailbox="user1@contoso.com"`, value: "1600000000", want: " Longest without synchronising: user1@contoso.com (since 2020-09-13 12:26:40 +0000 UTC)."},
	{metric: "hmad_onprem_report_timestamp_seconds",
		query: "sort(bottomk(5, hmad_onprem_report_timestamp_seconds{%s}))",
		lead:  "Oldest reports", each: "{{ .Labels.host }} ({{ .Value | humanizeTimestamp }})",
		example: `host="EX01"`, value: "1600000000", want: " Oldest reports: EX01 (2020-09-13 12:26:40 +0000 UTC)."},
}

// text is the sentence as a template; nothing where the query gives nothing.
func (f fact) text() string {
	matchers := `instance=%q,check=%q,target=%q`
	query := strings.Replace(f.query, "%s", matchers, 1)
	return "{{ with printf `" + query + "` $labels.instance $labels.check $labels.target | query }} " + f.lead +
		":{{ range $i, $x := . }}{{ if $i }},{{ end }} {{ with $x }}" + f.each + "{{ end }}{{ end }}.{{ end }}"
}
