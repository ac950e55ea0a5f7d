package intake

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// HostHeader is the header by which the collector names its host, so that a push
// whose body is not read can be told of too.
const HostHeader = "X-Hmad-Host"

const (
	// refusedKey is the place of Refused in the target's memory.
	refusedKey = "onprem_report.refused"
	// maxAddresses bounds the addresses of Refused.
	maxAddresses = 16
	// maxRefusedHosts bounds its hosts: as many as may report.
	maxRefusedHosts = 256
	// refusedFor is how long a refusal is remembered.
	refusedFor = 7 * 24 * time.Hour
)

// Refused is what a target's Server remembers of pushes that it did not take.
type Refused struct {
	// Hosts has the last refusal of each host whose push had shown who it is, by
	// the host's short name in lower case.
	Hosts map[string]Refusal
	// Addresses has those whose push had not: a wrong token or none, a handshake
	// that failed, too many from one address. At most 16, the last first. What
	// they claim to be is unproven.
	Addresses []Address
}

// Refusal is an answer other than 204.
type Refusal struct {
	At   time.Time
	Code int // 400, 403, 409, 413, 415, 422, 429, 500 or 507
}

// String returns the refusal in one line, in words for people.
func (r Refusal) String() string {
	return fmt.Sprintf("a push of %s was refused with %d: %s", check.Moment(r.At), r.Code, meaning(r.Code))
}

// meaning returns an answer in few words.
func meaning(code int) string {
	switch code {
	case http.StatusBadRequest:
		return "the body broke off or is no gzip"
	case http.StatusForbidden:
		return "it is not among `hosts` of the config"
	case http.StatusConflict:
		return "not newer than the report before: its clock went back, or a replay"
	case http.StatusRequestEntityTooLarge:
		return "too large"
	case http.StatusUnsupportedMediaType:
		return "its Content-Type or Content-Encoding is not a collector's"
	case http.StatusUnprocessableEntity:
		return "not a usable report"
	case http.StatusTooManyRequests:
		return "too many pushes at once"
	case http.StatusInsufficientStorage:
		return "reports of too many hosts are kept"
	default:
		return "hmad could not keep it"
	}
}

// Address is a peer's address, of IPv6 its network, with what it did.
type Address struct {
	Address string
	Count   int
	Last    time.Time
	Code    int    // the last answer: 401 or 429; 0: the handshake failed
	Claimed string // the host's name in its header; empty: none
}

// RefusedOf returns what the target's memory has of refused pushes in the last
// seven days.
func RefusedOf(m check.Memory, now time.Time) Refused {
	var r Refused
	if m != nil {
		m.Get(refusedKey, &r)
	}
	old := now.Add(-refusedFor)
	maps.DeleteFunc(r.Hosts, func(_ string, f Refusal) bool { return f.At.Before(old) })
	r.Addresses = slices.DeleteFunc(r.Addresses, func(a Address) bool { return a.Last.Before(old) })
	return r
}

// After returns the last refusal of a host's push since a time.
func (r Refused) After(host string, since time.Time) (Refusal, bool) {
	f, ok := r.Hosts[report.ShortHost(host)]
	return f, ok && f.At.After(since)
}

// String returns the address and its doings in one line, in words for people.
func (a Address) String() string {
	what := "answered " + strconv.Itoa(a.Code)
	if a.Code == 0 {
		what = "the TLS handshake failed"
	}
	s := a.Address + ": " + strconv.Itoa(a.Count) + " times, last " + check.Moment(a.Last) + ", " + what
	if a.Claimed != "" {
		s += ", claims to be " + a.Claimed + " (unproven)"
	}
	return s
}

// refusals keeps Refused in step with what a Server answers.
type refusals struct {
	mu     sync.Mutex
	memory check.Memory
}

// ofHost notes a refused push whose sender is known.
func (r *refusals) ofHost(host string, code int, now time.Time) {
	host = report.ShortHost(host)
	r.change(now, func(all *Refused) {
		if all.Hosts == nil {
			all.Hosts = map[string]Refusal{}
		}
		if _, known := all.Hosts[host]; known || len(all.Hosts) < maxRefusedHosts {
			all.Hosts[host] = Refusal{At: now, Code: code}
		}
	})
}

// ofAddress notes a push, or a handshake, whose sender is not known.
func (r *refusals) ofAddress(from netip.Prefix, claimed string, code int, now time.Time) {
	r.change(now, func(all *Refused) {
		address := addressText(from)
		i := slices.IndexFunc(all.Addresses, func(a Address) bool { return a.Address == address })
		if i < 0 {
			i = len(all.Addresses)
			all.Addresses = append(all.Addresses, Address{Address: address})
		}
		a := &all.Addresses[i]
		a.Count, a.Last, a.Code, a.Claimed = a.Count+1, now, code, cmp.Or(claimed, a.Claimed)
		slices.SortStableFunc(all.Addresses, func(a, b Address) int { return b.Last.Compare(a.Last) })
		all.Addresses = all.Addresses[:min(len(all.Addresses), maxAddresses)]
	})
}

func (r *refusals) change(now time.Time, by func(*Refused)) {
	if r.memory == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all := RefusedOf(r.memory, now)
	by(&all)
	r.memory.Put(refusedKey, all)
}

// addressText writes a peer's address, of IPv6 its network.
func addressText(p netip.Prefix) string {
	switch {
	case !p.IsValid():
		return "unknown"
	case p.IsSingleIP():
		return p.Addr().String()
	default:
		return p.String()
	}
}

// handshakeForm is how net/http logs a failed TLS handshake.
var handshakeForm = regexp.MustCompile(`^http: TLS handshake error from (\S+): (.+)`)

// handshakes is the log of a Server's http.Server: of strangers' connections it
// notes the address alone.
type handshakes struct{ in *Server }

// Write implements io.Writer.
func (h handshakes) Write(line []byte) (int, error) {
	// A connection that sends nothing, as a look whether the port is open, is no push.
	if m := handshakeForm.FindSubmatch(line); m != nil && !strings.HasSuffix(strings.TrimSpace(string(m[2])), "EOF") {
		h.in.refused.ofAddress(network(string(m[1])), "", 0, h.in.env.Now())
	}
	return len(line), nil
}
