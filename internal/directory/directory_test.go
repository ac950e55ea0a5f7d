package directory

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
)

// parsed reads a URL that is in order.
func parsed(url string) config.LDAPURL { return checktest.Setting[config.LDAPURL](url) }

const (
	tenant  = "5de110f8-2e0f-4d45-891d-bcf2218e253d"
	orgGUID = "7c0f0a4e-7d3a-4b5e-9d0e-0a3c1a5c8f11"
)

func TestAuthServersOfARealServer(t *testing.T) {
	s := startSlapd(t)
	env := checktest.Env(time.Now)
	first, second := s.certificates[0].Cert.Raw, s.certificates[1].Cert.Raw
	healthy := []report.AuthServer{
		{Name: "ACS - " + orgGUID, Type: report.TypeMicrosoftACS, Enabled: true, Issuer: "00000001-0000-0000-c000-000000000000", Realm: tenant,
			TokenEndpoint: "https://accounts.accesscontrol.windows.net/" + tenant + "/tokens/OAuth/2",
			MetadataURL:   "https://accounts.accesscontrol.windows.net/" + tenant + "/metadata/json/1",
			Certificates:  [][]byte{first}, WhenChanged: time.Date(2026, 7, 1, 3, 10, 44, 0, time.UTC)},
		{Name: "EvoSts - " + orgGUID, Type: report.TypeAzureAD, Enabled: true, Default: true, Issuer: "https://sts.windows.net/" + tenant + "/", Realm: tenant,
			TokenEndpoint: "https://login.windows.net/common/oauth2/token", AuthorizationEndpoint: "https://login.windows.net/common/oauth2/authorize",
			MetadataURL:   "https://login.windows.net/" + tenant + "/federationmetadata/2007-06/federationmetadata.xml",
			ApplicationID: "3f0b9b4e-1f0e-4b57-9c70-0c4c3f1d2a55",
			Certificates:  [][]byte{first, second}, WhenChanged: time.Date(2026, 11, 20, 22, 4, 12, 0, time.UTC)},
	}

	for name, edit := range map[string]func(*config.LDAP){
		"over LDAPS":                        func(*config.LDAP) {},
		"over StartTLS":                     func(c *config.LDAP) { c.URL = parsed(s.ldap) },
		"below the configuration partition": func(c *config.LDAP) { c.BaseDN = "cn=configuration,dc=contoso,dc=test" },
		"below another container": func(c *config.LDAP) {
			c.BaseDN = "CN=Auth Configuration,CN=Contoso,CN=Microsoft Exchange,CN=Services,CN=Configuration,dc=contoso,dc=test"
		},
	} {
		t.Run("healthy "+name, func(t *testing.T) {
			cfg := s.settings(s.ldaps)
			edit(&cfg)
			got, err := AuthServers(context.Background(), env, cfg)
			require.NoError(t, err)
			assert.Empty(t, cmp.Diff(healthy, got))
		})
	}

	t.Run("two default endpoints", func(t *testing.T) {
		cfg := s.settings(s.ldaps)
		cfg.BaseDN = below("Two defaults")
		got, err := AuthServers(context.Background(), env, cfg)
		require.NoError(t, err)
		require.Len(t, got, 2)
		assert.True(t, got[0].Default && got[1].Default)
		assert.Equal(t, []string{report.TypeADFS, report.TypeAzureAD}, []string{got[0].Type, got[1].Type})
	})

	for name, c := range map[string]struct {
		edit func(*config.LDAP)
		want string
	}{
		"a wrong password":              {func(c *config.LDAP) { c.PasswordFile = checktest.Written(t, "p", "wrong-planted-password") }, "refuses the account cn=reader,dc=contoso,dc=test: wrong name or password"},
		"an empty password":             {func(c *config.LDAP) { c.PasswordFile = checktest.Written(t, "p", "\n") }, "is empty"},
		"no password file":              {func(c *config.LDAP) { c.PasswordFile += "x" }, "password_file: "},
		"a referral":                    {func(c *config.LDAP) { c.BaseDN = below("Elsewhere") }, "refers to another server"},
		"a referral for a part":         {func(c *config.LDAP) { c.BaseDN = below("Partly") }, "refers to another server"},
		"a size limit":                  {func(c *config.LDAP) { c.BindDN = "cn=limited,dc=contoso,dc=test" }, "size limit cut the answer short"},
		"a container that is not there": {func(c *config.LDAP) { c.BaseDN = below("Wrong") }, "No Such Object"},
		"a container without auth servers": {func(c *config.LDAP) { c.BaseDN = below("Nothing") }, "there is no auth server object, or the " +
			"account may not read it"},
		"no right to the certificates": {func(c *config.LDAP) { c.BindDN = "cn=blind,dc=contoso,dc=test" }, "has no permission to read msExchAuthCertificateData"},
		"an object without flags":      {func(c *config.LDAP) { c.BaseDN = below("No flags") }, "msExchAuthFlags is not readable"},
		"a CA that did not issue it":   {func(c *config.LDAP) { c.CAFile = checktest.NewCA(t).File }, "certificate signed by unknown authority"},
		"a CA that did not issue (StartTLS)": {func(c *config.LDAP) { c.URL, c.CAFile = parsed(s.ldap), checktest.NewCA(t).File }, "certificate " +
			"signed by unknown authority"},
		"another name":               {func(c *config.LDAP) { c.URL = parsed(strings.Replace(c.URL.String(), "dc01", "dc02", 1)) }, "dc02.contoso.test"},
		"LDAPS where LDAP is spoken": {func(c *config.LDAP) { c.URL = parsed(strings.Replace(s.ldap, "ldap:", "ldaps:", 1)) }, "TLS: "},
		"nobody there":               {func(c *config.LDAP) { c.URL = parsed("ldaps://" + named(freePort(t))) }, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := s.settings(s.ldaps)
			c.edit(&cfg)
			got, err := AuthServers(context.Background(), env, cfg)
			require.ErrorContains(t, err, c.want)
			assert.Nil(t, got)
			assert.Equal(t, check.LDAP, check.ClassOf(err))
			assert.NotContains(t, err.Error(), "\n")
			assert.NotContains(t, err.Error(), "planted")
		})
	}
}

// below is one of the cases' containers.
func below(name string) string {
	return "CN=" + name + ",CN=Services,CN=Configuration,dc=contoso,dc=test"
}

// pretender is a domain controller that speaks TLS and then does as serve says.
func pretender(t *testing.T, ca *checktest.CA, serve func(net.Conn)) config.LDAP {
	t.Helper()
	server := ca.Issue(t, "dc01.contoso.test")
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{server.Cert.Raw}, PrivateKey: server.Key}}})
	require.NoError(t, err)
	return serveOn(t, ln, "ldaps://", ca, serve)
}

func serveOn(t *testing.T, ln net.Listener, scheme string, ca *checktest.CA, serve func(net.Conn)) config.LDAP {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err == nil {
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return config.LDAP{URL: parsed(scheme + named(ln.Addr().String())), BindDN: "cn=reader,dc=contoso,dc=test", CAFile: ca.File,
		PasswordFile: checktest.Written(t, "password", bindPassword), BaseDN: below("Any")}
}

// lets answers a bind with success, or with the given result.
func lets(conn net.Conn, code int64, text string) bool {
	if _, err := ber.ReadPacket(conn); err != nil {
		return false
	}
	p := message(1)
	r := ber.Encode(ber.ClassApplication, ber.TypeConstructed, 1, nil, "")
	r.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	r.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	r.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, text, ""))
	p.AppendChild(r)
	_, err := conn.Write(p.Bytes())
	return err == nil
}

func message(id int64) *ber.Packet {
	p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	return p
}

func TestActiveDirectorysReasonsForRefusingAnAccountAreWords(t *testing.T) {
	ca := checktest.NewCA(t)
	text := func(data string) string {
		return "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data " + data + ", v4563\x00"
	}
	for data, want := range map[string]string{
		text("52e"):           "wrong name or password (LDAP result 49, data 52e)",
		text("525"):           "there is no such account (LDAP result 49, data 525)",
		text("530"):           "may not sign in at this hour",
		text("531"):           "may not sign in from this host",
		text("532"):           "password has expired",
		text("533"):           "is disabled",
		text("701"):           "the account itself has expired",
		text("773"):           "password must be changed first",
		text("775"):           "locked out",
		text("0000052E"):      "wrong name or password",
		text("4dc"):           "for a reason that hmad does not know (LDAP result 49, data 4dc)",
		"Invalid credentials": "wrong name or password (LDAP result 49)",
	} {
		_, err := AuthServers(t.Context(), checktest.Env(time.Now), pretender(t, ca, func(conn net.Conn) { lets(conn, 49, data) }))
		require.ErrorContains(t, err, want, data)
		assert.Equal(t, check.LDAP, check.ClassOf(err))
		checktest.OneLine(t, err)
		assert.NotContains(t, err.Error(), "AcceptSecurityContext")
	}
}

// entry is one entry of the answer to a search, the second message.
func entry() []byte {
	p := message(2)
	e := ber.Encode(ber.ClassApplication, ber.TypeConstructed, 4, nil, "")
	e.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "CN=EvoSts,"+below("Any"), ""))
	e.AppendChild(ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, ""))
	p.AppendChild(e)
	return p.Bytes()
}

// flood writes chunk until the client is gone.
func flood(conn net.Conn, chunk []byte) {
	for {
		if _, err := conn.Write(chunk); err != nil {
			return
		}
	}
}

func TestAServerThatMisbehaves(t *testing.T) {
	ca := checktest.NewCA(t)
	for name, c := range map[string]struct {
		serve func(net.Conn)
		want  string
	}{
		"never answers": {func(conn net.Conn) { io.Copy(io.Discard, conn) }, "did not answer in time"},
		"never answers a search": {func(conn net.Conn) {
			lets(conn, 0, "")
			io.Copy(io.Discard, conn)
		}, "did not answer in time"},
		"is gone before the bind":      {func(conn net.Conn) { conn.(*tls.Conn).Handshake() }, "refuses"},
		"is gone in the mid of search": {func(conn net.Conn) { lets(conn, 0, ""); ber.ReadPacket(conn); conn.Write(entry()) }, "search below"},
		"is gone in the mid of a packet": {func(conn net.Conn) {
			lets(conn, 0, "")
			ber.ReadPacket(conn)
			conn.Write(entry()[:20])
		}, "search below"},
		"sends entries without end": {func(conn net.Conn) { lets(conn, 0, ""); ber.ReadPacket(conn); flood(conn, entry()) }, "size limit"},
		"sends one packet without end": {func(conn net.Conn) {
			lets(conn, 0, "")
			conn.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x04, 0x84, 0x7f, 0xff, 0xff, 0x00})
			flood(conn, make([]byte, 64<<10))
		}, "its answer is over 524288 bytes"},
		"sends a packet of tiny parts without end": {func(conn net.Conn) {
			lets(conn, 0, "")
			ber.ReadPacket(conn)
			conn.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff})
			flood(conn, []byte(strings.Repeat("\x05\x00", 4096)))
		}, "its answer is over 524288 bytes"},
		"answers other questions without end": {func(conn net.Conn) {
			lets(conn, 0, "")
			other := message(99)
			other.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, strings.Repeat("x", 16<<10), ""))
			flood(conn, other.Bytes())
		}, "its answer is over 524288 bytes"},
		"says no, and why": {func(conn net.Conn) { lets(conn, 49, bindPassword) }, "wrong name or password"},
		"echoes the password": {func(conn net.Conn) {
			lets(conn, 53, "no simple bind with "+bindPassword)
			io.Copy(io.Discard, conn)
		}, "no simple bind with (secret)"},
		"speaks something else": {func(conn net.Conn) { io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") }, "refuses"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, expire := checktest.Expiring(t)
			got, err := AuthServers(ctx, checktest.Env(time.Now), pretender(t, ca, func(conn net.Conn) {
				if strings.Contains(name, "never") {
					time.AfterFunc(time.Second, expire)
				}
				c.serve(conn)
			}))
			require.ErrorContains(t, err, c.want)
			assert.Nil(t, got)
			assert.Equal(t, check.LDAP, check.ClassOf(err))
			assert.NotContains(t, err.Error(), bindPassword)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestThePasswordIsNotSentInTheClear(t *testing.T) {
	ca := checktest.NewCA(t)
	for name, answer := range map[string]func(net.Conn){
		"StartTLS refused":                 func(conn net.Conn) { startTLSAnswer(conn, 52) },
		"StartTLS never answered":          func(net.Conn) {},
		"StartTLS agreed, then not spoken": func(conn net.Conn) { startTLSAnswer(conn, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			heard := make(chan string, 1)
			ctx, expire := checktest.Expiring(t)
			cfg := serveOn(t, ln, "ldap://", ca, func(conn net.Conn) {
				ber.ReadPacket(conn)
				answer(conn)
				time.AfterFunc(300*time.Millisecond, expire)
				rest, _ := io.ReadAll(conn)
				heard <- string(rest)
			})
			_, err = AuthServers(ctx, checktest.Env(time.Now), cfg)
			require.Error(t, err)
			assert.NotContains(t, <-heard, bindPassword)
		})
	}
}

// startTLSAnswer answers an extended request (RFC 4511, section 4.12).
func startTLSAnswer(conn net.Conn, code int64) {
	p := message(1)
	r := ber.Encode(ber.ClassApplication, ber.TypeConstructed, 24, nil, "")
	r.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	r.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	r.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	p.AppendChild(r)
	conn.Write(p.Bytes())
}

func TestTheReadingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cfg := pretender(t, checktest.NewCA(t), func(conn net.Conn) {
		lets(conn, 0, "")
		ber.ReadPacket(conn) // the search is under way
		cancel()
		io.Copy(io.Discard, conn)
	})
	_, err := AuthServers(ctx, checktest.Env(time.Now), cfg)
	require.ErrorIs(t, err, context.Canceled)
}
