package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

func TestWhatOfThisHostIsToBlame(t *testing.T) {
	op := func(cause error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: cause} }
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"no error":                                {nil, false},
		"descriptors used up":                     {op(syscall.EMFILE), true},
		"descriptors of the system used up":       {op(syscall.ENFILE), true},
		"no buffers":                              {op(syscall.ENOBUFS), true},
		"no memory":                               {op(syscall.ENOMEM), true},
		"ports used up":                           {op(syscall.EADDRNOTAVAIL), true},
		"the network is down":                     {op(syscall.ENETDOWN), true},
		"the local firewall":                      {op(syscall.EPERM), true},
		"a security module":                       {op(syscall.EACCES), true},
		"descriptors used up in resolving a name": {&net.DNSError{Err: "dial udp 192.0.2.53:53: socket: too many open files"}, true},
		"refused":                                 {op(syscall.ECONNREFUSED), false},
		"no route":                                {op(syscall.ENETUNREACH), false},
		"a router says that nobody is there":      {op(syscall.EHOSTUNREACH), false},
		"no such name":                            {&net.DNSError{Err: "no such host", IsNotFound: true}, false},
		"any other":                               {errors.New("too many open files in the fridge"), false},
	} {
		t.Run(name, func(t *testing.T) {
			err := Local(c.err)
			assert.Equal(t, c.want, err != nil)
			if c.want {
				assert.Equal(t, check.Local, check.ClassOf(err))
			}
		})
	}
}

func TestAHostWithoutIPv6IsNotOneWithoutPorts(t *testing.T) {
	env := ours(check.Env{
		Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.EADDRNOTAVAIL}
		},
		Resolve: func(context.Context, string, string) ([]netip.Addr, error) { return nil, syscall.EMFILE },
	})
	_, err := env.Dial(t.Context(), "tcp6", "[2001:db8::1]:443")
	assert.NotEqual(t, check.Local, check.ClassOf(err))
	_, err = env.Dial(t.Context(), "tcp4", "192.0.2.1:443")
	assert.Equal(t, check.Local, check.ClassOf(err))
	_, err = DialHost(t.Context(), env, "tcp", "dc01.contoso.com:636")
	assert.Equal(t, check.Local, check.ClassOf(err), "also through what resolves")
}
