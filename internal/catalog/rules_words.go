package catalog

import (
	"fmt"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/probes"
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

// lookAgain is the command that repeats a run on hmad's host, with the paths
// that the packages and the unit use.
const lookAgain = "`hmad check {{ $labels.check }} --target={{ $labels.target }} --config.file=/etc/hmad/hmad.yaml --storage.path=/var/lib/hmad --verbose`"

// description says of whom an alert speaks and where the detail stands, which
// is never a label; then the facts that are worth a sentence. Its text is a
// template that Prometheus fills in.
func description(d *check.Def, r *check.Reason) string {
	text := "Check {{ $labels.check }} of target {{ $labels.target }} found {{ $labels.reason }}. " +
		"What it saw is on the status page of hmad at {{ $labels.instance }}; «Check again» there looks once more"
	if !fromHistory(r) {
		text += ", and so does, as root on its host, " + lookAgain
	}
	text += "."
	for _, f := range facts {
		if f.tells(d, r) {
			text += f.text()
		}
	}
	return text
}

// fromHistory says whether the reason follows from what the daemon gathered over
// hours, which `hmad check`, having no memory, cannot judge: it asks the watch
// list alone, and does not know what is usual.
func fromHistory(r *check.Reason) bool {
	switch r.Name {
	case "sync_stopped", "sync_failing", "sync_stale", "sync_unknown", "sweep_behind", "cloud_sync_stopped":
		return true
	}
	return false
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
	about  string // what its reasons' names begin with; empty: all of the check's
	query  string // %s stands for the matchers of the alert's check
	lead   string
	each   string // one element, a template; its label is the one of the family

	example, value, want string // for the rules' unit tests: a series, and what becomes of it
}

// facts: a family is worth a sentence when it counts or dates the members of a
// fleet, or the certificates that a reason is about.
var facts = []fact{
	{metric: probes.CertificateNotAfter.Name, about: "certificate_",
		query: "sort(bottomk(5, " + probes.CertificateNotAfter.Name + "{%s}))",
		lead:  "Certificates seen, by their end", each: "{{ .Labels.host }}{{ with .Labels.address }} at {{ . }}{{ end }} ({{ .Value | humanizeTimestamp }})",
		example: `host="mail.contoso.com",address="192.0.2.10:443"`, value: "1600000000",
		want: " Certificates seen, by their end: mail.contoso.com at 192.0.2.10:443 (2020-09-13 12:26:40 +0000 UTC)."},
	{metric: "hmad_mailboxes", query: "sort_desc(hmad_mailboxes{%s} > 0)",
		lead: "Mailboxes by state", each: "{{ .Labels.state }} {{ .Value }}",
		example: `state="stale"`, value: "12", want: " Mailboxes by state: stale 12."},
	{metric: "hmad_mailbox_last_success_sync_timestamp_seconds",
		query: "sort(bottomk(5, hmad_mailbox_last_success_sync_timestamp_seconds{%s}))",
		lead:  "Longest without synchronising", each: "{{ .Labels.mailbox }} (since {{ .Value | humanizeTimestamp }})",
		example: `mailbox="user1@contoso.com"`, value: "1600000000",
		want: " Longest without synchronising: user1@contoso.com (since 2020-09-13 12:26:40 +0000 UTC)."},
	{metric: "hmad_onprem_report_timestamp_seconds",
		query: "sort(bottomk(5, hmad_onprem_report_timestamp_seconds{%s}))",
		lead:  "Oldest reports", each: "{{ .Labels.host }} ({{ .Value | humanizeTimestamp }})",
		example: `host="EX01"`, value: "1600000000", want: " Oldest reports: EX01 (2020-09-13 12:26:40 +0000 UTC)."},
}

// tells says whether the alert of the reason has the fact.
func (f fact) tells(d *check.Def, r *check.Reason) bool {
	return declares(d, f.metric) && strings.HasPrefix(r.Name, f.about)
}

// text is the sentence as a template; nothing where the query gives nothing.
func (f fact) text() string {
	matchers := `instance=%q,check=%q,target=%q`
	query := strings.Replace(f.query, "%s", matchers, 1)
	return "{{ with printf `" + query + "` $labels.instance $labels.check $labels.target | query }} " + f.lead +
		":{{ range $i, $x := . }}{{ if $i }},{{ end }} {{ with $x }}" + f.each + "{{ end }}{{ end }}.{{ end }}"
}
