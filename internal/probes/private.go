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
// not route. It judges only from outside (inside, private addresses are split
// DNS), and says «not found» only when it knows every name: wanted of them.
func judgePrivate(external bool, names []published, wanted int) verdict {
	private := []*check.Reason{privateAddress}
	if !external {
		return verdict{unevaluated: private}
	}
	var seen []string
	known := 0
	for _, n := range names {
		if len(n.addrs) > 0 {
			known++
		}
		for _, a := range n.addrs {
			if isPrivate(a) {
				seen = append(seen, n.host+" resolves to "+a.String())
			}
		}
	}
	switch {
	case len(seen) > 0:
		return verdict{findings: []check.Finding{found(privateAddress, "%s", strings.Join(seen, ", "))}}
	case known < wanted:
		return verdict{unevaluated: private}
	default:
		return verdict{}
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
