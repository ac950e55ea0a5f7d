package probes

import (
	"net/netip"
	"slices"
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
// not route. Addresses are judged only from outside, for inside private ones are
// split DNS; names that public DNS cannot hold are found everywhere. It clears only when it knows every name.
func judgePrivate(v *check.Verdict, external bool, names []published) {
	if unpublished := unpublishedNames(names); len(unpublished) > 0 {
		v.Find(privateAddress, unpublished, "the Internet cannot have the name %s", strings.Join(unpublished, ", "))
		return
	}
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

// unpublishedNames returns the names that public DNS cannot hold, and the
// addresses in a name's place that the Internet does not route.
func unpublishedNames(names []published) (hosts []string) {
	for _, n := range names {
		if unpublished(n.host) {
			hosts = append(hosts, n.host)
		}
	}
	return hosts
}

// privateEndings are the ends of names that public DNS does not hold: RFC 6762
// (local, and in its appendix G what is in use beside it), RFC 6761 (localhost),
// RFC 8375 (home.arpa), and ICANN's internal.
var privateEndings = []string{".local", ".localhost", ".localdomain", ".internal", ".intranet", ".private", ".corp", ".home", ".lan", ".home.arpa"}

// unpublished reports whether a URL's host cannot be reached from the Internet
// whatever DNS says: a single label, a private ending, an address of this host,
// of this link or of a private network.
func unpublished(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(host); err == nil {
		return isPrivate(a) || a.Unmap().IsLoopback() || a.IsUnspecified()
	}
	return !strings.Contains(host, ".") ||
		slices.ContainsFunc(privateEndings, func(ending string) bool { return strings.HasSuffix(host, ending) })
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
