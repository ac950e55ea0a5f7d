package main

import (
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
)

// of selects the series of a family that the dashboard's variables ask for;
// where adds matchers.
func of(m *check.Metric, where ...string) string {
	matchers := []string{`job=~"$job"`, `instance=~"$instance"`}
	if !m.NoTarget {
		matchers = append(matchers, `target=~"$target"`)
	}
	return m.Name + "{" + strings.Join(append(matchers, only(where)...), ", ") + "}"
}

// anyOf returns the names of families as one pattern, for labels that name them.
func anyOf(families ...*check.Metric) string {
	var names []string
	for _, m := range families {
		names = append(names, m.Name)
	}
	return strings.Join(names, "|")
}

// foreign selects the series of a family that is not hmad's own, such as those
// of client_golang's collectors, and of hmad alone: «all jobs» would be all of
// Prometheus.
func foreign(name string) string { return hmads(chosen(name)) }

// hmads keeps of a vector what is of an hmad that has been there in the range
// shown.
func hmads(vector string) string {
	return "(" + vector + " and on (job, instance) last_over_time(" + chosen(exporter.BuildInfo.Name) + "[$__range]))"
}

func chosen(name string) string { return name + `{job=~"$job", instance=~"$instance"}` }

// alerts selects series that Prometheus makes of alerts. An alert on what is
// absent has no instance, and that on the service level not even a job.
func alerts(name string, where ...string) string {
	matchers := append([]string{`alertname=~"Hmad.+"`, `severity!="none"`,
		`job=~"$job|"`, `instance=~"$instance|"`, `target=~"$target|hmad"`}, where...)
	return name + "{" + strings.Join(matchers, ", ") + "}"
}

// age returns the seconds since a time, until when the time is to come.
func age(timestamps string) string  { return "time() - " + timestamps }
func left(timestamps string) string { return timestamps + " - time()" }

// rate returns the increase per second over the interval that suits the picture.
func rate(series string) string     { return "rate(" + series + "[$__rate_interval])" }
func increase(series string) string { return "increase(" + series + "[$__rate_interval])" }

// buckets returns the rate of a histogram's classic buckets.
func buckets(m *check.Metric, where ...string) string {
	return rate(of(&check.Metric{Name: m.Name + "_bucket", NoTarget: m.NoTarget}, where...))
}

// quantile returns a quantile of a histogram, told apart by the given labels.
func quantile(q, by string, m *check.Metric) string {
	return "histogram_quantile(" + q + ", sum by (" + strings.Join([]string{"le", by}, ", ") + ") (" + buckets(m) + "))"
}

// The outcomes of a check as numbers, worst highest.
const (
	passed = iota
	warned
	undecided
	failed
)

// outcome returns for each check of each target its outcome as a number. Two
// daemons that watch one target count once, by the worse of their words. A
// check of which no verdict stands is undecided: hmad_check_success is
// withdrawn when it no longer speaks for the present.
func outcome(where ...string) string {
	found := func(s check.Severity) string { return of(check.FindingFound, append(where, severity(s))...) + " == 1" }
	const max = "max by (target, check) ("
	return max + "3 * (" + found(check.Critical) + "))\n" +
		"or " + max + "2 + (" + of(check.Decided, where...) + " == 0))\n" +
		"or " + max + found(check.Warning) + ")\n" +
		"or " + max + "0 * " + of(check.Success, where...) + ")\n" +
		"or " + max + "2 + 0 * " + of(check.NextRun, where...) + ")"
}

// standing returns a series for each finding that stands, with its severity as a
// number: 2 critical, 1 warning.
func standing(where ...string) string {
	found := func(s check.Severity) string { return of(check.FindingFound, append(where, severity(s))...) + " == 1" }
	const max = "max by (target, check, reason) ("
	return max + "2 * (" + found(check.Critical) + "))\nor " + max + found(check.Warning) + ")"
}

func severity(s check.Severity) string { return `severity="` + string(s) + `"` }

// matching returns the matcher for the named checks, nothing where none is named.
func matching(checks []string) string {
	if len(checks) == 0 {
		return ""
	}
	return `check=~"` + strings.Join(checks, "|") + `"`
}

// only is what is left of matchers without the empty ones.
func only(where []string) []string {
	return slices.DeleteFunc(slices.Clone(where), func(s string) bool { return s == "" })
}
