package transport

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

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

// The addresses of one family do not depend on an answer about the other.
func TestFamiliesAreLookedUpSideBySide(t *testing.T) {
	none := &net.DNSError{Err: "no such host", IsNotFound: true}
	broken := &net.DNSError{Err: "server misbehaving"}
	four, six := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")
	for name, c := range map[string]struct {
		four, six any // an address, an error, or nil: no answer ever
		want      []netip.Addr
		err       error
		took      time.Duration
	}{
		"both":                       {four, six, []netip.Addr{four, six}, nil, 0},
		"IPv4 alone":                 {four, none, []netip.Addr{four}, nil, 0},
		"IPv6 alone":                 {none, six, []netip.Addr{six}, nil, 0},
		"no answer about IPv6":       {four, nil, []netip.Addr{four}, nil, lateFamily},
		"no answer about IPv4":       {nil, six, []netip.Addr{six}, nil, lateFamily},
		"a broken answer about IPv6": {four, broken, []netip.Addr{four}, nil, 0},
		"neither":                    {none, none, nil, none, 0},
		"no IPv4, IPv6 broken":       {none, broken, nil, broken, 0},
		"no IPv4, IPv6 silent":       {none, nil, nil, context.DeadlineExceeded, 5 * time.Second},
		"silence":                    {nil, nil, nil, context.DeadlineExceeded, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				began := time.Now()
				got, err := lookUp(ctx, func(ctx context.Context, network, _ string) ([]netip.Addr, error) {
					switch answer := map[string]any{"ip4": c.four, "ip6": c.six}[network].(type) {
					case netip.Addr:
						return []netip.Addr{answer}, nil
					case error:
						return nil, answer
					}
					<-ctx.Done()
					return nil, ctx.Err()
				}, "ip", "mail.contoso.test.")
				assert.Equal(t, c.want, got)
				assert.ErrorIs(t, err, c.err)
				assert.Equal(t, c.took, time.Since(began))
			})
		})
	}
}
