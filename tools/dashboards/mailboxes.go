package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/sync"
)

func mailboxes() board {
	legs := []string{sync.MailboxSync.Name, sync.OnPremSync.Name}
	return board{
		uid: "hmad-mailboxes", title: "hmad / Mailbox sync",
		doc: "Which mailboxes synchronise, on both legs: phone to cloud, of each mailbox as Exchange Online says; and cloud to Exchange on " +
			"premises, by the requests in Exchange's own logs. The first can be green while the second is broken.",
		home: legs,
		variables: []cog.Builder[dashboard.VariableModel]{
			values("mailbox", "Mailbox", labelValues(of(sync.MailboxChecked), "mailbox")),
		},
		rows: []row{
			{title: "Both legs", panels: []panel{
				{healthy, 5, 5, newest()},
				{healthy, 5, 5, staleShare()},
				{healthy, 4, 5, known()},
				{healthy, 5, 5, newestAtExchange()},
				{healthy, 5, 5, refusedShare()},
				{broken, 24, 7, findings(legs...)},
				{healthy, 24, 4, checksOverTime("Checks of both legs", legs...)},
			}},
			{title: "Phone to cloud: how many", panels: []panel{
				{healthy, 8, 9, states()},
				{healthy, 8, 9, ages()},
				{healthy, 8, 9, samples()},
			}},
			{title: "Phone to cloud: which mailboxes", panels: []panel{
				{healthy, 24, 11, longest()},
			}},
			{title: "One mailbox: $mailbox", panels: []panel{
				{healthy, 6, 8, oneNow()},
				{healthy, 18, 8, oneOverTime()},
			}},
			{title: "Cloud to Exchange on premises", panels: []panel{
				{healthy, 12, 8, requests()},
				{healthy, 12, 8, cloudParts()},
			}},
			{title: "Coverage and budget", folded: true, panels: []panel{
				{healthy, 8, 8, answersAge()},
				{healthy, 8, 8, behind()},
				{healthy, 8, 8, budget()},
				{healthy, 16, 7, callDuration()},
				{healthy, 8, 7, leftOut()},
			}},
		},
	}
}

// inState counts mailboxes in some states; each is in exactly one.
func inState(by, states string) string {
	return "sum by (" + by + ") (max by (target, state) (" + of(sync.Mailboxes, `state=~"`+states+`"`) + "))"
}

func newest() cog.Builder[dashboard.Panel] {
	return stats("Newest synchronisation", "Time since any phone synchronised, as far as hmad has asked. In a fleet of hundreds it is minutes by "+
		"day; quiet nights and weekends let it grow.", "s",
		query{age("max by (target) (" + of(sync.NewestSync) + ")"), "{{target}}"}).
		Thresholds(steps("green", step{hour, "orange"}))
}

func staleShare() cog.Builder[dashboard.Panel] {
	return stats("Stale or failing", "Share of the mailboxes in use that have not synchronised for longer than `sync.stale_after`, or try and "+
		"fail. A quarter of them, and at least ten, is critical unless the config says otherwise.", "percentunit",
		query{inState("target", "stale|failing") + "\n/ (" + inState("target", "fresh|stale|failing") + " > 0)", "{{target}}"}).
		Thresholds(steps("green", step{.1, "orange"}, step{defaults().Sync.StaleShare / 100, "red"})).Decimals(1)
}

func newestAtExchange() cog.Builder[dashboard.Panel] {
	return stats("Newest success at Exchange", "Time since Exchange last answered a request of Outlook's service well, as its own logs say. In a "+
		"fleet of hundreds it is minutes by day.", "s",
		query{age("max by (target) (" + of(sync.OnPremSuccess) + ")"), "{{target}}"}).
		Thresholds(steps("green", step{hour, "orange"})).NoValue("No report says")
}

func refusedShare() cog.Builder[dashboard.Panel] {
	all := func(where string) string {
		return "sum by (target) (max by (target, status) (" + of(sync.OnPremRequests, where) + "))"
	}
	return stats("Refused by Exchange", "Share of the cloud's ActiveSync requests of the last 15 minutes that Exchange answered 401 or 403. Over "+
		"half, of at least 20, is critical: new mail no longer reaches phones, though they still synchronise with the cloud.", "percentunit",
		query{"(" + all(`status=~"401|403"`) + "\nor 0 * " + all("") + ")\n/ (" + all("") + " > 0)", "{{target}}"}).
		Thresholds(steps("green", step{.1, "orange"}, step{sync.RefusedShare, "red"})).Decimals(1).NoValue("No requests, or no report")
}

func known() cog.Builder[dashboard.Panel] {
	return stats("Known", "Share of the mailboxes whose state is known and has not expired. Low after a first start, until the sweep has been "+
		"round; below a half the fleet is not judged by shares.", "percentunit",
		query{"min by (target) (" + of(sync.AskedRatio) + ")", "{{target}}"}).
		Thresholds(steps("purple", step{.5, "orange"}, step{.8, "green"})).Decimals(1)
}

func states() cog.Builder[dashboard.Panel] {
	return stacked("Mailboxes by state", "Each is in exactly one. Failing: tries and does not succeed. Inactive: no success for 14 days, nobody's "+
		"fault. Unknown: Exchange Online does not say when. Duplicate: another name of one that is counted.", "none",
		query{inState("state", ".+"), "{{state}}"}).Overrides(colours(map[string]string{
		"fresh": "green", "stale": "orange", "failing": "red", "inactive": "#6e7687", "unknown": "purple", "unchecked": "blue",
		"error": "dark-purple", "cloud": "light-blue", "not_provisioned": "#454c59", "duplicate": "#2f3339"}))
}

func ages() cog.Builder[dashboard.Panel] {
	within := "sum by (age) (max by (target, age) (" + of(sync.SyncedWithin) + "))"
	return curves("Synchronised within", "Share of the mailboxes in use whose last known sync is not older than the age. A mailbox is asked about "+
		"once a day, so ages below that are a lower bound; a fault shows in 24h and above as its time passes.", "percentunit",
		query{within + "\n/ on () group_left () (sum(" + inState("target", "fresh|stale|failing|inactive") + ") > 0)", "{{age}}"}).
		Max(1)
}

func samples() cog.Builder[dashboard.Panel] {
	return curves("Samples of the rotation", "Of the mailboxes that were asked last for the sake of a sample: how many, how many had just "+
		"synchronised (moved), and how many usually have at this hour. Moved far below usual is a stop of the whole fleet, minutes after it began.", "none",
		query{"max by (target, result) (" + of(sync.SampledMailboxes) + ")", "{{target}} {{result}}"})
}

func longest() cog.Builder[dashboard.Panel] {
	series := func(m *check.Metric) string {
		return "max by (target, mailbox) (" + of(m) + ")"
	}
	success := series(sync.MailboxSuccess)
	shown := " and on (target, mailbox) bottomk(100, " + success + ")"
	drill := link{"This mailbox below", "/d/hmad-mailboxes?${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&${__url_time_range}&var-target=${__data.fields.Target}&var-mailbox=${__data.fields.Mailbox}"}
	return rowsOf("Longest without synchronising",
		"The hundred mailboxes whose last success is oldest, of those that are exported (`sync.export`, `sync.max_series`). A newer attempt than "+
			"success: the phone tries and fails. Both old: most likely a phone that is off. The mailbox opens below; `hmad mailbox ADDRESS` tells "+
			"the same at the daemon.",
		[]column{
			{field: "target", title: "Target", width: 140},
			{field: "mailbox", title: "Mailbox", links: []link{drill}},
			{field: "Value #A", title: "Last success", unit: "dateTimeFromNow"},
			{field: "Value #B", title: "Last attempt", unit: "dateTimeFromNow"},
			{field: "Value #C", title: "Asked", unit: "dateTimeFromNow"},
			{field: "Value #D", title: "Partnerships", width: 120},
		},
		query{expr: "1000 * bottomk(100, " + success + ")"},
		query{expr: "1000 * " + series(sync.MailboxAttempt) + shown},
		query{expr: "1000 * " + series(sync.MailboxChecked) + shown},
		query{expr: series(sync.MailboxDevices) + shown}).
		SortBy(sortedBy("Last success", false)).
		NoValue("No mailbox is exported, or hmad does not answer")
}

// chooseMailbox stands where no mailbox is chosen.
const chooseMailbox = "Choose a mailbox"

// ofOne selects a family of the chosen mailbox.
func ofOne(m *check.Metric) string {
	return "max by (target) (" + of(m, `mailbox="$mailbox"`) + ")"
}

func oneNow() cog.Builder[dashboard.Panel] {
	return stats("One mailbox now", "Of the chosen mailbox: time since its phone's last success and last attempt, and since hmad asked; of a watched "+
		"mailbox also since the cloud last synchronised it with Exchange; Outlook's partnerships, old ones too.", "s",
		query{age(ofOne(sync.MailboxSuccess)), "{{target}} last success"},
		query{age(ofOne(sync.MailboxAttempt)), "{{target}} last attempt"},
		query{age(ofOne(sync.MailboxChecked)), "{{target}} asked"},
		query{age(ofOne(sync.OnPremMailboxSuccess)), "{{target}} last success on premises"},
		query{ofOne(sync.MailboxDevices), "{{target}} partnerships"}).
		Thresholds(steps("text")).ColorMode(common.BigValueColorModeValue).
		OverrideByRegexp(".* last success", thresholds(steps("green", step{seconds(defaults().Sync.StaleAfter), "orange"}))).
		OverrideByRegexp(".* partnerships", []dashboard.DynamicConfigValue{{Id: "unit", Value: "none"}}).NoValue(chooseMailbox)
}

func oneOverTime() cog.Builder[dashboard.Panel] {
	return curves("One mailbox over time", "Age of the last success and of the last attempt. Saw teeth are well. An attempt that stays young while "+
		"the success grows old is a fault; both growing together are a phone that is off.", "s",
		query{age(ofOne(sync.MailboxSuccess)), "{{target}} last success"},
		query{age(ofOne(sync.MailboxAttempt)), "{{target}} last attempt"},
		query{age(ofOne(sync.OnPremMailboxSuccess)), "{{target}} last success on premises"},
		query{"max by (target) (" + of(sync.StaleAfterSeconds) + ")", "{{target}} calls it stale"}).
		OverrideByRegexp(".* stale", dashed()).NoValue(chooseMailbox)
}

func requests() cog.Builder[dashboard.Panel] {
	return stacked("The cloud's requests by status", "ActiveSync requests of Outlook's service to Exchange, each value over the 15 minutes before "+
		"it. Rising 401 or 403: tokens refused, so look at the EvoSTS metadata and at TLS offloading. Falling to nothing: the cloud no longer "+
		"asks. Without HMA: requests of Outlook mobile by basic authentication, over an hour; block them when all phones use HMA.", "none",
		query{"sum by (status) (max by (target, status) (" + of(sync.OnPremRequests) + "))", "{{status}}"},
		query{"sum(max by (target) (" + of(sync.OnPremWithoutHMA) + "))", "without HMA"})
}

func cloudParts() cog.Builder[dashboard.Panel] {
	return curves("Cloud part of watched mailboxes", "Of each mailbox of the watch list, hourly: the items in its part in the cloud, and the time "+
		"since the last log-on to it. Items that rest while the log-on grows old and mail arrives are the nearest sign in the cloud that the leg "+
		"cloud to Exchange rests. That is inferred, Microsoft does not say so: a hint where no report tells, and no alert hangs on it.", "s",
		query{age("max by (target, mailbox) (" + of(sync.MailboxLogon) + ")"), "{{target}} {{mailbox}} since log-on"},
		query{"max by (target, mailbox) (" + of(sync.MailboxItems) + ")", "{{target}} {{mailbox}} items"}).
		OverrideByRegexp(".* items", ownAxis()).NoValue("No mailbox is watched")
}

func answersAge() cog.Builder[dashboard.Panel] {
	checked := "(time() - max by (target, mailbox) (" + of(sync.MailboxChecked) + "))"
	return curves("Age of what is known", "How long ago Exchange Online was asked about the mailboxes that are exported: half of them, and nearly "+
		"all. A mailbox that was seen to synchronise is not asked again before that can have ended.", "s",
		query{"quantile by (target) (0.5, " + checked + ")", "{{target}} half"},
		query{"quantile by (target) (0.95, " + checked + ")", "{{target}} 95 %"})
}

func behind() cog.Builder[dashboard.Panel] {
	return curves("Behind the plan", "Mailboxes whose verdict has ended and that have not been asked again yet, and the longest time by which one "+
		"is overdue. For long: the budget is too small, or the tenant throttles.", "s",
		query{"max by (target) (" + of(sync.SweepLag) + ")", "{{target}} longest"},
		query{"max by (target) (" + of(sync.OverdueMailboxes) + ")", "{{target}} mailboxes"}).
		OverrideByRegexp(".* mailboxes", ownAxis())
}

func leftOut() cog.Builder[dashboard.Panel] {
	return stats("Left out", "Lines of `sync.file` that name no mailbox, and series of mailboxes that are not shown because of `sync.max_series`.", "none",
		query{"max by (target) (" + of(sync.RejectedLines) + ")", "{{target}} lines"},
		query{"sum by (instance) (" + of(exporter.SeriesDropped, `family=~"`+anyOf(sync.MailboxSuccess, sync.MailboxAttempt, sync.MailboxChecked, sync.MailboxDevices)+`"`) + ")", "{{instance}} series"}).
		Thresholds(steps("green", step{1, "orange"}))
}

func budget() cog.Builder[dashboard.Panel] {
	calls := func(where ...string) string { return "sum by (target) (" + rate(of(online.Requests, where...)) + ")" }
	return curves("Calls and budget", "Calls to Exchange Online of each target, and those that were throttled (429 and 503). The dashed lines are "+
		"the budget of the target's tenant, as configured and in force: targets of one tenant share it, so that the calls of all of them together "+
		"stay below. It falls when the tenant throttles and climbs back slowly.", "reqps",
		query{calls(), "{{target}} calls"},
		query{calls(`code=~"429|503"`) + "\nor 0 * " + calls(), "{{target}} throttled"},
		query{"max by (target, limit) (" + of(sync.BudgetCalls) + ")", "tenant of {{target}} {{limit}}"}).
		OverrideByRegexp(".* (configured|in_force)", dashed())
}

func callDuration() cog.Builder[dashboard.Panel] {
	return curves("Duration of calls", "Half of the calls, and nearly all. Microsoft's answer takes 0.6 to 1 second in quiet times.", "s",
		query{quantile("0.5", "target", online.RequestDuration), "{{target}} half"},
		query{quantile("0.95", "target", online.RequestDuration), "{{target}} 95 %"})
}
