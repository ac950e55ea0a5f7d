package intake

import (
	"net/http"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

const (
	strangerPerSec = 1
	strangerBurst  = 10
	maxStrangers   = 4096 // addresses kept
)

// strangers bounds the pushes of those who are not known as senders yet, for
// each remote address by itself: one that guesses at tokens costs little, and
// takes nothing from the senders elsewhere.
type strangers struct {
	mu      sync.Mutex
	by      map[netip.Prefix]*rate.Limiter
	present proof // the token that was last found good; a sender who shows it is known
}

// proof is the hash of a token. The zero proof is nobody's.
type proof [32]byte

// allow reports whether a push may be looked at: that of a known sender always,
// that of a stranger within its address's rate. That goes by the monotonic clock,
// which nobody sets back.
func (s *strangers) allow(r *http.Request, shown proof) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if shown != (proof{}) && shown == s.present {
		return true
	}
	from := network(r.RemoteAddr)
	if s.by[from] == nil {
		if s.by == nil || len(s.by) >= maxStrangers {
			s.by = map[netip.Prefix]*rate.Limiter{}
		}
		s.by[from] = rate.NewLimiter(strangerPerSec, strangerBurst)
	}
	return s.by[from].Allow()
}

// judged remembers a token that was good, and forgets one that is so no more.
func (s *strangers) judged(shown proof, good bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case good:
		s.present = shown
	case shown == s.present:
		s.present = proof{}
	}
}

// network returns the address of a peer, of IPv6 its network of 64 bits, which is
// one subscriber's (RFC 6177). The zero value is any that cannot be read.
func network(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := at.Addr().Unmap(), 64
	if addr.Is4() {
		bits = 32
	}
	p, _ := addr.WithZone("").Prefix(bits)
	return p
}
