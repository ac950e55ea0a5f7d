package probes

import (
	"context"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

const (
	// wayOutKept is how long an answer about the way out serves others: all
	// checks of a target that fail at one moment ask once.
	wayOutKept = 30 * time.Second
	// wayOutTimeout bounds asking, which happens in what a failing run has
	// left of its time.
	wayOutTimeout = 5 * time.Second
)

// askWayOut builds the question that Env.Vantage puts: is the target's way out
// open? The function returns nil when it is, an error of class vantage_offline
// when it is not, and the context's error when the caller's context ended
// first. Callers at one moment share one request, and an answer is kept for 30
// seconds. The function is nil where the target does not share its way out with
// the vantage check, and where the config names nothing to ask.
func askWayOut(t config.Target, env check.Env) (func(context.Context) error, error) {
	if !sharesWayOut(t) {
		return nil, nil
	}
	o, err := newWayOut(t, env)
	if err != nil || o == nil {
		return nil, err
	}
	k := &kept{ask: o.isOpen, now: env.Now, turn: make(chan struct{}, 1)}
	return k.get, nil
}

// isOpen asks once and returns an error when the way out is closed.
func (o *wayOut) isOpen(ctx context.Context) error {
	seen, err := o.ask(ctx, new(check.Def).Judge()) // its notes are nobody's
	if err != nil {
		return err
	}
	if _, closed := seen.open(); closed != "" {
		return check.Errorf(check.VantageOffline, "hmad's own way out is closed: %s cannot be asked: %s", o.url.Hostname(), closed)
	}
	return nil
}

// kept asks for one caller at a time and keeps the answer for a while. Waiting
// for the turn ends with the caller's context, which a mutex would not do.
type kept struct {
	ask  func(context.Context) error
	now  func() time.Time
	turn chan struct{}

	at     time.Time // when answer came; zero before the first
	answer error
}

func (k *kept) get(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	// A clock set back makes the age negative: ask anew.
	if age := k.now().Sub(k.at); !k.at.IsZero() && age >= 0 && age < wayOutKept {
		return k.answer
	}
	asking, cancel := context.WithTimeout(ctx, wayOutTimeout)
	defer cancel()
	answer := k.ask(asking)
	if ctx.Err() != nil {
		return ctx.Err() // cut off: it says nothing
	}
	k.at, k.answer = k.now(), answer
	return answer
}
