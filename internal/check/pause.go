package check

import (
	"context"
	"time"
)

// Pause waits for d or until the context ends, whichever is first, and reports
// whether the context goes on.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
