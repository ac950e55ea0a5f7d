package state

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/hmad/hmad/internal/check"
)

// Table holds the gauges of a check's fleet: one row per key, one value per
// metric. It is in memory only; the check fills it again after a restart from
// what it remembers. It is safe for concurrent use.
type Table struct {
	ID      check.ID
	Metrics []*check.Metric

	mu      sync.Mutex
	rows    map[string][]float64
	keys    []string // of rows, in order; nil once one has come or gone
	dropped int
}

var _ check.Table = (*Table)(nil)

// tableID names a table: its check and the names of its metrics.
type tableID struct {
	check   check.ID
	metrics string
}

// Table returns the tables of one check, by their metrics: always the same one
// until Keep forgets the check. What a check that is gone still sets, nobody
// sees.
func (s *Store) Table(id check.ID) func(metrics ...*check.Metric) check.Table {
	return func(metrics ...*check.Metric) check.Table {
		names := make([]string, len(metrics))
		for i, m := range metrics {
			names[i] = m.Name
		}
		return s.table(tableID{id, strings.Join(names, " ")}, metrics)
	}
}

func (s *Store) table(id tableID, metrics []*check.Metric) *Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[id]
	if t == nil {
		t = &Table{ID: id.check, Metrics: slices.Clone(metrics), rows: map[string][]float64{}}
		s.tables[id] = t
	}
	return t
}

// Tables returns every table, by target, check and metrics.
func (s *Store) Tables() []*Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.SortedFunc(maps.Keys(s.tables), func(a, b tableID) int {
		return cmp.Or(compareIDs(a.check, b.check), strings.Compare(a.metrics, b.metrics))
	})
	all := make([]*Table, len(ids))
	for i, id := range ids {
		all[i] = s.tables[id]
	}
	return all
}

// Set puts a row: one value per metric, those that are missing as NaN.
func (t *Table) Set(key string, values ...float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	row := t.rows[key]
	if row == nil {
		row = make([]float64, len(t.Metrics))
		t.rows[key], t.keys = row, nil
	}
	for i := copy(row, values); i < len(row); i++ {
		row[i] = math.NaN()
	}
}

// Delete removes a row.
func (t *Table) Delete(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.rows, key)
	t.keys = nil
}

// Keep removes the rows whose keys it refuses.
func (t *Table) Keep(keep func(key string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.rows, func(key string, _ []float64) bool { return !keep(key) })
	t.keys = nil
}

// Dropped notes how many rows are left out for a cap.
func (t *Table) Dropped(rows int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropped = rows
}

// Each calls f for every row in order of the keys, all as they are at one
// moment, and returns what Dropped noted. The values are f's only until it
// returns, and f must not use the table.
func (t *Table) Each(f func(key string, values []float64)) (dropped int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys == nil {
		t.keys = slices.Sorted(maps.Keys(t.rows))
	}
	for _, key := range t.keys {
		f(key, t.rows[key])
	}
	return t.dropped
}
