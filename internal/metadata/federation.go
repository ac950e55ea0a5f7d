package metadata

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// Bounds of a document. Microsoft's is about 60 kB and some 15 levels deep.
const (
	maxDocument = 1 << 20 // bytes
	maxDepth    = 64      // levels of XML elements
)

// Document is what a metadata document publishes.
type Document struct {
	Issuer       string        // who signs: https://sts.windows.net/<tenant>/, or id@realm of ACS
	Certificates []Certificate // those that sign, distinct, sorted by thumbprint
	KeysURL      string        // OpenID only: where the certificates are to be had
}

// entityDescriptor is the part of WS-Federation metadata that Exchange reads
// (SAML 2.0 metadata, section 2.3.2; WS-Federation 1.2, section 3.1). The
// decoder compares namespaces, not prefixes.
type entityDescriptor struct {
	XMLName xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
	ID      string   `xml:"entityID,attr"`
	Roles   []struct {
		Type string `xml:"http://www.w3.org/2001/XMLSchema-instance type,attr"`
		Keys []struct {
			Use          string   `xml:"use,attr"`
			Certificates []string `xml:"http://www.w3.org/2000/09/xmldsig# KeyInfo>X509Data>X509Certificate"`
		} `xml:"urn:oasis:names:tc:SAML:2.0:metadata KeyDescriptor"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:metadata RoleDescriptor"`
}

// ParseFederation reads WS-Federation metadata as Exchange does: the signing
// certificates of the first security token service's role. Keys for encryption
// and other roles are ignored. Documents over 1 MiB, over 64 levels deep, with
// a document type or with entities of their own are refused.
func ParseFederation(data []byte) (Document, error) {
	if err := boundXML(data); err != nil {
		return Document{}, err
	}
	var e entityDescriptor
	if err := newXMLDecoder(data).Decode(&e); err != nil {
		return Document{}, fmt.Errorf("not federation metadata: %s", check.Clean(err.Error(), maxDetail))
	}
	if strings.TrimSpace(e.ID) == "" {
		return Document{}, errors.New("federation metadata without an entityID")
	}
	for _, role := range e.Roles {
		if !isTokenService(role.Type) {
			continue
		}
		d := Document{Issuer: e.ID}
		for _, key := range role.Keys {
			if key.Use != "signing" {
				continue
			}
			for _, text := range key.Certificates {
				if err := d.add(text); err != nil {
					return Document{}, err
				}
			}
		}
		return d.checked()
	}
	return Document{}, errors.New("the federation metadata has no role of a security token service")
}

// isTokenService compares the local part of a qualified name: the prefix is
// the author's choice, and no other role is called so.
func isTokenService(qname string) bool {
	qname = strings.TrimSpace(qname)
	return qname[strings.LastIndex(qname, ":")+1:] == "SecurityTokenServiceType"
}

// boundXML reads the whole document once and refuses what no metadata needs
// and what costs more than it should: size, depth, document types (with them
// entities), a second root.
func boundXML(data []byte) error {
	if len(data) > maxDocument {
		return errTooLarge
	}
	d := newXMLDecoder(data)
	depth, roots := 0, 0
	for {
		token, err := d.RawToken()
		switch {
		case errors.Is(err, io.EOF) && roots == 1 && depth == 0:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("the XML ends too early")
		case err != nil:
			return fmt.Errorf("the XML cannot be read: %s", check.Clean(err.Error(), maxDetail))
		}
		switch token.(type) {
		case xml.StartElement:
			if depth++; depth == 1 {
				roots++
			}
		case xml.EndElement:
			depth--
		case xml.Directive:
			return errors.New("XML with a document type or entities, which metadata does not need: refused")
		}
		if depth > maxDepth {
			return fmt.Errorf("XML over %d levels deep: refused", maxDepth)
		}
		if roots > 1 || depth < 0 {
			return errors.New("XML with more than one root")
		}
	}
}

var errTooLarge = fmt.Errorf("over the limit of %d bytes: refused", maxDocument)

// add reads one certificate in base64.
func (d *Document) add(text string) error {
	c, err := decodeCertificate(text)
	if err != nil {
		return fmt.Errorf("signing certificate %d: %w", len(d.Certificates)+1, err)
	}
	d.Certificates = append(d.Certificates, c)
	return nil
}

// checked puts the certificates in order. No certificate at all is an error:
// what nobody signs for says nothing about what is missing.
func (d Document) checked() (Document, error) {
	if len(d.Certificates) == 0 {
		return Document{}, errors.New("the document publishes no signing certificate")
	}
	d.Issuer = check.Clean(strings.TrimSpace(d.Issuer), maxDetail)
	d.Certificates = distinct(d.Certificates)
	return d, nil
}
