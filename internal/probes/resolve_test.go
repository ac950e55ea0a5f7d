package probes

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// A name without an answer is the customer's fault only where the resolver
// answers about another name.
func TestWhatFailsInDNSIsToldApart(t *testing.T) {
	notFound := &net.DNSError{Err: "no such host", IsNotFound: true}
	silent := &net.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true}
	broken := &net.DNSError{Err: "server misbehaving", IsTemporary: true}
	denied := &net.DNSError{Err: "server misbehaving"} // REFUSED and NOTIMP, as package net has them
	refused := &net.DNSError{Err: "read udp 127.0.0.1:1->127.0.0.1:53: read: connection refused", IsTemporary: true}
	tests := map[string]struct {
		err, control error
		reason       string
		class        *check.Class
		words        string
	}{
		"no such name":                               {notFound, silent, "dns_failed", nil, "does not resolve"},
		"no answer, and one to the control name":     {silent, nil, "dns_failed", nil, "no answer about mail.contoso.test"},
		"no answer, and the control name is not one": {silent, notFound, "dns_failed", nil, "no answer about mail.contoso.test"},
		"no answer to either":                        {silent, silent, "", check.Resolver, "neither about mail.contoso.test nor about login.microsoftonline.com"},
		"a broken zone":                              {broken, nil, "dns_failed", nil, "server misbehaving"},
		"a resolver without a way out":               {broken, broken, "", check.Resolver, "neither about mail.contoso.test nor about login.microsoftonline.com"},
		"REFUSED for every name":                     {denied, denied, "", check.Resolver, "neither about mail.contoso.test nor about login.microsoftonline.com"},
		"REFUSED for this name alone":                {denied, nil, "dns_failed", nil, "server misbehaving"},
		"no answer, and a refusal":                   {silent, refused, "", check.Resolver, "neither about"},
		"the resolver refuses":                       {refused, nil, "", check.Resolver, "the resolver cannot be asked"},
		"the resolver is not reached": {&net.DNSError{Err: "dial udp 192.0.2.53:53: connect: network is unreachable"}, nil, "", check.Resolver,
			"the resolver cannot be asked"},
		"refused, typed": {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, nil, "", check.Resolver, "the resolver cannot be asked"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := testEnv(nil)
			env.Resolve = func(_ context.Context, _, host string) ([]netip.Addr, error) {
				if host == testHost {
					return nil, test.err
				}
				return nil, test.control
			}
			r, err := newRoute(config.Target{}, env)
			require.NoError(t, err)
			ws, faults, _, err := r.ways(t.Context(), testURL(t, "https://"+testHost+"/"))
			assert.Empty(t, ws)
			if test.reason != "" {
				require.NoError(t, err)
				require.Equal(t, []string{test.reason}, foundNames(faults))
				assert.Contains(t, faults[0].Detail, test.words)
				return
			}
			require.ErrorContains(t, err, test.words)
			assert.Equal(t, test.class, check.ClassOf(err))
			assert.Empty(t, faults)
		})
	}
}

// The control name is asked beside a name whose answer is late: until the
// deadline, when that one has failed, it would be too late.
func TestTheControlNameIsAskedInTime(t *testing.T) {
	for name, c := range map[string]struct {
		host, control time.Duration // until the answer; longer than the deadline: none
		faults        []string
		class         *check.Class
		asked         int
	}{
		"the name is answered at once":     {time.Millisecond, time.Millisecond, []string{}, nil, 1},
		"the name is answered late":        {7 * time.Second, time.Millisecond, []string{}, nil, 2},
		"the control name alone":           {time.Hour, 5 * time.Second, []string{"dns_failed"}, nil, 2},
		"neither":                          {time.Hour, time.Hour, []string{}, check.Resolver, 2},
		"the name late, the other not yet": {7 * time.Second, time.Hour, []string{}, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				env := testEnv(nil)
				env.Resolve = func(ctx context.Context, _, host string) ([]netip.Addr, error) {
					asked.Add(1)
					wait := c.control
					if host == testHost {
						wait = c.host
					}
					select {
					case <-time.After(wait):
						return []netip.Addr{netip.MustParseAddr("192.0.2.10")}, nil
					case <-ctx.Done():
						return nil, &net.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true}
					}
				}
				r, err := newRoute(config.Target{}, env)
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, faults, _, err := r.ways(ctx, testURL(t, "https://"+testHost+"/"))
				assert.Equal(t, c.faults, foundNames(faults))
				assert.Equal(t, c.class, classOf(err))
				assert.EqualValues(t, c.asked, asked.Load())
			})
		})
	}
}

// classOf is check.ClassOf, and nil without an error.
func classOf(err error) *check.Class {
	if err == nil {
		return nil
	}
	return check.ClassOf(err)
}

func TestARealResolver(t *testing.T) {
	// The resolver's own socket decides what its errors look like.
	// Package net detaches a lookup from its caller: over ends it with the test.
	over, end := context.WithCancel(t.Context())
	defer end()
	resolver := func(addr string) *net.Resolver {
		return &net.Resolver{PreferGo: true, Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(over, network, addr)
			if err == nil {
				context.AfterFunc(over, func() { c.Close() })
			}
			return c, err
		}}
	}
	mute, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer mute.Close()
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	gone.Close()

	ask := func(ctx context.Context, addr string) ([]check.Finding, error) {
		env := testEnv(nil)
		env.Resolve = resolver(addr).LookupNetIP
		r, err := newRoute(config.Target{}, env)
		require.NoError(t, err)
		_, faults, _, err := r.ways(ctx, testURL(t, "https://mail.contoso.test./"))
		return faults, err
	}
	t.Run("that is mute about every name is our own side's", func(t *testing.T) {
		ctx, expire := checktest.Expiring(t)
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			mute.ReadFrom(make([]byte, 512))
			expire()
		}()
		faults, err := ask(ctx, mute.LocalAddr().String())
		<-asked
		assert.Equal(t, check.Resolver, check.ClassOf(err), "%v %v", faults, err)
	})
	t.Run("that is not there is our own side's", func(t *testing.T) {
		faults, err := ask(t.Context(), gone.LocalAddr().String())
		assert.Equal(t, check.Resolver, check.ClassOf(err), "%v %v", faults, err)
	})
}

func TestShutdownInDNSIsNeverAFinding(t *testing.T) {
	env := testEnv(nil)
	ctx, stop := context.WithCancel(t.Context())
	env.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		stop()
		return nil, &net.DNSError{Err: "operation was canceled", Name: testHost}
	}
	r, err := newRoute(config.Target{}, env)
	require.NoError(t, err)
	_, faults, _, err := r.ways(ctx, testURL(t, "https://"+testHost+"/"))
	assert.Equal(t, context.Canceled, err)
	assert.Empty(t, faults)
}
