package metadata

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// Thumbprint is the SHA-1 of a certificate's DER, which is how Exchange and
// tokens name a signing certificate. It is an identity, not a protection.
type Thumbprint [sha1.Size]byte

// ThumbprintOf returns the thumbprint of a certificate in DER.
func ThumbprintOf(der []byte) Thumbprint { return sha1.Sum(der) }

// String returns the thumbprint as Exchange shows it: 40 hexadecimal capitals.
func (t Thumbprint) String() string { return strings.ToUpper(hex.EncodeToString(t[:])) }

// MarshalText returns the form of String, also for keys of JSON objects.
func (t Thumbprint) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the form of String.
func (t *Thumbprint) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(t) {
		return fmt.Errorf("got %q, want a thumbprint of 40 hexadecimal digits", check.Clean(string(text), 60))
	}
	copy(t[:], b)
	return nil
}

// ParseKeyID reads the form of KeyID, with or without padding.
func ParseKeyID(s string) (t Thumbprint, err error) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || len(b) != len(t) {
		return t, fmt.Errorf("the key id %q is not a SHA-1 thumbprint", check.Clean(s, 60))
	}
	copy(t[:], b)
	return t, nil
}

// Certificate is what is known of one signing certificate. The times and the
// subject are empty where only the thumbprint was given, and where the DER is
// none that Go can read: the thumbprint counts all the same.
type Certificate struct {
	Thumbprint Thumbprint
	Subject    string
	NotBefore  time.Time
	NotAfter   time.Time
}

// newCertificate describes a certificate in DER.
func newCertificate(der []byte) Certificate {
	c := Certificate{Thumbprint: ThumbprintOf(der)}
	if x, err := x509.ParseCertificate(der); err == nil {
		c.Subject = check.Clean(x.Subject.String(), 200)
		c.NotBefore, c.NotAfter = x.NotBefore.UTC(), x.NotAfter.UTC()
	}
	return c
}

var errCertificate = errors.New("not a certificate in base64")

// decodeCertificate reads a certificate in base64 with white space anywhere in
// it, as XML signatures have it (xsd:base64Binary).
func decodeCertificate(s string) (Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil || len(der) == 0 || der[0] != 0x30 { // an ASN.1 SEQUENCE
		return Certificate{}, errCertificate
	}
	return newCertificate(der), nil
}

// distinct sorts certificates by thumbprint and drops repetitions, keeping of
// each the one that tells most.
func distinct(cs []Certificate) []Certificate {
	out := slices.Clone(cs)
	slices.SortStableFunc(out, func(a, b Certificate) int {
		return cmp.Or(a.Thumbprint.compare(b.Thumbprint), -a.NotAfter.Compare(b.NotAfter))
	})
	return slices.CompactFunc(out, func(a, b Certificate) bool { return a.Thumbprint == b.Thumbprint })
}

func (t Thumbprint) compare(u Thumbprint) int { return bytes.Compare(t[:], u[:]) }

// set is a set of certificates by thumbprint.
type set map[Thumbprint]Certificate

func setOf(cs []Certificate) set {
	s := make(set, len(cs))
	for _, c := range cs {
		s[c.Thumbprint] = c
	}
	return s
}

// without returns the members of s that other lacks, sorted by thumbprint.
func (s set) without(other set) []Certificate {
	var out []Certificate
	for t, c := range s {
		if _, there := other[t]; !there {
			out = append(out, c)
		}
	}
	return distinct(out)
}
