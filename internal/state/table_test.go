package state

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

// The gauges of the tests' tables.
var (
	success = &check.Metric{Name: "hmad_mailbox_last_success_sync_timestamp_seconds", Kind: check.Gauge, Labels: []string{"mailbox"}}
	devices = &check.Metric{Name: "hmad_mailbox_devices", Kind: check.Gauge, Labels: []string{"mailbox"}}
)

// shownRow is a row as Each tells of it.
type shownRow struct {
	Key    string
	Values []float64
}

func shownRows(t check.Table) (rows []shownRow, dropped int) {
	dropped = t.(*Table).Each(func(key string, values []float64) {
		rows = append(rows, shownRow{key, append([]float64{}, values...)})
	})
	return rows, dropped
}

func TestTableHasItsRowsInOrder(t *testing.T) {
	table := Open("", options()).Table(activesync)(success, devices)
	same := func(want ...shownRow) {
		t.Helper()
		got, _ := shownRows(table)
		require.Empty(t, cmp.Diff(want, got, cmpopts.EquateNaNs()))
	}
	same()
	nan := math.NaN()
	table.Set("c@contoso.com", 1, 2)
	table.Set("a@contoso.com", 3)
	table.Set("b@contoso.com", 5, nan, 7)
	same(shownRow{"a@contoso.com", []float64{3, nan}}, shownRow{"b@contoso.com", []float64{5, nan}}, shownRow{"c@contoso.com", []float64{1, 2}})
	table.Set("c@contoso.com", 8)
	table.Delete("a@contoso.com")
	table.Delete("nobody@contoso.com")
	table.Set("\xff")
	same(shownRow{"b@contoso.com", []float64{5, nan}}, shownRow{"c@contoso.com", []float64{8, nan}}, shownRow{"\xff", []float64{nan, nan}})
	table.Keep(func(key string) bool { return key != "b@contoso.com" })
	table.Dropped(7)
	same(shownRow{"c@contoso.com", []float64{8, nan}}, shownRow{"\xff", []float64{nan, nan}})
	_, dropped := shownRows(table)
	require.Equal(t, 7, dropped)
}

func TestTablesAreThoseOfTheChecksThatThereAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, statePath(t), options())
		fabrikam := check.ID{Check: "activesync", Target: "fabrikam"}
		old := s.Table(fabrikam)(success)
		old.Set("a@contoso.com", 1)
		s.Table(activesync)(success, devices).Set("a@contoso.com", 1, 2)
		s.Table(autodiscover)(devices)
		s.Table(activesync)(devices).Set("a@contoso.com", 2)
		require.Same(t, s.Table(activesync)(success, devices), s.Table(activesync)(success, devices), "always the same one")
		names := func() (all []string) {
			for _, table := range s.Tables() {
				all = append(all, fmt.Sprint(table.ID, len(table.Metrics), len(table.rows)))
			}
			return all
		}
		require.Equal(t, []string{"{activesync contoso} 1 1", "{activesync contoso} 2 1", "{autodiscover contoso} 1 0", "{activesync fabrikam} 1 1"}, names())

		s.Keep([]check.ID{activesync})
		require.Equal(t, []string{"{activesync contoso} 1 1", "{activesync contoso} 2 1"}, names())
		old.Set("late@contoso.com", 1)
		s.Keep([]check.ID{activesync, fabrikam})
		require.Len(t, names(), 2)
		s.Table(fabrikam)(success)
		require.Equal(t, "{activesync fabrikam} 1 0", names()[2], "a check that comes back begins anew")

		s = reopened(t, s)
		require.Empty(t, s.Tables(), "in memory only")
	})
}

// TestTableWhileOthersChangeIt is for the race detector too: a row is never
// seen half changed.
func TestTableWhileOthersChangeIt(t *testing.T) {
	table := Open("", options()).Table(activesync)(success, devices)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for n := range 1000 {
				table.Set(fmt.Sprint(n%50), float64(n), float64(n))
				table.Delete(fmt.Sprint(n % 7))
				table.Keep(func(key string) bool { return key != "8" })
				rows, _ := shownRows(table)
				for _, row := range rows {
					if row.Values[0] != row.Values[1] {
						t.Errorf("half a row: %v", row)
					}
				}
			}
		})
	}
	group.Wait()
}
