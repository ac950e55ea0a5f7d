package lab

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"slices"
	"sync"
	"time"
)

// plenty is a number of published certificates near Exchange's limit of ten.
const plenty = 9

// maxKeys is how many signing keys Entra publishes by itself: a roll beyond it
// withdraws the oldest.
const maxKeys = 4

// signingKey is one of Entra's token-signing certificates.
type signingKey struct{ der []byte }

// id is the key's name in tokens (x5t and kid): the certificate's SHA-1 in
// base64url (RFC 7515, section 4.1.7).
func (k *signingKey) id() string {
	sum := sha1.Sum(k.der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// keyring holds Entra's signing certificates. They share one RSA key, for
// making one takes time and nobody compares them.
type keyring struct {
	now func() time.Time
	rsa *rsa.PrivateKey

	// Keys beside the published ones, for the faults: one that is used at once,
	// one published ahead of use, and many.
	sudden, ahead *signingKey
	many          []*signingKey

	mu        sync.Mutex
	published []*signingKey // oldest first
	using     *signingKey
}

func newKeyring(now func() time.Time) (r *keyring, err error) {
	r = &keyring{now: now}
	if r.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	for _, age := range []time.Duration{300 * day, 90 * day} {
		r.published = append(r.published, r.make(age))
	}
	r.using = r.published[0]
	r.sudden, r.ahead = r.make(time.Hour), r.make(2*day)
	for range plenty - len(r.published) {
		r.many = append(r.many, r.make(200*day))
	}
	return r, nil
}

// make makes a key whose certificate is as old as that, as Entra words it.
func (r *keyring) make(age time.Duration) *signingKey {
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "accounts.accesscontrol.windows.net"},
		NotBefore: r.now().Add(-age),
		NotAfter:  r.now().Add(5*365*day - age),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, r.rsa.Public(), r.rsa)
	if err != nil {
		panic(err) // a template and a key of our own
	}
	return &signingKey{der}
}

// roll publishes a new key. Signs with it, where it is in use at once, else with
// the one that was published ahead before.
func (r *keyring) roll(inUse bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.make(0)
	r.using = r.published[len(r.published)-1]
	r.published = append(r.published, k)
	if inUse {
		r.using = k
	}
	r.published = r.published[max(0, len(r.published)-maxKeys):]
}

// keys returns what Entra publishes by itself, and which of them signs.
func (r *keyring) keys() (published []*signingKey, using *signingKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.published), r.using
}

// rolling is how Entra changes its keys besides.
type rolling int

const (
	steady   rolling = iota
	ahead            // one more is published
	inUse            // one more is published and signs
	plentyOf         // nine in all are published
)

// besides returns the keys that a behaviour adds to those of the ring, of which
// there are have.
func (r *keyring) besides(how rolling, have int) []*signingKey {
	switch how {
	case ahead:
		return []*signingKey{r.ahead}
	case inUse:
		return []*signingKey{r.sudden}
	case plentyOf:
		return r.many[:max(0, plenty-have)]
	default:
		return nil
	}
}

// view is what Entra shows and does under a behaviour.
func (r *keyring) view(how rolling) (published []*signingKey, using *signingKey) {
	published, using = r.keys()
	if how == inUse {
		using = r.sudden
	}
	return append(published, r.besides(how, len(published))...), using
}
