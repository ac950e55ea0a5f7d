package sync

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hmad/hmad/internal/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// monday is ten o'clock on a working day.
var monday = time.Date(2026, time.November, 23, 10, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// look runs a check once. Whatever it meets, it mentions every reason.
func look(t testing.TB, d *check.Def, ctx context.Context, run func(context.Context, *check.Verdict)) (check.Report, error) {
	t.Helper()
	r, err := d.Look(ctx, run)
	if err != nil {
		require.NotEqual(t, check.Internal, check.ClassOf(err), err)
	}
	return r, err
}

// judged returns what is concluded of an observation alone, without the errors of
// a run: every reason is mentioned then.
func judged(t testing.TB, d *check.Def, fill func(*check.Verdict)) check.Report {
	t.Helper()
	r, _ := look(t, d, t.Context(), func(_ context.Context, v *check.Verdict) { fill(v) })
	return r
}

// fleetJudged returns what is concluded of a fleet.
func fleetJudged(t testing.TB, o observation) check.Report {
	t.Helper()
	return judged(t, MailboxSync, func(v *check.Verdict) { judge(v, o) })
}

// open returns the reasons that a report leaves open although they may arise.
func open(r check.Report) (names []string) {
	for _, u := range r.Unjudged {
		if !u.Ends {
			names = append(names, u.Reason.Name)
		}
	}
	return names
}

// whyNot returns why a report does not judge a reason; empty: it does.
func whyNot(r check.Report, reason *check.Reason) string {
	for _, u := range r.Unjudged {
		if u.Reason == reason {
			return u.Why
		}
	}
	return ""
}
