package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync"
)

// onlineSteps are the steps in Exchange Online: the token, then each cmdlet.
func onlineSteps(ctx context.Context, t config.Target, env check.Env) []step {
	const what = "token from Entra"
	if !t.ExchangeOnline.Configured() {
		return []step{{What: what, Status: off, Detail: "needs exchange_online.certificate_file (or another credential)"},
			{What: "cmdlets", Status: off, Detail: "needs a credential under exchange_online"}}
	}
	credential, err := entra.New(t, env)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, stepTimeout)
		defer cancel()
		_, err = credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{t.ExchangeOnline.Scope.String()}})
	}
	if err != nil {
		return []step{noToken(what, "exchange_online", err), {What: "cmdlets", Status: unclear, Detail: "without a token"}}
	}
	return append([]step{{What: what, Status: works, Detail: credential.Kind()}}, cmdlets(ctx, t, env)...)
}

// noToken is the step of a token that the app of a section of the config did not get.
func noToken(what, section string, err error) step {
	if errors.Is(err, entra.ErrUnreachable) {
		return step{what, broken, oneLine(err), wayOut}
	}
	return step{what, broken, oneLine(err), section + ": check client_id and the credential; the app registration must hold this certificate or secret"}
}

// clouds are the settings that lead to another cloud of Microsoft's.
func clouds(t config.Target) (all []step) {
	for _, why := range t.NationalClouds() {
		all = append(all, step{"cloud", warned, why, "leave the setting away if the tenant is in the worldwide cloud"})
	}
	return all
}

// wayOut is what may keep a request from Microsoft.
const wayOut = "let this host reach it: firewall, proxy, resolver, and the CA if a proxy inspects TLS"

// permission is what gives hmad's app the cmdlets that it needs.
const permission = "give the app registration Exchange.ManageAsApp (Office 365 Exchange Online) with admin consent, and its service principal a " +
	"role group with View-Only Recipients; check with `Get-ManagementRole -Cmdlet %s`"

// cmdlets tries each cmdlet that the config asks for, as the check asks it, with
// the first mailbox of the watch list, or else the probe mailbox.
func cmdlets(ctx context.Context, t config.Target, env check.Env) []step {
	if !t.Sync.Configured() {
		return []step{{What: "cmdlets", Status: off, Detail: "needs " + config.SyncNeeds}}
	}
	invoker, err := online.New(t, env)
	if err != nil {
		return []step{{What: "cmdlets", Status: broken, Detail: oneLine(err)}}
	}
	defer invoker.Close()
	d := desk{ctx, invoker, t.Mailbox, "the probe mailbox"}
	statistics := step{What: "Get-MailboxStatistics", Status: off, Detail: "needs sync.watch"}
	inventory := step{What: "Get-MobileDevice", Status: off, Detail: "needs sync.inventory: true"}
	watched := len(t.Sync.Watch) > 0
	if watched {
		d.mailbox, d.about = t.Sync.Watch[0].Mailbox, "the first mailbox of sync.watch"
	}
	location, rows := d.ask("Get-MailboxLocation", "User", d.mailbox)
	part := cmp.Or(cloudPart(rows), d.mailbox)
	if watched {
		statistics, _ = d.ask("Get-MailboxStatistics", "Identity", part)
	}
	devices, _ := d.ask("Get-MobileDeviceStatistics", "Mailbox", part)
	if t.Sync.Inventory {
		inventory, _ = desk{ctx, invoker, "", "the tenant"}.ask("Get-MobileDevice", "ResultSize", "1")
	}
	return []step{location, statistics, devices, inventory}
}

// cloudPart returns the GUID of the mailbox's part in the cloud, which the other
// cmdlets are asked about; empty: it has none.
func cloudPart(rows []powershell.Row) string {
	for _, r := range rows {
		if strings.EqualFold(r.String("MailboxLocationType"), "ComponentShared") {
			return r.String("MailboxGuid")
		}
	}
	return ""
}

// desk asks cmdlets about one mailbox.
type desk struct {
	ctx            context.Context
	invoker        online.Invoker
	mailbox, about string // its address, which is never shown, and what it is called; or the tenant
}

func (d desk) ask(name, parameter, value string) (step, []powershell.Row) {
	ctx, cancel := context.WithTimeout(d.ctx, stepTimeout)
	defer cancel()
	rows, err := d.invoker.Invoke(ctx, name, map[string]any{parameter: value}, online.Options{Anchor: d.mailbox, MaxPages: 1, Select: sync.Columns(name)})
	return answered(name, d.about, rows, err), rows.Rows
}

// answered judges a cmdlet's answer.
func answered(name, about string, rows online.Rows, err error) step {
	var refused *online.CmdletError
	if err != nil && !errors.As(err, &refused) {
		return step{What: name, Status: unclear, Detail: oneLine(err)}
	}
	switch {
	case err == nil:
		return step{What: name, Status: works, Detail: fmt.Sprintf("asked about %s (rows: %d)", about, len(rows.Rows))}
	case refused.Kind == online.NotFound:
		return step{What: name, Status: works, Detail: about + " is not known there"}
	case refused.Kind == online.Access || refused.Kind == online.Token:
		return step{name, broken, oneLine(err), fmt.Sprintf(permission, name)}
	default:
		return step{What: name, Status: unclear, Detail: oneLine(err)}
	}
}
