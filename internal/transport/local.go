package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"github.com/hmad/hmad/internal/check"
)

// localCauses are errors of this host's own: descriptors, memory or ports used
// up, the network down, the local firewall. They say nothing about the far side.
var localCauses = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENETDOWN, syscall.EPERM,
	syscall.EACCES, syscall.EADDRNOTAVAIL}

// Local returns err as one of class local where this host itself failed, and nil
// otherwise. Of a name's resolution package net keeps the text alone.
func Local(err error) error {
	if err == nil || check.ClassOf(err) == check.Local {
		return err
	}
	var dns *net.DNSError
	isDNS := errors.As(err, &dns)
	for _, cause := range localCauses {
		if errors.Is(err, cause) || isDNS && strings.HasSuffix(dns.Err, cause.Error()) {
			return check.Errorf(check.Local, "hmad's own host failed: %s", cause)
		}
	}
	return nil
}

// ours returns env with ways out whose errors of this host have class local.
func ours(env check.Env) check.Env {
	dial, resolve := env.Dial, env.Resolve
	env.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if network == "tcp6" && errors.Is(err, syscall.EADDRNOTAVAIL) {
			return conn, err // a host without IPv6, not one without ports
		}
		if local := Local(err); local != nil {
			return nil, local
		}
		return conn, err
	}
	env.Resolve = func(ctx context.Context, network, host string) ([]netip.Addr, error) {
		addrs, err := resolve(ctx, network, host)
		if local := Local(err); local != nil {
			return nil, local
		}
		return addrs, err
	}
	return env
}

// blame makes an error of a class, unless this host itself failed: that stays
// class local.
func blame(class *check.Class, err error, format string, args ...any) error {
	if check.ClassOf(err) == check.Local {
		class = check.Local
	}
	return check.Errorf(class, format, args...)
}
