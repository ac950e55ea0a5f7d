package metadata

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/transport"
)

// MetadataRefresh is the check of the job that keeps the stored certificates.
var MetadataRefresh = &check.Def{
	Name: "metadata_refresh",
	Doc: "Does the job work that copies Microsoft's signing certificates into Active Directory? From the on-premises reports the check reads which " +
		"server runs the job (the one with the mounted copy of the database of the arbitration mailbox with the capability " +
		"OrganizationCapabilityManagement), the events of the job (MSExchange AuthAdmin) and those of token validation (MSExchange OAuth). A run " +
		"of the job is good if it completed without an error. The last good run may be at most `metadata.overdue_after` (13h) ago. The check warns " +
		"in advance: if the job does not run, mail on phones stops at Microsoft's next change of certificates.",
	Needs:   config.ReportNeeds,
	Every:   "*/15 * * * *",
	Timeout: 20 * time.Second,
	Metrics: []*check.Metric{LastRefresh, RefreshServer},
	Reasons: refreshReasons,
	Facts:   []*check.Fact{refreshServer},
	Steps:   []int{7},
	Implies: []check.Implication{
		{Causes: []*check.Reason{tokensRefused}, Effects: []string{"onprem_sync.cloud_sync_refused"}},
		{Causes: []*check.Reason{arbitrationMailboxMissing, databaseNotMounted}, Effects: []string{"metadata_refresh.refresh_overdue"}},
	},
	New: newRefresh,
}

func newRefresh(t config.Target, env check.Env) (check.Parts, error) {
	if t.Tenant == "" || !t.OnPrem.Report.Configured() {
		return check.Parts{}, nil
	}
	way, err := transport.New(t, env)
	if err != nil {
		return check.Parts{}, err
	}
	return check.Parts{Run: buildRefresh(t, env, overHTTP(way.Client())).run}, nil
}

// buildRefresh builds the check; f is its way to documents.
func buildRefresh(t config.Target, env check.Env, f fetch) *refresh {
	return &refresh{t, env, report.Of(env, t.OnPrem.Report.Hosts), buildEvoSTS(t, env, f)}
}

// refresh is the check for one target.
type refresh struct {
	target  config.Target
	env     check.Env
	reports func() ([]report.Arrived, error)
	evosts  *evosts // for what is published, where no run of evosts_metadata has seen it
}

// lastGoodKey is the place in the memory of the last good run that was seen:
// events fall out of the reports after a day.
const lastGoodKey = "metadata_refresh.last_good"

// RememberRun writes into the memory that the last good run was on a server at a
// moment. It is for the lab, as Remember is.
func RememberRun(m check.Memory, server string, at time.Time) {
	m.Put(lastGoodKey, goodRun{at, server})
}

// goodRun is a good run as the memory keeps it.
type goodRun struct {
	At     time.Time `json:"at"`
	Server string    `json:"server"`
}

func (r *refresh) run(ctx context.Context, v *check.Verdict) {
	v.Repeat(refreshCommands...)
	now := r.env.Now()
	arrived, err := r.reports()
	if err != nil {
		v.Undecided(classed(check.ReportInput, "on-premises report", err))
		return
	}
	evidence := report.EvidenceOf(arrived, now)
	if err := evidence.Err(); err != nil {
		v.Undecided(err)
		return
	}
	o := traces{now: now, window: r.target.Metadata.Window, overdueAfter: r.target.Metadata.OverdueAfter, lateHosts: len(evidence.Reports) < len(hostsOf(arrived))}
	o.read(r.target.Tenant, evidence)
	r.lookPublished(ctx, &o)
	o.lastGood, o.watched = r.remember(o), r.watch(o)
	judgeRefresh(v, o)
	o.tell(v)
}

// lookPublished fills in the keys that are published, as evosts_metadata has them
// in the memory. Where it has seen none, as in a single look, they are fetched if
// the verdict hangs on them; the memory is left to evosts_metadata.
func (r *refresh) lookPublished(ctx context.Context, o *traces) {
	o.published = loadLedger(r.env.Memory, o.now).publishedKeys(o.now)
	if len(o.published) > 0 || o.countRefused().all < refusedAtLeast {
		return
	}
	seen := r.evosts.look(ctx)
	o.published, o.publishedErr = seen.ledger.publishedKeys(o.now), seen.publishedErr
}

// remember returns the last good run, seen now or before.
func (r *refresh) remember(o traces) goodRun {
	var last goodRun
	r.env.Memory.Get(lastGoodKey, &last)
	if last.At.After(o.now) {
		last = goodRun{} // of a clock that was ahead
	}
	for _, run := range o.runs {
		if run.Error == nil && run.At.After(last.At) && !run.At.After(o.now) {
			last = goodRun{run.At, run.Server}
			r.env.Memory.Put(lastGoodKey, last)
		}
	}
	return last
}

// watchedKey is the memory's key of the period whose events are all known.
// Consecutive reports overlap, so together they reach further back than one.
const watchedKey = "metadata_refresh.watched"

// watched is a period in which every event of a server's job was read. The zero
// From is not known.
type watched struct {
	Server string    `json:"server"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
}

// watch returns the period up to now whose events of the server that runs
// the job were read without a gap.
func (r *refresh) watch(o traces) watched {
	server, _ := o.refresher()
	var seen watched
	for host, w := range o.jobSeen {
		if server != "" && report.SameHost(host, server) {
			seen = w
		}
	}
	if seen.From.IsZero() {
		return watched{}
	}
	var before watched
	r.env.Memory.Get(watchedKey, &before)
	joins := !before.From.IsZero() && !before.To.Before(seen.From) && !before.To.After(o.now)
	if joins && report.SameHost(before.Server, server) && before.From.Before(seen.From) {
		seen.From = before.From
	}
	r.env.Memory.Put(watchedKey, seen)
	return seen
}

// hostsOf returns the hosts that have a report of any age.
func hostsOf(arrived []report.Arrived) []string {
	var out []string
	for _, a := range arrived {
		if a.Host != "" && !slices.ContainsFunc(out, func(h string) bool { return report.SameHost(h, a.Host) }) {
			out = append(out, a.Host)
		}
	}
	return out
}

// traces is what the reports show of the refresh job and of refused tokens.
type traces struct {
	now                  time.Time
	window, overdueAfter time.Duration
	lateHosts            bool // some hosts' reports are too old: their events are not seen

	mailboxes    []report.ArbitrationMailbox // with the capability
	mailboxesErr error
	copies       []report.DatabaseCopy
	copiesErr    error

	servers   []report.AuthServer // the tenant's, where readable
	runs      []jobRun            // of every server, oldest first
	updated   time.Time           // when the stored copy was last written
	jobSeen   map[string]watched  // by server: its job events were read
	jobErr    map[string]error    // by server: they could not be read
	oauth     []oauthEvent
	oauthSeen bool // some server's were read
	oauthErr  error

	published    []Thumbprint
	publishedErr error // why nothing is known of them
	lastGood     goodRun
	watched      watched // of the server that runs the job
}

// oauthEvent is an event of MSExchange OAuth with its server.
type oauthEvent struct {
	report.Event
	server string
	asOf   time.Time // of the report
}

// read reads the reports' sections.
func (o *traces) read(tenant string, evidence report.Evidence) {
	o.jobSeen, o.jobErr = map[string]watched{}, map[string]error{}
	var mailboxes []report.ArbitrationMailbox
	mailboxes, o.mailboxesErr = report.Newest(evidence, report.Report.Arbitration)
	for _, m := range mailboxes {
		if slices.ContainsFunc(m.Capabilities, isRefreshCapability) {
			o.mailboxes = append(o.mailboxes, m)
		}
	}
	o.copies, o.copiesErr = report.Newest(evidence, report.Report.DatabaseCopies)
	all, _ := report.Newest(evidence, report.Report.AuthServers) // onprem_report tells when it cannot be read
	o.servers = report.OfTenant(all, tenant)
	for _, s := range o.servers {
		o.update(s.WhenChanged)
	}
	names := namesOf(tenant, all)
	for _, r := range evidence.Reports {
		o.readJob(r, names)
		o.readOAuth(r, names)
	}
	slices.SortStableFunc(o.runs, func(a, b jobRun) int { return a.At.Compare(b.At) })
}

func (o *traces) readJob(r report.Report, names serverNames) {
	events, err := r.AuthAdminEvents()
	if err != nil {
		o.jobErr[r.Host] = err
		return
	}
	o.jobSeen[r.Host] = watched{r.Host, r.AuthAdminSince(), o.asOf(r)}
	o.runs = append(o.runs, runsOf(r.Host, events, names)...)
	for _, e := range events {
		if e.ID == jobUpdated && names.concerns(e) {
			o.update(e.Time)
		}
	}
}

func (o *traces) readOAuth(r report.Report, names serverNames) {
	events, err := r.OAuthEvents()
	if err != nil {
		o.oauthErr = check.Joined(o.oauthErr, err)
		return
	}
	o.oauthSeen = true
	for _, e := range events {
		if names.concerns(e) {
			o.oauth = append(o.oauth, oauthEvent{e, r.Host, o.asOf(r)})
		}
	}
}

func (o *traces) update(at time.Time) {
	if at.After(o.updated) {
		o.updated = at
	}
}

func (o *traces) asOf(r report.Report) time.Time {
	if r.GeneratedAt.After(o.now) {
		return o.now
	}
	return r.GeneratedAt
}

// refresher returns the server that runs the job and its database: that of the
// only mailbox's mounted copy. Empty where there is no such server.
func (o *traces) refresher() (server, database string) {
	if len(o.mailboxes) != 1 {
		return "", ""
	}
	database = o.mailboxes[0].Database
	for _, c := range o.copiesOf(database) {
		if isMounted(c) {
			return c.Server, database
		}
	}
	return "", database
}

// maxRuns bounds the runs that the timeline shows.
const maxRuns = 12

// refreshCommands show by hand who runs the job, and its events.
var refreshCommands = []string{
	"$x = Get-Mailbox -Arbitration | ? {$_.PersistedCapabilities -like 'OrganizationCapabilityManagement'}; Get-MailboxDatabaseCopyStatus $x.Database.Name",
	"Get-WinEvent -FilterHashtable @{LogName='Application'; ProviderName='MSExchange AuthAdmin'} -MaxEvents 50 | Format-Table TimeCreated,Id,Message -Wrap",
}

// tell records who runs the job, its last runs, and when the stored copy was
// last written.
func (o *traces) tell(v *check.Verdict) {
	if !o.lastGood.At.IsZero() {
		v.Sample(LastRefresh, unix(o.lastGood.At))
	}
	line := func(format string, args ...any) {
		v.Timeline(check.Clean(fmt.Sprintf(format, args...), maxDetail))
	}
	if server, database := o.refresher(); server != "" {
		v.Sample(RefreshServer, 1, check.Clean(server, 200), check.Clean(database, 200))
		v.Fact(refreshServer, "", server)
		line("%-20s  %s runs the job: it has the mounted copy of %s", "now", server, database)
	}
	for _, r := range o.runs[max(0, len(o.runs)-maxRuns):] {
		if r.Error == nil {
			line("%-20s  %s: a good run", check.Moment(r.At), r.Server)
		} else {
			line("%-20s  %s: a bad run: event %d, %s", check.Moment(r.At), r.Server, r.Error.ID, r.Error.Message)
		}
	}
	if !o.updated.IsZero() {
		line("%-20s  the stored copy was last written", check.Moment(o.updated))
	}
	if o.lateHosts {
		v.Note(someLate)
	}
}
