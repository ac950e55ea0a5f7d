package probes

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

// endsWith is a connection whose end is an error of the operating system's.
type endsWith struct {
	net.Conn
	errno syscall.Errno
}

func (c endsWith) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.EOF) {
		err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", c.errno)}
	}
	return n, err
}

// What fails at each step of a visit: this host's own trouble is an error of class
// local whatever the step, the far side's is found under the step's reason.
func TestErrorsOfTheSystemByStep(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	cert := ca.leaf(t, nil)
	ours := map[string]syscall.Errno{"EMFILE": syscall.EMFILE, "ENFILE": syscall.ENFILE, "ENOBUFS": syscall.ENOBUFS, "ENOMEM": syscall.ENOMEM,
		"EADDRNOTAVAIL": syscall.EADDRNOTAVAIL, "ENETDOWN": syscall.ENETDOWN, "EPERM": syscall.EPERM, "EACCES": syscall.EACCES}
	const cutBody = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nhalf"
	steps := map[string]struct {
		change func(*check.Env, syscall.Errno)
		serve  func(net.Conn)
		theirs syscall.Errno
		reason string
	}{
		"DNS": {func(e *check.Env, errno syscall.Errno) {
			e.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
				return nil, &net.DNSError{Err: "dial udp 192.0.2.53:53: socket: " + errno.Error(), IsTemporary: true}
			}
		}, nil, 0, ""}, // of the far side DNS tells no error of the system's
		"dialing": {func(e *check.Env, errno syscall.Errno) {
			e.Dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
			}
		}, nil, syscall.ECONNREFUSED, "connect_failed"},
		"TLS":  {nil, readRecord, syscall.ECONNRESET, "tls_failed"},
		"HTTP": {nil, overTLS(cert, answers()), syscall.ECONNRESET, "response_invalid"},
		"body": {nil, overTLS(cert, answers(cutBody)), syscall.ECONNRESET, "response_invalid"},
	}
	for step, s := range steps {
		ask := func(t *testing.T, errno syscall.Errno) (check.Report, error) {
			env := envFor(ca)
			if s.change != nil {
				s.change(&env, errno)
			} else {
				dial := env.Dial
				env.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					c, err := dial(ctx, network, addr)
					return endsWith{c, errno}, err
				}
			}
			e := &estate{address: "127.0.0.1:1"}
			if s.serve != nil {
				e.address = serve(t, s.serve).String()
			}
			target := e.target()
			if step == "DNS" {
				target.ConnectTo = nil
			}
			return run(t, ActiveSync, target, env)
		}
		for name, errno := range ours {
			t.Run(step+"/"+name, func(t *testing.T) {
				report, err := ask(t, errno)
				require.ErrorContains(t, err, "hmad's own host failed: "+errno.Error())
				assert.Equal(t, check.Local, check.ClassOf(err))
				assert.Empty(t, report.Findings)
			})
		}
		if s.reason != "" {
			t.Run(step+"/the far side", func(t *testing.T) {
				report, err := ask(t, s.theirs)
				require.NoError(t, err)
				assert.Equal(t, []string{s.reason}, foundNames(report.Findings))
			})
		}
	}
}
