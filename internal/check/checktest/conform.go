package checktest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// Marks are texts that the kit plants, and that must not come back where they do
// not belong.
const (
	ProbeMailbox = "hmad-probe-7f3a@contoso.com" // of the target
	querySecret  = "code=q5-planted-query"       // in URLs of answers
	tokenSecret  = "eyJ0eXAi-planted-token"      // in answers' bodies and headers
)

// patience is how long a run of the kit may take: no real answer comes later, and
// what a busy machine cuts short is undecided all the same.
const patience = 500 * time.Millisecond

// Conform tries a Def, built for the target, in worlds that give it nothing to
// judge by, and holds what every check promises:
//
//   - where nothing answers, no reason is cleared, but for those that the world
//     did answer;
//   - a cancelled context ends the run at once;
//   - answers of garbage never pass;
//   - every reason is judged or says why not, whatever happens;
//   - no text shows a token, a query of an answer's URL, or the probe mailbox's
//     address, except that a command to repeat may hold the address.
//
// The env has the target's files; Conform replaces its ways out.
func Conform(t *testing.T, def *check.Def, target config.Target, env check.Env) {
	t.Helper()
	ca := NewCA(t)
	target.CAFile = ca.File
	for _, w := range worlds(t, ca) {
		t.Run(w.name, func(t *testing.T) {
			env := env
			env.Memory = new(Memory) // what one world showed is not known in the next
			w.change(&env)
			parts, err := def.New(target, env)
			require.NoError(t, err)
			if parts.Run == nil {
				return // this target has no such check
			}
			if parts.Begin != nil {
				parts.Begin()
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if w.cancelled {
				cancel()
			}
			report, err := look(t, def, parts, ctx)
			if !w.cancelled {
				mentionsAll(t, err)
			}
			clearsOnly(t, def, report, w.answers)
			if (check.Result{Report: report, Err: err}).Outcome() == check.Passed {
				t.Errorf("%s passes although nothing answered that it can judge by: say so by Undecided or Skip, or find it", def.Name)
			}
			holdsNoSecret(t, report, err)
			if w.local {
				blamesNobody(t, report)
			}
		})
	}
}

// look runs once; a run that does not end within a minute of its context has
// not noticed it.
func look(t *testing.T, def *check.Def, parts check.Parts, ctx context.Context) (check.Report, error) {
	t.Helper()
	v := def.Judge()
	done := make(chan struct{})
	go func() {
		defer close(done)
		parts.Run(ctx, v)
	}()
	select {
	case <-done:
	case <-time.After(patience + time.Minute):
		t.Fatal("the run did not end with its context")
	}
	return v.Report()
}

// mentionsAll holds that a run mentions every reason: a defect of the check is an
// error of class internal.
func mentionsAll(t *testing.T, err error) {
	t.Helper()
	if err != nil && check.ClassOf(err) == check.Internal {
		t.Error(err)
	}
}

// clearsOnly holds that the run cleared none but the reasons that were answered.
func clearsOnly(t *testing.T, def *check.Def, r check.Report, answered []string) {
	t.Helper()
	for _, name := range cleared(def, r) {
		if !slices.Contains(answered, name) {
			t.Errorf("%s clears %s although nothing answered it: call Clear where an answer was read and compared "+
				"(internal/catalog/conform_test.go lists what an empty report answers)", def.Name, name)
		}
	}
}

// cleared returns the names of the reasons that the run cleared.
func cleared(def *check.Def, r check.Report) []string {
	out := []string{}
	for _, reason := range def.Reasons {
		judged := true
		for _, u := range r.Unjudged {
			judged = judged && u.Reason != reason
		}
		for _, f := range r.Findings {
			judged = judged && f.Reason != reason
		}
		if judged {
			out = append(out, reason.Name)
		}
	}
	return out
}

// blamesNobody holds that a failure of hmad's own host is no finding about an
// endpoint.
func blamesNobody(t *testing.T, r check.Report) {
	t.Helper()
	for _, f := range r.Findings {
		if slices.Contains([]string{"dns_failed", "connect_failed", "tls_failed", "timeout", "response_invalid", "vantage_offline"}, f.Reason.Name) {
			t.Errorf("%s is found although hmad's own host failed (%s): class local is for that", f.Reason.Name, f.Detail)
		}
	}
}

// holdsNoSecret looks for the planted texts in all that a run gives.
func holdsNoSecret(t *testing.T, r check.Report, err error) {
	t.Helper()
	var texts []string
	for _, f := range r.Findings {
		texts = append(append(texts, f.Detail), f.About...)
	}
	for _, u := range r.Unjudged {
		texts = append(texts, u.Why)
	}
	for _, f := range r.Facts {
		texts = append(texts, f.Subject, f.Value)
	}
	for _, s := range r.Samples {
		texts = append(texts, s.Labels...)
	}
	texts = append(texts, r.Texts(check.Seen, check.Timeline, check.Attempt)...)
	if err != nil {
		texts = append(texts, err.Error())
	}
	hides(t, texts, "the probe mailbox's address", ProbeMailbox, strings.ReplaceAll(ProbeMailbox, "@", "%40"))
	hides(t, append(texts, r.Texts()...), "a URL's query", querySecret)
	hides(t, append(texts, r.Texts()...), "a token", tokenSecret)
}

// hides holds that no text has one of the secrets.
func hides(t *testing.T, texts []string, what string, secrets ...string) {
	t.Helper()
	for _, text := range texts {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s is shown: %s", what, check.Clean(text, check.MaxDetail))
			}
		}
	}
}

// world is a way in which hmad gets nothing to judge by.
type world struct {
	name      string
	change    func(*check.Env)
	answers   []string // names of the reasons that may be cleared there
	cancelled bool
	local     bool // it is hmad's own host that fails
}

func worlds(t *testing.T, ca *CA) []world {
	nowhere := func(context.Context, string, string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	here := func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
	}
	refused := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	silent := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	to := func(address string) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	found := []string{"dns_failed", "private_address"} // by the resolver
	connected := append(found, "connect_failed")
	spoken := append(slices.Clone(connected), "tls_failed", "timeout", "response_invalid", "points_to_cloud", // by HTTP, from a server that is no cloud's
		"certificate_chain_incomplete", "certificate_expired", "certificate_expiring", "certificate_name_mismatch", "certificate_untrusted")
	failing := func(cause error) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: cause}
		}
	}
	return []world{
		{name: "no name resolves", change: func(e *check.Env) { e.Resolve, e.Dial = nowhere, refused }, answers: []string{}},
		{name: "nothing listens", change: func(e *check.Env) { e.Resolve, e.Dial = here, refused }, answers: found},
		{name: "nothing answers", change: func(e *check.Env) { e.Resolve, e.Dial = here, silent }, answers: found},
		{name: "our own network fails", change: func(e *check.Env) {
			e.Resolve = here
			e.Dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, errors.New("socket: no such device")
			}
		}, answers: found},
		{name: "the context was cancelled", change: func(e *check.Env) { e.Resolve, e.Dial = here, silent }, answers: found, cancelled: true},
		{name: "the host speaks no TLS", change: func(e *check.Env) { e.Resolve, e.Dial = here, to(noise(t)) }, answers: connected},
		{name: "every host answers with a page", change: func(e *check.Env) {
			e.Resolve, e.Dial = here, to("127.0.0.1:"+Serve(t, ca,
				"*.contoso.com", page()))
		}, answers: spoken},
		{name: "file descriptors are used up", change: func(e *check.Env) { e.Resolve, e.Dial = here, failing(syscall.EMFILE) }, answers: found, local: true},
		{name: "the local firewall refuses", change: func(e *check.Env) { e.Resolve, e.Dial = here, failing(syscall.EPERM) }, answers: found, local: true},
		{name: "not even the resolver gets a descriptor", change: func(e *check.Env) {
			e.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
				return nil, &net.DNSError{Err: "dial udp 192.0.2.53:53: socket: too many open files", IsTemporary: true}
			}
			e.Dial = failing(syscall.EMFILE)
		}, answers: []string{}, local: true},
	}
}

// noise starts a server that answers anything with random bytes and planted
// secrets, and returns its address.
func noise(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			random := make([]byte, 200)
			source := rand.New(rand.NewPCG(1, 2))
			for i := range random {
				random[i] = byte(source.Uint32())
			}
			_, _ = fmt.Fprintf(conn, "%s%s https://x.test/?%s", random, tokenSecret, querySecret)
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// page answers every request with a page that holds planted secrets.
func page() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://elsewhere.test/login?"+querySecret)
		w.Header().Set("Set-Cookie", "session="+tokenSecret)
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusFound)
		_, _ = fmt.Fprintf(w, "<html>%s https://x.test/?%s %s", tokenSecret, querySecret, r.URL.Query().Get("Email"))
	})
}

// ConformEmpty runs a Def whose on-premises reports hold next to nothing and to
// which nothing else answers: beyond the reasons of answers, which the report
// itself has answered, none may be cleared. It returns what was found.
func ConformEmpty(t *testing.T, def *check.Def, target config.Target, env check.Env, answers ...string) []check.Finding {
	t.Helper()
	env.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	env.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	parts, err := def.New(target, env)
	require.NoError(t, err)
	require.NotNil(t, parts.Run, "the target has everything")
	if parts.Begin != nil {
		parts.Begin()
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	report, err := look(t, def, parts, ctx)
	mentionsAll(t, err)
	clearsOnly(t, def, report, answers)
	holdsNoSecret(t, report, err)
	return report.Findings
}

// Discard is a check.Meter that counts nothing.
type Discard struct{}

// Add implements check.Meter.
func (Discard) Add(*check.Metric, float64, ...string) {}

// Observe implements check.Meter.
func (Discard) Observe(*check.Metric, float64, ...string) {}
