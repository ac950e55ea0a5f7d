package probes

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// maxAddresses bounds how many addresses of one name are asked.
const maxAddresses = 16

// way is one address at which a URL's host is asked. SNI and Host stay the
// URL's whatever the address: only the socket goes elsewhere, because the
// certificate and the virtual host that a phone meets are chosen by name.
type way struct {
	host, port string         // the URL's
	address    netip.AddrPort // zero: the proxy resolves the name
	dns        time.Duration  // what resolving took
	resolved   []netip.Addr   // every address of the name
	member     bool           // a front end that the config names
	maxTLS     uint16         // the latest version of TLS to speak; 0: any
}

// ways returns the addresses at which u's host is asked: the first IPv4 and the
// first IPv6 address of the name, or all of them, and each member (a
// front end behind the name). A name that cannot be resolved, or only to
// addresses that nobody can reach, is found (dns_failed); members are ways
// even then. The error is our own side's: the context's when it was cancelled,
// class resolver when the resolver itself is out of reach.
func (r *route) ways(ctx context.Context, u *url.URL, members ...netip.AddrPort) (ws []way, faults []check.Finding, notes []string, err error) {
	w := way{host: u.Hostname(), port: portOf(u)}
	if r.Proxy() != nil {
		return []way{w}, nil, nil, nil
	}
	n, err := strconv.ParseUint(w.port, 10, 16)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s: no such port", u.Host)
	}
	host, port := r.Ends(w.host, uint16(n))
	addrs, took, err := r.resolve(ctx, host)
	w.dns, w.resolved = took, addrs
	var failed *nameError
	switch {
	case errors.As(err, &failed):
		faults = append(faults, ofName(host, found(dnsFailed, "%s", failed)))
	case err != nil:
		return nil, nil, nil, err
	default:
		var usable []netip.Addr
		usable, notes = choose(host, addrs, r.all)
		if len(usable) == 0 {
			faults = append(faults, ofName(host, found(dnsFailed, "%s has no address that can be asked", host)))
		}
		for _, a := range usable {
			ws = append(ws, w.at(netip.AddrPortFrom(a, port)))
		}
	}
	return addMembers(ws, w, members), faults, notes, nil
}

// ofName says that a finding concerns a name, of which no address is known.
func ofName(host string, f check.Finding) check.Finding {
	f.About = []string{host}
	return f
}

func (w way) at(a netip.AddrPort) way {
	w.address = a
	return w
}

func addMembers(ws []way, w way, members []netip.AddrPort) []way {
	w.dns, w.resolved, w.member = 0, nil, true
	for _, a := range members {
		if !slices.ContainsFunc(ws, func(x way) bool { return x.address == a }) {
			ws = append(ws, w.at(a))
		}
	}
	return ws
}

// choose picks the addresses to ask: those that can lead anywhere, each once,
// and of these the first of each family or, at most maxAddresses, all. The
// notes say what was left out.
func choose(host string, addrs []netip.Addr, all bool) (chosen []netip.Addr, notes []string) {
	left := 0
	for _, a := range addrs {
		a = a.Unmap()
		sameFamily := func(b netip.Addr) bool { return a.Is4() == b.Is4() }
		switch {
		case slices.Contains(chosen, a):
		case !dialable(a):
			notes = append(notes, fmt.Sprintf("%s also resolves to %s, which is never asked", host, a))
		case !all && slices.ContainsFunc(chosen, sameFamily), len(chosen) == maxAddresses:
			left++
		default:
			chosen = append(chosen, a)
		}
	}
	if all && left > 0 {
		notes = append(notes, fmt.Sprintf("%s has %d more addresses than the %d that are asked", host, left, maxAddresses))
	}
	return chosen, notes
}

// dialable refuses what DNS must not make us connect to: addresses that mean
// this link, this host or many hosts.
func dialable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast() && a != broadcast
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return "443"
}
