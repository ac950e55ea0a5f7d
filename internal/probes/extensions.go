package probes

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"

	"github.com/hmad/hmad/internal/check"
)

// familiarArcs begin the extensions of X.509 (2.5.29), PKIX (1.3.6.1.5.5.7.1) and
// Microsoft (1.3.6.1.4.1.311). Microsoft's client may know such a one although Go
// does not: it must refuse a certificate with a critical extension that it does
// not know (RFC 5280 section 4.2), and which these are is nowhere documented.
var familiarArcs = []asn1.ObjectIdentifier{{2, 5, 29}, {1, 3, 6, 1, 5, 5, 7, 1}, {1, 3, 6, 1, 4, 1, 311}}

func isFamiliar(id asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(familiarArcs, func(arc asn1.ObjectIdentifier) bool {
		return len(id) > len(arc) && id[:len(arc)].Equal(arc)
	})
}

// familiar returns the certificates as a client sees them that knows all familiar
// extensions.
func familiar(chain []*x509.Certificate) []*x509.Certificate {
	out := make([]*x509.Certificate, len(chain))
	for i, c := range chain {
		seen := *c
		seen.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(c.UnhandledCriticalExtensions), isFamiliar)
		out[i] = &seen
	}
	return out
}

// unknownExtension names a critical extension that Go does not know, and its
// certificate; empty where there is none.
func unknownExtension(chain []*x509.Certificate) string {
	for _, c := range chain {
		if len(c.UnhandledCriticalExtensions) > 0 {
			return fmt.Sprintf("%s, in the certificate %s", c.UnhandledCriticalExtensions[0], check.Clean(c.Subject.String(), 120))
		}
	}
	return ""
}

// unsure returns why the trust in a chain that is good otherwise cannot be judged;
// empty where it can.
func unsure(chain []*x509.Certificate) string {
	if unknown := unknownExtension(chain); unknown != "" {
		return "hmad does not know a critical extension, and Microsoft's client may: " + unknown
	}
	return ""
}
