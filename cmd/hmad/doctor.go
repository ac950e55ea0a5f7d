package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/exchange"
	"github.com/hmad/hmad/internal/state"
)

// stepTimeout bounds one question of the doctor.
const stepTimeout = 30 * time.Second

// The doctor's words for a step.
const (
	works   = "works"
	off     = "off"     // not configured
	broken  = "broken"  // and the advice says what to do
	unclear = "unclear" // could not be told
	warned  = "warning"
)

// step is one line of the doctor's table.
type step struct {
	what, status, detail string
	advice               string // the role or setting that gives what is missing
}

// runDoctor is the command doctor: it tries every path and permission that the
// config asks for, and says what is off for want of which setting.
func (c *cli) runDoctor(ctx context.Context) int {
	w := trial(c.storagePath)
	file, checks, err := buildChecks(c.configFile, w)
	if err != nil {
		return c.fail(exitUndecided, err)
	}
	results := map[check.ID]check.Result{}
	for _, r := range runAll(ctx, checks, file.ConfirmAfter) {
		results[r.ID()] = r
	}
	code := exitOK
	for _, t := range file.Targets {
		steps := append(c.paths(ctx, t, w), checkSteps(t, results)...)
		fmt.Fprintf(c.stdout, "%s\n", t.Name)
		c.table(steps)
		code = worse(code, steps)
	}
	if ctx.Err() != nil {
		return c.fail(exitUndecided, errors.New("interrupted"))
	}
	return code
}

// worse gives the exit code after further steps; the order is that of check.
func worse(code int, steps []step) int {
	rank := map[int]int{exitOK: 0, exitWarned: 1, exitUndecided: 2, exitFailed: 3}
	codes := map[string]int{works: exitOK, off: exitOK, warned: exitWarned, unclear: exitUndecided, broken: exitFailed}
	for _, s := range steps {
		if next := codes[s.status]; rank[next] > rank[code] {
			code = next
		}
	}
	return code
}

func (c *cli) table(steps []step) {
	tab := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, s := range steps {
		fmt.Fprintf(tab, "  %s\t%s\t%s\n", s.status, s.what, s.detail)
		if s.advice != "" {
			fmt.Fprintf(tab, "  \t\t→ %s\n", s.advice)
		}
	}
	_ = tab.Flush() // stdout's errors are nobody's to mend
}

// paths are the steps below the checks: names, directory, token, cmdlets,
// listener.
func (c *cli) paths(ctx context.Context, t config.Target, w *world) []step {
	env := w.env(t, "doctor")
	steps := []step{resolves(ctx, env, "DNS of AutoDiscover", t.Autodiscover.Host)}
	if u := t.ActiveSync.URL; u != "" {
		steps = append(steps, resolves(ctx, env, "DNS of ActiveSync", hostOf(u)))
	}
	steps = append(steps, directory(ctx, t, env), listener(t, env))
	return append(steps, online(ctx, t, env)...)
}

// hostOf gives the host of a URL that the config has found in order.
func hostOf(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	return u.Host
}

func resolves(ctx context.Context, env check.Env, what, host string) step {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	addrs, err := env.Resolve(ctx, "ip", host)
	if err != nil {
		return step{what, broken, fmt.Sprintf("%s does not resolve", host), "check the name in public DNS, and the target's resolver"}
	}
	return step{what: what, status: works, detail: fmt.Sprintf("%s is %v", host, addrs)}
}

func directory(ctx context.Context, t config.Target, env check.Env) step {
	const what = "directory (LDAP)"
	if t.OnPrem.LDAP.URL == "" {
		return step{what: what, status: off, detail: "for want of onprem.ldap.url"}
	}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	servers, err := exchange.ReadDirectory(ctx, env, t.OnPrem.LDAP)
	if err != nil {
		return step{what, broken, oneLine(err), "the account in onprem.ldap.bind_dn needs to read CN=Auth Configuration of the Exchange organisation, msExchAuthCertificateData included"}
	}
	return step{what: what, status: works, detail: fmt.Sprintf("%d auth servers", len(servers))}
}

// listener says whether pushed reports can arrive.
func listener(t config.Target, env check.Env) step {
	const what = "listener for reports"
	r := t.OnPrem.Report
	if r.Listen == "" {
		return step{what: what, status: off, detail: "for want of onprem.report.listen"}
	}
	if err := exchange.NewIntake(r, env, state.Folder(env.Reports).Put).Check(); err != nil {
		return step{what, broken, oneLine(err), "see docs/onprem-report.md"}
	}
	l, err := net.Listen("tcp", r.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return step{what: what, status: works, detail: r.Listen + " is taken, by the running hmad if there is one"}
	case err != nil:
		return step{what, broken, oneLine(err), "choose an address of this host in onprem.report.listen"}
	}
	_ = l.Close() // opened to see that it can be
	return step{what: what, status: works, detail: r.Listen + " is free for hmad run"}
}

// online are the steps in Exchange Online: the token, then each cmdlet.
func online(ctx context.Context, t config.Target, env check.Env) []step {
	const what = "token from Entra"
	if !t.ExchangeOnline.Configured() {
		return []step{{what: what, status: off, detail: "for want of exchange_online.certificate_file (or another credential)"},
			{what: "Exchange Online", status: off, detail: "for want of a credential under exchange_online"}}
	}
	credential, err := exchange.NewCredential(t, env)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, stepTimeout)
		defer cancel()
		_, err = credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{t.ExchangeOnline.Scope}})
	}
	if err != nil {
		return []step{{what, broken, oneLine(err), "exchange_online: check client_id and the credential; the app registration must hold this certificate or secret"},
			{what: "Exchange Online", status: unclear, detail: "without a token"}}
	}
	return append([]step{{what: what, status: works, detail: credential.Kind()}}, cmdlets(ctx, t, env)...)
}

// permission is what gives hmad's app the cmdlets that it needs.
const permission = "give the app registration Exchange.ManageAsApp (Office 365 Exchange Online) with admin consent, and its service principal a role group with View-Only Recipients; check with `Get-ManagementRole -Cmdlet %s`"

// cmdlets tries each cmdlet with the first mailbox of the watch list.
func cmdlets(ctx context.Context, t config.Target, env check.Env) []step {
	if len(t.Sync.Watch) == 0 {
		return []step{{what: "cmdlets", status: off, detail: "for want of a mailbox in sync.watch"}}
	}
	invoker, err := exchange.NewInvoker(t, env)
	if err != nil {
		return []step{{what: "cmdlets", status: broken, detail: oneLine(err)}}
	}
	user := t.Sync.Watch[0].Mailbox
	location, rows := cmdlet(ctx, invoker, "Get-MailboxLocation", "User", user)
	part := cmp.Or(cloudPart(rows), user)
	statistics, _ := cmdlet(ctx, invoker, "Get-MailboxStatistics", "Identity", part)
	devices, _ := cmdlet(ctx, invoker, "Get-MobileDeviceStatistics", "Mailbox", part)
	return []step{location, statistics, devices}
}

// cloudPart gives the GUID of the mailbox's part in the cloud, which the other
// cmdlets are asked about; empty: it has none.
func cloudPart(rows []exchange.Row) string {
	for _, r := range rows {
		if strings.EqualFold(r.String("MailboxLocationType"), "ComponentShared") {
			return r.String("MailboxGuid")
		}
	}
	return ""
}

func cmdlet(ctx context.Context, invoker exchange.Invoker, name, parameter, mailbox string) (step, []exchange.Row) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	rows, err := invoker.Invoke(ctx, name, map[string]any{parameter: mailbox}, exchange.InvokeOptions{Anchor: mailbox})
	var refused *exchange.CmdletError
	switch {
	case err == nil:
		return step{what: name, status: works, detail: fmt.Sprintf("%d rows for the first mailbox of sync.watch", len(rows.Rows))}, rows.Rows
	case errors.As(err, &refused) && refused.Kind == exchange.NotFound:
		return step{what: name, status: works, detail: "the first mailbox of sync.watch is not known there"}, nil
	case errors.As(err, &refused) && refused.Kind == exchange.Access:
		return step{name, broken, oneLine(err), fmt.Sprintf(permission, name)}, nil
	default:
		return step{what: name, status: unclear, detail: oneLine(err)}, nil
	}
}

// checkSteps say of every check how one run went, or for want of which setting
// there is none.
func checkSteps(t config.Target, results map[check.ID]check.Result) []step {
	var steps []step
	for _, d := range catalog.Defs() {
		r, there := results[check.ID{Check: d.Name, Target: t.Name}]
		if !there {
			steps = append(steps, step{what: "check " + d.Name, status: off, detail: whyOff(t, d)})
			continue
		}
		steps = append(steps, resultStep(r))
	}
	return steps
}

func whyOff(t config.Target, d *check.Def) string {
	if on := t.Checks[d.Name].Enabled; on != nil && !*on {
		return "by checks." + d.Name + ".enabled"
	}
	if d.Off {
		return "for want of checks." + d.Name + ".enabled: true"
	}
	return "for want of " + d.Needs
}

func resultStep(r check.Result) step {
	status := map[check.Outcome]string{check.Passed: works, check.Warned: warned, check.Failed: broken, check.Undecided: unclear, check.Skipped: unclear}
	s := step{what: "check " + r.Check, status: status[r.Outcome()], detail: "passed"}
	for _, f := range r.Report.Findings {
		if !f.Accepted {
			s.detail, s.advice = f.Reason.Name+": "+f.Detail, f.Reason.Fix
			break
		}
	}
	if r.Err != nil && len(r.Report.Findings) == 0 {
		s.detail = oneLine(r.Err)
	}
	return s
}
