package main

import (
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Hosts that never reported are found missing: that nothing has come yet is no
// folder that cannot be read.
func TestBeforeTheFirstPushEveryHostIsMissing(t *testing.T) {
	dir := t.TempDir()
	text, _ := listening(t, startLab(t), dir, "")
	config := write(t, dir, "hmad.yaml", text)
	storage := "--storage.path=" + dir + "/state"

	p := start(t, "check", "--config.file="+config, storage, "onprem_report")
	<-p.exited
	assert.Equal(t, exitUndecided, p.code)
	assert.Contains(t, p.stdout.String(), "no report has arrived yet", "no daemon has run")

	e := &estate{process: start(t, "run", "--config.file="+config, storage, "--web.listen-address=127.0.0.1:0", "--log.format=json")}
	e.page = "http://" + e.await(t, e.stderr, `"addresses":\["([^"]+)"`)[1]
	_, result := request(t, http.MethodPost, e.page+"/api/v1/run?check=onprem_report&target=contoso")
	assert.Contains(t, result, "report_missing")
	assert.Contains(t, result, "EX01; EX02; EX03")
	_, metrics := request(t, http.MethodGet, e.page+"/metrics")
	assert.Regexp(t, `hmad_credential_not_after_timestamp_seconds\{check="onprem_report",credential="report_listener",target="contoso"\} \d`, metrics, "the end of the listener's certificate")
}

// Without a folder of hmad's own, pushed reports would land in whatever folder
// it was started in.
func TestPushedReportsWantAFolder(t *testing.T) {
	dir := t.TempDir()
	text, _ := listening(t, startLab(t), dir, "")
	config := write(t, dir, "hmad.yaml", text)
	t.Chdir(t.TempDir())
	for command, code := range map[string]int{"run": exitError, "check": exitUndecided, "doctor": exitUndecided} {
		t.Run(command, func(t *testing.T) {
			args := []string{command, "--config.file=" + config, "--storage.path="}
			if command != "check" {
				args = append(args, "--web.listen-address=127.0.0.1:0")
			}
			p := start(t, args...)
			<-p.exited
			assert.Equal(t, code, p.code)
			assert.Equal(t, "hmad: --storage.path: got none, want the folder for the reports that are pushed to target contoso (onprem.report.listen)\n", p.stderr.String())
		})
	}
	left, err := os.ReadDir(".")
	require.NoError(t, err)
	assert.Empty(t, left)

	p := start(t, "config", "check", config)
	<-p.exited
	assert.Equal(t, exitOK, p.code, "which has no --storage.path: %s", p.stderr)
}
