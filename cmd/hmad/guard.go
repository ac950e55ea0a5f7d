package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"

	"github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/crypto/bcrypt"
)

// demands is what a web config asks of every client.
type demands struct {
	users       map[string]string // bcrypt hashes of the passwords, by name; empty: no password
	certificate bool              // a client certificate that verifies
	sans        []string          // of which the certificate has one; nil: any
}

// none reports whether nobody is asked who it is.
func (d demands) none() bool { return len(d.users) == 0 && !d.certificate }

// sameKind reports whether both ask for the same kinds of proof.
func (d demands) sameKind(other demands) bool {
	return (len(d.users) == 0) == (len(other.users) == 0) && d.certificate == other.certificate
}

// kind words the proofs.
func (d demands) kind() string {
	switch {
	case d.certificate && len(d.users) > 0:
		return "client certificate and password"
	case d.certificate:
		return "client certificate"
	case len(d.users) > 0:
		return "password"
	default:
		return "nothing"
	}
}

// guard judges who has shown the proofs that the web config asked for at start.
// The toolkit reads the file anew for each request and tells its handlers
// nothing of who passed: an edited file must not open what the old one closed.
type guard struct {
	path string

	mu     sync.Mutex // held while a password is compared: one at a time
	wants  demands
	proved map[string][sha256.Size]byte // by user, the password that was right last
}

// newGuard makes the guard of the web config at path.
func newGuard(path string) (*guard, error) {
	wants, err := readDemands(path)
	return &guard{path: path, wants: wants, proved: map[string][sha256.Size]byte{}}, err
}

// open reports whether nobody was asked for a proof at start.
func (g *guard) open() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.wants.none()
}

// proves reports whether the request itself shows every proof that is wanted,
// and at least one.
func (g *guard) proves(r *http.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wants.none() || g.wants.certificate && !showsCertificate(r, g.wants.sans) {
		return false
	}
	return len(g.wants.users) == 0 || g.knows(r)
}

// showsCertificate reports whether the connection's client certificate was
// verified and has one of the names.
func showsCertificate(r *http.Request, sans []string) bool {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.PeerCertificates) == 0 {
		return false
	}
	names := web.TLSConfig{ClientAllowedSans: sans}
	return sans == nil || names.VerifyPeerCertificate([][]byte{r.TLS.PeerCertificates[0].Raw}, nil) == nil
}

// knows reports whether the request has the password of one of the users.
func (g *guard) knows(r *http.Request) bool {
	name, password, ok := r.BasicAuth()
	hash, known := g.wants.users[name]
	if !ok || !known {
		return false
	}
	sum := sha256.Sum256([]byte(password))
	if g.proved[name] == sum {
		return true
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) != nil {
		return false
	}
	g.proved[name] = sum
	return true
}

// reload takes up the users that the web config has now. Another kind of proof
// needs a restart: until then the old one is wanted as well.
func (g *guard) reload() error {
	now, err := readDemands(g.path)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !now.sameKind(g.wants) {
		return fmt.Errorf("%s: asks for %s now, for %s at start: restart hmad; until then the POSTs and the look-up of mailboxes want both",
			g.path, now.kind(), g.wants.kind())
	}
	g.wants = now
	clear(g.proved)
	return nil
}
