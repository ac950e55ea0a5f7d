package directory

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// sends answers a bind, waits for the search and sends these bytes.
func sends(data ...byte) func(net.Conn) {
	return func(conn net.Conn) {
		if lets(conn, 0, "") {
			ber.ReadPacket(conn)
			conn.Write(data)
		}
	}
}

// sequence wraps bytes as one BER element of a tag, in definite form.
func sequence(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	n := len(body)
	return append([]byte{tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

// second is the message id of a search's answers.
var second = []byte{2, 1, 2}

// What no server sends: BER that lies about its length or its types, nests without
// end, or leaves out what RFC 4511 wants. All of it is an error of class ldap.
func TestBytesThatNoDirectorySends(t *testing.T) {
	ca := checktest.NewCA(t)
	text := func(s string) []byte { return sequence(4, []byte(s)) }
	for name, data := range map[string][]byte{
		"a length of 4 GB":                     {0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, 2},
		"a length of 8 bytes":                  {0x30, 0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"a length below zero":                  {0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"a length of 126 bytes":                append([]byte{0x30, 0xfe}, bytes.Repeat([]byte{0xff}, 126)...),
		"a text of 4 GB":                       sequence(0x30, second, []byte{4, 0x84, 0xff, 0xff, 0xff, 0xff}),
		"no tag":                               {0, 0, 0, 0},
		"a tag without end":                    bytes.Repeat([]byte{0x3f, 0xff}, 1000),
		"nothing in it":                        {0x30, 0},
		"a message id alone":                   sequence(0x30, second),
		"a message id that is a text":          sequence(0x30, text("2"), sequence(0x65)),
		"a message id of 300 bytes":            sequence(0x30, sequence(2, bytes.Repeat([]byte{0x7f}, 300)), sequence(0x65)),
		"an end without a result":              sequence(0x30, second, sequence(0x65)),
		"an end whose result is a text":        sequence(0x30, second, sequence(0x65, text("0"), text(""), text(""))),
		"an end with a result of its own":      sequence(0x30, second, sequence(0x65, []byte{10, 4, 0x7f, 0xff, 0xff, 0xff}, text(""), text(""))),
		"an end with a primitive body":         sequence(0x30, second, []byte{0x45, 1, 0}),
		"an entry without anything":            sequence(0x30, second, sequence(0x64)),
		"an entry with a name alone":           sequence(0x30, second, sequence(0x64, text("CN=x"))),
		"an entry whose name is a number":      sequence(0x30, second, sequence(0x64, []byte{2, 1, 7}, sequence(0x30))),
		"attributes that are a text":           sequence(0x30, second, sequence(0x64, text("CN=x"), text("none"))),
		"an attribute without anything":        sequence(0x30, second, sequence(0x64, text("CN=x"), sequence(0x30, sequence(0x30)))),
		"an attribute with a name alone":       sequence(0x30, second, sequence(0x64, text("CN=x"), sequence(0x30, sequence(0x30, text("cn"))))),
		"an attribute whose name is a number":  sequence(0x30, second, sequence(0x64, text("CN=x"), sequence(0x30, sequence(0x30, []byte{2, 1, 7}, sequence(0x31))))),
		"values that are a number":             sequence(0x30, second, sequence(0x64, text("CN=x"), sequence(0x30, sequence(0x30, text("cn"), []byte{2, 1, 7})))),
		"a value that is a number":             sequence(0x30, second, sequence(0x64, text("CN=x"), sequence(0x30, sequence(0x30, text("cn"), sequence(0x31, []byte{2, 1, 7}))))),
		"a reference without a place":          sequence(0x30, second, sequence(0x73)),
		"a reference to a number":              sequence(0x30, second, sequence(0x73, []byte{2, 1, 7})),
		"an answer to another question":        sequence(0x30, second, sequence(0x6b, []byte{10, 1, 0}, text(""), text(""))),
		"controls that are a text":             sequence(0x30, second, sequence(0x65, []byte{10, 1, 0}, text(""), text("")), text("none")),
		"controls without anything":            sequence(0x30, second, sequence(0x65, []byte{10, 1, 0}, text(""), text("")), sequence(0xa0, sequence(0x30))),
		"a control whose kind is a number":     sequence(0x30, second, sequence(0x65, []byte{10, 1, 0}, text(""), text("")), sequence(0xa0, sequence(0x30, []byte{2, 1, 7}))),
		"a control of paging that is broken":   sequence(0x30, second, sequence(0x65, []byte{10, 1, 0}, text(""), text("")), sequence(0xa0, sequence(0x30, text("1.2.840.113556.1.4.319"), text("x")))),
		"a notice that it ends":                sequence(0x30, []byte{2, 1, 0}, sequence(0x78, []byte{10, 1, 52}, text(""), text("bye"))),
		"a float without end":                  sequence(0x30, second, sequence(9, bytes.Repeat([]byte{0xff}, 40))),
		"a date that is none":                  sequence(0x30, second, sequence(24, []byte("yesterday"))),
		"nesting without end":                  bytes.Repeat([]byte{0x30, 0x84, 0x00, 0x07, 0xff, 0xff}, maxDirectory/6),
		"nesting of unknown length":            bytes.Repeat([]byte{0x30, 0x80}, maxDirectory/2),
		"nesting of unknown length, and ended": append(bytes.Repeat([]byte{0x30, 0x80}, maxDirectory/4), make([]byte, maxDirectory/2)...),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, expire := checktest.Expiring(t)
			got, err := AuthServers(ctx, checktest.Env(time.Now), pretender(t, ca, func(conn net.Conn) {
				sends(data...)(conn)
				time.AfterFunc(300*time.Millisecond, expire) // what the library passes over
				io.Copy(io.Discard, conn)
			}))
			require.Error(t, err)
			assert.Nil(t, got)
			assert.Equal(t, check.LDAP, check.ClassOf(err), err.Error())
			checktest.OneLine(t, err)
			assert.NotRegexp(t, `Result Code|packet|ldap: |child`, err.Error(), "the library's words")
		})
	}
}

// Values without end in one object are bounded, and what is shown of them is one line.
func TestAnObjectOfManyValues(t *testing.T) {
	ca := checktest.NewCA(t)
	text := func(s string) []byte { return sequence(4, []byte(s)) }
	var values [][]byte
	for range 60_000 {
		values = append(values, []byte{4, 0})
	}
	object := sequence(0x30, second, sequence(0x64, text("CN=x\r\nplanted"+strings.Repeat("x", 1000)), sequence(0x30, sequence(0x30, text("msExchAuthAuthServerType"), sequence(0x31, values...)))))
	end := sequence(0x30, second, sequence(0x65, []byte{10, 1, 0}, text(""), text("")))
	_, err := AuthServers(t.Context(), checktest.Env(time.Now), pretender(t, ca, sends(append(object, end...)...)))
	require.ErrorContains(t, err, "msExchAuthFlags is not readable")
	checktest.OneLine(t, err)
	assert.Less(t, len(err.Error()), 600)
}

func TestResultsAreWords(t *testing.T) {
	ca := checktest.NewCA(t)
	for code, want := range map[int64]string{
		1:   "Active Directory says so where the account is not signed in, LDAP result 1 (Operations Error); it says: planted by contoso",
		3:   "its time limit cut the answer short",
		8:   "use ldaps://, or allow simple binds over TLS",
		13:  "it wants an encrypted connection",
		32:  "check base_dn",
		34:  "check base_dn and bind_dn",
		50:  "the account has no right to do so",
		51:  "it is busy",
		52:  "it is not available",
		53:  "it is set up not to do so",
		80:  "LDAP result 80 (Other)",
		150: "LDAP result 150 (not known)",
		200: "what it sends is not LDAP", 207: "what it sends is not LDAP", 60000: "what it sends is not LDAP",
	} {
		_, err := AuthServers(t.Context(), checktest.Env(time.Now), pretender(t, ca, func(conn net.Conn) { lets(conn, code, "planted by contoso\x00") }))
		require.ErrorContains(t, err, want, code)
		assert.Equal(t, check.LDAP, check.ClassOf(err))
		checktest.OneLine(t, err)
		assert.NotContains(t, err.Error(), "Result Code")
	}
}
