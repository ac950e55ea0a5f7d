package metadata

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func b64(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

// wrapped breaks base64 into lines and indents them, as hand-made documents do.
func wrapped(der []byte) string {
	var b strings.Builder
	for part := range slices.Chunk([]byte(b64(der)), 60) {
		fmt.Fprintf(&b, "\r\n\t  %s ", part)
	}
	return b.String() + "\n"
}

func thumbprints(cs []Certificate) []string {
	out := []string{}
	for _, c := range cs {
		out = append(out, c.Thumbprint.String())
	}
	return out
}

func thumbprintsOf(ders ...[]byte) []string {
	out := []string{}
	for _, der := range ders {
		out = append(out, ThumbprintOf(der).String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

const role = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706" xsi:type="fed:SecurityTokenServiceType"`

func entity(content string) string {
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + testIssuer + `">` + content + `</EntityDescriptor>`
}

// key is a KeyDescriptor with certificates in base64.
func key(use string, certificates ...string) string {
	s := `<KeyDescriptor use="` + use + `"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>`
	for _, c := range certificates {
		s += `<X509Certificate>` + c + `</X509Certificate>`
	}
	return s + `</X509Data></KeyInfo></KeyDescriptor>`
}

func TestParseFederation(t *testing.T) {
	d := newDERs(t, 4)
	for name, tc := range map[string]struct {
		in   string
		want []string
	}{
		"as Microsoft writes it":      {federationXML(testIssuer, d[:3]), thumbprintsOf(d[:3]...)},
		"in any order":                {federationXML(testIssuer, [][]byte{d[2], d[0], d[1]}), thumbprintsOf(d[:3]...)},
		"duplicates":                  {federationXML(testIssuer, [][]byte{d[0], d[1], d[0]}), thumbprintsOf(d[0], d[1])},
		"white space in base64":       {entity(`<RoleDescriptor` + role + `>` + key("signing", wrapped(d[0])) + `</RoleDescriptor>`), thumbprintsOf(d[0])},
		"several in a KeyDescriptor":  {entity(`<RoleDescriptor` + role + `>` + key("signing", b64(d[0]), b64(d[1])) + key("signing", b64(d[2])) + `</RoleDescriptor>`), thumbprintsOf(d[:3]...)},
		"encryption keys are ignored": {entity(`<RoleDescriptor` + role + `>` + key("encryption", b64(d[0])) + key("signing", b64(d[1])) + `</RoleDescriptor>`), thumbprintsOf(d[1])},
		"another role comes first": {entity(`<RoleDescriptor` + strings.Replace(role, "SecurityTokenServiceType", "ApplicationServiceType", 1) + `>` + key("signing", b64(d[0])) + `</RoleDescriptor>` +
			`<RoleDescriptor` + role + `>` + key("signing", b64(d[1])) + `</RoleDescriptor>`), thumbprintsOf(d[1])},
		"only the first role counts": {entity(`<RoleDescriptor` + role + `>` + key("signing", b64(d[0])) + `</RoleDescriptor>` +
			`<RoleDescriptor` + role + `>` + key("signing", b64(d[1])) + `</RoleDescriptor>`), thumbprintsOf(d[0])},
		"other prefixes": {`<?xml version="1.0"?><!-- made by hand --><m:EntityDescriptor xmlns:m="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + testIssuer + `">` +
			`<m:RoleDescriptor xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type=" q:SecurityTokenServiceType " xmlns:q="http://docs.oasis-open.org/wsfed/federation/200706">` +
			`<m:KeyDescriptor use="signing"><d:KeyInfo xmlns:d="http://www.w3.org/2000/09/xmldsig#"><d:X509Data><d:X509Certificate>` + b64(d[3]) +
			`</d:X509Certificate></d:X509Data></d:KeyInfo></m:KeyDescriptor></m:RoleDescriptor></m:EntityDescriptor>`, thumbprintsOf(d[3])},
		"names of other namespaces are not read": {entity(`<RoleDescriptor` + role + `><x:KeyDescriptor xmlns:x="urn:other" use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` +
			b64(d[0]) + `</X509Certificate></X509Data></KeyInfo></x:KeyDescriptor>` + key("signing", b64(d[1])) + `</RoleDescriptor>`), thumbprintsOf(d[1])},
		"a byte order mark": {"\ufeff" + federationXML(testIssuer, d[:1]), thumbprintsOf(d[0])},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseFederation([]byte(tc.in))
			require.NoError(t, err)
			assert.Equal(t, testIssuer, got.Issuer)
			assert.Equal(t, tc.want, thumbprints(got.Certificates))
			assert.Contains(t, got.Certificates[0].Subject, "CN=signing")
			assert.False(t, got.Certificates[0].NotBefore.IsZero())
		})
	}
}

func TestParseFederationRefuses(t *testing.T) {
	good := federationXML(testIssuer, newDERs(t, 1))
	bomb := `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>`
	for name, tc := range map[string]struct{ in, want string }{
		"nothing":                        {"", "ends too early"},
		"JSON":                           {`{"keys":[]}`, "ends too early"},
		"HTML":                           {`<html><body>Sign in</body></html>`, "not federation metadata"},
		"truncated":                      {good[:len(good)-30], "the XML cannot be read"},
		"over the limit":                 {good + strings.Repeat(" ", 20<<20), "over the limit of 1048576 bytes"},
		"10,000 levels":                  {strings.Repeat("<a>", 10000) + strings.Repeat("</a>", 10000), "over 64 levels"},
		"10,000 levels within":           {entity(strings.Repeat("<a>", 10000) + strings.Repeat("</a>", 10000)), "over 64 levels"},
		"a document type with entities":  {bomb + good, "document type or entities"},
		"an entity that nobody declared": {strings.Replace(good, "signing", "&b;", 1), "the XML cannot be read"},
		"two roots":                      {good + `<a></a>`, "more than one root"},
		"no role":                        {entity(""), "has no role"},
		"no signing certificate":         {entity(`<RoleDescriptor` + role + `></RoleDescriptor>`), "no signing certificate"},
		"no entityID":                    {strings.Replace(good, "entityID", "other", 1), "without an entityID"},
		"broken base64":                  {entity(`<RoleDescriptor` + role + `>` + key("signing", "MII*") + `</RoleDescriptor>`), "signing certificate 1"},
		"no certificate in the base64":   {entity(`<RoleDescriptor` + role + `>` + key("signing", b64([]byte("hello"))) + `</RoleDescriptor>`), "signing certificate 1"},
		"an empty certificate":           {entity(`<RoleDescriptor` + role + `>` + key("signing", " ") + `</RoleDescriptor>`), "signing certificate 1"},
		"mismatched elements":            {`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x"><a></EntityDescriptor></a>`, "not federation metadata"},
		"another encoding":               {`<?xml version="1.0" encoding="koi8-r"?>` + entity(""), "the XML cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseFederation([]byte(tc.in))
			require.ErrorContains(t, err, tc.want)
			assert.Less(t, len(err.Error()), 500)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestParseKeys(t *testing.T) {
	d := newDERs(t, 3)
	set := fmt.Sprintf("\ufeff"+`{"keys":[{"kty":"RSA","use":"sig","kid":"a","x5t":%q,"x5c":[%q]},{"use":"sig","x5t":%q},{"use":"enc","x5c":[%q]},{"use":"sig","kid":"bare"}]}`,
		keyIDFor(ThumbprintOf(d[0])), b64(d[0]), keyIDFor(ThumbprintOf(d[1])), b64(d[2]))
	got, err := ParseKeys([]byte(set))
	require.NoError(t, err)
	assert.Equal(t, thumbprintsOf(d[0], d[1]), thumbprints(got.Certificates))
	for in, want := range map[string]string{
		`{"keys":[]}`:                            "no signing certificate",
		`[]`:                                     "not JSON of the expected form",
		`{"keys":[{"use":"sig","x5t":"short"}]}`: "not a SHA-1 thumbprint",
		`{"keys":[{"use":"sig","x5c":["!"]}]}`:   "signing certificate 1",
		strings.Repeat(`{"a":`, 20000) + strings.Repeat("}", 20000): "not JSON of the expected form",
		`{"keys":[]}` + strings.Repeat(" ", 1<<20):                  "over the limit",
	} {
		_, err := ParseKeys([]byte(in))
		assert.ErrorContains(t, err, want)
	}
}

func TestParseOpenID(t *testing.T) {
	got, err := ParseOpenID([]byte(`{"issuer":"` + testIssuer + `","jwks_uri":"https://login.windows.net/common/discovery/keys","token_endpoint":"x"}`))
	require.NoError(t, err)
	assert.Equal(t, Document{Issuer: testIssuer, KeysURL: "https://login.windows.net/common/discovery/keys"}, got)
	_, err = ParseOpenID([]byte(`{"issuer":"x"}`))
	assert.ErrorContains(t, err, "jwks_uri is missing")
}

func TestParseACS(t *testing.T) {
	d := newDERs(t, 3)
	m := map[string]any{"ID": "00000001-0000-0000-c000-000000000000", "realm": testTenant, "Keys": []any{
		map[string]any{"Usage": "signing", "keyInfo": map[string]any{"x5t": "x"}, "keyValue": map[string]any{"type": "x509Certificate", "value": b64(d[0])}},
		map[string]any{"usage": "Signing", "keyvalue": map[string]any{"Type": "X509Certificate", "Value": wrapped(d[1])}},
		map[string]any{"usage": "encryption", "keyvalue": map[string]any{"type": "x509Certificate", "value": b64(d[2])}},
		map[string]any{"usage": "signing", "keyvalue": map[string]any{"type": "symmetric", "value": "x"}}}}
	data, err := json.Marshal(m)
	require.NoError(t, err)
	got, err := ParseACS(data)
	require.NoError(t, err)
	assert.Equal(t, "00000001-0000-0000-c000-000000000000@"+testTenant, got.Issuer)
	assert.Equal(t, thumbprintsOf(d[0], d[1]), thumbprints(got.Certificates))
	_, err = ParseACS([]byte(`{}`))
	assert.ErrorContains(t, err, "no signing certificate")
}

func TestThumbprints(t *testing.T) {
	der := newDERs(t, 1)[0]
	want := ThumbprintOf(der)
	require.Len(t, want.String(), 40)
	got, err := ParseKeyID(keyIDFor(want) + "=")
	require.NoError(t, err)
	assert.Equal(t, want, got)
	text, err := want.MarshalText()
	require.NoError(t, err)
	require.NoError(t, got.UnmarshalText([]byte(strings.ToLower(string(text)))))
	assert.Equal(t, want, got)
	assert.ErrorContains(t, got.UnmarshalText([]byte("ab")), "want a thumbprint")
	_, err = ParseKeyID("a key of an application's own")
	assert.ErrorContains(t, err, "not a SHA-1 thumbprint")
}

func TestACertificateThatGoCannotReadCounts(t *testing.T) {
	c, err := decodeCertificate(b64([]byte{0x30, 0x01, 0x00}))
	require.NoError(t, err)
	assert.Equal(t, Certificate{Thumbprint: ThumbprintOf([]byte{0x30, 0x01, 0x00})}, c)
}

func FuzzParseFederation(f *testing.F) {
	d := newDERs(f, 2)
	f.Add([]byte(federationXML(testIssuer, d)))
	f.Add([]byte(entity(`<RoleDescriptor` + role + `>` + key("signing", wrapped(d[0])) + key("encryption", "x") + `</RoleDescriptor>`)))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>`))
	f.Add([]byte(strings.Repeat("<a>", 70)))
	f.Fuzz(func(t *testing.T, in []byte) { requireSound(t, in, ParseFederation) })
}

func FuzzParseKeys(f *testing.F) {
	d := newDERs(f, 1)[0]
	f.Add([]byte(fmt.Sprintf(`{"keys":[{"use":"sig","x5t":%q,"x5c":[%q]}]}`, keyIDFor(ThumbprintOf(d)), b64(d))))
	f.Add([]byte(`{"keys":[{"use":"sig","x5t":"AAAAAAAAAAAAAAAAAAAAAAAAAAA"},null,{"x5c":null}]}`))
	f.Fuzz(func(t *testing.T, in []byte) { requireSound(t, in, ParseKeys) })
}

func FuzzParseACS(f *testing.F) {
	d := newDERs(f, 1)[0]
	f.Add([]byte(fmt.Sprintf(`{"issuer":"x@y","keys":[{"usage":"signing","keyvalue":{"type":"x509Certificate","value":%q}}]}`, b64(d))))
	f.Add([]byte(`{"id":"a","realm":"b","KEYS":[{"keyValue":null}]}`))
	f.Fuzz(func(t *testing.T, in []byte) { requireSound(t, in, ParseACS) })
}

func FuzzParseOpenID(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://x/","jwks_uri":"https://x/keys"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := ParseOpenID(in)
		if err == nil {
			require.NotEmpty(t, d.KeysURL)
			require.Empty(t, d.Certificates)
		}
	})
}

func FuzzParseKeyID(f *testing.F) {
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("=")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseKeyID(in)
		if err == nil {
			again, err := ParseKeyID(keyIDFor(got))
			require.NoError(t, err)
			require.Equal(t, got, again)
		}
	})
}

// requireSound holds what every parser promises: certificates or an error, no
// certificate twice, in order; the same again for the same document.
func requireSound(t *testing.T, in []byte, parse func([]byte) (Document, error)) {
	d, err := parse(in)
	if err != nil {
		require.Empty(t, d.Certificates)
		require.NotContains(t, err.Error(), "\n")
		require.Less(t, len(err.Error()), 2*maxDetail)
		return
	}
	require.NotEmpty(t, d.Certificates)
	require.Less(t, len(d.Issuer), maxDetail+8)
	prints := thumbprints(d.Certificates)
	require.True(t, slices.IsSorted(prints))
	require.Len(t, slices.Compact(slices.Clone(prints)), len(prints))
	again, err := parse(in)
	require.NoError(t, err)
	require.Equal(t, d, again)
}

// keyIDFor returns a thumbprint as a token's header has it (x5t, RFC 7515 section
// 4.1.7, and kid of Entra's tokens): base64url without padding.
func keyIDFor(t Thumbprint) string { return base64.RawURLEncoding.EncodeToString(t[:]) }
