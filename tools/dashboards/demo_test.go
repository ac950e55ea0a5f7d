package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// demo is a running `hmad demo`.
type demo struct{ target, address, page, control string }

// buildHmad builds the program for the test's time.
func buildHmad(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hmad")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-C", root, "-o", path, "./cmd/hmad").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// startDemo runs a demo of that target until the test's end.
func startDemo(t *testing.T, hmad, target string, flags ...string) demo {
	t.Helper()
	cmd := exec.Command(hmad, append([]string{"demo", "--target=" + target, "--web.listen-address=127.0.0.1:0", "--lab.listen-address=127.0.0.1:0", "--log.level=error"}, flags...)...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	start(t, cmd)
	text := ""
	for lines := bufio.NewScanner(stdout); lines.Scan() && !strings.HasPrefix(lines.Text(), "Stop with"); {
		text += lines.Text() + "\n"
	}
	found := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		require.NotNil(t, m, "the demo does not print %s:\n%s", pattern, text)
		return m[1]
	}
	page := found(`Status page +(\S+)/\n`)
	return demo{target, strings.TrimPrefix(page, "http://"), page, found(`All faults +curl (\S+)/faults\n`)}
}

// breaks switches faults of the demo's lab on.
func (d demo) breaks(t *testing.T, faults []string) {
	t.Helper()
	for _, f := range faults {
		d.send(t, http.MethodPut, d.control+"/faults/"+f)
	}
}

// runAll runs every check of the demo now.
func (d demo) runAll(t *testing.T) {
	t.Helper()
	var all struct {
		Results []struct{ Check, Target string }
	}
	require.NoError(t, json.Unmarshal(d.send(t, http.MethodGet, d.page+"/api/v1/results"), &all))
	require.NotEmpty(t, all.Results)
	for _, r := range all.Results {
		d.send(t, http.MethodPost, d.page+"/api/v1/run?check="+r.Check+"&target="+r.Target)
	}
}

func (d demo) send(t *testing.T, method, url string) []byte {
	t.Helper()
	body, status, err := request(t.Context(), method, url)
	require.NoError(t, err)
	require.Less(t, status, 300, string(body))
	return body
}
