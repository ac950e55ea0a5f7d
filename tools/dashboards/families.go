package main

import (
	"slices"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/report/intake"
)

// families lists every declared family once.
func families() []*check.Metric {
	all := slices.Concat(check.Common, exporter.Own)
	for _, d := range catalog.Defs() {
		all = append(all, d.Metrics...)
	}
	all = append(all, intake.Pushes)
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(m *check.Metric) bool {
		was := seen[m.Name]
		seen[m.Name] = true
		return was
	})
}
