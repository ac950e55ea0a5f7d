package config

import (
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// Host is a host by name or address, with or without port. The zero value is
// none.
type Host struct {
	written
	Name string // without brackets
}

// UnmarshalYAML reads a host.
func (h *Host) UnmarshalYAML(n *yaml.Node) error { return decode(n, h, readHost) }

func readHost(text string) Host {
	switch {
	case text == "":
		return Host{}
	case !isHost(text):
		return Host{written: refuse(text)}
	}
	return Host{written{text: text}, (&url.URL{Host: text}).Hostname()}
}

// HostPort is one end of a connection, by name or by address. The zero value is
// none.
type HostPort struct {
	written
	Host string // without brackets
	Port uint16 // over 0
}

// UnmarshalYAML reads host:port.
func (h *HostPort) UnmarshalYAML(n *yaml.Node) error { return decode(n, h, readHostPort) }

func readHostPort(text string) HostPort {
	if text == "" {
		return HostPort{}
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || !isPort(port) || !isBareHost(host) {
		return HostPort{written: refuse(text)}
	}
	n, _ := strconv.Atoi(port) // isPort has read it
	return HostPort{written{text: text}, host, uint16(n)}
}

// AddrPort is an IP address with a port. The zero value is none.
type AddrPort struct {
	written
	addr netip.AddrPort
}

// UnmarshalYAML reads address:port.
func (a *AddrPort) UnmarshalYAML(n *yaml.Node) error { return decode(n, a, readAddrPort) }

// Value returns the address with its port; the zero AddrPort where there is none.
func (a AddrPort) Value() netip.AddrPort { return a.addr }

func readAddrPort(text string) AddrPort {
	if text == "" {
		return AddrPort{}
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return AddrPort{written: refuse(text)}
	}
	return AddrPort{written{text: text}, netip.AddrPortFrom(at.Addr().Unmap(), at.Port())}
}

// Connection says that what is meant for one end goes to another.
type Connection struct {
	From, To HostPort

	path string // of the setting, below connect_to
}

// ConnectTo says which connections go elsewhere, as curl's --connect-to does: in
// the file a mapping of host:port to address:port.
type ConnectTo []Connection

// UnmarshalYAML reads the mapping.
func (c *ConnectTo) UnmarshalYAML(n *yaml.Node) error {
	var texts map[string]string
	if err := n.Decode(&texts); err != nil {
		return err
	}
	*c = readConnectTo(texts)
	return nil
}

// MarshalYAML returns the mapping.
func (c ConnectTo) MarshalYAML() (any, error) {
	texts := map[string]string{}
	for _, one := range c {
		texts[one.From.text] = one.To.text
	}
	return texts, nil
}

func readConnectTo(texts map[string]string) ConnectTo {
	var c ConnectTo
	for _, from := range slices.Sorted(maps.Keys(texts)) {
		c = append(c, Connection{readHostPort(from), readHostPort(texts[from]), pathOf(from)})
	}
	return c
}

// pathOf returns the path of a connection, without what may be a secret.
func pathOf(from string) string {
	if !isEnd(from) {
		return "connect_to"
	}
	return "connect_to." + from
}
