package lab

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"text/template"
)

// federationText is the part of login.windows.net's federation metadata that
// anybody reads (WS-Federation 1.2, section 3.1; SAML 2.0 metadata, section
// 2.3.2). The keys stand in every role, as Microsoft has it.
var federationText = template.Must(template.New("federation").Parse(`{{define "keys"}}{{range .Keys}}` +
	`<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>` +
	`<X509Certificate>{{.}}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>{{end}}{{end -}}
<?xml version="1.0" encoding="utf-8"?><EntityDescriptor ID="_6c4f3672-45c2-47a6-9515-afda95224009" ` +
	`entityID="https://sts.windows.net/{{.Tenant}}/" xmlns="urn:oasis:names:tc:SAML:2.0:metadata">` +
	`<RoleDescriptor xsi:type="fed:SecurityTokenServiceType" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"` +
	` protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706"` +
	` xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706">{{template "keys" .}}` +
	`<fed:SecurityTokenServiceEndpoint><wsa:EndpointReference xmlns:wsa="http://www.w3.org/2005/08/addressing">` +
	`<wsa:Address>https://login.microsoftonline.com/{{.Tenant}}/wsfed</wsa:Address></wsa:EndpointReference></fed:SecurityTokenServiceEndpoint></RoleDescriptor>` +
	`<RoleDescriptor xsi:type="fed:ApplicationServiceType" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"` +
	` protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706"` +
	` xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706">{{template "keys" .}}</RoleDescriptor>` +
	`<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{{template "keys" .}}</IDPSSODescriptor></EntityDescriptor>`))

// serveFederation answers with a tenant's metadata; to whoever has it already,
// that it is unchanged (RFC 9110, section 13.1.2).
func serveFederation(w http.ResponseWriter, r *http.Request, tenant string, published []*signingKey) {
	data := struct {
		Tenant string
		Keys   []string
	}{Tenant: tenant}
	for _, k := range published {
		data.Keys = append(data.Keys, base64.StdEncoding.EncodeToString(k.der))
	}
	var body bytes.Buffer
	if err := federationText.Execute(&body, data); err != nil {
		panic(err) // the template and its data are both ours
	}
	sum := sha256.Sum256(body.Bytes())
	etag := `"` + hex.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml; charset=utf-8")
	_, _ = w.Write(body.Bytes()) // the client may have gone
}
