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
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func write() error {
	files, err := catalog.Documents(exporter.Own, func(path string) ([]byte, error) { return os.ReadFile(filepath.Join(root, path)) })
	if err != nil {
		return err
	}
	for path, text := range files {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
