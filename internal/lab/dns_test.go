package lab

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/hmad/hmad/internal/check/checktest"
)

// names is a name server's data with both families and a name without any
// address.
func names(name string) ([]netip.Addr, bool) {
	switch name {
	case "mail.contoso.test":
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("fe80::1")}, true
	case "empty.contoso.test":
		return nil, true
	}
	return nil, false
}

func query(t testing.TB, change func(*dnsmessage.Message)) []byte {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4711, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("mail.contoso.test."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	if change != nil {
		change(&m)
	}
	packed, err := m.Pack()
	require.NoError(t, err)
	return packed
}

func TestDNSReplies(t *testing.T) {
	asking := func(name string, typ dnsmessage.Type) func(*dnsmessage.Message) {
		return func(m *dnsmessage.Message) {
			m.Questions[0].Name, m.Questions[0].Type = dnsmessage.MustNewName(name), typ
		}
	}
	for name, c := range map[string]struct {
		change  func(*dnsmessage.Message)
		rcode   dnsmessage.RCode
		answers []dnsmessage.ResourceBody
	}{
		"an IPv4 address":           {nil, 0, []dnsmessage.ResourceBody{&dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}},
		"an IPv6 address":           {asking("mail.contoso.test.", dnsmessage.TypeAAAA), 0, []dnsmessage.ResourceBody{&dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("fe80::1").As16()}}},
		"in any case":               {asking("MAIL.Contoso.test.", dnsmessage.TypeA), 0, []dnsmessage.ResourceBody{&dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}},
		"another type":              {asking("mail.contoso.test.", dnsmessage.TypeMX), 0, nil},
		"no address of that family": {asking("empty.contoso.test.", dnsmessage.TypeA), 0, nil},
		"an unknown name":           {asking("owa.contoso.test.", dnsmessage.TypeA), dnsmessage.RCodeNameError, nil},
		"the root":                  {asking(".", dnsmessage.TypeA), dnsmessage.RCodeNameError, nil},
		"another class":             {func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }, dnsmessage.RCodeNotImplemented, nil},
		"another operation":         {func(m *dnsmessage.Message) { m.OpCode = 5 }, dnsmessage.RCodeNotImplemented, nil},
		"no question":               {func(m *dnsmessage.Message) { m.Questions = nil }, dnsmessage.RCodeFormatError, nil},
		"two questions":             {func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }, dnsmessage.RCodeFormatError, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var m dnsmessage.Message
			require.NoError(t, m.Unpack(reply(query(t, c.change), names)))
			assert.Equal(t, uint16(4711), m.ID)
			assert.True(t, m.Response)
			assert.Equal(t, c.rcode, m.RCode)
			var got []dnsmessage.ResourceBody
			for _, a := range m.Answers {
				got = append(got, a.Body)
				assert.Zero(t, a.Header.TTL, "nobody keeps it")
			}
			assert.Equal(t, c.answers, got)
		})
	}
}

func TestMalformedQueries(t *testing.T) {
	good := query(t, nil)
	for name, c := range map[string]struct {
		query []byte
		rcode dnsmessage.RCode
		none  bool
	}{
		"nothing":               {nil, 0, true},
		"half a header":         {good[:6], 0, true},
		"an answer":             {query(t, func(m *dnsmessage.Message) { m.Response = true }), 0, true},
		"half a question":       {good[:20], dnsmessage.RCodeFormatError, false},
		"a name that is a loop": {append(append([]byte{}, good[:12]...), 0xc0, 0x0c, 0, 1, 0, 1), dnsmessage.RCodeFormatError, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := reply(c.query, names)
			if c.none {
				assert.Nil(t, got)
				return
			}
			var m dnsmessage.Message
			require.NoError(t, m.Unpack(got))
			assert.Equal(t, c.rcode, m.RCode)
		})
	}
}

func FuzzDNS(f *testing.F) {
	f.Add(query(f, nil))
	f.Add(query(f, nil)[:20])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, q []byte) {
		got := reply(q, names)
		if got == nil {
			return
		}
		var m dnsmessage.Message
		require.NoError(t, m.Unpack(got))
		assert.Equal(t, binary.BigEndian.Uint16(q), m.ID)
		assert.True(t, m.Response)
	})
}

func TestNameServerSurvivesRubbish(t *testing.T) {
	l := start(t)
	c, err := net.Dial("udp", l.Facts().Resolver)
	require.NoError(t, err)
	defer c.Close()
	for _, rubbish := range [][]byte{{}, {1, 2, 3}, make([]byte, 12), make([]byte, 1400)} {
		_, err := c.Write(rubbish)
		require.NoError(t, err)
	}
	checkHealthy(t, l, "activesync")
}

func TestNameServerOverTCP(t *testing.T) {
	l := start(t)
	addrs, err := resolver(l, "tcp").LookupNetIP(t.Context(), "ip", mailName)
	require.NoError(t, err)
	assert.Equal(t, []netip.Addr{netip.MustParseAddr("127.0.0.1")}, addrs)
}

func TestTCPConnectionsEndOnRubbish(t *testing.T) {
	l := start(t)
	for name, sent := range map[string][]byte{
		"an empty message": {0, 0},
		"half a header":    {0, 3, 1, 2, 3},
		"an answer":        append([]byte{0, 12}, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", l.Facts().Resolver)
			require.NoError(t, err)
			defer c.Close()
			require.NoError(t, c.SetDeadline(time.Now().Add(checktest.Patience)))
			_, err = c.Write(sent)
			require.NoError(t, err)
			_, err = c.Read(make([]byte, 1))
			assert.ErrorIs(t, err, io.EOF)
		})
	}
}

func TestAnOpenTCPConnectionDoesNotHoldUpClose(t *testing.T) {
	l := start(t)
	c, err := net.Dial("tcp", l.Facts().Resolver)
	require.NoError(t, err)
	defer c.Close()
	query := query(t, nil)
	_, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...))
	require.NoError(t, err)
	_, err = c.Read(make([]byte, 512))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = c.Read(make([]byte, 512))
	require.NoError(t, c.SetDeadline(time.Now().Add(checktest.Patience)))
	assert.Error(t, err)
}
