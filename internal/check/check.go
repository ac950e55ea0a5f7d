// Package check is the vocabulary of hmad: what a check is, what it may say
// and how that is judged.
//
// A Def declares one kind of check in the operator's words: its reasons (the
// verdicts it may reach), its metrics and how to build it for a target. A
// Check is a Def bound to one target of the config. Running it gives a Report
// (findings, samples, notes) or an error, which means «could not tell»; the
// runner stamps both into a Result. The package imports the standard library,
// the config and the budget only, so that a check can be written and tested without
// knowing of Prometheus, cron, logs or disk.
package check

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/config"
)

// Def declares one kind of check.
type Def struct {
	Name    string        // as in the config, labels and commands: "activesync"
	Doc     string        // one paragraph in the operator's words
	Every   string        // default schedule, a cron expression in UTC
	Timeout time.Duration // default deadline of a run, confirming attempt included
	Metrics []*Metric     // every family that it may emit, in addition to the common ones
	Reasons []*Reason     // every verdict it may reach, in order of judgement
	Facts   []*Fact       // every fact it may record
	Steps   []int         // the steps of Flow that it watches, from 1
	Implies []Implication // what its findings explain, here and in other checks
	Off     bool          // only targets that say enabled: true have it
	Needs   string        // the settings without which there is no such check; empty: every target has it
	Sooner  *Def          // looks at the same more often: what both find under one name alerts here only where Sooner has not told it

	// Sends, where set, says what of the target's the check gives to a host that
	// is not the target's own, as a clause that follows «sends».
	Sends func(config.Target) string

	// WayOut, where set, is what this check offers to all checks of a target:
	// the question whether hmad's own way out is open.
	WayOut *WayOut
	// Rehearse, where set, gives a target's empty memory the weeks of a healthy
	// past that the check judges by. It is for demonstrations.
	Rehearse func(m Memory, now time.Time)

	// New validates the target and builds the check's functions. It does no
	// I/O but read the files that the config names. A nil Run means that the
	// target does not configure this check's inputs: there is no such check.
	New func(config.Target, Env) (Parts, error)
}

// Parts are the functions of one built check.
type Parts struct {
	// Run looks once and fills the verdict, in which every reason is open.
	Run func(context.Context, *Verdict)
	// Doubt, where set, is asked when findings that need confirming have
	// stood up to the confirming attempt: is our own side to blame? What is
	// not the estate's fault it retracts.
	Doubt func(context.Context, *Verdict)
	// Begin, where set, takes up what the Store keeps: once, when no other
	// build of the check is at work any more, and before this one runs or the
	// daemon answers for it. It reads the Env's Memory and Fleet and fills its
	// Tables, and waits for nothing else.
	Begin func()
	// Background, where set, works until its context ends, concurrently with the runs.
	Background func(context.Context) error
	// Idle, where not empty, says why one run by itself asks nothing: the daemon
	// asks over time.
	Idle string
}

// WayOut is the question whether hmad's own way out is open.
type WayOut struct {
	// Closed is the reason that says that it is not.
	Closed *Reason
	// Ask builds the question for a target. The function returns nil where the
	// way out is open, and an error of class vantage_offline where it is closed.
	// It is nil itself where the target's endpoints do not lie behind the way
	// out that the check tries.
	Ask func(config.Target, Env) (func(context.Context) error, error)
}

// Check is a Def bound to one target.
type Check struct {
	*Def
	Parts
	Target   string
	Schedule string        // the cron expression in force
	Timeout  time.Duration // the deadline in force
	Accept   []config.Waiver
	Vantage  string // where hmad stands, seen from the target: config.Inside or config.External
	Hash     string // changes when anything changes that the check was built from
}

// ID names a check of a target.
type ID struct{ Check, Target string }

// ID names this check.
func (c *Check) ID() ID { return ID{c.Name, c.Target} }

// Env is all that a check may use of the world. Dial and Resolve are the only
// way out of the process.
type Env struct {
	// Dial connects to addr, an IP address with port (network tcp, tcp4, tcp6)
	// except where it reaches a proxy by name.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Resolve looks up host in the target's resolver; network is ip, ip4 or ip6.
	Resolve func(ctx context.Context, network, host string) ([]netip.Addr, error)
	// ReadFile reads a file of at most max bytes.
	ReadFile func(name string, max int64) ([]byte, error)
	// ReadDir lists the regular files of a folder, sorted, their paths in full.
	ReadDir func(name string) ([]string, error)
	Now     func() time.Time
	Memory  Memory
	Meter   Meter
	// Table returns the check's table for these gauges, always the same one.
	Table func(metrics ...*Metric) Table
	// Fleet returns the target's fleet of that name, always the same one.
	Fleet func(name string) Fleet
	// Vantage asks whether this target's way out is open: nil when it is. It
	// is nil itself where the target does not share its way out with the
	// vantage check.
	Vantage func(context.Context) error
	// Budget is what the target's tenant allows all its targets together.
	Budget *budget.Budget
	// Reports is the folder where the target's on-premises reports lie; empty
	// where none are configured.
	Reports string
	// Version is hmad's own, for User-Agent.
	Version string
	// Shared holds what the checks of a target make once for all; nil: each has
	// its own.
	Shared *Shared
}

// Memory is a target's small persisted memory: values survive restarts.
type Memory interface {
	// Get reads what was put under key into the value that into points to. It
	// gives false when there is nothing, or nothing that fits.
	Get(key string, into any) bool
	// Put keeps v, which must encode as JSON.
	Put(key string, v any)
}

// Fleet keeps one small record for each of up to hundreds of thousands of
// members, such as mailboxes. Records survive restarts; kill -9 may cost the
// last ten seconds. It is safe for concurrent use.
type Fleet interface {
	// Each calls f for every record as they were at the call, in no order; f
	// may Put and Delete, must not change a record and may keep it.
	Each(f func(key string, record []byte))
	// Put keeps a copy of record, which has at most 4 KiB.
	Put(key string, record []byte)
	Delete(key string)
}

// Table is a fleet's gauges: one row per key, which is the value of the one own
// label of its metrics. It is owned by the Store and never part of a Report,
// and it is gone with its check, also over a restart. A check that is built
// anew on a reload finds the rows of the one before. It is safe for concurrent
// use.
type Table interface {
	// Set puts a row, one value per metric; NaN means no series.
	Set(key string, values ...float64)
	Delete(key string)
	// Keep deletes the rows whose keys it refuses.
	Keep(keep func(key string) bool)
	// Dropped notes how many rows the check leaves out for a cap, now: each
	// counts in hmad_series_dropped of each of the table's families.
	Dropped(rows int)
}

// Meter counts: for counters and histograms, which live as long as the
// process. The target and check labels are stamped by whoever gives the Meter
// to a check.
type Meter interface {
	Add(m *Metric, v float64, labels ...string)
	Observe(m *Metric, v float64, labels ...string)
}

// Severity says how bad a finding is.
type Severity string

// The two severities: phones are or will at once be affected, or not yet.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
)

// Reason is one verdict of a closed vocabulary.
type Reason struct {
	Name     string // snake case, unique within its check; the full name is check.reason
	Severity Severity
	For      time.Duration // how long it must stand before it alerts; 0: the rules' default
	Confirm  bool          // one more attempt in the same run must see it too
	Gathered bool          // follows from what the daemon gathered over hours: a run by itself cannot judge it
	Mailbox  bool          // the probe mailbox is none that Exchange on premises knows
	Summary  string        // what it means for phones
	Fix      string        // the command or place to look
	Runbook  *Runbook      // what helps somebody who was called because of it
}

// Kind is a metric's Prometheus type.
type Kind string

// The kinds of metric. Gauges come from Reports, counters and histograms from
// a Meter.
const (
	Gauge     Kind = "gauge"
	Counter   Kind = "counter"
	Histogram Kind = "histogram"
)

// Metric declares a family. The labels check and target are stamped on every
// series and not listed in Labels, except where NoTarget says otherwise.
type Metric struct {
	Name, Help string
	Kind       Kind
	Labels     []string
	NoTarget   bool // a family of the process: neither check nor target is stamped
	Buckets    []float64
	Quote      *Quote // what alerts of a check with this family say of it; nil: nothing
}

// Quote is a sentence that an alert adds about a family of its check, by a query
// of its own when it fires.
type Quote struct {
	Lead    string    // what is listed: "Certificates seen, by their end"
	Each    string    // one series, as a template of Prometheus
	Counts  bool      // values are counts, of which all above 0 are listed, the highest first; else times, the five earliest
	Reasons []*Reason // whose alerts quote it; nil: those of every reason

	// An example for the rules' unit tests: the own labels of a series, its
	// value, and what Each makes of it.
	Labels, Value, Text string
}

// QuotedMoment is how alerts write a value that is a time, for Quote.Each: as
// every text of hmad does (Moment).
const QuotedMoment = `{{ (.Value | toTime).Format "2006-01-02 15:04 UTC" }}`

// Sample is one gauge value; Labels are the values of Metric.Labels in order.
type Sample struct {
	Metric *Metric
	Value  float64
	Labels []string
}

// After returns the reasons that follow r in reasons: those that a run which
// stopped at r could not judge.
func After(reasons []*Reason, r *Reason) []*Reason {
	for i, x := range reasons {
		if x == r {
			return reasons[i+1:]
		}
	}
	return nil
}

// Reason returns the Def's reason of that name, or nil.
func (d *Def) Reason(name string) *Reason {
	for _, r := range d.Reasons {
		if r.Name == name {
			return r
		}
	}
	return nil
}
