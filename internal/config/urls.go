package config

import (
	"net"
	"net/url"
	"strings"

	"gopkg.in/yaml.v3"
)

// address is a URL, as text of the file and parsed.
type address struct {
	written
	url *url.URL
}

// Value returns a copy of the URL; nil where there is none. Proxies and domain
// controllers have a port, also where the file names none.
func (a address) Value() *url.URL {
	if a.url == nil {
		return nil
	}
	c := *a.url
	return &c
}

// readAddress reads a URL of one of the schemes without credentials, query and
// fragment; each has its port ("": none), which a URL without one gets. Of a URL
// with credentials is wanted what clean says.
func readAddress(text, clean string, ports map[string]string) address {
	if text == "" {
		return address{}
	}
	u, err := url.Parse(text)
	if strings.Contains(text, "@") || err == nil && u.User != nil {
		return address{written: written{refused: refusal{"a URL with credentials", clean}}}
	}
	if err != nil || !isHost(u.Host) || strings.ContainsAny(text, "?#") {
		return address{written: refuse(text)}
	}
	port, known := ports[u.Scheme]
	if !known {
		return address{written: refuse(text)}
	}
	if port != "" && u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return address{written{text: text}, u}
}

// URL is an https URL without credentials, query and fragment. The zero value
// is none.
type URL struct{ address }

const wantURL = "an https URL without query"

// UnmarshalYAML reads a URL.
func (u *URL) UnmarshalYAML(n *yaml.Node) error { return decode(n, u, readURL) }

func readURL(text string) URL {
	return URL{readAddress(text, "one without", map[string]string{"https": ""})}
}

// TenantURL is a URL in which {tenant} stands for the tenant's id. The zero
// value is none.
type TenantURL struct{ written }

// UnmarshalYAML reads a URL.
func (u *TenantURL) UnmarshalYAML(n *yaml.Node) error { return decode(n, u, readTenantURL) }

// Of returns the URL for a tenant; nil where there is none.
func (u TenantURL) Of(tenant string) *url.URL { return readURL(u.with(tenant)).url }

func (u TenantURL) with(tenant string) string {
	return strings.ReplaceAll(u.text, "{tenant}", url.PathEscape(tenant))
}

func readTenantURL(text string) TenantURL {
	u := TenantURL{written{text: text}}
	if w := readURL(u.with("tenant")).written; w.refused.got != "" {
		return TenantURL{written{refused: w.refused}}
	}
	return u
}

// Proxy is an HTTP proxy, http://host:port. The zero value is none.
type Proxy struct{ address }

const wantProxy = "http://host:port"

// UnmarshalYAML reads a proxy.
func (p *Proxy) UnmarshalYAML(n *yaml.Node) error { return decode(n, p, readProxy) }

func readProxy(text string) Proxy {
	p := Proxy{readAddress(text, wantProxy+", and its name and password in the file that proxy_credentials_file names", map[string]string{"http": "80"})}
	if p.url != nil && strings.Trim(p.url.Path, "/") != "" {
		p = Proxy{address{written: refuse(text)}}
	}
	return p
}

// LDAPURL is the URL of a domain controller, ldaps://host or ldap://host, with
// or without port. The zero value is none.
type LDAPURL struct{ address }

const wantLDAPURL = "ldaps://host or ldap://host (StartTLS)"

// UnmarshalYAML reads a URL.
func (u *LDAPURL) UnmarshalYAML(n *yaml.Node) error { return decode(n, u, readLDAPURL) }

func readLDAPURL(text string) LDAPURL {
	u := LDAPURL{readAddress(text, "", map[string]string{"ldaps": "636", "ldap": "389"})}
	if u.url != nil && u.url.Path != "" {
		u = LDAPURL{address{written: refuse(text)}}
	}
	return u
}
