package audit

import (
	"context"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
)

// Configuration is the check of the guide's requirements.
var Configuration = &check.Def{
	Name: "configuration",
	Doc: "Does the Exchange organisation still meet the requirements of Microsoft's guide? Once an hour the check goes through them " +
		"(device access rules, request limits, builds, security updates and support, the kind of hybrid, virtual directories, the server's auth certificate, the tenant's cloud) " +
		"and compares the on-premises reports with each requirement. Each requirement has its own reason. If you deviate on purpose, accept the " +
		"reason with a waiver. A report that is older than three of its intervals or than two hours is not used.",
	Needs:   config.ReportNeeds,
	Every:   "7 * * * *",
	Timeout: 45 * time.Second,
	Metrics: []*check.Metric{BuildTableTime, SecurityUpdatesTime, AuthCertificateNotAfter},
	Reasons: reasonsOf(requirements),
	Facts:   []*check.Fact{exchangeBuild, accessLevel, authCertificate},
	Steps:   []int{1, 2, 7},
	New:     newConfiguration,
}

// newConfiguration builds the check of a target; there is none where the target
// has no on-premises reports.
func newConfiguration(t config.Target, env check.Env) (check.Parts, error) {
	if env.Reports == "" {
		return check.Parts{}, nil
	}
	ask, err := newCloudQuestion(t, env)
	if err != nil {
		return check.Parts{}, err
	}
	c := &configuration{target: t, env: env, reports: report.Of(env, t.OnPrem.Report.Hosts), askCloud: ask}
	return check.Parts{Run: c.run}, nil
}

// configuration is the check bound to a target. Runs do not overlap.
type configuration struct {
	target   config.Target
	env      check.Env
	reports  func() ([]report.Arrived, error)
	askCloud func(context.Context) (cloud, error)
}

// run reads what there is and judges it.
func (c *configuration) run(ctx context.Context, v *check.Verdict) {
	e := c.look(ctx)
	e.note(v)
	judgeAll(v, requirements, e)
	v.Samples(samplesOfCertificate(e)...)
	v.Sample(BuildTableTime, float64(e.tableDate.Unix()))
	v.Sample(SecurityUpdatesTime, float64(e.updatesDate.Unix()))
	e.facts(v)
}

// look gathers the estate. What cannot be read is part of it.
func (c *configuration) look(ctx context.Context) estate {
	now := c.env.Now()
	e := estate{now: now, tenant: c.target.Tenant, activesync: c.target.ActiveSync.URL.String(),
		tableDate: tableDate(buildTableDate(), c.target.Mailbox, now), updatesDate: tableDate(updatesDate(), c.target.Mailbox, now)}
	arrived, err := c.reports()
	e.Evidence = report.EvidenceOf(arrived, e.now, c.target.OnPrem.Report.Hosts...)
	e.Failed = err
	e.cloud, e.cloudErr = c.askCloud(ctx)
	return e
}
