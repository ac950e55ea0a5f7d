package checktest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// Patience is how long a test waits for what must come: much longer than it takes
// on a busy machine.
const Patience = 2 * time.Minute

// Expiring returns a context whose deadline passes when expire is called, which
// may be often. A test calls it once the other side has got far enough, so that a
// slow machine does not move what the deadline hits.
func Expiring(t testing.TB) (ctx context.Context, expire func()) {
	passed := make(chan struct{})
	expire = sync.OnceFunc(func() { close(passed) })
	t.Cleanup(expire)
	return expiring{context.Background(), passed}, expire
}

type expiring struct {
	context.Context
	passed chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.passed }

func (e expiring) Err() error {
	select {
	case <-e.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// DialTo returns a Dial whose connections lead to handle, in memory: in a bubble
// of testing/synctest deadlines on them pass in no time. A connection that handle
// leaves is closed; the test's end waits until it has left all.
func DialTo(t testing.TB, handle func(net.Conn)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	var left sync.WaitGroup
	t.Cleanup(left.Wait)
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		left.Go(func() {
			defer far.Close()
			handle(far)
		})
		return near, nil
	}
}
