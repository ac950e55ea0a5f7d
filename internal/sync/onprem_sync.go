package sync

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/sync/plan"
)

// OnPremSync is the check of the leg from the cloud to Exchange on premises.
var OnPremSync = &check.Def{
	Name: "onprem_sync",
	Doc: "Does the cloud still fetch mail from Exchange? Outlook's service in the cloud (OutlookService) synchronises with Exchange over " +
		"ActiveSync, with its own tokens. The collector counts these requests by HTTP status in the front ends' logs, and reports the service's " +
		"partnerships with watched mailboxes. The check judges both. It covers the leg from the cloud to Exchange: when this leg fails, phones " +
		"still synchronise with the cloud (`mailbox_sync` stays green) but show old mail.",
	Every:   "*/5 * * * *",
	Timeout: 20 * time.Second,
	Needs:   config.ReportNeeds + ", and " + config.SyncNeeds,
	Metrics: []*check.Metric{OnPremRequests, OnPremSuccess, OnPremMailboxSuccess, OnPremWithoutHMA},
	Reasons: onPremReasons,
	Implies: []check.Implication{{Causes: []*check.Reason{cloudSyncRefused, cloudSyncStopped},
		Effects: []string{"onprem_sync.onprem_leg_stale", "mailbox_sync.sync_stale"}}},
	Facts: []*check.Fact{frontEndsCounted},
	Steps: []int{5, 7},
	New:   newOnPremSync,

	Rehearse: func(m check.Memory, now time.Time) { rehearseOnPrem(m, now, 400) },
}

const (
	keyOfOnPrem   = "onprem_sync"     // in the target's memory: by host, until when it has been counted
	onPremHours   = "onprem_hours"    // the baseline, in the same memory
	keyOfPartners = "onprem_partners" // when each watched mailbox's partnership last succeeded, in the same memory
)

// onServer is how to see the OutlookService's requests by hand.
const onServer = `Select-String OutlookService "$env:ExchangeInstallPath\Logging\HttpProxy\Eas\*.LOG" | Select-Object -Last 20  # on an Exchange server`

// frontEndsCounted shows which servers the verdict rests on.
var frontEndsCounted = &check.Fact{Name: "front_ends_counted", Doc: "the servers whose reports count the requests of Outlook's service in the cloud"}

// rehearseOnPrem fills the memory of onprem_sync, unless it has one, with weeks of
// hours that had so many successes each. It is for demonstrations.
func rehearseOnPrem(m check.Memory, now time.Time, successes int) {
	rehearse(m, onPremHours, now, plan.Hour{Asked: 2 * slotsOfAnHour, Moved: successes})
}

// rehearseMailboxes fills the memory of mailbox_sync, unless it has one, with weeks
// of hours in which this percentage of the samples had moved.
func rehearseMailboxes(m check.Memory, now time.Time, percent int) {
	rehearse(m, keyOfHours, now, plan.Hour{Asked: 100, Moved: percent})
}

func rehearse(m check.Memory, key string, now time.Time, c plan.Hour) {
	h := loadHours(m, key)
	if len(h.Days()) == 0 {
		h.Rehearse(now, c)
		saveHours(m, key, h)
	}
}

type onPremSync struct {
	env     check.Env
	sync    config.Sync
	names   check.MailboxNames // from begin on
	table   check.Table
	reports func() ([]report.Arrived, error)
}

func newOnPremSync(t config.Target, env check.Env) (check.Parts, error) {
	if !t.Sync.Configured() || !t.OnPrem.Report.Configured() {
		return check.Parts{}, nil
	}
	o := &onPremSync{env: env, sync: t.Sync, table: tableOf(env, OnPremMailboxSuccess),
		reports: report.Of(env, t.OnPrem.Report.Hosts)}
	return check.Parts{Begin: o.begin, Run: o.run}, nil
}

// begin shows the partnerships that an earlier process knew.
func (o *onPremSync) begin() {
	o.names = check.NewMailboxNames(o.sync.MailboxLabel, o.env.Memory)
	var kept map[string]time.Time
	o.env.Memory.Get(keyOfPartners, &kept)
	o.show(kept)
}

// show brings the table up to date: when the partnership of each watched mailbox
// last succeeded.
func (o *onPremSync) show(success map[string]time.Time) {
	shown := map[string]bool{}
	for _, w := range o.sync.Watch {
		key := strings.ToLower(w.Mailbox)
		if name := o.names.Of(key); name != "" && !success[key].IsZero() {
			o.table.Set(name, float64(success[key].Unix()))
			shown[name] = true
		}
	}
	o.table.Keep(func(name string) bool { return shown[name] })
}

// run reads the reports and judges.
func (o *onPremSync) run(_ context.Context, v *check.Verdict) {
	success := map[string]time.Time{}
	defer func() {
		o.env.Memory.Put(keyOfPartners, success)
		o.show(success)
	}()
	v.Repeat(onServer)
	arrived, err := o.reports()
	if err != nil {
		v.Undecided(err)
		return
	}
	evidence := report.EvidenceOf(arrived, o.env.Now())
	if err := evidence.Err(); err != nil {
		v.Undecided(err)
		return
	}
	seen := o.look(v, evidence)
	for _, p := range seen.partners {
		success[p.key] = p.success
	}
	judgeOnPrem(v, seen)
	seen.noteWithoutHMA(v)
	v.Samples(o.samples(seen)...)
	seen.fact(v)
}

// look returns what the reports show, and notes what they lack.
func (o *onPremSync) look(v *check.Verdict, evidence report.Evidence) onPrem {
	seen := onPrem{lacking: evidence.Lacking, watched: len(o.sync.Watch)}
	for _, why := range evidence.Lacking {
		v.Note("%v", why)
	}
	for _, r := range evidence.Reports {
		o.partnerships(&seen, r)
		o.noteUnreported(v, r)
		f, why := r.FrontEndRequests()
		switch {
		case why == nil:
			seen.frontEnds = append(seen.frontEnds, frontEnd{r.Host, f})
		case errors.Is(why, report.ErrMissing): // no front end, or an older collector
			v.Note("%v", why)
		default:
			seen.failed = append(seen.failed, why)
			v.Note("%v", why)
		}
	}
	if missing := seen.watched - len(seen.partners); missing > 0 {
		v.Note("%d of %d watched mailboxes have no partnership in the reports: the collector reports those that its parameter -Mailboxes names",
			missing, seen.watched)
	}
	o.baseline(&seen)
	return seen
}

// fact records the servers whose requests are counted.
func (o onPrem) fact(v *check.Verdict) {
	var hosts []string
	for _, f := range o.frontEnds {
		hosts = append(hosts, f.host)
	}
	if slices.Sort(hosts); len(hosts) > 0 {
		v.Fact(frontEndsCounted, "", strings.Join(hosts, ", "))
	}
}

// baseline adds new counts to the memory and sets what is usual.
func (o *onPremSync) baseline(seen *onPrem) {
	if len(seen.frontEnds) == 0 {
		return
	}
	hours, counted := loadHours(o.env.Memory, onPremHours), map[string]time.Time{}
	o.env.Memory.Get(keyOfOnPrem, &counted)
	learn(&hours, counted, seen.frontEnds)
	old := o.env.Now().Add(-14 * 24 * time.Hour)
	maps.DeleteFunc(counted, func(_ string, t time.Time) bool { return t.Before(old) })
	o.env.Memory.Put(keyOfOnPrem, counted)
	saveHours(o.env.Memory, onPremHours, hours)
	_, until := seen.counted()
	seen.usual, seen.usualKnown = hours.Usual(until, successes)
}

// partnerships adds the newest partnership of each watched mailbox.
func (o *onPremSync) partnerships(seen *onPrem, r report.Report) {
	all, err := r.Partnerships()
	if err != nil {
		if !errors.Is(err, report.ErrMissing) {
			seen.unread = append(seen.unread, err)
		}
		return
	}
	for _, d := range all {
		key := strings.ToLower(d.Mailbox)
		if !slices.ContainsFunc(o.sync.Watch, func(w config.Watch) bool { return strings.EqualFold(w.Mailbox, key) }) {
			continue
		}
		p := partner{key: key, name: o.names.Of(key), success: d.Success, staleAfter: staleAfterOf(o.sync, key), asOf: r.GeneratedAt}
		if err := d.Lacks("lastSuccessSync"); err != nil {
			p.unread = formOf(err)
		}
		i := slices.IndexFunc(seen.partners, func(q partner) bool { return q.key == key })
		switch {
		case i < 0:
			seen.partners = append(seen.partners, p)
		case p.success.After(seen.partners[i].success), seen.partners[i].success.IsZero() && p.unread != "":
			seen.partners[i] = p
		}
	}
}

// samples returns the gauges of the requests; none where none are counted.
func (o *onPremSync) samples(seen onPrem) []check.Sample {
	if len(seen.frontEnds) == 0 {
		return nil
	}
	var out []check.Sample
	sum := seen.byStatus()
	for _, status := range slices.Sorted(maps.Keys(sum)) {
		out = append(out, check.Sample{Metric: OnPremRequests, Value: float64(sum[status]), Labels: []string{strconv.Itoa(status)}})
	}
	if n, known := seen.withoutHMA(); known {
		out = append(out, check.Sample{Metric: OnPremWithoutHMA, Value: float64(n)})
	}
	if last := seen.lastSuccess(); !last.IsZero() {
		out = append(out, check.Sample{Metric: OnPremSuccess, Value: float64(last.Unix())})
	}
	return out
}
