package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

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
		addrs, err := resolver.LookupNetIP(ctx, network, rooted(host))
		for i := range addrs {
			addrs[i] = addrs[i].Unmap()
		}
		if e := new(net.DNSError); errors.As(err, &e) && !server.IsZero() {
			e.Server = server.String() // Go names the system's, which it did not ask
		}
		return addrs, err
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
