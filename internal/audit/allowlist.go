package audit

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

// AllowList is the check of the firewall's list against Microsoft's ranges.
var AllowList = &check.Def{
	Name: "allow_list",
	Doc: "Does the firewall's list of allowed addresses (`allow_list.file`, as you export it) contain every address from which Microsoft reaches " +
		"Exchange: endpoint set 1 (Exchange Online), which Microsoft's web service publishes, and the two ranges of AutoDetect, which only a page " +
		"of Microsoft's names? The check compares addresses, not text: two halves cover a range. IPv6 ranges count only where the target's names " +
		"have IPv6 addresses. New ranges are told up to 30 days before Microsoft uses them. Microsoft publishes the list for connections to its " +
		"services, and its guide asks for it in this direction too. What the firewall really does, rules by name or by country: not seen. The " +
		"web service is asked at most once an hour (`allow_list.every`) and gets no more than a random number of this target.",
	Needs:   config.AllowListNeeds,
	Every:   "11 6 * * *",
	Timeout: 90 * time.Second,
	Metrics: []*check.Metric{AllowListMissing, AllowListPublished},
	Reasons: []*check.Reason{allowListIncomplete, allowListChangeDue, allowListSourceOld},
	Facts:   []*check.Fact{publishedVersion},
	Steps:   []int{1, 2, 7},
	Sends:   sendsForAllowList,
	New:     newAllowList,
}

// AllowListMissing counts what the firewall's list lacks.
var AllowListMissing = &check.Metric{Name: "hmad_allow_list_missing_ranges", Kind: check.Gauge,
	Help: "Ranges that Microsoft uses now and that the firewall's list does not cover whole."}

// AllowListPublished dates Microsoft's list.
var AllowListPublished = &check.Metric{Name: "hmad_allow_list_published_timestamp_seconds", Kind: check.Gauge,
	Help: "Unix time of the day of Microsoft's list of ranges by which the firewall's list was judged; absent where it is not known."}

var publishedVersion = &check.Fact{Name: "endpoints_version", Doc: "the version of Microsoft's list of addresses"}

// maxAllowList bounds the firewall's list, in bytes.
const maxAllowList = 8 << 20

// allowList is the check bound to a target. Runs do not overlap.
type allowList struct {
	settings config.AllowList
	env      check.Env
	service  *endpointService
	resolve  func(ctx context.Context, host string) ([]netip.Addr, error)
	hosts    []string // which Microsoft reaches
}

func newAllowList(t config.Target, env check.Env) (check.Parts, error) {
	if t.AllowList.File == "" {
		return check.Parts{}, nil
	}
	way, err := transport.New(t, env)
	if err != nil {
		return check.Parts{}, err
	}
	a := &allowList{settings: t.AllowList, env: env, resolve: way.Resolve, hosts: []string{t.Autodiscover.Host.Name},
		service: &endpointService{base: t.AllowList.Endpoints.Value(), client: way.Client(), env: env, every: t.AllowList.Every}}
	if u := t.ActiveSync.URL.Value(); u != nil && u.Hostname() != a.hosts[0] {
		a.hosts = append(a.hosts, u.Hostname())
	}
	return check.Parts{Run: a.run}, nil
}

func (a *allowList) run(ctx context.Context, v *check.Verdict) {
	v.Repeat(a.repeat())
	list, err := a.readList()
	if err != nil {
		v.Undecided(err)
		return
	}
	o := allowed{now: a.env.Now(), list: list, extra: a.extra()}
	o.published, o.unread = a.readPublished(ctx)
	if slices.ContainsFunc(o.missing(), func(r needed) bool { return r.prefix.Addr().Is6() }) {
		o.ipv6, o.unresolved = a.hasIPv6(ctx)
	}
	judgeAllowList(v, o)
}

// repeat is the question for Microsoft's list as somebody asks it by hand.
func (a *allowList) repeat() string {
	list := check.ShellWord(a.settings.Endpoints.Value().JoinPath("endpoints/Worldwide").String(), 200)
	return "curl -sS -m 20 " + list + `"?ServiceAreas=Exchange&ClientRequestId=$(cat /proc/sys/kernel/random/uuid)"`
}

func (a *allowList) extra() []netip.Prefix {
	var all []netip.Prefix
	for _, p := range a.settings.Extra {
		all = append(all, p.Value())
	}
	return all
}

// readList reads the firewall's list.
func (a *allowList) readList() (allowedList, error) {
	name := config.ShownFile(a.settings.File)
	data, err := a.env.ReadFile(a.settings.File, maxAllowList)
	if err != nil {
		return allowedList{}, check.Errorf(check.ClassOf(err), "allow_list.file: %s cannot be read: %w", name, err)
	}
	list, err := parseAllowList(data)
	if err != nil {
		return allowedList{}, check.Errorf(check.Other, "allow_list.file: %s: %w", name, err)
	}
	return list, nil
}

// readPublished returns Microsoft's list. Where there is an error, it is an older
// one, which may only show what is missing.
func (a *allowList) readPublished(ctx context.Context) (published, error) {
	switch {
	case a.settings.EndpointsFile != "":
		return readEndpointFiles(a.env, a.settings.EndpointsFile, a.settings.VersionFile)
	case a.settings.Offline:
		return shippedEndpoints(), nil
	default:
		return a.service.ask(ctx)
	}
}

// sendsForAllowList says what the web service gets.
func sendsForAllowList(t config.Target) string {
	u := t.AllowList.Endpoints.Value()
	if u == nil || t.AllowList.Offline || t.AllowList.EndpointsFile != "" {
		return "nothing to anybody"
	}
	return "a random number that names this target to " + u.Hostname()
}

// hasIPv6 reports whether a host that Microsoft reaches has an IPv6 address of the
// Internet; private ones are none.
func (a *allowList) hasIPv6(ctx context.Context) (bool, error) {
	var errs []error
	for _, host := range a.hosts {
		addrs, err := a.resolve(ctx, host)
		var none *net.DNSError
		if err != nil && !(errors.As(err, &none) && none.IsNotFound) {
			errs = append(errs, check.Errorf(check.Resolver, "whether %s has IPv6 addresses is not known: %w", host, err))
		}
		if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap().Is6() && !a.IsPrivate() && !a.IsLinkLocalUnicast() }) {
			return true, nil
		}
	}
	return false, check.Joined(errs...)
}
