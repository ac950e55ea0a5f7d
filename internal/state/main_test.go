package state

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hmad/hmad/internal/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The vocabulary of the tests.
var (
	blocked  = &check.Reason{Name: "blocked", Severity: check.Critical}
	expiring = &check.Reason{Name: "certificate_expiring", Severity: check.Warning}
	notAfter = &check.Metric{Name: "hmad_tls_certificate_not_after_timestamp_seconds", Kind: check.Gauge, Labels: []string{"host"}}
	defs     = []*check.Def{
		{Name: "activesync", Reasons: []*check.Reason{blocked, expiring}, Metrics: []*check.Metric{notAfter}},
		{Name: "autodiscover", Reasons: []*check.Reason{blocked, expiring}},
	}
	activesync   = check.ID{Check: "activesync", Target: "contoso"}
	autodiscover = check.ID{Check: "autodiscover", Target: "contoso"}
	noon         = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

// after returns the n-th five-minute moment from noon on.
func after(n int) time.Time { return noon.Add(time.Duration(n) * 5 * time.Minute) }

// run makes the result of a run that starts at the n-th moment.
func run(id check.ID, n int, found ...*check.Reason) check.Result {
	r := check.Result{Check: id.Check, Target: id.Target, Start: after(n), Took: time.Second}
	for _, f := range found {
		r.Report.Findings = append(r.Report.Findings, check.Finding{Reason: f, Detail: "seen at mail.contoso.com"})
	}
	return r
}

// unsure makes a run that could not tell.
func unsure(id check.ID, n int) check.Result {
	r := run(id, n)
	r.Err = check.Errorf(check.VantageOffline, "no way out")
	return r
}

// logs collects what a Store says.
type logs struct {
	mu    sync.Mutex
	lines []string
}

func (l *logs) add(msg string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		msg += ": " + err.Error()
	}
	l.lines = append(l.lines, msg)
}

func (l *logs) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

func options() Options { return Options{Defs: defs, Now: func() time.Time { return noon }} }

// statePath returns a path for a state file in a directory of its own.
func statePath(t testing.TB) string { return filepath.Join(t.TempDir(), "state.db") }

// opened opens a Store that is closed at the end of the test, at the latest.
func opened(t *testing.T, path string, o Options) *Store {
	s := Open(path, o)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// statusOf returns one check's status.
func statusOf(t testing.TB, s *Store, id check.ID) Status {
	t.Helper()
	for _, st := range s.Statuses() {
		if st.ID == id {
			return st
		}
	}
	require.Fail(t, "no such check", "%v", id)
	return Status{}
}

// asideFiles returns the damaged files that were set aside from path.
func asideFiles(t testing.TB, path string) []string {
	t.Helper()
	names, err := filepath.Glob(path + ".corrupt-*")
	require.NoError(t, err)
	return names
}
