package main

import (
	"fmt"
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/hmad/hmad/internal/audit"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/metadata"
	"github.com/hmad/hmad/internal/report/intake"
)

func evosts() board {
	chain := []string{metadata.EvoSTSMetadata.Name, metadata.MetadataRefresh.Name, metadata.OnPremReport.Name}
	home := append(chain, audit.Configuration.Name)
	return board{
		uid: "hmad-evosts", title: "hmad / EvoSTS metadata",
		doc:  "Does Exchange know the certificates by which Microsoft signs tokens: published and stored, since when one is missing, until when that may last, and the job that fetches them.",
		home: home,
		rows: []row{
			{title: "Now", panels: []panel{
				{healthy, 6, 5, missing()},
				{broken, 6, 5, timeLeft()},
				{healthy, 6, 5, lastRefresh()},
				{healthy, 6, 5, reportAge()},
				{broken, 24, 8, findings(home...)},
			}},
			{title: "Certificates over time", panels: []panel{
				{healthy, 12, 9, sets()},
				{broken, 12, 9, missingAge()},
				{healthy, 24, 4, copies()},
				{healthy, 24, 5, checksOverTime("Checks of this chain", chain...)},
				{broken, 24, 6, findingsOverTime(chain...)},
			}},
			{title: "Refresh job and reports from Exchange", panels: []panel{
				{healthy, 8, 8, refreshServer()},
				{healthy, 8, 8, reportAges()},
				{healthy, 8, 8, pushes()},
			}},
			{title: "What else expires", panels: []panel{
				{healthy, 12, 6, authCertificates()},
				{healthy, 12, 6, buildTable()},
			}},
		},
	}
}

// missingOf is the number of certificates that each auth server's copy lacks.
func missingOf() string {
	return "max by (target, auth_server) (" + of(metadata.Certificates, `set="missing"`) + ")"
}

// complete stands for the time left where nothing is missing; no data is
// something else.
const complete = 1_000_000_000

func missing() cog.Builder[dashboard.Panel] {
	return stats("Certificates missing in Exchange", "Certificates that Microsoft publishes and Exchange has not copied. One is normal for some hours after a roll-over.", "none",
		query{"sum by (target) (" + missingOf() + ")", "{{target}}"}).
		Thresholds(steps("green", step{1, "blue"}))
}

func timeLeft() cog.Builder[dashboard.Panel] {
	rules := defaults().Metadata
	return stats("Time left to copy it", "Until the certificate that is missing longest should have been copied. Below zero it is overdue: sooner or later tokens are signed by it, and Exchange refuses them. Red where it pages.", "s",
		query{left("min by (target) ("+of(metadata.Deadline)+")") +
			fmt.Sprintf("\nor (sum by (target) (%s) == 0) + %d", missingOf(), complete), "{{target}}"}).
		Mappings(words(word{strconv.Itoa(complete), "Nothing is missing", "green"})).
		Thresholds(steps("red", step{seconds(rules.Window - rules.PageAfter), "orange"}, step{0, "text"}))
}

func lastRefresh() cog.Builder[dashboard.Panel] {
	return stats("Last good run of the refresh job", "Time since Exchange's job last fetched the metadata without an error. It runs every twelve hours or oftener.", "s",
		query{age("max by (target) (" + of(metadata.LastRefresh) + ")"), "{{target}}"}).
		Thresholds(steps("green", step{seconds(defaults().Metadata.OverdueAfter), "orange"}))
}

func reportAge() cog.Builder[dashboard.Panel] {
	return stats("Oldest report from Exchange", "Time since the server that is furthest behind made its last report. What the reports do not say, the checks of this chain cannot tell.", "s",
		query{age("min by (target) (" + of(metadata.ReportTime) + ")"), "{{target}}"}).
		Thresholds(steps("green", step{hour, "orange"}))
}

func sets() cog.Builder[dashboard.Panel] {
	return curves("Certificates by set", "Published by Microsoft now, stored in Exchange's copy, missing there, extra there. A roll-over shows as published rising first, stored following within hours.", "none",
		query{"max by (target, auth_server, set) (" + of(metadata.Certificates) + ")", "{{target}} · {{auth_server}} {{set}}"}).
		LineInterpolation(common.LineInterpolationStepAfter).Decimals(0)
}

func missingAge() cog.Builder[dashboard.Panel] {
	limit := func(m *check.Metric) string { return "min by (target) (" + of(m) + ")" }
	return curves("How long one has been missing", "The age of the oldest gap, against the window in which Exchange should close it (warning) and the time after which it pages.", "s",
		query{age("min by (target, auth_server) (" + of(metadata.MissingSince) + ")"), "{{target}} · {{auth_server}} missing for"},
		query{limit(metadata.WindowSeconds), "{{target}} window"},
		query{limit(metadata.PageAfterSeconds), "{{target}} pages"}).
		OverrideByRegexp(".* (window|pages)", dashed())
}

func copies() cog.Builder[dashboard.Panel] {
	pages := of(metadata.MissingSince) + " + on (job, instance, target) group_left () " + of(metadata.PageAfterSeconds)
	return timeline("Exchange's copy", "Whether Exchange has every published certificate: complete, one missing for less than the window, one overdue, one overdue for so long that it pages.",
		words(word{"0", "complete", "green"}, word{"1", "one is missing", "blue"}, word{"2", "one is overdue", "orange"}, word{"3", "one is long overdue", "red"}),
		query{"max by (target, auth_server) (1 + (time() > bool " + of(metadata.Deadline) + ") + (time() > bool (" + pages + ")))\n" +
			"or max by (target, auth_server) (0 * " + of(metadata.Certificates, `set="published"`) + ")", "{{target}} · {{auth_server}}"})
}

func refreshServer() cog.Builder[dashboard.Panel] {
	return rowsOf("Where the refresh job runs", "The server with the mounted copy of the arbitration mailbox's database: its event log has the job's errors (MSExchange AuthAdmin).",
		[]column{
			{field: "target", title: "Target"},
			{field: "server", title: "Server"},
			{field: "database", title: "Database"},
		},
		query{expr: "max by (target, server, database) (" + of(metadata.RefreshServer) + ")"}).NoValue("No report says, or hmad does not answer")
}

func reportAges() cog.Builder[dashboard.Panel] {
	return curves("Age of each server's report", "Saw teeth are well: each tooth is a report. A line that goes on rising is a collector that stopped.", "s",
		query{age("max by (target, host) (" + of(metadata.ReportTime) + ")"), "{{target}} · {{host}}"})
}

func pushes() cog.Builder[dashboard.Panel] {
	return stacked("Pushed reports by answer", "204 taken, 401 token or certificate wrong, 409 not newer than the last, 413 too large, 422 not usable, 429 too many.", "none",
		query{"sum by (target, code) (" + increase(of(intake.Pushes)) + ")", "{{target}} · {{code}}"}).Interval(aBar).NoValue("Reports are not pushed, or none came")
}

func authCertificates() cog.Builder[dashboard.Panel] {
	return bars("Exchange's own signing certificates: time left", "Those that Get-AuthConfig names. When the current one ends without a next, Exchange and Microsoft 365 no longer trust each other's tokens.", "s",
		query{left("min by (target, certificate) (" + of(audit.AuthCertificateNotAfter) + ")"), "{{target}} · {{certificate}}"}).
		Min(0).Max(365 * day).Thresholds(steps("orange", step{seconds(audit.RenewBefore), "green"}))
}

func buildTable() cog.Builder[dashboard.Panel] {
	return stats("Age of the table of Exchange builds", "hmad judges the servers' builds by a table that comes with it: an old one does not know the newest updates. A newer hmad brings a newer table.", "s",
		query{age("min by (instance) (" + of(audit.BuildTableTime) + ")"), "{{instance}}"}).
		Thresholds(steps("green", step{seconds(audit.MaxTableAge), "orange"}))
}
