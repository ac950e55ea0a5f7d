package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/directory"
	"github.com/hmad/hmad/internal/metadata"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/report/intake"
	"github.com/hmad/hmad/internal/state"
)

// paths are the steps below the checks: names, directory, reports, published
// metadata, token, cmdlets.
func paths(ctx context.Context, t config.Target, w *world) []step {
	env := w.env(t, "doctor")
	steps := []step{resolves(ctx, env, "DNS of AutoDiscover", t.Autodiscover.Host.Name)}
	if u := t.ActiveSync.URL.Value(); u != nil {
		steps = append(steps, resolves(ctx, env, "DNS of ActiveSync", u.Hostname()))
	}
	steps = append(steps, directoryStep(ctx, t, env), listener(t, env))
	steps = append(steps, reports(t, env)...)
	steps = append(steps, document(ctx, t, env))
	steps = append(steps, onlineSteps(ctx, t, env)...)
	steps = append(steps, clouds(t)...)
	steps = append(steps, graphSteps(ctx, t, env)...)
	return append(steps, secretSteps(t.SecretFiles())...)
}

func resolves(ctx context.Context, env check.Env, what, host string) step {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	addrs, err := env.Resolve(ctx, "ip", host)
	if err != nil {
		return step{what, broken, fmt.Sprintf("%s does not resolve", host), "check the name in public DNS, and the target's resolver"}
	}
	return step{What: what, Status: works, Detail: fmt.Sprintf("%s is %v", host, addrs)}
}

func directoryStep(ctx context.Context, t config.Target, env check.Env) step {
	const what = "directory (LDAP)"
	if t.OnPrem.LDAP.URL.IsZero() {
		return step{What: what, Status: off, Detail: "needs onprem.ldap.url"}
	}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	servers, err := directory.AuthServers(ctx, env, t.OnPrem.LDAP)
	if err != nil {
		return step{what, broken, oneLine(err), "the account in onprem.ldap.bind_dn needs to read CN=Auth Configuration of the Exchange " +
			"organisation, msExchAuthCertificateData included"}
	}
	return step{What: what, Status: works, Detail: fmt.Sprintf("%d auth servers", len(servers))}
}

// listener reports whether pushed reports can arrive.
func listener(t config.Target, env check.Env) step {
	const what = "listener for reports"
	r := t.OnPrem.Report
	if r.Listen.IsZero() {
		return step{What: what, Status: off, Detail: "needs onprem.report.listen"}
	}
	if err := errors.Join(intake.New(r, env, state.Folder(env.Reports).Put).Check()...); err != nil {
		return step{what, broken, oneLine(err), "see docs/onprem-report.md"}
	}
	l, err := net.Listen("tcp", r.Listen.String())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return step{What: what, Status: works, Detail: r.Listen.String() + " is in use, by the running hmad if there is one"}
	case err != nil:
		return step{what, broken, oneLine(err), "choose an address of this host in onprem.report.listen"}
	}
	_ = l.Close() // opened to see that it can be
	return step{What: what, Status: works, Detail: r.Listen.String() + " is free for hmad run"}
}

// reports are the steps of the on-premises reports: whose are evidence of now,
// and whose come too rarely.
func reports(t config.Target, env check.Env) []step {
	const what = "on-premises report"
	if !t.OnPrem.Report.Configured() {
		return []step{{What: what, Status: off, Detail: "needs " + config.ReportNeeds}}
	}
	arrived, err := report.Of(env, t.OnPrem.Report.Hosts)()
	if err != nil {
		return []step{{what, broken, oneLine(err), collector}}
	}
	evidence := report.EvidenceOf(arrived, env.Now())
	if len(evidence.Reports) == 0 {
		return []step{{what, broken, fmt.Sprintf("none that is recent enough to judge by in %s (files: %d)", env.Reports, len(arrived)), collector}}
	}
	var hosts []string
	var rare []step
	for _, r := range evidence.Reports {
		hosts = append(hosts, r.Host)
		if advice := r.IntervalAdvice(); advice != "" {
			rare = append(rare, step{"report interval", warned, "of " + r.Host, advice})
		}
		if advice := r.CollectorAdvice(); advice != "" {
			rare = append(rare, step{"collector", warned, "of " + r.Host, advice})
		}
	}
	for _, a := range intake.RefusedOf(env.Memory, env.Now()).Addresses {
		rare = append(rare, step{"refused push", warned, a.String(), "if it is one of your Exchange servers, check its token or certificate: " +
			"docs/onprem-report.md"})
	}
	slices.Sort(hosts)
	return append([]step{{What: what, Status: works, Detail: "of " + strings.Join(hosts, ", ")}}, rare...)
}

const collector = "install the collector on the Exchange servers, or find out why its task does not run: docs/onprem-report.md"

// document gets the metadata that Microsoft publishes, where Exchange does.
func document(ctx context.Context, t config.Target, env check.Env) step {
	const what = "metadata document"
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	all, err := metadata.Documents(ctx, t, env)
	switch {
	case err != nil:
		return step{what, broken, oneLine(err), "let this host reach it: firewall, proxy, metadata.url"}
	case len(all) == 0:
		return step{What: what, Status: off, Detail: "needs " + metadata.DocumentNeeds}
	}
	return step{What: what, Status: works, Detail: fmt.Sprintf("%s (certificates: %d)", all[0].Place(), len(all[0].Certificates))}
}

// probeMailbox returns the step of the mailbox that every probe is about: does
// AutoDiscover know it, as the check found it?
func (l look) probeMailbox(t config.Target) step {
	const what = "probe mailbox"
	d, unknown := catalog.OfMailbox()
	r, there := l.of(t, d)
	if !there {
		s := l.notRun(t, d)
		return step{What: what, Status: s.Status, Detail: s.Detail}
	}
	for _, f := range r.Report.Findings {
		if f.Reason.Mailbox && !f.Accepted {
			return step{what, warned, t.Mailbox + ": " + f.Reason.Name, "set `mailbox` to a mailbox in Exchange on premises"}
		}
	}
	left := slices.ContainsFunc(r.Report.Unevaluated(), func(u *check.Reason) bool { return slices.Contains(unknown, u) })
	if r.Err != nil || left {
		return step{What: what, Status: skipped, Detail: "AutoDiscover did not get as far as " + t.Mailbox + ": see check " + r.Check}
	}
	return step{What: what, Status: works, Detail: "AutoDiscover knows " + t.Mailbox}
}
