package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/probes"
)

func itself() board {
	return board{
		uid: "hmad-itself", title: "hmad / hmad itself",
		doc: "Can the other dashboards be believed: is hmad there, do its checks run when they should, do they come to verdicts, and what does that cost.",
		rows: []row{
			{title: "Now", panels: []panel{
				{healthy, 24, 5, instances()},
				{healthy, 6, 5, answers()},
				{healthy, 6, 5, configInForce()},
				{healthy, 6, 5, stateFile()},
				{healthy, 6, 5, notShown()},
			}},
			{title: "Verdicts", panels: []panel{
				{healthy, 12, 8, lateness()},
				{healthy, 12, 8, sinceVerdict()},
				{healthy, 12, 8, runs()},
				{unsure, 12, 8, errors()},
				{healthy, 12, 8, missed()},
				{healthy, 12, 8, durations()},
				{healthy, 24, 8, durationMap()},
			}},
			{title: "The way out", panels: []panel{
				{healthy, 12, 7, wayOut()},
				{healthy, 6, 7, clock()},
				{healthy, 6, 7, credentials()},
			}},
			{title: "Calls to Exchange Online", folded: true, panels: []panel{
				{healthy, 12, 8, callsByCode()},
				{healthy, 12, 8, callsByCmdlet()},
			}},
			{title: "The process", folded: true, panels: []panel{
				{healthy, 8, 8, memory()},
				{healthy, 8, 8, processor()},
				{healthy, 8, 8, handles()},
				{healthy, 8, 7, scrape()},
				{healthy, 8, 7, series()},
				{healthy, 8, 7, stateWrites()},
			}},
		},
	}
}

func instances() cog.Builder[dashboard.Panel] {
	return rowsOf("Daemons", "Which hmad runs where, and since when. The instance leads to its status page, at the address from which Prometheus scrapes it.",
		[]column{
			{field: "instance", title: "Instance", links: []link{{"Status page", "http://${__data.fields.Instance}/"}}},
			{field: "version", title: "Version"},
			{field: "goversion", title: "Go"},
			{field: "Value #B", title: "Started", width: 150, unit: "dateTimeFromNow"},
		},
		query{expr: "max by (instance, version, goversion) (" + of(exporter.BuildInfo) + ")"},
		query{expr: "max by (instance, version, goversion) (" + of(exporter.BuildInfo) + " * on (job, instance) group_left () (1000 * " + foreign("process_start_time_seconds") + "))"}).NoValue("No hmad answers").SortBy(sortedBy("Instance", false))
}

// down stands where Prometheus does not reach hmad.
const down = "DOWN"

func answers() cog.Builder[dashboard.Panel] {
	return stats("Answers Prometheus", "Whether the last scrape of each hmad worked. Down: nobody watches mobile mail.", "none",
		query{"min by (instance) (" + foreign("up") + ")", "{{instance}}"}).Mappings(yes("up", "DOWN", "red")).Thresholds(steps("text")).NoValue(down)
}

func configInForce() cog.Builder[dashboard.Panel] {
	return stats("Config in force", "Refused: hmad goes on with the config before; `hmad config check` prints every error with its line. Below, when the config in force was taken over.", "none",
		query{"min by (instance) (" + of(exporter.ReloadSuccessful) + ")", "{{instance}}"},
		query{"1000 * max by (instance) (" + of(exporter.ReloadTime) + ")", "{{instance}} since"}).
		Mappings(yes("the newest", "the one before", "orange")).Thresholds(steps("text")).
		OverrideByRegexp(".* since", []dashboard.DynamicConfigValue{{Id: "unit", Value: "dateTimeFromNow"}, {Id: "mappings", Value: []dashboard.ValueMapping{}}})
}

func stateFile() cog.Builder[dashboard.Panel] {
	return stats("State", "Whether results reach the disk. In memory: checks go on, and a restart forgets. Set aside: the file could not be used, and a new one was begun. Damaged lines are lost, the others kept.", "none",
		query{"min by (instance) (" + of(exporter.StateHealthy) + ")", "{{instance}}"},
		query{"max by (instance) (" + of(exporter.StateSetAside) + ")", "{{instance}} set aside"},
		query{"max by (instance) (" + of(exporter.StateDamaged) + ")", "{{instance}} damaged lines"}).
		Mappings(yes("kept", "in memory only", "orange")).Thresholds(steps("text")).
		OverrideByRegexp(".* damaged lines", []dashboard.DynamicConfigValue{{Id: "mappings", Value: words(word{"0", "none damaged", "green"})}}).
		OverrideByRegexp(".* set aside", []dashboard.DynamicConfigValue{{Id: "mappings", Value: words(word{"0", "never", "green"}, word{"1", "yes", "orange"})}})
}

func notShown() cog.Builder[dashboard.Panel] {
	return stats("Left out", "Series that hmad does not show for a cap (mailboxes: `sync.max_series`) or a defect, and counts of the range shown that were not as declared, which is a defect always.", "none",
		query{"sum by (instance) (" + of(exporter.SeriesDropped) + ")", "{{instance}} series"},
		query{"sum by (instance) (increase(" + of(exporter.MeterRejected) + "[$__range]))", "{{instance}} counts"}).
		Thresholds(steps("green", step{1, "orange"})).Decimals(0)
}

func lateness() cog.Builder[dashboard.Panel] {
	return curves("Overdue", "How long a check has been due and has not started: a run that does not end, or a host without breath. Nearly nothing is well.", "s",
		query{"clamp_min(max by (target, check) (" + age(of(check.NextRun)) + "), 0)", "{{target}} · {{check}}"}).
		Thresholds(steps("green", step{600, "orange"})).ThresholdsStyle(line())
}

func line() *common.GraphThresholdsStyleConfigBuilder {
	return common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed)
}

func sinceVerdict() cog.Builder[dashboard.Panel] {
	return curves("Intervals without a verdict", "Time since the last verdict (dashed: since the last run) as a multiple of the schedule's largest gap. Above 3, at the earliest after 15 minutes, hmad no longer calls anything good.", "none",
		query{"max by (target, check) ((" + age(of(check.LastDecided)) + ") / " + of(check.MaxGap) + ")", "{{target}} · {{check}}"},
		query{"max by (target, check) ((" + age(of(check.LastRun)) + ") / " + of(check.MaxGap) + ")", "{{target}} · {{check}} run"}).
		Thresholds(steps("green", step{3, "purple"})).ThresholdsStyle(line()).
		OverrideByRegexp(".* run", dashed())
}

// aBar is the least width of a bar: checks run every few minutes, and a bar
// should have more than one run.
const aBar = "10m"

func runs() cog.Builder[dashboard.Panel] {
	return stacked("Runs by outcome", "Runs in each bar; at the least ten minutes are one bar.", "none",
		query{"sum by (outcome) (" + increase(of(check.Runs)) + ")", "{{outcome}}"}).
		DrawStyle(common.GraphDrawStyleBars).FillOpacity(80).Interval(aBar).Overrides(colours(map[string]string{
		string(check.Passed): "green", string(check.Warned): "orange", string(check.Failed): "red",
		string(check.Undecided): "purple", string(check.Skipped): "blue"}))
}

func errors() cog.Builder[dashboard.Panel] {
	return stacked("Why runs were undecided", "Runs that could not tell, by class: the way out, the resolver, a credential, a permission, throttling, a report … The status page has the words.", "none",
		query{"sum by (check, class) (" + increase(of(check.Errors)) + ") > 0", "{{check}} {{class}}"}).NoValue("No run was undecided, or hmad does not answer").
		DrawStyle(common.GraphDrawStyleBars).FillOpacity(80).Interval(aBar)
}

func missed() cog.Builder[dashboard.Panel] {
	return stacked("Planned runs that did not start", "overlap: the run before was still going. late: this process was held up. clock: the clock jumped, or the host slept.", "none",
		query{"sum by (cause) (" + increase(of(check.Missed)) + ")", "{{cause}}"}).
		DrawStyle(common.GraphDrawStyleBars).FillOpacity(80).Interval(aBar)
}

func durations() cog.Builder[dashboard.Panel] {
	return curves("Duration of runs (95th percentile)", "Confirming attempts included: a finding that needs one takes some seconds longer.", "s",
		query{quantile("0.95", "check", check.Duration), "{{check}}"}).
		Interval("15m").SpanNulls(common.BoolOrFloat64{Bool: ptr(true)})
}

// durationMap shows how many runs took how long: a second group of slow runs does
// not show in a quantile.
func durationMap() cog.Builder[dashboard.Panel] {
	return heatmap.NewPanelBuilder().Title("Durations of runs").Datasource(source()).Unit("s").
		Description("Runs of the chosen targets by how long they took; the darker, the more. Confirming attempts are included.").
		Color(heatmap.NewHeatmapColorOptionsBuilder().Mode(heatmap.HeatmapColorModeScheme).Scheme("Blues").Fill("blue").Exponent(.5).Steps(64)).
		CellGap(1).ShowValue(common.VisibilityModeNever).ShowLegend().Interval(aBar).
		FilterValues(heatmap.NewFilterValueRangeBuilder().Le(1e-9)).
		Tooltip(heatmap.NewHeatmapTooltipBuilder().Mode(common.TooltipDisplayModeSingle)).
		YAxis(heatmap.NewYAxisConfigBuilder().Unit("s").AxisPlacement(common.AxisPlacementLeft)).
		WithTarget(over(0, query{"sum by (le) (" + strings.Replace(buckets(check.Duration), "rate(", "increase(", 1) + ")", "{{le}}"}).
			Format(prometheus.PromQueryFormatHeatmap))
}

func wayOut() cog.Builder[dashboard.Panel] {
	return stacked("Phases of the way out", "The request of the vantage check to Microsoft's sign-in service: what every check that asks Microsoft shares.", "s",
		query{"max by (target, phase) (" + of(check.Phase, `check="`+probes.Vantage.Name+`"`) + ")", "{{target}} · {{phase}}"})
}

func clock() cog.Builder[dashboard.Panel] {
	return stats("Clock", "How far this host's clock and Microsoft's are apart. Tokens and ages go wrong from some minutes on.", "s",
		query{"max by (instance, target) (abs(" + of(probes.ClockOffset) + "))", "{{instance}} · {{target}}"}).
		Thresholds(steps("green", step{seconds(probes.MaxClockOffset), "orange"}))
}

// noCredential stands where no credential's end is known.
const noCredential = "None, or unknown"

func credentials() cog.Builder[dashboard.Panel] {
	return stats("Credentials: time left", "Until hmad's own credentials end, at Microsoft and for pushed reports; after that the checks that need them cannot tell.", "s",
		query{left("min by (target, credential) (" + of(entra.CredentialNotAfter) + ")"), "{{target}} · {{credential}}"}).
		Thresholds(steps("red", step{3 * day, "orange"}, step{30 * day, "green"})).NoValue(noCredential)
}

func callsByCode() cog.Builder[dashboard.Panel] {
	return stacked("Calls by answer", "429 and 503 are the tenant's throttling: hmad then asks more slowly and climbs back.", "reqps",
		query{"sum by (target, code) (" + rate(of(online.Requests)) + ")", "{{target}} · {{code}}"})
}

func callsByCmdlet() cog.Builder[dashboard.Panel] {
	return curves("Calls by cmdlet", "What the tenant's budget of calls is spent on.", "reqps",
		query{"sum by (target, cmdlet) (" + rate(of(online.Requests)) + ")", "{{target}} · {{cmdlet}}"})
}

func memory() cog.Builder[dashboard.Panel] {
	return curves("Memory", "Resident: what the host gives. Heap: what hmad holds.", "bytes",
		query{"sum by (instance) (" + foreign("process_resident_memory_bytes") + ")", "{{instance}} resident"},
		query{"sum by (instance) (" + foreign("go_memstats_heap_alloc_bytes") + ")", "{{instance}} heap"})
}

func processor() cog.Builder[dashboard.Panel] {
	return curves("Processor", "1 is one core.", "none",
		query{"sum by (instance) (" + hmads(rate(chosen("process_cpu_seconds_total"))) + ")", "{{instance}}"})
}

func handles() cog.Builder[dashboard.Panel] {
	return curves("Goroutines and open files", "Either, rising for days, is a leak.", "none",
		query{"sum by (instance) (" + foreign("go_goroutines") + ")", "{{instance}} goroutines"},
		query{"sum by (instance) (" + foreign("process_open_fds") + ")", "{{instance}} files"})
}

func scrape() cog.Builder[dashboard.Panel] {
	return curves("Scrape", "How long Prometheus waits for hmad's metrics.", "s",
		query{"max by (instance) (" + foreign("scrape_duration_seconds") + ")", "{{instance}}"})
}

func series() cog.Builder[dashboard.Panel] {
	return curves("Series", "What hmad shows at each scrape, by instance. Mailboxes are most of it.", "none",
		query{"max by (instance) (" + foreign("scrape_samples_scraped") + ")", "{{instance}}"})
}

func stateWrites() cog.Builder[dashboard.Panel] {
	return curves("State file", "Time since the last write, which in a daemon at rest may be long, and writes that failed.", "s",
		query{age("max by (instance) (" + of(exporter.StateLastWrite) + ")"), "{{instance}} last write"},
		query{"sum by (instance) (" + increase(of(exporter.StateWriteErrors)) + ")", "{{instance}} errors"}).
		OverrideByRegexp(".* errors", ownAxis())
}
