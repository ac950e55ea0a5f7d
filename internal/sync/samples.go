package sync

import (
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/sync/plan"
)

// The families of the fleet as a whole.
var (
	Mailboxes = &check.Metric{Name: "hmad_mailboxes", Kind: check.Gauge, Labels: []string{"state"},
		Help: "Mailboxes by their known state: fresh, stale, failing, inactive, unknown, not_provisioned, cloud, error, duplicate (another name of a " +
			"mailbox that is counted), unchecked (not asked about yet, or its last verdict has expired).",
		Quote: &check.Quote{Lead: "Mailboxes by state", Each: "{{ .Labels.state }} {{ .Value }}", Counts: true,
			Labels: `state="stale"`, Value: "12", Text: "stale 12"}}
	SyncedWithin = &check.Metric{Name: "hmad_mailboxes_synced_within", Kind: check.Gauge, Labels: []string{"age"},
		Help: "Mailboxes whose last known sync is at most this long ago. hmad asks for each mailbox about once a day (or every `sync.ask_every`), " +
			"so counts for shorter ages are a lower bound."}
	NewestSync = &check.Metric{Name: "hmad_sync_newest_timestamp_seconds", Kind: check.Gauge,
		Help: "Unix time of the newest sync of any mailbox (the leg phone to cloud)."}
	OverdueMailboxes = &check.Metric{Name: "hmad_sync_overdue_mailboxes", Kind: check.Gauge,
		Help: "Mailboxes that hmad should have asked about by now: those whose verdict `fresh` has expired, or with `sync.ask_every` those last " +
			"asked about longer ago than that."}
	SweepLag = &check.Metric{Name: "hmad_sync_lag_seconds", Kind: check.Gauge,
		Help: "Time since which the longest overdue mailbox has been due."}
	AskedRatio = &check.Metric{Name: "hmad_sync_asked_ratio", Kind: check.Gauge,
		Help: "Share of the mailboxes whose state is known and has not expired."}
	SampledMailboxes = &check.Metric{Name: "hmad_sync_sampled_mailboxes", Kind: check.Gauge, Labels: []string{"result"},
		Help: "The newest samples of the rotation, as many as are needed to detect a stop: asked, moved (had just synchronised), usual (how many " +
			"of that number usually move at this hour; absent while that is not known)."}
	StaleAfterSeconds = &check.Metric{Name: "hmad_sync_stale_after_seconds", Kind: check.Gauge,
		Help: "Time after which a mailbox that has not synchronised is stale (sync.stale_after)."}
	BudgetCalls = &check.Metric{Name: "hmad_sync_budget_calls_per_second", Kind: check.Gauge, Labels: []string{"limit"},
		Help: "Maximum rate of calls in the tenant, for all its targets together, in calls per second: configured, in_force (lower while Exchange " +
			"Online throttles)."}
	RejectedLines = &check.Metric{Name: "hmad_sync_source_rejected_lines", Kind: check.Gauge,
		Help: "Lines of sync.file that name no mailbox."}
)

// samples returns the gauges of the fleet as a whole.
func (m *mailboxSync) samples(o observation) []check.Sample {
	var out []check.Sample
	add := func(f *check.Metric, v float64, labels ...string) {
		out = append(out, check.Sample{Metric: f, Value: v, Labels: labels})
	}
	for _, s := range plan.States() {
		add(Mailboxes, float64(o.counts.States[s]), s.String())
	}
	for _, w := range o.counts.Within {
		add(SyncedWithin, float64(w.Mailboxes), w.Age)
	}
	if !o.counts.Newest.IsZero() {
		add(NewestSync, float64(o.counts.Newest.Unix()))
	}
	add(OverdueMailboxes, float64(o.counts.Overdue))
	add(SweepLag, o.counts.Lag.Seconds())
	add(AskedRatio, float64(o.counts.Asked())/float64(max(o.counts.Mailboxes, 1)))
	add(SampledMailboxes, float64(o.movement.Asked), "asked")
	add(SampledMailboxes, float64(o.movement.Moved), "moved")
	if o.movement.Known {
		add(SampledMailboxes, o.movement.Expected, "usual")
	}
	add(StaleAfterSeconds, time.Duration(m.settings.StaleAfter).Seconds())
	add(BudgetCalls, m.sweep.budget.Configured(), "configured")
	add(BudgetCalls, m.sweep.budget.Rate(), "in_force")
	add(RejectedLines, float64(m.members.bad))
	return out
}
