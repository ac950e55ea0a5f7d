package check

// The families that every check has. The exporter derives the gauges from the
// Store; the runner counts the rest through its Meter.
var (
	Success = &Metric{Name: "hmad_check_success", Kind: Gauge,
		Help: "1 when the last decided run passed or warned, 0 when it failed; absent before the first verdict and after three schedule gaps (at " +
			"least 15 minutes) without one."}
	FindingFound = &Metric{Name: "hmad_finding", Kind: Gauge, Labels: []string{"reason", "severity"},
		Help: "1 while this reason stands: the last decided run found it, or an earlier one did and none has judged it since. 0 when the run " +
			"looked and did not find it; absent when it was not judged. " +
			"A finding that a waiver accepts is 0 here and 1 in hmad_finding_accepted."}
	FindingAccepted = &Metric{Name: "hmad_finding_accepted", Kind: Gauge, Labels: []string{"reason"},
		Help: "1 while a finding stands that a waiver of the config accepts."}
	FindingAbout = &Metric{Name: "hmad_finding_about", Kind: Gauge, Labels: []string{"reason", "subject"},
		Help: "While a finding stands that no waiver accepts: what it concerns (host, address, server, mailbox as sync.mailbox_label shows it). " +
			"The value is the rank, 1 for the worst, 5 at most."}
	FindingSince = &Metric{Name: "hmad_finding_since_timestamp_seconds", Kind: Gauge, Labels: []string{"reason"},
		Help: "While a finding stands that no waiver accepts: Unix time of the first decided run since which every decided run found it. It " +
			"survives restarts."}
	Implied = &Metric{Name: "hmad_implied", Kind: Gauge, Labels: []string{"reason", "by"},
		Help: "For each standing finding, each check that cannot tell (reason undecided) and each check's service level: 1 while the standing " +
			"finding named in by explains it, 0 with an empty by while nothing does."}
	FactChanged = &Metric{Name: "hmad_fact_changed_timestamp_seconds", Kind: Gauge, Labels: []string{"fact"},
		Help: "Unix time at which a value of this kind of fact (a certificate, an address, a build, …) last changed; absent until one has."}
	Decided = &Metric{Name: "hmad_check_decided", Kind: Gauge,
		Help: "1 when the last run came to a verdict, 0 when it could not tell."}
	LastDecided = &Metric{Name: "hmad_check_last_decided_timestamp_seconds", Kind: Gauge,
		Help: "Unix time of the last run that came to a verdict."}
	LastRun = &Metric{Name: "hmad_check_last_run_timestamp_seconds", Kind: Gauge,
		Help: "Unix time at which the last recorded run started."}
	LastSuccess = &Metric{Name: "hmad_check_last_success_timestamp_seconds", Kind: Gauge,
		Help: "Unix time of the last run that passed or warned."}
	NextRun = &Metric{Name: "hmad_check_next_run_timestamp_seconds", Kind: Gauge,
		Help: "Unix time at which the next run is due, phase included."}
	MaxGap = &Metric{Name: "hmad_check_schedule_max_gap_seconds", Kind: Gauge,
		Help: "Longest time between two planned runs of the schedule."}

	Runs = &Metric{Name: "hmad_check_runs_total", Kind: Counter, Labels: []string{"outcome"},
		Help: "Runs by outcome: passed, warned, failed, undecided, skipped."}
	Errors = &Metric{Name: "hmad_check_errors_total", Kind: Counter, Labels: []string{"class"},
		Help: "Runs that could not tell, by class of error."}
	Missed = &Metric{Name: "hmad_check_missed_runs_total", Kind: Counter, Labels: []string{"cause"},
		Help: "Planned runs that did not start, by cause: overlap (the previous run had not ended), late (this process was delayed), clock (the " +
			"clock jumped or the host slept)."}
	Duration = &Metric{Name: "hmad_check_duration_seconds", Kind: Histogram,
		Help:    "Duration of a run, including the confirming attempt.",
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 20, 40, 60, 120}}
)

// Phase is the family of request phases that every check that asks a host
// shares. Labels: address is empty unless several addresses were asked.
var Phase = &Metric{Name: "hmad_check_phase_duration_seconds", Kind: Gauge, Labels: []string{"phase", "host", "address"},
	Help: "Time of each phase of the last run's request: dns, connect, tls, processing (until the first byte of the answer), transfer."}

// Causes of a missed run.
const (
	Overlap = "overlap"
	Late    = "late"
	Clock   = "clock"
)

// Common lists the families that every check has.
var Common = []*Metric{Success, FindingFound, FindingAccepted, FindingAbout, FindingSince, Implied, FactChanged, Decided, LastDecided, LastRun,
	LastSuccess, NextRun, MaxGap,
	Runs, Errors, Missed, Duration}
