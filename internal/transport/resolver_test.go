package transport

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

func TestAnAddressIsNotLookedUp(t *testing.T) {
	got, err := Resolver(config.HostPort{})(t.Context(), "ip", "192.0.2.7")
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, "192.0.2.7", got[0].String())
}

func TestAnErrorNamesTheServerThatWasAsked(t *testing.T) {
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	gone.Close()
	at := checktest.Setting[config.HostPort](gone.LocalAddr().String())
	_, err = Resolver(at)(t.Context(), "ip", "mail.contoso.test")
	var failed *net.DNSError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, at.String(), failed.Server)
}

func TestSearchDomainsAreKeptOut(t *testing.T) {
	for host, want := range map[string]string{"mail.contoso.test": "mail.contoso.test.", "mail.contoso.test.": "mail.contoso.test.", "localhost": "localhost"} {
		assert.Equal(t, want, rooted(host), host)
	}
}
