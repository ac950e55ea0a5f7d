package online

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// However long answers take: one new token for a question that is refused with
// 401, and no third attempt.
func TestATokenIsReplacedOnceHoweverSlowTheAnswers(t *testing.T) {
	var o *office
	o = newOffice(t, func(w http.ResponseWriter, r *http.Request) {
		o.clock.add(2 * renewEvery) // so that a token might be thrown away again
		says(401, "")(w, r)
	})
	_, err := o.devices(Options{})
	assert.Equal(t, Token, failure(t, err).Kind)
	assert.Len(t, o.api.requests(), 2)
	assert.Equal(t, 2, o.api.Tokens())
}

// Too many calls and a refused token are told by the status, whatever exception
// stands beside it; of other answers the exception tells more.
func TestStatusesThatOutrankTheException(t *testing.T) {
	for status, want := range map[int]Kind{429: Throttled, 401: Token, 503: NotFound, 403: NotFound, 400: NotFound} {
		kind, name := kindOf(status, []string{"Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"}, nil)
		assert.Equal(t, want, kind, status)
		assert.Equal(t, "ManagementObjectNotFoundException", name, status)
	}
}

// The host has at most as many connections as the tenant is asked questions at
// once.
func TestConnectionsAreBounded(t *testing.T) {
	const atOnce = 4 // of newOffice
	var most, now atomic.Int64
	full, tooMany := make(chan struct{}), make(chan struct{})
	fill, exceed := sync.OnceFunc(func() { close(full) }), sync.OnceFunc(func() { close(tooMany) })
	o := newOffice(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		if n == atOnce {
			fill()
		}
		if n > atOnce {
			exceed()
		}
		for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
		}
		<-full // held, so that calls pile up
		select {
		case <-tooMany:
		case <-time.After(100 * time.Millisecond):
		}
		says(200, value(""))(w, r)
	})
	var calls sync.WaitGroup
	for range 3 * atOnce {
		calls.Go(func() {
			_, err := o.devices(Options{})
			assert.NoError(t, err)
		})
	}
	calls.Wait()
	assert.Equal(t, int64(atOnce), most.Load())
}

// trip is a transport that is not there.
type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A question without a deadline of the caller's gets one.
func TestEveryQuestionHasADeadline(t *testing.T) {
	o := newOffice(t, says(200, value("")))
	var left time.Duration
	o.client.Transport = trip(func(r *http.Request) (*http.Response, error) {
		at, ok := r.Context().Deadline()
		require.True(t, ok)
		left = time.Until(at)
		return nil, errors.New("not sent")
	})
	_, err := o.Invoke(context.Background(), "Get-OrganizationConfig", nil, Options{})
	require.Error(t, err)
	assert.Greater(t, left, time.Minute, "Exchange Online may take its time")
	assert.LessOrEqual(t, left, 90*time.Second)
}

func TestPagesAreBounded(t *testing.T) {
	for asked, want := range map[int]int{-1: 10, 0: 10, 1: 1, 500: 500, 501: 500, 1e9: 500} {
		assert.Equal(t, want, Options{MaxPages: asked}.pages(), asked)
	}
}
