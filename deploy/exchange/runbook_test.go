package collector

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/graph"
)

func TestPowerShellParsesTheRunbook(t *testing.T) {
	var names, files []string
	dir := t.TempDir()
	for _, d := range catalog.Defs() {
		for _, r := range d.Reasons {
			texts := r.Fix
			if r.Runbook != nil {
				texts += " " + r.Runbook.Verify + " " + r.Runbook.Mended
			}
			for _, line := range checktest.PowerShell(texts) {
				file := filepath.Join(dir, fmt.Sprintf("%d.ps1", len(files)))
				require.NoError(t, os.WriteFile(file, []byte(line+"\n"), 0o600))
				names, files = append(names, fmt.Sprintf("%s.%s: %s", d.Name, r.Name, line)), append(files, file)
			}
		}
	}
	for _, line := range graph.ByHand() {
		file := filepath.Join(dir, fmt.Sprintf("%d.ps1", len(files)))
		require.NoError(t, os.WriteFile(file, []byte(line+"\n"), 0o600))
		names, files = append(names, "tenant, by hand: "+line), append(files, file)
	}
	require.Greater(t, len(files), 150, "lines of PowerShell")
	for i, f := range parsed(t, files...) {
		assert.Empty(t, f.Errors, names[i])
		for _, kind := range since51 {
			assert.NotContains(t, f.Tokens, kind, names[i])
		}
	}
}
