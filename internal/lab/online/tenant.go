package online

import (
	"encoding/binary"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/hmad/hmad/internal/phones"
)

// Options say what a Tenant is. ID, Domain, Mailboxes and Trust must be given.
type Options struct {
	ID        string       // the tenant's GUID
	Domain    string       // of the addresses
	Named     []string     // the local parts of the first mailboxes, whose phones always work
	Mailboxes int          // in all, the named ones included
	Phones    phones.Fleet // how they live; its zero value: day and night, from a week ago
	Latency   time.Duration
	// CallsPerSecond and AtOnce are what the tenant allows; 0: all.
	CallsPerSecond float64
	AtOnce         int
	Now            func() time.Time
	// Trust judges an access token.
	Trust func(token string) bool
}

// Tenant is one tenant's Exchange Online. Several goroutines may use it.
type Tenant struct {
	opt     Options
	behaves atomic.Pointer[Behaviour]
	allowed *rate.Limiter // nil: no limit
	storm   *rate.Limiter // while Behaviour.Refuse is set
	atOnce  atomic.Int64
	count   atomic.Uint64 // of requests

	mu      sync.Mutex
	revoked string // the token that is refused while Behaviour.Revoked is set
}

// New makes a tenant in which all is well.
func New(opt Options) *Tenant {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Phones == (phones.Fleet{}) {
		opt.Phones = phones.Fleet{Kind: phones.DayAndNight, Seed: 1, From: opt.Now().Add(-7 * day), Span: 28 * day}
	}
	t := &Tenant{opt: opt, storm: rate.NewLimiter(0, 1)}
	if opt.CallsPerSecond > 0 {
		t.allowed = rate.NewLimiter(rate.Limit(opt.CallsPerSecond), max(1, int(2*opt.CallsPerSecond)))
	}
	t.behaves.Store(&Behaviour{})
	return t
}

// Behave changes what is wrong, from the next request on.
func (t *Tenant) Behave(b Behaviour) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.behaves.Load()
	b.stopped = since(was.stopped, b.Stopped, t.opt.Now().Add(-silence))
	b.silent = since(was.silent, b.PremisesSilent, t.opt.Now().Add(-silence))
	if !b.Revoked {
		t.revoked = ""
	}
	if r := b.Refuse; r != nil && r.Every > 0 {
		t.storm.SetLimitAt(t.opt.Now(), rate.Every(r.Every))
	}
	t.behaves.Store(&b)
}

// since returns since when something is on, now if it was not before; zero: it is
// off.
func since(before time.Time, on bool, now time.Time) time.Time {
	switch {
	case !on:
		return time.Time{}
	case before.IsZero():
		return now
	default:
		return before
	}
}

const day = 24 * time.Hour

// Address returns the address of mailbox i.
func (t *Tenant) Address(i int) string {
	if i < len(t.opt.Named) {
		return t.opt.Named[i] + "@" + t.opt.Domain
	}
	return "phone-" + pad(i) + "@" + t.opt.Domain
}

func pad(i int) string {
	s := strconv.Itoa(i)
	return strings.Repeat("0", max(0, 6-len(s))) + s
}

// find returns the mailbox of an identity: an address, a GUID, or TENANT\GUID.
func (t *Tenant) find(identity string) (int, bool) {
	name := strings.ToLower(identity)
	if tenant, rest, ok := strings.Cut(name, `\`); ok && tenant == strings.ToLower(t.opt.ID) {
		name = rest
	}
	if number, ok := strings.CutPrefix(name, guidHead); ok && len(number) == 12 {
		i, err := strconv.ParseUint(number, 16, 48)
		return int(i), err == nil && int(i) < t.opt.Mailboxes
	}
	local, isHere := strings.CutSuffix(name, "@"+strings.ToLower(t.opt.Domain))
	for i, known := range t.opt.Named {
		if isHere && local == strings.ToLower(known) {
			return i, i < t.opt.Mailboxes
		}
	}
	number, ok := strings.CutPrefix(local, "phone-")
	i, err := strconv.Atoi(number)
	return i, isHere && ok && err == nil && len(number) >= 6 && i >= len(t.opt.Named) && i < t.opt.Mailboxes
}

// guidHead begins the GUIDs of mailboxes; the number of the mailbox follows.
const guidHead = "2be92a50-94f1-4cb9-8ff7-"

// GUID returns the GUID of mailbox i's part in Exchange Online, beside the
// mailbox on premises.
func (t *Tenant) GUID(i int) string {
	hex := strconv.FormatUint(uint64(i), 16)
	return guidHead + strings.Repeat("0", 12-len(hex)) + hex
}

// hash is splitmix64 over a mailbox, a purpose and the fleet's seed.
func (t *Tenant) hash(i int, purpose uint64) uint64 {
	z := t.opt.Phones.Seed + uint64(i)*0x9e3779b97f4a7c15 + purpose*0xd1b54a32d192ed03
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// guidOf makes a GUID of a hash.
func (t *Tenant) guidOf(i int, purpose uint64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], t.hash(i, purpose))
	binary.BigEndian.PutUint64(b[8:], t.hash(i, purpose+1))
	return formatGUID(b)
}

var _ http.Handler = (*Tenant)(nil)
