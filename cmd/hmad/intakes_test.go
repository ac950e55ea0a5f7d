package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
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
}
