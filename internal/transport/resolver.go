package transport

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/config"
)

// Resolver returns the look-up of a name's addresses by a server, by the system's
// resolver where there is none, as check.Env wants it.
func Resolver(server config.HostPort) func(context.Context, string, string) ([]netip.Addr, error) {
	resolver := &net.Resolver{PreferGo: true}
	if !server.IsZero() {
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.String())
		}
	}
	return func(ctx context.Context, network, host string) ([]netip.Addr, error) {
		if ip, err := netip.ParseAddr(host); err == nil {
			return []netip.Addr{ip}, nil
		}
		addrs, err := lookUp(ctx, resolver.LookupNetIP, network, rooted(host))
		for i := range addrs {
			addrs[i] = addrs[i].Unmap()
		}
		if e := new(net.DNSError); errors.As(err, &e) && !server.IsZero() {
			e.Server = server.String() // Go names the system's, which it did not ask
		}
		return addrs, err
	}
}

// lateFamily is how long the addresses of one family wait for those of the other.
// Some name servers and load balancers never answer about IPv6.
const lateFamily = 2 * time.Second

// look returns the addresses that a name has in a network: ip, ip4 or ip6.
type look func(ctx context.Context, network, host string) ([]netip.Addr, error)

// family is what a look-up of one address family gave.
type family struct {
	addrs []netip.Addr
	err   error
}

// lookUp looks up both families side by side where the network is «ip»: those of one
// do not depend on an answer about the other.
func lookUp(ctx context.Context, look look, network, host string) ([]netip.Addr, error) {
	if network != "ip" {
		return look(ctx, network, host)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan family, 2)
	for _, network := range []string{"ip4", "ip6"} {
		go func() {
			addrs, err := look(ctx, network, host)
			answers <- family{addrs, err}
		}()
	}
	first := <-answers
	if first.err == nil {
		late := time.AfterFunc(lateFamily, cancel)
		defer late.Stop()
	}
	return united(first, <-answers)
}

// united returns the addresses of both families, IPv4 first. Where there are none
// the error is the one that leaves open whether there are any.
func united(one, two family) ([]netip.Addr, error) {
	addrs := append(one.addrs, two.addrs...)
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return cmp.Compare(a.Unmap().BitLen(), b.Unmap().BitLen()) })
	var dns *net.DNSError
	switch {
	case len(addrs) > 0:
		return addrs, nil
	case errors.As(one.err, &dns) && dns.IsNotFound && two.err != nil:
		return nil, two.err
	default:
		return nil, cmp.Or(one.err, two.err)
	}
}

// rooted keeps the host's search domains out of the look-up: phones do not have
// them.
func rooted(host string) string {
	if strings.Contains(host, ".") && !strings.HasSuffix(host, ".") {
		return host + "."
	}
	return host
}
