package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// The target and check labels of what concerns hmad itself and no target.
const itself = "hmad"

const day = 24 * time.Hour

// downAfter is how long hmad may be away before HmadDown: an upgrade or a
// restart of its host takes less.
const downAfter = 10 * time.Minute

// own is an alert that no reason stands behind.
type own struct {
	name      string
	expr      string
	hold      time.Duration
	keep      time.Duration
	severity  string
	labels    [3]string // target, check, reason; empty: that of the series
	summary   string
	situation string // the description, a template
	fix       string
}

func (s scale) ownAlerts() []rule {
	var rules []rule
	for _, a := range s.own() {
		labels := map[string]string{"severity": a.severity}
		for i, name := range []string{"target", "check", "reason"} {
			if a.labels[i] != "" {
				labels[name] = a.labels[i]
			}
		}
		rules = append(rules, rule{Alert: a.name, Expr: a.expr, For: s.of(a.hold), KeepFiringFor: s.of(a.keep), Labels: labels,
			Annotations: map[string]string{"summary": a.summary, "description": a.situation, "fix": a.fix,
				"runbook_url": alertsDocURL + anchor(a.name)}})
	}
	return rules
}

func (s scale) own() []own {
	critical, warning := string(check.Critical), string(check.Warning)
	return slices.Concat(s.watched(), []own{
		s.late(),
		// As long as verdicts are shown as current: three gaps, at least 15
		// minutes. A check that never came to a verdict counts from the start.
		{"HmadCheckUndecided", s.withVantage(fmt.Sprintf("(%s == 0\nunless\ntime() - %s <= clamp_min(3 * %s, %s))",
			s.last("hmad_check_decided"), s.last("hmad_check_last_decided_timestamp_seconds"),
			s.last("hmad_check_schedule_max_gap_seconds"), s.seconds(15*time.Minute))),
			undecidedHold, 5 * time.Minute, warning,
			[3]string{"", "", check.UndecidedReason},
			"A check cannot reach a verdict because of a problem on hmad's own side. Whether phones work is not known.",
			"Check {{ $labels.check }} of target {{ $labels.target }} on hmad at {{ $labels.instance }} has come to no verdict for three of its intervals. " +
				"The error is " + s.page() + ".",
			"See the error on the status page, or, as root on hmad's host, by " + lookAgain +
				". Usual causes: the network, a credential, a permission, or a report that hmad needs."},
		{"HmadReloadFailed", "max_over_time(hmad_config_last_reload_successful[" + s.of(5*time.Minute) + "]) == 0", 0, 0, warning,
			[3]string{itself, itself, "reload_failed"},
			"hmad refused its config file at the last reload and still uses the previous config.",
			"hmad at {{ $labels.instance }} refuses its config file.",
			"`hmad config check --config.file=/etc/hmad/hmad.yaml` prints every error with its line."},
		{"HmadSeriesDropped", s.last("hmad_series_dropped") + " > 0", 15 * time.Minute, 5 * time.Minute, warning,
			[3]string{itself, itself, "series_dropped"},
			"Metrics are incomplete: a cap is reached, or a defect in hmad produces duplicate series.",
			"hmad at {{ $labels.instance }} leaves out {{ $value }} series of {{ $labels.family }}.",
			"For families of mailboxes raise `sync.max_series` or set `sync.export: notable`; for any other family report the defect."},
		{"HmadStateNotKept", s.last("hmad_state_healthy") + " == 0", 15 * time.Minute, 5 * time.Minute, warning,
			[3]string{itself, itself, "state_not_kept"},
			"hmad keeps its results only in memory and will lose them at the next restart. Checks continue.",
			"hmad at {{ $labels.instance }} cannot write its state file.",
			"Check the disk of `--storage.path`: full, read-only, locked by a second hmad; `journalctl -u hmad`."},
		s.credential("HmadCredentialExpiring", "< "+days(30)+"\n>= "+days(3), warning, "credential_expiring",
			"One of hmad's own credentials expires within 30 days. After that, the checks that need it cannot reach a verdict."),
		s.credential("HmadCredentialExpiringSoon", "< "+days(3), critical, "credential_expiring_soon",
			"One of hmad's own credentials expires within 3 days, or has expired. After that, the checks that need it cannot reach a verdict."),
	}, s.kept())
}

// credential is an alert on the time that is left. Several checks may hold one
// credential: one alert for all of them.
func (s scale) credential(name, left, severity, reason, summary string) own {
	return own{name, s.withVantage("(min by (job, instance, target, credential) ("+s.last("hmad_credential_not_after_timestamp_seconds")+") - time())") + "\n" + left,
		0, 15 * time.Minute, severity, [3]string{"", itself, reason}, summary,
		"Credential {{ $labels.credential }} of target {{ $labels.target }} on hmad at {{ $labels.instance }} " +
			`{{ if lt $value 0.0 }}ended {{ reReplaceAll "^-" "" (humanizeDuration $value) }} ago{{ else }}ends in {{ $value | humanizeDuration }}{{ end }}.`,
		"For report_listener: replace the certificate and key named in `onprem.report`. " +
			"For any other: create a new credential at the app registration in Microsoft Entra and install it on hmad's host (`exchange_online` in " +
			"the config). " +
			"Then `systemctl restart hmad`: systemd passes credentials only at the start. " +
			"If hmad reads the file itself, `systemctl reload hmad` is enough."}
}

// days returns days in seconds, as PromQL writes numbers.
func days(n time.Duration) string { return scale(1).seconds(n * day) }

// undecidedHold is how long a check cannot tell before that alerts.
const undecidedHold = 15 * time.Minute

// ServiceLevelGoal is the share of decided runs that should be good.
const ServiceLevelGoal = 0.99

// serviceLevel records which share of the decided runs of each check about
// phones was good (passed or warned, as hmad_check_success has it), and of each
// target that of the worst of them: pooled, those that are well would hide the
// one that is not. A ticket is opened when one misses the goal over three days
// and still. No page: every fault has its own alert; this one sees faults that
// come and go too quickly for theirs.
func (s scale) serviceLevel() []rule {
	const good = "check_target:hmad_check_runs:good_ratio_increase"
	phones := strings.Join(PhoneChecks(), "|")
	record := func(name string, window time.Duration) []rule {
		sum := "sum by (check, target, vantage) (" + s.withVantage("increase(hmad_check_runs_total{check=~\""+phones+"\",outcome=~\"%s\"}["+s.of(window)+"])") + ")"
		return []rule{
			{Record: good + name, Expr: fmt.Sprintf(sum, "passed|warned") + "\n/\n(" + fmt.Sprintf(sum, "passed|warned|failed") + " > 0)"},
			{Record: "target:hmad_check_runs:min_good_ratio_increase" + name, Expr: "min by (target, vantage) (" + good + name + ")"},
		}
	}
	return append(append(record("6h", 6*time.Hour), record("3d", 3*day)...), rule{
		Alert: "HmadServiceLevelMissed",
		Expr:  fmt.Sprintf("%[1]s3d < %[2]v\nand\n%[1]s6h < %[2]v", good, ServiceLevelGoal),
		// As long as the short window: one failed run does not miss a goal.
		For: s.of(6 * time.Hour), KeepFiringFor: s.of(time.Hour),
		Labels: map[string]string{"severity": string(check.Warning), "reason": check.ServiceLevelReason},
		Annotations: map[string]string{
			"summary": "Over the last three days less than 99 % of the decided runs of a check were good, and this continues.",
			"description": "{{ $value | humanizePercentage }} of the decided runs of check {{ $labels.check }} of target {{ $labels.target }} were " +
				"good in the last three days.",
			"fix": "Look for an intermittent fault: see the recent runs of the check on hmad's status page, " +
				"and check each front end (`addresses: all`, `activesync.members`).",
			"runbook_url": alertsDocURL + anchor("HmadServiceLevelMissed"),
		},
	})
}

// PhoneChecks lists the checks that can find phones without mail and look often
// enough to see it come and go. The slower ones read settings, which do not.
func PhoneChecks() []string {
	var names []string
	for _, d := range Defs() {
		critical := func(r *check.Reason) bool { return r.Severity == check.Critical }
		if waitsOf(d).gap < slowGap && slices.ContainsFunc(d.Reasons, critical) {
			names = append(names, d.Name)
		}
	}
	return names
}
