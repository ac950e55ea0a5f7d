package sync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/online"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync/plan"
)

// Every call is paid for: first ones, those that look up where a mailbox is, and
// each page of the inventory.
func TestEveryCallIsPaidFor(t *testing.T) {
	for name, set := range map[string]func(*office){
		"an inventory of one page":   func(*office) {},
		"an inventory of many pages": func(o *office) { o.pages = 300 },
		"mailboxes that are looked up again": func(o *office) {
			o.fail = func(q question) error {
				if q.cmdlet == getDevices {
					return &online.CmdletError{Cmdlet: q.cmdlet, Kind: online.NotFound}
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOffice(t, config.Sync{Mailboxes: addresses(500), Inventory: true, Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
				o.phones = []powershell.Row{device("contoso/joe@contoso.com", "Outlook")}
				set(o)
				began := time.Now()
				o.sweepFor(20 * time.Minute)
				_, _ = o.runNow()
				require.Greater(t, o.calls(), 500)
				for i, q := range o.asked {
					allowed := 4 + 2*q.at.Sub(began).Seconds() // a burst of two seconds' worth
					require.LessOrEqual(t, float64(i+1), allowed+0.01, "call %d, %s", i, q.cmdlet)
				}
			})
		})
	}
}

// A tenant that refuses the inventory refuses everything.
func TestARefusedInventoryPausesTheSweep(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(500), Inventory: true})
		o.fail = func(q question) error {
			if q.cmdlet == getInventory {
				return check.Errorf(check.Throttled, "%w", &online.CmdletError{Cmdlet: q.cmdlet, Kind: online.Throttled, RetryAfter: 3 * time.Minute})
			}
			return nil
		}
		o.sweepFor(2 * time.Minute)
		assert.Less(t, o.calls(), 20, "of 240")
		assert.Less(t, o.hmad.sweep.budget.Rate(), 2.0)
	})
}

func TestAWatchedMailboxThatIsRefusedIsAskedAgainInTheSameRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(500), Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
		refused := 0
		o.fail = func(q question) error {
			if refused++; refused <= 2 {
				return check.Errorf(check.Throttled, "%w", &online.CmdletError{Cmdlet: q.cmdlet, Kind: online.Throttled, RetryAfter: 10 * time.Second})
			}
			return nil
		}
		r := mustRun(t, o)
		assert.Equal(t, 1.0, valueOf(r, Mailboxes, "fresh"))
	})
}

// What does not come whole may lack the row that decides.
func TestAnswersThatAreNotWholeAreRefused(t *testing.T) {
	for _, cmdlet := range []string{getLocation, getDevices} {
		t.Run(cmdlet, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOffice(t, config.Sync{Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
				o.cut = cmdlet
				r, err := o.runNow()
				require.ErrorIs(t, err, errCut)
				assert.Equal(t, 1.0, valueOf(r, Mailboxes, "error"))
			})
		})
	}
}

func TestWhatIsUsualSurvivesARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(200)})
		o.sweepFor(3 * time.Hour)
		mustRun(t, o)
		before := o.hmad.sweep.plan.History()
		require.NotEqual(t, plan.Hours{}, before.Hours)
		assert.Equal(t, before.Hours, newOfficeOn(t, o.hmad.settings, o.store).hmad.sweep.plan.History().Hours)
	})
}
