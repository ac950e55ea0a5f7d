package collector

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/report/intake"
)

// fleet is many servers that push at once, each with the script's pauses, against
// the real intake. Its time is virtual.
type fleet struct {
	t        *testing.T
	spread   []time.Duration
	floor    time.Duration
	attempts int
}

// pusher is one server: when it pushes next, and how often it was refused.
type pusher struct {
	at      time.Time
	refused int
	done    bool
}

// run lets n servers push and returns how long it took until all were taken.
func (f fleet) run(n int) time.Duration {
	f.t.Helper()
	start := time.Date(2026, 11, 30, 9, 15, 0, 0, time.UTC)
	now := start
	env := checktest.Env(func() time.Time { return now })
	env.Reports = f.t.TempDir()
	server := intake.New(config.Report{TokenFile: checktest.Written(f.t, "token", bearer)}, env, func(name string, data []byte) error {
		return os.WriteFile(filepath.Join(env.Reports, name), data, 0o600)
	})
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]pusher, n)
	for i := range all {
		all[i].at = start.Add(time.Duration(i) * time.Millisecond)
	}
	for i := next(all); i >= 0; i = next(all) {
		time.Sleep(all[i].at.Sub(now)) // in virtual time, by which the intake counts pushes
		now = all[i].at
		answer := httptest.NewRecorder()
		server.ServeHTTP(answer, f.push(i, start))
		f.judge(&all[i], answer, random)
	}
	f.late(env.Reports, now, n)
	return now.Sub(start)
}

// next returns the server that pushes next; -1: all are done.
func next(all []pusher) int {
	first := -1
	for i, p := range all {
		if !p.done && (first < 0 || p.at.Before(all[first].at)) {
			first = i
		}
	}
	return first
}

// push is a server's report.
func (f fleet) push(i int, made time.Time) *http.Request {
	host := "EX" + strconv.Itoa(i)
	body := `{"schema":1,"collector":"1.2.0","host":"` + host + `","intervalSeconds":900,"generatedAt":"` + made.Format(time.RFC3339) + `","sections":{"iis":{"ok":false,"error":"x"}}}`
	r := httptest.NewRequest(http.MethodPost, intake.Path, strings.NewReader(body))
	r.RemoteAddr = "10.0." + strconv.Itoa(i/200) + "." + strconv.Itoa(1+i%200) + ":1234"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Header.Set(intake.HostHeader, host)
	return r
}

// judge does what the script does with an answer.
func (f fleet) judge(p *pusher, answer *httptest.ResponseRecorder, random *rand.Rand) {
	f.t.Helper()
	if answer.Code == http.StatusNoContent {
		p.done = true
		return
	}
	require.Equal(f.t, http.StatusTooManyRequests, answer.Code, answer.Body.String())
	require.Less(f.t, p.refused, f.attempts, "a server gives up")
	after, err := strconv.Atoi(answer.Header().Get("Retry-After"))
	require.NoError(f.t, err)
	pause := max(f.floor, time.Duration(after)*time.Second) + time.Duration(random.Float64()*float64(f.spread[p.refused]))
	p.at, p.refused = p.at.Add(pause), p.refused+1
}

// late fails if not every server's report is evidence.
func (f fleet) late(folder string, now time.Time, n int) {
	f.t.Helper()
	env := checktest.Env(func() time.Time { return now })
	arrived, err := report.ReadFolder(env, folder)
	require.NoError(f.t, err)
	require.Len(f.t, report.EvidenceOf(arrived, now).Reports, n)
}
