//go:build e2e

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/hmad/hmad/internal/check"
)

// pace is by what a trial multiplies the durations of the shipped rules and
// routes, and those of the default schedules.
type pace float64

// A trial begins at the fastest pace, and slows down where the machine does not
// keep up. The lab's phones and the sweep of mailboxes live by real minutes:
// slower than the slowest they are no longer slow.
const (
	fastest = pace(trialScale)
	slowest = 8 * fastest
)

// of returns a time of the shipped files as it is in the trial.
func (p pace) of(d time.Duration) time.Duration {
	return time.Duration(float64(d) * float64(p)).Round(time.Millisecond)
}

// inEarnest returns the time that stands for a trial's.
func (p pace) inEarnest(d time.Duration) time.Duration {
	return time.Duration(float64(d) / float64(p))
}

// every is how often hmad looks.
func (p pace) every() time.Duration { return p.of(5 * time.Minute) }

func (p pace) slower() pace { return min(2*p, slowest) }

func (p pace) String() string { return fmt.Sprintf("1:%.4g", 1/float64(p)) }

// inPromQL writes a duration as rules and range selectors have it.
func inPromQL(d time.Duration) string { return model.Duration(d.Round(time.Millisecond)).String() }

// What the rules take for granted, in earnest: a machine that does less does not
// keep the trial's pace. Rules look back three minutes for a scrape that is
// missing, and a group of alerts waits a minute for what belongs to it.
const (
	scrapeEvery   = 30 * time.Second
	scrapeGap     = 150 * time.Second
	evaluationGap = 2 * time.Minute
	startGap      = 90 * time.Second // of a check that is due
	longRun       = 75 * time.Second // of a check of a target without a fault, whose deadline is four minutes
)

// strain says how the machine did not keep the pace of a daemon in a time; empty:
// it did. What a trial saw in such a time says nothing about hmad.
func (r *round) strain(w *demoDaemon, from, to time.Time) (string, error) {
	window, step := "["+inPromQL(to.Sub(from)+time.Second)+"]", inPromQL(r.pace.of(scrapeEvery))
	over := strings.TrimSuffix(window, "]") + ":" + step + "]"
	own, seconds := fmt.Sprintf("instance=%q", w.address), func(d time.Duration) float64 { return r.pace.of(d).Seconds() }
	scraped := fmt.Sprintf("max_over_time(up{%s}[%s])", own, inPromQL(r.pace.of(scrapeGap)))
	for _, sign := range []struct {
		what, query string
		most        float64
	}{
		{"no scrape succeeded for some time", "count(min_over_time((" + scraped + ")" + over + ") == 0)", 0},
		{"seconds without a scrape", "max(max_over_time((time() - timestamp(up{" + own + "}))" + over + "))", seconds(scrapeGap)},
		{"seconds without an evaluation of the rules", "max(max_over_time((time() - " +
			`prometheus_rule_group_last_evaluation_timestamp_seconds{rule_group!~".*_service_level"})` + over + "))", seconds(evaluationGap)},
		{"seconds by which a check began late", "max(max_over_time((time() - hmad_check_next_run_timestamp_seconds{" + own + "})" + over + "))", seconds(startGap)},
		{"runs that took long without a fault", r.longRuns(w, window), 0.5}, // an extrapolation
	} {
		got, err := r.value(sign.query, to)
		if err != nil {
			return "", err
		}
		if got > sign.most {
			return fmt.Sprintf("%s: %.3g, at most %.3g keep the pace", sign.what, got, sign.most), nil
		}
	}
	return "", nil
}

// longRuns counts the runs that took longer than longRun, of the targets without
// a fault of that daemon, or where it has none of all. The greatest of the
// histogram's bounds below decides.
func (r *round) longRuns(w *demoDaemon, window string) string {
	target := w.well()
	if target == "" {
		target = strings.Join(r.well(), "|")
	}
	bounds := slices.DeleteFunc(slices.Clone(check.Duration.Buckets), func(b float64) bool { return b > r.pace.of(longRun).Seconds() })
	return fmt.Sprintf(`sum(increase(hmad_check_duration_seconds_count{target=~%q}%s)) - sum(increase(hmad_check_duration_seconds_bucket{target=~%q,le="%g"}%s))`,
		target, window, target, bounds[len(bounds)-1], window)
}

// value returns the one value of a query at a moment, 0 where there is none.
func (r *round) value(query string, at time.Time) (float64, error) {
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	form := url.Values{"query": {query}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}}
	req, err := http.NewRequest(http.MethodGet, "http://"+r.prometheus+"/api/v1/query?"+form.Encode(), nil)
	if err != nil {
		return 0, err
	}
	body, err := fetch(req)
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Data.Result) == 0 {
		return 0, err
	}
	return strconv.ParseFloat(fmt.Sprint(answer.Data.Result[0].Value[1]), 64)
}
