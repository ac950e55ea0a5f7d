package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/lab"
)

// labConfig writes the lab's config, with more lines at its target's end.
func labConfig(t *testing.T, l *lab.Lab, more string) string {
	t.Helper()
	return write(t, t.TempDir(), "hmad.yaml", string(lab.Config(l))+more)
}

// startRun runs the daemon on a free port and gives its page's address.
func startRun(t *testing.T, config string, args ...string) *estate {
	t.Helper()
	return startRunOn(t, config, filepath.Join(t.TempDir(), "state"), args...)
}

// startRunOn runs the daemon over the state of one before.
func startRunOn(t *testing.T, config, storage string, args ...string) *estate {
	t.Helper()
	p := start(t, append([]string{"run", "--config.file=" + config, "--storage.path=" + storage,
		"--web.listen-address=127.0.0.1:0", "--log.format=json"}, args...)...)
	address := p.await(t, p.stderr, `"addresses":\["([^"]+)"`)[1]
	return &estate{process: p, page: "http://" + address}
}

// metric returns the value of the series, "" when it is not there.
func (e *estate) metric(t *testing.T, series string) string {
	t.Helper()
	_, body := request(t, http.MethodGet, e.page+"/metrics")
	for _, line := range strings.Split(body, "\n") {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return value
		}
	}
	return ""
}

func TestReload(t *testing.T) {
	l := startLab(t)
	config := labConfig(t, l, "")
	e := startRun(t, config)
	for _, c := range []string{"vantage", "autodiscover", "activesync"} {
		require.Equal(t, "passed", e.runNow(t, c).Outcome)
	}
	good, err := os.ReadFile(config)
	require.NoError(t, err)
	const successful = "hmad_config_last_reload_successful"
	runs := e.metric(t, `hmad_check_runs_total{check="activesync",outcome="passed",target="contoso"}`)
	require.NotEmpty(t, runs)

	t.Run("a bad file changes nothing but the gauges", func(t *testing.T) {
		require.NoError(t, os.WriteFile(config, []byte("targets: []\n"), 0o600))
		status, body := request(t, http.MethodPost, e.page+"/-/reload")
		assert.Equal(t, http.StatusInternalServerError, status)
		assert.Contains(t, body, "hmad.yaml:1: targets: got none, want at least one target")
		assert.Equal(t, "0", e.metric(t, successful))
		assert.Equal(t, "passed", e.runNow(t, "activesync").Outcome, "the old checks go on")
		_, page := request(t, http.MethodGet, e.page+"/")
		assert.Contains(t, page, "want at least one target")
	})
	t.Run("SIGHUP reloads, unchanged checks keep their history", func(t *testing.T) {
		text := strings.Replace(string(good), "activesync: {enabled: true, schedule:", "activesync: {enabled: false, schedule:", 1)
		require.NotEqual(t, string(good), text)
		require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
		e.await(t, e.stderr, `"config reloaded"`)
		assert.Equal(t, "1", e.metric(t, successful))
		status, _ := request(t, http.MethodPost, e.page+"/api/v1/run?check=activesync&target=contoso")
		assert.Equal(t, http.StatusNotFound, status, "the check is gone")
		assert.Empty(t, e.metric(t, `hmad_check_success{check="activesync",target="contoso"}`), "and so are its series")
		assert.NotEqual(t, "0", e.metric(t, `hmad_check_runs_total{check="autodiscover",outcome="passed",target="contoso"}`), "counters of the others stand")
	})
}

// A daemon that is told to stop does not wait for a run in flight: this one hangs
// for an hour.
func TestStopsWhileARunHangs(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	l := startLab(t)
	text := strings.Replace(string(lab.Config(l)), l.Facts().ActiveSyncURL, "https://"+silent.Addr().String()+"/Microsoft-Server-ActiveSync", 1)
	text = regexp.MustCompile(`activesync: \{[^}]*\}`).ReplaceAllString(text, `activesync: {schedule: "@every 24h", timeout: 2h}`)
	e := startRun(t, write(t, t.TempDir(), "hmad.yaml", text))
	held, err := silent.Accept()
	require.NoError(t, err)
	defer held.Close()
	assert.Equal(t, exitOK, e.stop())
	assert.Contains(t, e.stderr.String(), `"stopped"`)
	assert.NotContains(t, e.stderr.String(), `"from":"","to":"failed"`, "a run that shutdown cut off is not recorded")
}

func TestHealthListenerNeedsNoPassword(t *testing.T) {
	dir := t.TempDir()
	health := freeAddress(t)
	web := write(t, dir, "web.yml", "basic_auth_users: {prometheus: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}\n")
	e := startRun(t, labConfig(t, startLab(t), ""), "--web.config.file="+web, "--web.health-listen-address="+health)
	require.Eventually(t, func() bool {
		status, _ := request(t, http.MethodGet, "http://"+health+"/-/ready")
		return status == http.StatusOK
	}, waitLimit, waitTick, "ready once checks are dispatched")
	for path, want := range map[string]int{"/-/healthy": 200, "/metrics": 404, "/": 404} {
		status, _ := request(t, http.MethodGet, "http://"+health+path)
		assert.Equal(t, want, status, path)
	}
	for _, path := range []string{"/-/healthy", "/metrics", "/"} {
		status, _ := request(t, http.MethodGet, e.page+path)
		assert.Equal(t, http.StatusUnauthorized, status, path)
	}
}

func TestWhoMayPost(t *testing.T) {
	config := labConfig(t, startLab(t), "")
	local := startRun(t, config)
	open := startRun(t, config, "--web.listen-address=0.0.0.0:0")
	for name, c := range map[string]struct {
		page   string
		header []string
		want   int
	}{
		"loopback":                             {local.page, nil, http.StatusOK},
		"loopback, from another site's page":   {local.page, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"loopback, by a name that was rebound": {local.page, []string{"Host", "evil.example"}, http.StatusForbidden},
		"loopback, by its name in capitals":    {local.page, []string{"Host", "LOCALHOST"}, http.StatusOK},
		"every address, no authentication":     {open.page, nil, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := request(t, http.MethodPost, c.page+"/-/reload", c.header...)
			assert.Equal(t, c.want, status, body)
		})
	}
}

// The toolkit reads the web config anew for each request: who takes the passwords out of
// it has not opened the POSTs to everybody.
func TestWebConfigThatLosesItsPasswords(t *testing.T) {
	web := write(t, t.TempDir(), "web.yml", "basic_auth_users: {prometheus: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}\n")
	e := startRun(t, labConfig(t, startLab(t), ""), "--web.config.file="+web, "--web.listen-address=0.0.0.0:0")
	status, _ := request(t, http.MethodPost, e.page+"/-/reload")
	assert.Equal(t, http.StatusUnauthorized, status)
	require.NoError(t, os.WriteFile(web, []byte("{}\n"), 0o600))
	status, _ = request(t, http.MethodPost, e.page+"/-/reload")
	assert.Equal(t, http.StatusForbidden, status)
}

// A daemon killed with SIGKILL starts again with its last results.
func TestKilledDaemonRemembers(t *testing.T) {
	l := startLab(t)
	config, storage := labConfig(t, l, ""), filepath.Join(t.TempDir(), "state")
	require.NoError(t, l.Set("autodiscover.blocked", true))
	for round := range 3 {
		page, kill := startChild(t, "run", "--config.file="+config, "--storage.path="+storage, "--web.listen-address=127.0.0.1:0", "--log.format=json")
		e := &estate{page: page}
		if round > 0 {
			// Before any run of this process: what the killed one knew.
			_, body := request(t, http.MethodGet, page+"/api/v1/results")
			var doc struct{ Results []result }
			require.NoError(t, json.Unmarshal([]byte(body), &doc))
			require.GreaterOrEqual(t, len(doc.Results), 3)
			assert.NotEmpty(t, e.metric(t, `hmad_check_last_decided_timestamp_seconds{check="activesync",target="contoso"}`))
			assert.Equal(t, "1", e.metric(t, `hmad_finding{check="autodiscover",reason="blocked",severity="critical",target="contoso"}`))
		}
		require.Eventually(t, func() bool {
			written := checksWritten(storage)
			return len(written) >= 3 && written["activesync"] && written["autodiscover"] &&
				e.metric(t, `hmad_finding{check="autodiscover",reason="blocked",severity="critical",target="contoso"}`) == "1"
		}, waitLimit, waitTick)
		kill()
	}
}

// checksWritten returns the checks of which the state file, if there is one yet,
// has a run.
func checksWritten(storage string) map[string]bool {
	content, _ := os.ReadFile(filepath.Join(storage, "state.db"))
	checks := map[string]bool{}
	for _, run := range regexp.MustCompile(`(?m)^[0-9a-f]{8} run contoso (\w+) `).FindAllStringSubmatch(string(content), -1) {
		checks[run[1]] = true
	}
	return checks
}

// startChild runs hmad as a process of its own; kill sends SIGKILL.
func startChild(t *testing.T, args ...string) (page string, kill func()) {
	t.Helper()
	encoded, err := json.Marshal(args)
	require.NoError(t, err)
	log := newOutput()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(encoded))
	cmd.Stderr = log
	require.NoError(t, cmd.Start())
	p := &process{stderr: log, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // it is killed
	}()
	kill = func() {
		_ = cmd.Process.Kill()
		<-p.exited
	}
	t.Cleanup(kill)
	return "http://" + p.await(t, log, `"addresses":\["([^"]+)"`)[1], kill
}

// The guide's two answers, replayed, give its two verdicts.
func TestCheckAgainstTheGuidesAnswers(t *testing.T) {
	l := startLab(t)
	for name, c := range map[string]struct {
		fault  string
		code   int
		expect []string
	}{
		"the guide's offloading header": {"activesync.tls_offloaded", exitFailed, []string{"tls_offloaded"}},
		"a healthy header":              {"", exitOK, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.fault != "" {
				require.NoError(t, l.Set(c.fault, true))
				defer func() { require.NoError(t, l.Set(c.fault, false)) }()
			}
			r := checkOnce(t, labConfig(t, l, ""), "activesync")
			assert.Equal(t, c.expect, r.reasons())
			assert.Equal(t, c.code, map[string]int{"passed": exitOK, "failed": exitFailed}[r.Outcome])
		})
	}
}

func TestHelpForPeople(t *testing.T) {
	config := labConfig(t, startLab(t), "")
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"the example is a good config": {[]string{"config", "check", "../../config.example.yaml"}, []string{"activesync of contoso, */5 * * * *: ", "config.example.yaml is in order: "}},
		"the example is printed":       {[]string{"config", "example"}, []string{"mailbox: hmad-probe@contoso.com"}},
		"the config in force":          {[]string{"config", "show", config}, []string{"confirm_after: 200ms", "vantage: external"}},
		"one reason":                   {[]string{"explain", "activesync.bearer_missing"}, []string{"activesync.bearer_missing (critical)", "means:", "causes: 1. ", "verify: ", "who:    Exchange; network", "fix:", "mended: ", "source: ", "more:   https://github.com/hmad/hmad/blob/main/docs/checks.md#activesyncbearer_missing\n"}},
		"a reason's alert":             {[]string{"explain", "HmadActivesyncBearerMissing"}, []string{"activesync.bearer_missing (critical)"}},
		"an alert about hmad":          {[]string{"explain", "HmadDown"}, []string{"HmadDown (critical)", "fix:    On its host: ", "docs/alerting.md#hmaddown\n"}},
		"a subject about hmad":         {[]string{"explain", "hmad.reload_failed"}, []string{"HmadReloadFailed (warning)"}},
		"a label about hmad":           {[]string{"explain", "reload_failed"}, []string{"HmadReloadFailed (warning)"}},
		"a check that cannot tell":     {[]string{"explain", "mailbox_sync.undecided"}, []string{"HmadCheckUndecided (warning)"}},
		"a metric":                     {[]string{"explain", "hmad_finding"}, []string{"hmad_finding (a metric: gauge)\n    means:  "}},
		"a class of error":             {[]string{"explain", "permission"}, []string{"permission (class of error)\n", "View-Only Recipients", "docs/alerting.md#hmadcheckundecided\n"}},
		"a reason that is a class too": {[]string{"explain", "timeout"}, []string{"activesync.timeout (critical)", "timeout (class of error)\n"}},
		"all names, in a line each":    {[]string{"explain"}, []string{"vantage.vantage_offline ", "  warning   ", "\nHmadDown "}},
		"a reason, for programs":       {[]string{"explain", "activesync.timeout", "--output=json"}, []string{"\"severity\": \"critical\"", "\"kind\": \"reason\"", "\"causes\": ["}},
		"the version, by a flag":       {[]string{"--version"}, []string{"hmad dev (go1."}},
		"the version":                  {[]string{"version"}, []string{"hmad dev (go1."}},
		"text for people":              {[]string{"check", "--config.file=" + config}, []string{"✓ activesync of contoso: passed in "}},
		"help":                         {[]string{"--help"}, []string{"hmad demo", "--help"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, c.args...)
			<-p.exited
			assert.Equal(t, exitOK, p.code, p.stderr)
			for _, want := range c.want {
				assert.Contains(t, p.stdout.String(), want)
			}
			assert.NotContains(t, p.stdout.String(), "\x1b[", "colour on a terminal only")
		})
	}
}

func TestExplainAsksTheDaemonForTheTimeline(t *testing.T) {
	e := startDemo(t)
	p := start(t, "explain", "evosts_metadata.metadata_stale", "--web.url="+e.page)
	<-p.exited
	assert.Equal(t, exitOK, p.code)
	assert.Contains(t, p.stdout.String(), "evosts_metadata of contoso, as the daemon saw it last\n  EvoSts - ")
	p = start(t, "explain", "evosts_metadata.metadata_stale", "--web.url=http://"+freeAddress(t))
	<-p.exited
	assert.Equal(t, exitOK, p.code)
	assert.Contains(t, p.stdout.String(), "To see it now, with the commands that repeat it: `hmad check evosts_metadata`, or the status page (the daemon at http://127.0.0.1:")
	assert.Contains(t, p.stdout.String(), " (--web.url) does not answer: ")
}

func TestFindingsForPeople(t *testing.T) {
	l := startLab(t)
	require.NoError(t, l.Set("activesync.bearer_missing", true))
	p := start(t, "check", "activesync", "--config.file="+labConfig(t, l, ""))
	<-p.exited
	assert.Equal(t, exitFailed, p.code)
	for _, want := range []string{"✗ activesync of contoso: failed", "bearer_missing (critical): ", "means:", "fix:", "repeat: curl -sS -i --http1.1"} {
		assert.Contains(t, p.stdout.String(), want)
	}
}

func TestWaivedFindingIsShownAndDoesNotCount(t *testing.T) {
	l := startLab(t)
	require.NoError(t, l.Set("activesync.certificate_expiring", true))
	text := strings.Replace(string(lab.Config(l)), "activesync: {enabled: true, schedule:",
		fmt.Sprintf("activesync: {accept: [{reason: certificate_expiring, until: %s, note: ordered}], schedule:", time.Now().AddDate(0, 0, 2).Format(time.DateOnly)), 1)
	p := start(t, "check", "activesync", "-v", "--config.file="+write(t, t.TempDir(), "hmad.yaml", text))
	<-p.exited
	assert.Equal(t, exitOK, p.code, p.stdout)
	assert.Contains(t, p.stdout.String(), "certificate_expiring (accepted)")
	assert.Contains(t, p.stdout.String(), "ordered")
}
