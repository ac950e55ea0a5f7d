package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/probes"
)

func overview() board {
	return board{
		uid: "hmad-overview", title: "hmad / Overview",
		doc: "Is mobile mail healthy, for whom, since when, and what is to be done: hybrid Modern Authentication for Outlook for iOS and Android, " +
			"as hmad sees it.",
		rows: []row{
			{title: "The chain", panels: []panel{
				{healthy, 24, 4, chain()},
			}},
			{title: "Is mobile mail healthy?", panels: []panel{
				{healthy, 9, 6, targets()},
				{healthy, 7, 6, openFindings()},
				{healthy, 4, 6, goodRuns()},
				{healthy, 4, 6, errorBudget()},
			}},
			{title: "What is wrong, since when, and what to do", panels: []panel{
				{broken, 24, 11, findings()},
				{alerted, 24, 7, firingAlerts()},
			}},
			{title: "Since when: $target", perTarget: true, panels: []panel{
				{healthy, 24, heightOf(len(catalog.Defs())), checksOverTime("Checks")},
				{broken, 24, 8, findingsOverTime()},
			}},
			{title: "What a phone meets", panels: []panel{
				{healthy, 12, 8, answerTimes()},
				{healthy, 12, 8, phases()},
				{healthy, 8, 8, certificates()},
				{healthy, 8, 8, schemes()},
				{healthy, 8, 8, builds()},
			}},
		},
	}
}

func targets() cog.Builder[dashboard.Panel] {
	return stats("Targets", "The worst outcome among the checks of each target, now. Failed: phones are affected or will be at once. Undecided: "+
		"hmad cannot tell, for reasons on its own side.", "none",
		query{"max by (target) (\n" + outcome() + "\n)", "{{target}}"}).Mappings(outcomes()).Thresholds(steps("text")).NoValue("hmad says nothing").
		DataLinks([]cog.Builder[dashboard.DashboardLink]{
			dashboard.NewDashboardLinkBuilder("Only this target").Type(dashboard.DashboardLinkTypeLink).
				Url("/d/hmad-overview?${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&${__url_time_range}&var-target=${__field.labels.target}")})
}

// unwatched stands for a step that no check watches.
const unwatched = -1

// chain shows the steps of the guide's connection flow in their order, each by
// the worst word of the checks that watch it.
func chain() cog.Builder[dashboard.Panel] {
	var queries []query
	for i, s := range check.Flow {
		var watch []string
		for _, d := range catalog.Defs() {
			if slices.Contains(d.Steps, i+1) {
				watch = append(watch, d.Name)
			}
		}
		queries = append(queries, query{fmt.Sprintf("max(\n%s\n) or vector(%d)", outcome(matching(watch)), unwatched), fmt.Sprintf("%d %s", i+1, s.Title)})
	}
	states := words(append(outcomeWords(), word{strconv.Itoa(unwatched), "nobody watches", "#6e7687"})...)
	return stats("From the phone to Exchange and back", "The steps by which Outlook reaches a mailbox, in their order: each by the worst outcome "+
		"of the checks that watch it, of all chosen targets. The first step that is red is the place to look. Nobody watches: the checks of "+
		"this step are off, or hmad does not answer.", "none", queries...).Mappings(states).Thresholds(steps("text"))
}

func openFindings() cog.Builder[dashboard.Panel] {
	each := func(s check.Severity) string {
		return "sum(max by (target, check, reason) (" + of(check.FindingFound, severity(s)) + "))"
	}
	checks := "count(max by (target, check) (" + of(check.Decided) + "))"
	return stats("Findings and gaps", "Findings that stand now, by severity; checks whose last run came to no verdict; findings that a waiver of "+
		"the config accepts.", "none",
		query{each(check.Critical), "critical"},
		query{each(check.Warning), "warnings"},
		query{"sum(1 - min by (target, check) (" + of(check.Decided) + "))", "undecided"},
		query{"count(max by (target, check, reason) (" + of(check.FindingAccepted) + ")) or 0 * " + checks, "accepted"}).
		Thresholds(steps("green", step{1, "orange"})).
		OverrideByName("critical", thresholds(steps("green", step{1, "red"}))).
		OverrideByName("undecided", thresholds(steps("green", step{1, "purple"}))).
		OverrideByName("accepted", thresholds(steps("text")))
}

// thresholds overrides those of one series.
func thresholds(s *dashboard.ThresholdsConfigBuilder) []dashboard.DynamicConfigValue {
	config, _ := s.Build() // of constants
	return []dashboard.DynamicConfigValue{{Id: "thresholds", Value: config}}
}

func goodRuns() cog.Builder[dashboard.Panel] {
	runs := func(outcomes string) string {
		return "sum by (target, check) (increase(" + of(check.Runs, matching(catalog.PhoneChecks()), `outcome=~"`+outcomes+`"`) + "[$__range]))"
	}
	return stats("Good runs in the range shown", "Share of the decided runs that passed or warned, over the time range of the dashboard: of the "+
		"check that fares worst among those that look for phones without mail every few minutes. The service level of the alert rules is 99 % over "+
		"three days.", "percentunit",
		query{"min by (target) (\n" + runs("passed|warned") + "\n/ (" + runs("passed|warned|failed") + " > 0)\n)", "{{target}}"}).
		Thresholds(steps("orange", step{catalog.ServiceLevelGoal, "green"})).Decimals(2)
}

func errorBudget() cog.Builder[dashboard.Panel] {
	runs := func(outcomes string) string {
		return "sum by (target, check) (increase(" + of(check.Runs, matching(catalog.PhoneChecks()), `outcome=~"`+outcomes+`"`) + "[$__range]))"
	}
	return stats("Error budget left", "Of the one in a hundred decided runs that may fail, the share that is not used up in the range shown, "+
		"by the check that fares worst. Below zero the service level is missed.", "percentunit",
		query{fmt.Sprintf("min by (target) (\n1 - (1 - (%s\n/ (%s > 0))) / (1 - %v)\n)", runs("passed|warned"), runs("passed|warned|failed"), catalog.ServiceLevelGoal), "{{target}}"}).
		Thresholds(steps("orange", step{0, "text"}, step{.25, "green"})).Decimals(0)
}

const findingsTitle = "What is wrong"

// findings is the table to read at night, of the named checks; of all where
// none is named.
func findings(checks ...string) cog.Builder[dashboard.Panel] {
	where := matching(checks)
	const by = "max by (target, check, reason, severity) ("
	found := by + of(check.FindingFound, where) + " == 1)"
	named := `label_join(label_join(` + found + `, "meaning", ".", "check", "reason"), "fix", ".", "check", "reason")`
	lastGood := found + " * on (target, check) group_left () (1000 * max by (target, check) (" + of(check.LastSuccess) + "))"
	alertSince := "1000 * min by (target, check, reason, severity) (" + alerts("ALERTS_FOR_STATE") + ")\nand " + found
	return rowsOf(findingsTitle,
		"Every finding that stands, with what it means for phones and how to fix it. Since: when its alert began to wait, where Prometheus "+
			"evaluates hmad's rules. Last good run: of the check, which for a warning is the last one. The reason links to the runbook.",
		[]column{
			{field: "severity", title: "Severity", width: 90, words: words(word{"critical", "critical", "red"}, word{"warning", "warning", "orange"}, word{"unknown", "unknown", "purple"})},
			{field: "target", title: "Target", width: 110},
			{field: "check", title: "Check", width: 130},
			{field: "reason", title: "Reason", width: 200, links: []link{{"Runbook", docsURL + "checks.md#${__data.fields.Check}${__data.fields.Reason}"}}},
			{field: "Value #C", title: "Since", width: 120, unit: "dateTimeFromNow"},
			{field: "Value #B", title: "Last good run", width: 150, unit: "dateTimeFromNow"},
			{field: "meaning", title: "What it means", wrap: true, words: texts(checks, func(r *check.Reason) string { return r.Summary }, "No hmad answers, or none watches these targets: nothing is known.")},
			{field: "fix", title: "What to do", wrap: true, words: texts(checks, func(r *check.Reason) string { return r.Fix }, "See the dashboard hmad itself: does Prometheus reach hmad?")},
		},
		query{expr: named + "\nor " + nobodyLooks()}, query{expr: lastGood}, query{expr: alertSince}).
		SortBy(sortedBy("Severity", false)).NoValue("Nothing is wrong")
}

// noWatcher is the reason in a table's row that says that nothing is known.
const noWatcher = "nobody_looks"

// nobodyLooks is a row for the table of findings where no hmad says anything: an
// empty table could not tell that from a healthy estate.
func nobodyLooks() string {
	row := "absent(" + of(check.NextRun) + ")"
	for _, l := range [][2]string{{"severity", "unknown"}, {"reason", noWatcher}, {"meaning", noWatcher}, {"fix", noWatcher}} {
		row = `label_replace(` + row + `, "` + l[0] + `", "` + l[1] + `", "", "")`
	}
	return "max by (severity, reason, meaning, fix) (" + row + ")"
}

// texts maps the full name of every reason of the named checks to one of its
// texts, and noWatcher to its own.
func texts(checks []string, of func(*check.Reason) string, unknown string) []dashboard.ValueMapping {
	list := []word{{value: noWatcher, text: unknown}}
	for _, d := range catalog.Defs() {
		if len(checks) > 0 && !slices.Contains(checks, d.Name) {
			continue
		}
		for _, r := range d.Reasons {
			list = append(list, word{value: d.Name + "." + r.Name, text: of(r)})
		}
	}
	return words(list...)
}

func firingAlerts() cog.Builder[dashboard.Panel] {
	return rowsOf("Firing alerts",
		"Alerts that fire, those about hmad itself among them, as Prometheus evaluates the shipped rules. Empty where Grafana evaluates them: see "+
			"Alerting there.",
		[]column{
			{field: "severity", title: "Severity", width: 90, words: words(word{"critical", "critical", "red"}, word{"warning", "warning", "orange"})},
			{field: "target", title: "Target", width: 110},
			{field: "check", title: "Check", width: 130},
			{field: "reason", title: "Reason", width: 200, links: []link{{"Runbook", docsURL + "checks.md#${__data.fields.Check}${__data.fields.Reason}"}}},
			{field: "alertname", title: "Alert", width: 250, links: []link{
				{"Alerts about hmad itself", docsURL + "alerting.md#alerts-about-hmad-itself"}}},
			{field: "Value #B", title: "Since", width: 120, unit: "dateTimeFromNow"},
			{field: "meaning", title: "What it means", wrap: true, words: words(annotated("summary")...)},
			{field: "fix", title: "What to do", wrap: true, words: words(annotated("fix")...)},
		},
		query{expr: `label_join(label_join(max by (alertname, severity, target, check, reason) (` + alerts("ALERTS", `alertstate="firing"`) + `), "meaning", "", "alertname"), "fix", "", "alertname")`},
		query{expr: "1000 * min by (alertname, severity, target, check, reason) " +
			"(" + alerts("ALERTS_FOR_STATE") + ` and ignoring (alertstate) ` + alerts("ALERTS", `alertstate="firing"`) + ")"}).
		SortBy(sortedBy("Severity", false)).NoValue("No alert fires, or Prometheus does not evaluate hmad's rules")
}

// heightOf is the height of a timeline of so many lines, whose labels must not
// print over each other.
func heightOf(lines int) uint32 { return uint32(3 + (lines*3+4)/5) }

// checksOverTime is the history of outcomes, of the named checks.
func checksOverTime(title string, checks ...string) cog.Builder[dashboard.Panel] {
	return timeline(title, "The outcome of each check over time. Undecided: hmad could not tell, for reasons on its own side; what was found "+
		"before stays on the page and in the alerts.", outcomes(),
		query{outcome(matching(checks)), "{{target}} · {{check}}"})
}

// findingsOverTime is the history of findings, of the named checks.
func findingsOverTime(checks ...string) cog.Builder[dashboard.Panel] {
	return timeline("Findings", "When each finding stood. Where nothing is drawn it was not found, or could not be looked for.", severities(),
		query{standing(matching(checks)), "{{target}} · {{check}}.{{reason}}"}).NoValue("Nothing was found, or nobody looked: see the checks above")
}

func answerTimes() cog.Builder[dashboard.Panel] {
	return curves("Time to the whole answer", "Of the last run's request to each host, all phases together; the slowest address where several are "+
		"asked.", "s",
		query{"max by (target, check, host) (sum without (phase) (" + of(check.Phase) + "))", "{{target}} · {{check}} {{host}}"})
}

func phases() cog.Builder[dashboard.Panel] {
	return curves("Slowest phases", "The slowest host in each phase, which is not always the same host: dns, connect, tls, processing (until the "+
		"first byte of the answer), transfer. What grows says where to look: name server, network, load balancer, Exchange.", "s",
		query{"max by (phase) (" + of(check.Phase) + ")", "{{phase}}"})
}

func certificates() cog.Builder[dashboard.Panel] {
	return rowsOf("Certificates: time left", "Until the certificate ends that each host presented, whether or not it could be verified; the earliest "+
		"where several addresses are asked. Red below 3 days, orange below 21.",
		[]column{
			{field: "target", title: "Target", width: 130},
			{field: "host", title: "Host"},
			{field: "Value", title: "Time left", width: 120, unit: "s", color: steps("red", step{seconds(probes.ExpiringSoon), "orange"}, step{seconds(probes.Expiring), "green"})},
		},
		query{expr: left("min by (target, host) (" + of(probes.CertificateNotAfter) + ")")}).
		SortBy(sortedBy("Time left", false)).NoValue("No host presented one, or hmad does not answer")
}

func schemes() cog.Builder[dashboard.Panel] {
	return timeline("Sign-in offered by ActiveSync", "Which ways to authenticate the answer offers. Outlook with hybrid Modern Authentication "+
		"needs bearer; one address without it takes it from the line.",
		words(word{"1", "offered", "blue"}, word{"0", "not offered", "transparent"}),
		query{"min by (target, scheme) (" + of(probes.SchemeOffered, `check="`+probes.ActiveSync.Name+`"`) + ")", "{{target}} · {{scheme}}"})
}

func builds() cog.Builder[dashboard.Panel] {
	return rowsOf("Exchange builds", "Builds that front ends gave in their answers within the last 24 hours. Several at once: an update is under "+
		"way, or one server was forgotten.",
		[]column{
			{field: "target", title: "Target"},
			{field: "build", title: "Build"},
			{field: "Value", title: "Front ends"},
		},
		query{expr: "count by (target, build) (count by (target, build, frontend) (" + of(probes.ExchangeBuild) + "))"}).
		SortBy(sortedBy("Build", true)).NoValue("No answer named a build")
}
