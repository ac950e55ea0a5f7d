package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// ParseOpenID reads an OpenID configuration (OpenID Connect Discovery 1.0,
// section 3): the issuer, and in KeysURL where its keys are. There are no
// certificates in it.
func ParseOpenID(data []byte) (Document, error) {
	var c struct {
		Issuer  string `json:"issuer"`
		KeysURL string `json:"jwks_uri"`
	}
	if err := decodeJSON(data, &c); err != nil {
		return Document{}, err
	}
	if c.KeysURL == "" {
		return Document{}, errors.New("not an OpenID configuration: jwks_uri is missing")
	}
	return Document{Issuer: check.Clean(strings.TrimSpace(c.Issuer), maxDetail), KeysURL: c.KeysURL}, nil
}

// ParseKeys reads a set of keys (RFC 7517): of every key that signs, the first
// certificate of x5c, or where there is none the thumbprint x5t. Keys with
// neither cannot be compared and are left out.
func ParseKeys(data []byte) (Document, error) {
	var jwks struct {
		Keys []struct {
			Use string   `json:"use"`
			X5T string   `json:"x5t"`
			X5C []string `json:"x5c"`
		} `json:"keys"`
	}
	if err := decodeJSON(data, &jwks); err != nil {
		return Document{}, err
	}
	var d Document
	for _, k := range jwks.Keys {
		switch {
		case k.Use != "sig":
		case len(k.X5C) > 0:
			if err := d.add(k.X5C[0]); err != nil {
				return Document{}, err
			}
		case k.X5T != "":
			t, err := ParseKeyID(k.X5T)
			if err != nil {
				return Document{}, err
			}
			d.Certificates = append(d.Certificates, Certificate{Thumbprint: t})
		}
	}
	return d.checked()
}

// ParseACS reads the JSON metadata of the older Access Control Service, as
// Exchange does (domain notes, section 6.2): names of members ignore case.
func ParseACS(data []byte) (Document, error) {
	var m struct {
		ID     string `json:"id"`
		Realm  string `json:"realm"`
		Issuer string `json:"issuer"`
		Keys   []struct {
			Usage string `json:"usage"`
			Value struct {
				Type  string `json:"type"`
				Value string `json:"value"`
			} `json:"keyvalue"`
		} `json:"keys"`
	}
	if err := decodeJSON(data, &m); err != nil {
		return Document{}, err
	}
	d := Document{Issuer: m.Issuer}
	if d.Issuer == "" && m.ID != "" {
		d.Issuer = m.ID + "@" + m.Realm
	}
	for _, k := range m.Keys {
		if !strings.EqualFold(k.Usage, "signing") || !strings.EqualFold(k.Value.Type, "x509Certificate") {
			continue
		}
		if err := d.add(k.Value.Value); err != nil {
			return Document{}, err
		}
	}
	return d.checked()
}

// decodeJSON reads one JSON value of bounded size; the decoder itself bounds
// its depth. Names of members ignore case.
func decodeJSON(data []byte, into any) error {
	if len(data) > maxDocument {
		return errTooLarge
	}
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), into); err != nil {
		return fmt.Errorf("not JSON of the expected form: %s", check.Clean(err.Error(), maxDetail))
	}
	return nil
}
