// Command generate writes the documents that the catalog renders: run it by
// `go generate ./...`.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/exporter"
)

// root is the repository's, seen from internal/catalog, where go generate runs.
const root = "../.."

func main() {
	for name, text := range map[string]string{
		"docs/checks.md":                            catalog.ChecksDoc(),
		"docs/metrics.md":                           catalog.MetricsDoc(exporter.Own),
		"deploy/prometheus/hmad.rules.yaml":         catalog.Rules(1),
		"deploy/prometheus/tests/reasons.test.yaml": catalog.RuleTests(catalog.Defs()),
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "generate:", err)
			os.Exit(1)
		}
	}
}
