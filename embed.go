// Package hmad holds the files of the repository's root that the binary
// carries.
package hmad

import _ "embed"

// ExampleConfig is config.example.yaml.
//
//go:embed config.example.yaml
var ExampleConfig []byte
