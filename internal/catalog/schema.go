package catalog

import "github.com/hmad/hmad/internal/config"

// Schema returns the JSON schema of the config, with every check and its reasons.
func Schema() ([]byte, error) {
	reasons := map[string][]string{}
	for _, d := range Defs() {
		reasons[d.Name] = names(d.Reasons)
	}
	return config.Schema(reasons)
}
