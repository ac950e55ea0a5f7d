package main

import (
	"slices"

	"github.com/hmad/hmad/internal/audit"
	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exchange"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/metadata"
	"github.com/hmad/hmad/internal/probes"
	"github.com/hmad/hmad/internal/sync"
)

// awaited are checks that dashboards show and that are not declared yet; what
// is declared in the meantime must be struck out.
func awaited() []*check.Def {
	gauge := func(name string, labels ...string) *check.Metric {
		return &check.Metric{Name: name, Kind: check.Gauge, Labels: labels}
	}
	return []*check.Def{
		{Name: "onprem_sync", Metrics: []*check.Metric{gauge("hmad_onprem_sync_requests", "status")}},
	}
}

// defs lists every kind of check: those of the catalog, those that are declared
// and not in the catalog yet, and those that are awaited.
func defs() []*check.Def {
	all := catalog.Defs()
	for _, d := range slices.Concat([]*check.Def{probes.TLSOffload, metadata.EvoSTSMetadata, metadata.MetadataRefresh,
		metadata.OnPremReport, sync.MailboxSync, audit.Configuration}, awaited()) {
		if !slices.ContainsFunc(all, func(a *check.Def) bool { return a.Name == d.Name }) {
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
