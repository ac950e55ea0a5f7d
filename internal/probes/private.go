package probes

import (
	"net/netip"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// published is a name that must be reachable from the Internet, and what it
// resolves to.
type published struct {
	host  string
	addrs []netip.Addr // none: it could not be resolved
}

// judgePrivate finds names that resolve to addresses which the Internet does
// not route. It judges only from outside, for inside private addresses are split
// DNS, and clears only when it knows every name.
func judgePrivate(v *check.Verdict, external bool, names []published) {
	if !external {
		v.NotApplicable("hmad stands inside, where names may have private addresses (vantage: external judges it)", privateAddress)
		return
	}
	var seen, about []string
	known := len(names) == 2 // AutoDiscover's and ActiveSync's
	for _, n := range names {
		known = known && len(n.addrs) > 0
		for _, a := range n.addrs {
			if isPrivate(a) {
				seen, about = append(seen, n.host+" resolves to "+a.String()), append(about, n.host)
			}
		}
	}
	switch {
	case len(seen) > 0:
		v.Find(privateAddress, about, "%s", strings.Join(seen, ", "))
	case !known:
		v.Open("not every published name could be resolved", privateAddress)
	default:
		v.Clear(privateAddress)
	}
}

// sharedSpace is RFC 6598's range of carriers.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// isPrivate: RFC 1918, RFC 6598, RFC 4193 (ULA) and link-local. Loopback is
// deliberately not among them: nobody publishes it by mistake, and estates for
// trials live there.
func isPrivate(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLinkLocalUnicast() || sharedSpace.Contains(a)
}
