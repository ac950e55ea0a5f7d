package sync

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/sync/plan"
)

// The cmdlets of a visit.
const (
	getLocation = "Get-MailboxLocation"
	getDevices  = "Get-MobileDeviceStatistics"
)

// visitor asks Exchange Online about single mailboxes.
type visitor struct {
	invoker online.Invoker
	tenant  string
	now     func() time.Time
	spend   func(context.Context) error // waits for one more call of the budget
}

// visit asks where a mailbox is, unless that is known, and when its phones
// synchronised. The budget's call for the first question is spent already.
func (v visitor) visit(ctx context.Context, a plan.Ask) (plan.Answer, error) {
	if a.Location == (plan.Location{}) {
		return v.fromScratch(ctx, a)
	}
	out, err := v.devices(ctx, a)
	gone := kindOf(err) == online.NotFound || errors.Is(err, errForeign)
	if err != nil && !gone || err == nil && !a.LocateAgain(v.now(), out.State) {
		return out, err
	}
	if err := v.spend(ctx); err != nil {
		return plan.Answer{}, err
	}
	again, cloud, err := v.locate(ctx, a)
	switch {
	case err != nil:
		return plan.Answer{}, err
	case cloud:
		return plan.Answer{State: plan.Cloud}, nil
	case again.Location == (plan.Location{}):
		return plan.Answer{State: plan.NotProvisioned}, nil
	case !gone && again.Location == a.Location:
		out.Located = again.Located
		return out, nil
	}
	return v.paidDevices(ctx, again)
}

// fromScratch visits a mailbox whose location is not known.
func (v visitor) fromScratch(ctx context.Context, a plan.Ask) (plan.Answer, error) {
	a, cloud, err := v.locate(ctx, a)
	switch {
	case err != nil:
		return plan.Answer{}, err
	case cloud:
		return plan.Answer{State: plan.Cloud}, nil
	case a.Location == (plan.Location{}):
		return plan.Answer{State: plan.NotProvisioned}, nil
	}
	return v.paidDevices(ctx, a)
}

// paidDevices spends a call and asks when the phones of a mailbox synchronised.
func (v visitor) paidDevices(ctx context.Context, a plan.Ask) (plan.Answer, error) {
	if err := v.spend(ctx); err != nil {
		return plan.Answer{}, err
	}
	out, err := v.devices(ctx, a)
	if kindOf(err) == online.NotFound {
		return plan.Answer{State: plan.NotProvisioned}, nil
	}
	return out, err
}

// locate looks up where a mailbox is. It returns the Ask with that location, zero
// where the mailbox is not in the cloud, and whether it is one of the cloud itself.
func (v visitor) locate(ctx context.Context, a plan.Ask) (plan.Ask, bool, error) {
	rows, err := v.invoker.Invoke(ctx, getLocation, map[string]any{"User": a.Key}, online.Options{Anchor: anchorOf(a.Key), MaxPages: 1})
	if kindOf(err) == online.NotFound {
		rows, err = online.Rows{}, nil
	}
	if err != nil {
		return a, false, err
	}
	if rows.Incomplete {
		return a, false, errCut
	}
	var cloud bool
	a.Location, cloud, err = readLocation(rows.Rows, v.tenant)
	a.Located = v.now()
	return a, cloud, err
}

// devices asks when the phones of a mailbox synchronised.
func (v visitor) devices(ctx context.Context, a plan.Ask) (plan.Answer, error) {
	guid := a.Location.String()
	rows, err := v.invoker.Invoke(ctx, getDevices, map[string]any{"Mailbox": guid}, online.Options{Anchor: guid, MaxPages: 1, Select: Columns(getDevices)})
	if err != nil {
		return plan.Answer{}, err
	}
	if rows.Incomplete {
		return plan.Answer{}, errCut
	}
	all, err := readDevices(rows.Rows, a.Key, v.tenant, a.Location)
	if err != nil {
		return plan.Answer{}, err
	}
	out := plan.Judge(v.now(), all, a.StaleAfter)
	out.Location, out.Located = a.Location, a.Located
	return out, nil
}

// anchorOf returns the anchor by which Exchange Online routes a question about a
// mailbox: its address or GUID; empty for other names.
func anchorOf(key string) string {
	if _, isGUID := plan.ParseLocation(key); isGUID || strings.Contains(key, "@") {
		return key
	}
	return ""
}

// kindOf returns the kind of a cmdlet's error; empty for other errors.
func kindOf(err error) online.Kind {
	var e *online.CmdletError
	if errors.As(err, &e) {
		return e.Kind
	}
	return nil
}
