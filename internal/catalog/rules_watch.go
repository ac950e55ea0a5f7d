package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// absence is the for of what is not there: Prometheus that has just started has
// scraped everything by then. What it had told before lives longer than that.
const absence = 2 * time.Minute

// known lists the hmads that Prometheus saw within so long a time.
func (s scale) known(d time.Duration) string {
	return "group by (job, instance) (" + s.within("hmad_target_info", d) + ")"
}

// up selects Prometheus' own series of hmad's job.
const up = `up{job="hmad"}`

// watched are the alerts on whether anybody watches at all.
func (s scale) watched() []own {
	critical, warning := string(check.Critical), string(check.Warning)
	silent := downAfter - absence
	gone := s.known(day) + "\nunless on (job, instance)\n" + s.known(silent)
	// Of a hmad that is gone: some target of its last day that no living one names
	// with the same vantage.
	unwatched := "group by (job, instance) (\n" + s.within("hmad_target_info", day) + "\nunless on (target, vantage)\n" + s.within("hmad_target_info", silent) + "\n)"
	never := "((max_over_time(" + up + "[" + s.of(silent) + "]) == 0 and " + up + " offset " + s.of(silent) + ")\nunless on (job, instance)\n" + s.known(day) + ")"
	noJob := "(absent_over_time(" + up + "[" + s.of(silent) + "])\nunless on ()\n" + s.known(day) + ")"
	const look = "On its host: `systemctl status hmad`, `journalctl -u hmad`; in Prometheus: the page Targets, job hmad (address, password, TLS)."
	return []own{
		// Nobody would know if phones lost mail: that is why it pages.
		{"HmadDown", "(" + gone + "\nand on (job, instance)\n" + unwatched + ")\nor on (job, instance)\n" + never + "\nor on (job, instance)\n" + noJob,
			absence, 5 * time.Minute, critical,
			[3]string{itself, itself, "down"},
			"Prometheus cannot scrape hmad, or has no target for it: nobody watches mobile mail.",
			"No metrics from hmad{{ with $labels.instance }} at {{ . }}{{ end }} for ten minutes.", look},
		{"HmadRedundancyLost", "(" + gone + "\nunless on (job, instance)\n" + unwatched + ")",
			absence, 5 * time.Minute, warning,
			[3]string{itself, itself, "redundancy_lost"},
			"One hmad is down. Another one still watches all its targets from the same vantage.",
			"No metrics from hmad at {{ $labels.instance }} for ten minutes. Each of its targets is watched by another hmad.",
			look + " If it is gone for good, silence this alert: it ends a day later."},
		s.noVerdict(),
		{"HmadUnstable", "changes(process_start_time_seconds{job=\"hmad\"}[" + s.of(30*time.Minute) + "]) >= 4\nor on (job, instance)\n" +
			"changes(" + up + "[" + s.of(30*time.Minute) + "]) >= 6",
			0, 30 * time.Minute, warning,
			[3]string{itself, itself, "unstable"},
			"hmad starts again and again, or Prometheus reaches it now and then only. Checks may not come to an end.",
			"hmad at {{ $labels.instance }} came and went at least three times in the last 30 minutes.",
			"On its host: `journalctl -u hmad` shows why it ends (memory, a defect: report its last lines). Where it does not end: the network between Prometheus and it."},
		{"HmadWatchdog", "vector(1)", 0, 0, "none",
			[3]string{itself, itself, "watchdog"},
			"This alert always fires. Its silence tells that Prometheus or Alertmanager does not work.",
			"Only for the dead man's switch: whoever receives it raises an alarm when it stops to come.",
			"Nothing is wrong while this arrives."},
	}
}

// seeing lists the checks that look at what phones meet, and do not live on
// reports, which arrive while hmad's own view is closed.
func seeing() []string {
	return slices.DeleteFunc(PhoneChecks(), func(name string) bool { return strings.HasPrefix(Find(name).Needs, config.ReportNeeds) })
}

// noVerdict is the alert that nobody sees phones: of no check of the target came
// a verdict, from no hmad of the same vantage. A hmad that has just started has
// time for its first runs, but one that starts again and again.
func (s scale) noVerdict() own {
	const least = 30 * time.Minute
	phones := "{check=~\"" + strings.Join(seeing(), "|") + "\"}"
	gap := s.within("hmad_check_schedule_max_gap_seconds"+phones, standing)
	has := "(" + gap + "\nand\n" + strings.TrimSuffix(gap, ")") + " offset " + s.of(least) + ")\nand on (job, instance)\n(time() - " + s.within("process_start_time_seconds", standing) +
		" > " + s.seconds(standing) + " or changes(process_start_time_seconds[" + s.of(least) + "]) >= 4))"
	sees := "(time() - " + s.within("hmad_check_last_decided_timestamp_seconds"+phones, standing) + " <= clamp_min(3 * " + gap + ", " + s.seconds(least) + "))"
	return own{"HmadNoVerdict", "group by (target, vantage) (\n" + s.withVantage(has) + "\n)\nunless\ngroup by (target, vantage) (\n" + s.withVantage(sees) + "\n)",
		0, 10 * time.Minute, string(check.Critical),
		[3]string{"", itself, "no_verdict"},
		"No check about phones has come to a verdict for half an hour or longer. Whether phones work is not known.",
		"No hmad at vantage {{ $labels.vantage }} has had a verdict of " + strings.Join(seeing(), ", ") + " about target {{ $labels.target }} for 30 minutes, or for three intervals of the check.",
		"See the errors on hmad's status page: hmad's own way out, its DNS, a credential. Where runs do not end, restart hmad: it loses no results. " +
			"Until then try a phone."}
}

// late is the alert that a check does not run: its next run was due, or no run
// began for longer than its schedule, a run and the scrape take. Next runs move on
// also where nothing runs. After a start or a reload the schedule counts from then.
func (s scale) late() own {
	const margin = 10 * time.Minute
	due := "(time() - " + s.last("hmad_check_next_run_timestamp_seconds") + " > " + s.seconds(margin) + ")"
	gap := s.last("hmad_check_schedule_max_gap_seconds")
	loaded := "(" + gap + " - on (job, instance) group_left () (time() - " + s.last("hmad_config_last_reload_success_timestamp_seconds") + ") < -" + s.seconds(margin) + ")"
	since := "(time() - " + s.last("hmad_check_last_run_timestamp_seconds") + " - " + gap + ")"
	begun := "(((" + since + " or on (job, instance, check, target) -1 * " + loaded + ") > " + s.seconds(margin) + ")\nand on (job, instance, check, target)\n" + loaded + ")"
	return own{"HmadCheckLate", s.withVantage("(" + due + "\nor on (job, instance, check, target)\n" + begun + ")"), 0, 5 * time.Minute, string(check.Warning),
		[3]string{"", "", "late"},
		"A check does not run when it is due, so its last verdict is out of date.",
		"Check {{ $labels.check }} of target {{ $labels.target }} on hmad at {{ $labels.instance }} is overdue by {{ $value | humanizeDuration }}. Its last runs are " + s.page() + ".",
		"Look for a run that does not end, and for hmad_check_missed_runs_total; `journalctl -u hmad`. Restarting hmad loses no results."}
}

// kept are the alerts on what hmad could not use, was refused or held back.
func (s scale) kept() []own {
	const hour = time.Hour
	warning := string(check.Warning)
	inForce := s.of(hour)
	return []own{
		{"HmadStateSetAside", s.last("hmad_state_set_aside") + " == 1\nor on (job, instance)\n" + s.last("hmad_state_damaged_lines") + " > 0", 0, 5 * time.Minute, warning,
			[3]string{itself, itself, "state_set_aside"},
			"hmad could not use its state file, or lines of it: what it remembered there is lost. Checks continue.",
			"hmad at {{ $labels.instance }} began without what it had kept, or without a part of it.",
			"`journalctl -u hmad` names the file that was set aside. Look for the cause (disk, file system, a copy of the folder). This ends with the next start of hmad."},
		{"HmadPushesRefused", s.withVantage("sum by (job, instance, target) (increase(hmad_onprem_report_pushes_total{code!~\"2..|409\"}["+s.of(hour)+"]))") + " >= 3",
			0, hour, warning, [3]string{"", itself, "pushes_refused"},
			"hmad refuses reports that Exchange servers push to it.",
			"hmad at {{ $labels.instance }} refused {{ $value | humanize }} pushed reports of target {{ $labels.target }} in the last hour.",
			"The label code of hmad_onprem_report_pushes_total says why: 401 token or certificate wrong, 403 a server that `onprem.report.hosts` does not name, " +
				"413 too large, 422 not a usable report, 429 too many."},
		{"HmadSourceLinesRejected", s.withVantage("(" + s.last("hmad_sync_source_rejected_lines") + " > 0)"),
			0, 5 * time.Minute, warning, [3]string{"", "", "lines_rejected"},
			"Lines of sync.file name no mailbox: these mailboxes are not watched.",
			"{{ $value }} lines of the list of target {{ $labels.target }} name no mailbox, says hmad at {{ $labels.instance }}.",
			"Correct the list that `sync.file` names; a note of the check on the status page names lines."},
		{"HmadBudgetThrottled", s.withVantage("(max without (limit) (max_over_time(hmad_sync_budget_calls_per_second{limit=\"in_force\"}[" + inForce + "]))\n" +
			"< max without (limit) (" + s.last("hmad_sync_budget_calls_per_second{limit=\"configured\"}") + ")\nand on (job, instance)\ntime() - " +
			s.last("process_start_time_seconds") + " > " + s.seconds(hour) + ")"),
			0, 15 * time.Minute, warning, [3]string{"", "", "budget_throttled"},
			"Exchange Online has throttled hmad for an hour: mailboxes are asked more slowly than configured.",
			"hmad at {{ $labels.instance }} asks at {{ $value | humanize }} calls a second at most for target {{ $labels.target }}, less than configured.",
			"Lower the rate of `sync`, or find who else calls Exchange Online with the same application."},
		{"HmadFlapping", s.withVantage(fmt.Sprintf("(max by (job, instance, target, check) (changes(%s[%s])) >= 4)", check.FindingSince.Name, s.of(3*hour))),
			0, hour, warning, [3]string{"", "", "flapping"},
			"A finding of a check comes and goes: each time it may be told and told as mended.",
			"A finding of check {{ $labels.check }} of target {{ $labels.target }} came back {{ $value }} times in three hours, says hmad at {{ $labels.instance }}.",
			"Look for one front end among several, or one address of several (`addresses: all`, `activesync.members`): the recent runs on the status page show it."},
	}
}
