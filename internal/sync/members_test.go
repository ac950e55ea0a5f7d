package sync

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync/plan"
)

func TestTheFileIsReadAgainWhenItChanges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{File: "list.txt"})
		_, err := o.runNow()
		require.ErrorContains(t, err, "the mailboxes in list.txt cannot be read")
		o.files["list.txt"] = "jane@contoso.com\njoe@contoso.com\nnobody\n"
		r, err := o.runNow()
		require.ErrorContains(t, err, "nothing is known yet of 2 mailboxes")
		assert.Equal(t, 1.0, valueOf(r, RejectedLines))
		o.sweepFor(time.Minute)
		assert.Len(t, o.store.rows, 2)
		o.files["list.txt"] = "jane@contoso.com\n"
		mustRun(t, o)
		assert.Len(t, o.store.rows, 2, "it may have been read while it was written")
		o.files["list.txt"] = "jane@contoso.com\n"
		mustRun(t, o)
		assert.Len(t, o.store.rows, 1, "one that is gone is shown no more")
		assert.Len(t, o.store.records, 1)
		o.files["list.txt"] = ""
		_, err = o.runNow()
		require.Error(t, err)
		assert.Equal(t, check.Other, check.ClassOf(err))
		assert.Equal(t, 1, o.hmad.sweep.plan.Len(), "an emptied file takes nobody away")
		_, err = o.runNow()
		require.Error(t, err, "and is said again")
		o.files["list.txt"] = "jane@contoso.com\n"
		mustRun(t, o)
		mustRun(t, o)
		delete(o.files, "list.txt")
		_, err = o.runNow()
		require.ErrorContains(t, err, "no such file")
		o.files["list.txt"] = "jane@contoso.com\n"
		mustRun(t, o) // it is back as it was
	})
}

// A file that is read while it is written takes nobody away, in whatever part
// it is read.
func TestAFileThatIsBeingWritten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{File: "list.txt"})
		whole := strings.Join(addresses(100), "\n")
		o.files["list.txt"] = whole
		_, _ = o.runNow()
		o.sweepFor(2 * time.Minute)
		mustRun(t, o)
		for _, part := range []int{1000, 500, 100} {
			o.files["list.txt"] = whole[:part]
			_, _ = o.runNow()
			assert.GreaterOrEqual(t, o.hmad.sweep.plan.Len(), 100)
		}
		o.files["list.txt"] = whole
		mustRun(t, o)
		r := mustRun(t, o)
		assert.Equal(t, 100.0, valueOf(r, Mailboxes, "fresh"))
		assert.Equal(t, 100, o.hmad.sweep.plan.Len(), "halves of addresses are gone again")
	})
}

// device is a row of Get-MobileDevice.
func device(owner, clientType string) powershell.Row {
	return row(map[string]any{"Identity": owner + "/ExchangeActiveSyncDevices/REST§Outlook§00", "ClientType": clientType})
}

func TestTheTenantsInventory(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Inventory: true})
		o.phones = []powershell.Row{device("EURP07.PROD/contoso.onmicrosoft.com/Jane@contoso.com", "Outlook"), device("contoso/joe@contoso.com", "EAS"), device("contoso/jim@contoso.com", "REST")}
		r, err := o.runNow()
		require.ErrorContains(t, err, "no mailbox is known yet")
		assert.Contains(t, open(r), "sync_stale")
		o.sweepFor(time.Minute)
		assert.True(t, o.hmad.sweep.plan.Has("jane@contoso.com") && o.hmad.sweep.plan.Has("jim@contoso.com"))
		assert.Equal(t, 2, o.hmad.sweep.plan.Len(), "phones without Outlook do not count")
		assert.Len(t, o.questions(getInventory), 1)

		o.phones, o.cut = o.phones[2:], getInventory
		o.sweepFor(25 * time.Hour)
		assert.Equal(t, 2, o.hmad.sweep.plan.Len(), "an inventory that is not whole takes nobody away")
		r, err = o.runNow()
		require.NoError(t, err)
		assert.Contains(t, strings.Join(r.Texts(), "\n"), "could not be read completely")

		o.cut = ""
		o.sweepFor(25 * time.Hour)
		assert.Equal(t, 1, o.hmad.sweep.plan.Len())
		assert.False(t, o.hmad.sweep.plan.Has("jane@contoso.com"))

		o.phones = nil
		o.sweepFor(25 * time.Hour)
		assert.Equal(t, 1, o.hmad.sweep.plan.Len(), "an empty inventory is no inventory")
	})
}

func TestARestartWaitsForTheSourcesBeforeItForgets(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := config.Sync{Inventory: true, Mailboxes: []string{"joe@contoso.com"}}
		o := newOffice(t, s)
		o.phones = []powershell.Row{device("contoso/jane@contoso.com", "Outlook")}
		o.sweepFor(time.Minute)
		again := newOfficeOn(t, s, o.store)
		again.fail = func(question) error { return errors.New("down") }
		again.sweepFor(time.Minute)
		assert.True(t, again.hmad.sweep.plan.Has("jane@contoso.com"))
		assert.Equal(t, plan.Fresh, again.lastOf("jane@contoso.com").Last)
		assert.Empty(t, again.questions(getInventory), "it was read a minute ago")
	})
}

// An inventory that was read by a clock that was ahead is read again.
func TestAnInventoryOfTheFutureIsReadAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := config.Sync{Inventory: true}
		o := newOffice(t, s)
		o.phones = []powershell.Row{device("contoso/jane@contoso.com", "Outlook")}
		o.sweepFor(time.Minute)
		memory{o.store}.Put(keyOfInventory, time.Now().Add(20*365*24*time.Hour))
		again := newOfficeOn(t, s, o.store)
		again.phones = o.phones
		again.sweepFor(time.Minute)
		assert.Len(t, again.questions(getInventory), 1)
	})
}

// A pause ends where its end is further away than any pause is long.
func TestAPauseEndsWhenTheClockIsSetBack(t *testing.T) {
	now := time.Now()
	for step, want := range map[time.Duration]bool{0: true, -time.Minute: true, -time.Hour: false, -20 * 365 * 24 * time.Hour: false} {
		s := &sweep{resume: now.Add(pauseMost - time.Minute)}
		assert.Equal(t, want, s.paused(now.Add(step)), step)
		assert.False(t, s.paused(now.Add(step+pauseMost)), step)
	}
}

// What a source had is known after a restart, asked or not, until that source
// is read again: that others cannot be read keeps nobody else.
func TestARestartKnowsWhoIsInWhichSource(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := config.Sync{Inventory: true, File: "list.txt"}
		o := newOffice(t, s)
		for _, a := range addresses(1000) {
			o.phones = append(o.phones, device("contoso/"+a, "Outlook"))
		}
		o.files["list.txt"] = "jane@contoso.com\njoe@contoso.com\nuser999@contoso.com\n"
		_, _ = o.runNow()
		o.sweepFor(time.Minute)
		known, err := Lookup(config.Target{Name: "contoso", Sync: o.hmad.settings}, fleetRecords{o.store}, memory{o.store}, time.Now(), "user998@contoso.com")
		require.NoError(t, err, "one that waits for its first turn")
		assert.Equal(t, plan.Unchecked, known.Mailbox.State)
		assert.WithinDuration(t, time.Now(), known.Mailbox.NextAsk, 2*time.Minute)

		again := newOfficeOn(t, s, o.store)
		assert.Equal(t, 1002, again.hmad.sweep.plan.Len())
		again.fail = func(q question) error {
			if q.cmdlet == getInventory {
				return errors.New("down")
			}
			return nil
		}
		again.files["list.txt"] = "joe@contoso.com\n"
		mustRun(t, again)
		mustRun(t, again)
		assert.False(t, again.hmad.sweep.plan.Has("jane@contoso.com"))
		assert.True(t, again.hmad.sweep.plan.Has("joe@contoso.com") && again.hmad.sweep.plan.Has("user999@contoso.com"))
		again.sweepFor(time.Hour)
		assert.Equal(t, 1001.0, valueOf(mustRun(t, again), Mailboxes, "fresh"))

		s.Inventory = false
		assert.Equal(t, 1, newOfficeOn(t, s, o.store).hmad.sweep.plan.Len(), "a source that the config has no more has nobody")
	})
}

// A mailbox whose record cannot be read stays until its sources have been read.
func TestARecordThatCannotBeRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		st := newStore()
		st.records["jane@contoso.com"], st.records["joe@contoso.com"] = []byte("garbage"), nil
		o := newOfficeOn(t, config.Sync{File: "list.txt"}, st)
		assert.Equal(t, 2, o.hmad.sweep.plan.Len())
		o.files["list.txt"] = "jane@contoso.com\n"
		_, _ = o.runNow()
		_, _ = o.runNow()
		assert.Equal(t, 1, o.hmad.sweep.plan.Len())
	})
}

// An inventory that cannot be had is said for two days in a note and then by an
// error, because mailboxes may be missing.
func TestAnInventoryThatIsTooLongIsNotWhole(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Inventory: true})
		for _, a := range []string{"jane@contoso.com", "joe@contoso.com", "jane@contoso.com"} {
			o.phones = append(o.phones, phone(a, time.Now(), time.Now()))
		}
		o.hmad.members.most = 2
		require.NoError(t, o.hmad.members.readInventory(t.Context()), "as many as there may be")
		o.hmad.members.most = 1
		assert.ErrorIs(t, o.hmad.members.readInventory(t.Context()), errPart)
		assert.Equal(t, 2, o.hmad.sweep.plan.Len(), "nobody is taken away")
	})
}

func TestAnInventoryThatCannotBeHad(t *testing.T) {
	for name, set := range map[string]func(*office){
		"refused":      func(o *office) { o.fail = refuseInventory },
		"never whole":  func(o *office) { o.cut = getInventory },
		"without rows": func(o *office) { o.phones = nil },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOffice(t, config.Sync{Inventory: true, Watch: []config.Watch{{Mailbox: "joe@contoso.com"}}})
				o.phones = []powershell.Row{device("contoso/jane@contoso.com", "Outlook")}
				o.sweepFor(time.Minute)
				mustRun(t, o)
				set(o)
				o.sweepFor(47 * time.Hour)
				assert.Contains(t, strings.Join(mustRun(t, o).Texts(), "\n"), "inventory: ")
				o.sweepFor(2 * time.Hour)
				r, err := o.runNow()
				require.ErrorContains(t, err, "the tenant's inventory was last read completely 2000-01-01 00:00 UTC")
				assert.Empty(t, open(r), "what is known is judged")
				o.cut, o.fail, o.phones = "", nil, []powershell.Row{device("contoso/jane@contoso.com", "Outlook")}
				o.sweepFor(2 * time.Hour)
				mustRun(t, o)
			})
		})
	}
	t.Run("never at all", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			o := newOffice(t, config.Sync{Inventory: true, Watch: []config.Watch{{Mailbox: "joe@contoso.com"}}})
			o.fail = refuseInventory
			o.sweepFor(time.Minute)
			_, err := o.runNow()
			require.ErrorContains(t, err, "was never read completely; the last failure: the app has no role")
			assert.Equal(t, check.Permission, check.ClassOf(err))
		})
	})
}

func refuseInventory(q question) error {
	if q.cmdlet == getInventory {
		return check.Errorf(check.Permission, "the app has no role")
	}
	return nil
}

func TestWhatIsShownOfMailboxes(t *testing.T) {
	stale := []string{"user3@contoso.com", "user4@contoso.com"}
	for name, c := range map[string]struct {
		set     config.Sync
		want    []string
		dropped int
	}{
		"all of a small fleet":            {config.Sync{}, append(addresses(10), "vip@contoso.com"), 0},
		"the notable ones":                {config.Sync{Export: config.ExportNotable}, append(slices.Clone(stale), "vip@contoso.com"), 0},
		"within the cap, the worst first": {config.Sync{MaxSeries: 11}, []string{"user3@contoso.com", "vip@contoso.com"}, 9},
		"none where the cap is tiny":      {config.Sync{MaxSeries: 3}, nil, 11},
		"none without labels":             {config.Sync{MailboxLabel: config.LabelNone}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				c.set.Mailboxes, c.set.Watch = addresses(10), []config.Watch{{Mailbox: "vip@contoso.com"}}
				st := newStore()
				st.rows["left@contoso.com"] = []float64{1} // by an earlier build
				o := newOfficeOn(t, c.set, st)
				for _, s := range stale {
					o.lag[s] = 30 * time.Hour
				}
				o.sweepFor(time.Minute)
				_, err := o.runNow()
				require.NoError(t, err)
				var shown []string
				for k := range o.store.rows {
					shown = append(shown, k)
				}
				assert.ElementsMatch(t, c.want, shown)
				assert.Equal(t, c.dropped, o.store.dropped)
			})
		})
	}
}

func TestARowOfAMailbox(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: []string{"jane@contoso.com"}})
		o.sweepFor(10 * time.Millisecond)
		row := o.store.rows["jane@contoso.com"]
		require.Len(t, row, len(mailboxFamilies))
		for _, v := range row {
			assert.True(t, math.IsNaN(v), "what is not known has no series")
		}
		o.sweepFor(time.Minute)
		row = o.store.rows["jane@contoso.com"]
		checked := row[2]
		assert.Equal(t, checked-60, row[0])
		assert.Equal(t, checked-60, row[1])
		assert.Equal(t, 1.0, row[3])
	})
}

func TestHashedNames(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := config.Sync{MailboxLabel: config.LabelHash, Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}}
		o := newOffice(t, s)
		o.lag["jane@contoso.com"] = 30 * time.Hour
		r, err := o.runNow()
		require.NoError(t, err)
		require.Len(t, o.store.rows, 1)
		var name string
		for name = range o.store.rows {
		}
		assert.Regexp(t, "^[0-9a-f]{24}$", name)
		assert.Contains(t, r.Findings[0].Detail, name)
		assert.NotContains(t, r.Findings[0].Detail, "jane")
		again := newOfficeOn(t, s, o.store)
		assert.Equal(t, name, again.hmad.sweep.gauges.names.Of("jane@contoso.com"), "the key is kept")
		other := newOffice(t, s)
		assert.NotEqual(t, name, other.hmad.sweep.gauges.names.Of("jane@contoso.com"), "and another's is another")

		target := config.Target{Name: "contoso", Sync: o.hmad.settings}
		for _, q := range []string{name, "Jane@contoso.com"} {
			f, err := Lookup(target, fleetRecords{o.store}, memory{o.store}, time.Now(), q)
			require.NoError(t, err)
			assert.Equal(t, name, f.Name)
			assert.Equal(t, plan.Stale, f.Mailbox.State)
		}
	})
}

func TestLookup(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Mailboxes: addresses(3), Watch: []config.Watch{{Mailbox: "jane@contoso.com", StaleAfter: 4 * time.Hour}}})
		o.sweepFor(time.Minute)
		target := config.Target{Name: "contoso", Sync: o.hmad.settings}
		f, err := Lookup(target, fleetRecords{o.store}, memory{o.store}, time.Now(), " JANE@contoso.com ")
		require.NoError(t, err)
		assert.Equal(t, "jane@contoso.com", f.Name)
		assert.Equal(t, plan.Fresh, f.Mailbox.State)
		assert.Equal(t, 1, f.Mailbox.Devices)
		assert.Equal(t, f.Mailbox.Success.Add(4*time.Hour), f.Mailbox.NextAsk, "by its own stale_after")
		assert.True(t, f.Watched)
		target.Sync.AskEvery = 10 * time.Minute
		f, err = Lookup(target, fleetRecords{o.store}, memory{o.store}, time.Now(), "jane@contoso.com")
		require.NoError(t, err)
		assert.Equal(t, f.Mailbox.Checked.Add(10*time.Minute), f.Mailbox.NextAsk, "in its turn")
		assert.WithinDuration(t, f.Mailbox.Checked, f.Mailbox.Success, 2*time.Minute)
		for _, q := range []string{"", "nobody@contoso.com", "jane"} {
			_, err = Lookup(target, fleetRecords{o.store}, memory{o.store}, time.Now(), q)
			assert.ErrorIs(t, err, ErrNoMailbox, q)
		}
	})
}

// The pages of the inventory take their turn among the mailboxes, and the places
// of the tenant are enough for both.
func TestTheInventoryHoldsAPlaceForEachPage(t *testing.T) {
	for _, atOnce := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d at once", atOnce), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOfficeWithin(t, config.Sync{Inventory: true, Mailboxes: addresses(100)}, newStore(), budget.New(2, atOnce))
				o.takes, o.pages = 2*time.Second, 20
				o.sweepFor(3 * time.Minute)
				assert.Len(t, o.questions(getInventory), 21)
				assert.Greater(t, len(o.questions(getDevices)), 20)
				assert.LessOrEqual(t, o.most, atOnce)
			})
		})
	}
}
