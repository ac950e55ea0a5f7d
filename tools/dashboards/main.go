// Command dashboards writes what hmad offers to Grafana, into deploy/grafana:
// four dashboards, and the alert rules in the form in which Grafana evaluates
// them itself.
//
// A board is rows of panels; a panel is a picture of the answers to a few
// PromQL queries. Queries are put together from the families that the code
// declares (query.go), pictures from Grafana's foundation SDK (panel.go), and
// each board has a file of its own. Nothing here talks to anybody: the tests
// do, which hold the written files to the code, every query to Prometheus'
// own parser, and figures and colours to what a real Prometheus knows of demos
// that are healthy and then broken.
//
// Run it by `make generate`, in this folder.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hmad/hmad/internal/catalog"
)

//go:generate go run .

// root is the repository's, seen from this folder.
const root = "../.."

func main() {
	files, err := rendered()
	if err == nil {
		err = write(files)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

func write(files map[string][]byte) error {
	for name, data := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// rendered returns every generated file by its path in the repository.
func rendered() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, b := range boards() {
		data, err := b.json()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.title, err)
		}
		files["deploy/grafana/dashboards/"+b.uid+".json"] = data
	}
	alerts, err := alerting()
	if err != nil {
		return nil, err
	}
	files["deploy/grafana/provisioning/alerting/hmad.yaml"] = alerts
	return files, nil
}

// boards lists the dashboards in the order in which one reads them.
func boards() []board {
	all := []board{overview(), mailboxes(), evosts(), itself()}
	all[0].rows = append(all[0].rows, more(catalog.Defs(), all)...)
	return all
}
