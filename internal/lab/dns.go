package lab

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/netutil"
)

// lookup returns the addresses of a name of the estate, lower case and without
// final dot; false when there is no such name.
func (l *Lab) lookup(name string) ([]netip.Addr, bool) {
	if name == caName {
		return frontEnds[:1], true
	}
	for _, h := range l.hosts {
		if h.name != name {
			continue
		}
		b := h.now.Load()
		if b == nil || b.unknown {
			return nil, false
		}
		return append(h.addrs[:1:1], b.ipv6...), true
	}
	return nil, false
}

type lookupFunc func(name string) ([]netip.Addr, bool)

// dnsServer is the estate's name server, UDP and TCP on one port (RFC 1035,
// section 4.2).
type dnsServer struct {
	lookup lookupFunc
	udp    net.PacketConn
	tcp    net.Listener

	mu    sync.Mutex
	conns map[net.Conn]bool // TCP connections; nil once closed
	wg    sync.WaitGroup
}

func listenDNS(port int, lookup lookupFunc) (*dnsServer, error) {
	d := &dnsServer{lookup: lookup, conns: map[net.Conn]bool{}}
	return d, claim(port, d.listen)
}

func (d *dnsServer) listen(port int) (err error) {
	addr := netip.AddrPortFrom(frontEnds[0], uint16(port)).String()
	if d.udp, err = net.ListenPacket("udp", addr); err != nil {
		return err
	}
	if d.tcp, err = net.Listen("tcp", addr); err != nil {
		return errors.Join(err, d.udp.Close())
	}
	d.tcp = netutil.LimitListener(d.tcp, 16)
	return nil
}

func (d *dnsServer) addr() string { return d.tcp.Addr().String() }

func (d *dnsServer) close() error {
	d.mu.Lock()
	for c := range d.conns {
		_ = c.Close() // it may have ended by itself
	}
	d.conns = nil
	d.mu.Unlock()
	return errors.Join(d.udp.Close(), d.tcp.Close())
}

// serveUDP answers until the socket is closed.
func (d *dnsServer) serveUDP() {
	buf := make([]byte, 1500)
	for {
		n, from, err := d.udp.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if answer := reply(buf[:n], d.lookup); answer != nil {
			_, _ = d.udp.WriteTo(answer, from) // UDP: the client asks again
		}
	}
}

// serveTCP answers until the listener is closed, then waits for its
// connections.
func (d *dnsServer) serveTCP() {
	defer d.wg.Wait()
	for {
		c, err := d.tcp.Accept()
		if err != nil {
			return
		}
		if !d.track(c) {
			_ = c.Close()
			return
		}
		d.wg.Go(func() {
			defer d.forget(c)
			serveTCPConn(c, d.lookup)
		})
	}
}

func (d *dnsServer) track(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns == nil {
		return false
	}
	d.conns[c] = true
	return true
}

func (d *dnsServer) forget(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
	_ = c.Close()
}

// serveTCPConn answers the queries of one connection, each after its length
// in two bytes (RFC 1035, section 4.2.2).
func serveTCPConn(c net.Conn, lookup lookupFunc) {
	for range 100 {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second)) // a failing conn fails the read
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		answer := reply(query, lookup)
		if answer == nil {
			return
		}
		framed := binary.BigEndian.AppendUint16(nil, uint16(len(answer)))
		if _, err := c.Write(append(framed, answer...)); err != nil {
			return
		}
	}
}

// reply answers one DNS message: A and AAAA of the estate's names, nothing
// and no error for their other types, NXDOMAIN for other names. It gives nil
// for what deserves no answer: no header, or itself an answer.
func reply(query []byte, lookup lookupFunc) []byte {
	var p dnsmessage.Parser
	head, err := p.Start(query)
	if err != nil || head.Response {
		return nil
	}
	out := dnsmessage.Message{Header: dnsmessage.Header{
		ID: head.ID, OpCode: head.OpCode, Response: true, Authoritative: true,
		RecursionDesired: head.RecursionDesired, RecursionAvailable: true,
	}}
	questions, err := p.AllQuestions()
	switch {
	case err != nil || len(questions) != 1:
		out.RCode = dnsmessage.RCodeFormatError
	case head.OpCode != 0 || questions[0].Class != dnsmessage.ClassINET:
		out.RCode = dnsmessage.RCodeNotImplemented
	default:
		out.Questions = questions
		out.Answers, out.RCode = resolve(questions[0], lookup)
	}
	packed, err := out.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// resolve returns the records for one question. They may not be cached: a fault
// counts from the next run on.
func resolve(q dnsmessage.Question, lookup lookupFunc) ([]dnsmessage.Resource, dnsmessage.RCode) {
	addrs, ok := lookup(strings.ToLower(strings.TrimSuffix(q.Name.String(), ".")))
	if !ok {
		return nil, dnsmessage.RCodeNameError
	}
	var rs []dnsmessage.Resource
	head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 0}
	for _, a := range addrs {
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			rs = append(rs, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			rs = append(rs, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return rs, dnsmessage.RCodeSuccess
}
