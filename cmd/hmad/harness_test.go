package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// childEnv, when set, makes the test binary be hmad, with these arguments (JSON).
const childEnv = "HMAD_TEST_ARGS"

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(childEnv); ok {
		var args []string
		if err := json.Unmarshal([]byte(text), &args); err != nil {
			panic(err)
		}
		os.Exit(signalled(args))
	}
	os.Setenv("COLUMNS", "1000") // tests look for texts in one piece; those of the width set their own
	goleak.VerifyTestMain(m)
}

// output is a writer that tests read while a command still writes.
type output struct {
	mu   sync.Mutex
	b    bytes.Buffer
	grew chan struct{} // holds one token when something was written
}

// waitTick is how often tests look for what must come.
const waitTick = 50 * time.Millisecond

func newOutput() *output { return &output{grew: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.grew <- struct{}{}:
	default:
	}
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// process is a command of hmad that runs beside the test.
type process struct {
	stdout, stderr *output
	cancel         context.CancelFunc
	exited         chan struct{}
	code           int
}

// start runs hmad with args; the test's end stops it.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{stdout: newOutput(), stderr: newOutput(), cancel: cancel, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		p.code = run(ctx, args, p.stdout, p.stderr)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("hmad %s\nstdout:\n%s\nstderr:\n%s", strings.Join(args, " "), p.stdout, p.stderr)
		}
	})
	return p
}

// stop ends the process as SIGTERM does and gives its exit code.
func (p *process) stop() int {
	p.cancel()
	<-p.exited
	return p.code
}

// await waits until what o holds matches, and gives the submatches.
func (p *process) await(t *testing.T, o *output, pattern string) []string {
	t.Helper()
	form := regexp.MustCompile(pattern)
	deadline := time.NewTimer(waitLimit)
	defer deadline.Stop()
	for {
		if m := form.FindStringSubmatch(o.String()); m != nil {
			return m
		}
		select {
		case <-o.grew:
		case <-p.exited:
			if form.FindStringSubmatch(o.String()) == nil {
				require.FailNow(t, "hmad ended without saying "+pattern, o.String())
			}
		case <-deadline.C:
			require.FailNow(t, "hmad did not say "+pattern, o.String())
		}
	}
}

// estate is a demo under test: the daemon's page and the lab's control port.
type estate struct {
	*process
	page, control string
}

// startDemo runs hmad demo on free ports and waits for its first results.
func startDemo(t *testing.T, args ...string) *estate {
	t.Helper()
	p := start(t, append([]string{"demo", "--web.listen-address=127.0.0.1:0", "--lab.listen-address=127.0.0.1:0", "--log.format=json"}, args...)...)
	page := p.await(t, p.stdout, `Status page +(\S+)/\n`)[1]
	control := p.await(t, p.stdout, `All faults +curl (\S+)/faults\n`)[1]
	return &estate{p, page, control}
}

// request sends a request and gives status and body.
func request(t testing.TB, method, url string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// result is what tests read of the API's result object.
type result struct {
	Check, Target, Outcome string
	Findings               []struct {
		Reason, Severity, Detail, Summary, Fix string
		About                                  []string
	}
	Unevaluated   []string
	Notes, Repeat []string
	Error         *struct{ Class, Message string }
}

func (r result) reasons() []string {
	names := []string{}
	for _, f := range r.Findings {
		names = append(names, f.Reason)
	}
	return names
}

// String says in one line how the run went.
func (r result) String() string {
	text := r.Check + " " + r.Outcome
	if r.Error != nil {
		text += " (" + r.Error.Class + ": " + r.Error.Message + ")"
	}
	for _, f := range r.Findings {
		text += "; " + f.Reason + ": " + f.Detail
	}
	return text
}

// runNow asks the daemon to run a check of target contoso.
func (e *estate) runNow(t *testing.T, check string) result {
	t.Helper()
	return e.runOf(t, check, "contoso")
}

// runOf asks the daemon to run a check of a target.
func (e *estate) runOf(t *testing.T, check, target string) result {
	t.Helper()
	status, body := request(t, http.MethodPost, e.page+"/api/v1/run?check="+check+"&target="+target)
	require.Equal(t, http.StatusOK, status, body)
	var r result
	require.NoError(t, json.Unmarshal([]byte(body), &r), body)
	return r
}

// fault switches a fault of the lab on or off.
func (e *estate) fault(t *testing.T, name string, on bool) {
	t.Helper()
	method := map[bool]string{true: http.MethodPut, false: http.MethodDelete}[on]
	status, body := request(t, method, e.control+"/faults/"+name)
	require.Less(t, status, 300, body)
}
