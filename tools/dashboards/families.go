package main

import (
	"slices"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exchange"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/sync"
)

// defs lists every kind of check: those of the catalog, and those that are
// declared and not in the catalog yet.
func defs() []*check.Def {
	all := catalog.Defs()
	for _, d := range []*check.Def{sync.MailboxSync, sync.OnPremSync} {
		if !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}

// families lists every declared family once.
func families() []*check.Metric {
	all := slices.Concat(check.Common, exporter.Own)
	for _, d := range defs() {
		all = append(all, d.Metrics...)
	}
	all = append(all, exchange.Pushes)
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(m *check.Metric) bool {
		was := seen[m.Name]
		seen[m.Name] = true
		return was
	})
}

// family gives the declared family of that name. For a name that nobody
// declares it gives a family without labels: TestQueriesNameOnlyWhatIsDeclared
// says where it is used.
func family(name string) *check.Metric {
	for _, m := range families() {
		if m.Name == name {
			return m
		}
	}
	return &check.Metric{Name: name}
}
