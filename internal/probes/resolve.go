package probes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

const (
	// lateAnswer is after how long a name without an answer has the control name
	// asked beside it. A resolver that answers at all has done so by then.
	lateAnswer = 2 * time.Second
	// signInHost is the control name where the config has no other sign-in host.
	signInHost = "login.microsoftonline.com"
)

// nameError says why the customer's name leads nowhere.
type nameError struct{ detail string }

// Error returns the detail.
func (e *nameError) Error() string { return e.detail }

// controlName returns the name by which a resolver shows that it works: that of
// Microsoft's sign-in service, which has servers of its own.
func controlName(t config.Target) string {
	if u := t.Entra.OpenIDConfiguration.Of(t.Tenant); u != nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return signInHost
}

// resolve asks for both families at once. Names are resolved anew in every
// run, so that a changed record is seen at once.
func (r *route) resolve(ctx context.Context, host string) ([]netip.Addr, time.Duration, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, 0, nil
	}
	start := time.Now()
	addrs, works, err := r.lookUp(ctx, host)
	took := time.Since(start)
	switch {
	case err == nil:
	case unanswered(ctx, err) && !works && !errors.Is(ctx.Err(), context.Canceled):
		err = check.Errorf(check.Resolver, "the resolver answers neither about %s nor about %s: %s", host, r.control, lookUpCause(err))
	default:
		err = judgeResolve(ctx, host, took, err)
	}
	return addrs, took, err
}

// lookUp asks for host and, where its answer is late or none, for the control
// name: works reports whether the resolver answered about that one.
func (r *route) lookUp(ctx context.Context, host string) (addrs []netip.Addr, works bool, err error) {
	late, hurry := context.WithTimeout(ctx, lateAnswer)
	over, end := context.WithCancel(ctx)
	defer hurry()
	defer end()
	parallel(2, func(i int) {
		if i == 0 {
			addrs, err = r.Resolve(ctx, host)
			if !unanswered(ctx, err) {
				end()
			}
			hurry()
			return
		}
		<-late.Done()
		if over.Err() == nil && !strings.EqualFold(host, r.control) {
			_, failed := r.Resolve(over, r.control)
			works = over.Err() == nil && heard(failed)
		}
	})
	return addrs, works, err
}

// unanswered reports whether a look-up failed so that either the resolver or a
// name server behind it may be to blame: no answer in time, or its word that it
// has none that can be used (SERVFAIL, REFUSED, NOTIMP: package net's «server
// misbehaving»; a malformed one).
func unanswered(ctx context.Context, err error) bool {
	var dns *net.DNSError
	return err != nil && (isTimeout(ctx, err) || errors.As(err, &dns) && !dns.IsNotFound && !resolverOut(err, dns))
}

// heard reports whether an error of a look-up, or none, is an answer: also
// that there is no such name.
func heard(err error) bool {
	var dns *net.DNSError
	return err == nil || errors.As(err, &dns) && dns.IsNotFound
}

// lookUpCause returns the part of a look-up's error that says why.
func lookUpCause(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return check.Clean(dns.Err, 200)
	}
	return check.Clean(err.Error(), 200)
}

// judgeResolve separates faults of the customer's DNS (a nameError) from faults of
// hmad's own resolver, which works otherwise where a name has no answer.
func judgeResolve(ctx context.Context, host string, took time.Duration, err error) error {
	var dns *net.DNSError
	isDNS := errors.As(err, &dns)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case check.ClassOf(err) == check.Local:
		return err
	case isDNS && dns.IsNotFound:
		return &nameError{host + " does not resolve: no such name, or no address of it"}
	case isTimeout(ctx, err):
		return &nameError{fmt.Sprintf("no answer about %s from the resolver within %s", host, check.Span(took))}
	case isDNS && !resolverOut(err, dns):
		return &nameError{fmt.Sprintf("%s does not resolve: %s", host, check.Clean(dns.Err, 200))}
	default:
		return check.Errorf(check.Resolver, "the resolver cannot be asked about %s: %s", host, check.Clean(err.Error(), 200))
	}
}

// resolverOut reports whether the resolver itself is out of reach. Package net
// keeps of such an error only the text, hence the comparison by text.
func resolverOut(err error, dns *net.DNSError) bool {
	for _, e := range []syscall.Errno{syscall.ECONNREFUSED, syscall.ENETUNREACH, syscall.EHOSTUNREACH} {
		if errors.Is(err, e) || strings.HasSuffix(dns.Err, e.Error()) {
			return true
		}
	}
	return false
}
