package probes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// manyAddresses returns n IPv4 addresses.
func manyAddresses(n int) (addrs []string) {
	for i := range n {
		addrs = append(addrs, fmt.Sprintf("192.0.2.%d", i+1))
	}
	return addrs
}

func TestWhichAddressesAreAsked(t *testing.T) {
	const url = "https://mail.contoso.test/"
	both := []string{"192.0.2.10", "192.0.2.11", "2001:db8::10", "2001:db8::11"}
	tests := map[string]struct {
		url      string
		target   config.Target
		resolved []string
		members  []string
		want     []string
		notes    string // contained in the notes
		reasons  []string
	}{
		"the first of each family": {url: url, resolved: both, want: []string{"192.0.2.10:443", "[2001:db8::10]:443"}},
		"all":                      {url: url, target: config.Target{Addresses: "all"}, resolved: both, want: []string{"192.0.2.10:443", "192.0.2.11:443", "[2001:db8::10]:443", "[2001:db8::11]:443"}},
		"all, at most 16": {url: url, target: config.Target{Addresses: "all"}, resolved: manyAddresses(20),
			want: withPort(manyAddresses(16), 443), notes: "4 more addresses than the 16 that are asked"},
		"each once":                 {url: url, target: config.Target{Addresses: "all"}, resolved: []string{"192.0.2.10", "::ffff:192.0.2.10"}, want: []string{"192.0.2.10:443"}},
		"a port of the URL":         {url: "https://mail.contoso.test:8443/", resolved: both[:1], want: []string{"192.0.2.10:8443"}},
		"an address in the URL":     {url: "https://192.0.2.7/", want: []string{"192.0.2.7:443"}},
		"an IPv6 address in it":     {url: "https://[2001:db8::7]/", want: []string{"[2001:db8::7]:443"}},
		"none for this link or all": {url: url, resolved: []string{"fe80::1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "169.254.169.254", "192.0.2.10"}, want: []string{"192.0.2.10:443"}, notes: "169.254.169.254, which is never asked"},
		"none at all":               {url: url, reasons: []string{"dns_failed"}},
		"only unusable ones":        {url: url, resolved: []string{"169.254.169.254"}, reasons: []string{"dns_failed"}, notes: "never asked"},
		"a member beside them":      {url: url, resolved: both[:1], members: []string{"10.0.0.11:443", "192.0.2.10:443"}, want: []string{"192.0.2.10:443", "10.0.0.11:443"}},
		"a member though the name is gone": {url: url, members: []string{"10.0.0.11:443"},
			want: []string{"10.0.0.11:443"}, reasons: []string{"dns_failed"}},
		"connect_to an address, any case":     {url: "https://Mail.contoso.TEST/", target: config.Target{ConnectTo: checktest.Setting[config.ConnectTo](map[string]string{"MAIL.contoso.test:443": "127.0.0.1:8443"})}, resolved: both, want: []string{"127.0.0.1:8443"}},
		"connect_to a name":                   {url: url, target: config.Target{ConnectTo: checktest.Setting[config.ConnectTo](map[string]string{"mail.contoso.test:443": "lb.contoso.test:8443"})}, resolved: both[:1], want: []string{"192.0.2.10:8443"}},
		"connect_to for another port":         {url: url, target: config.Target{ConnectTo: checktest.Setting[config.ConnectTo](map[string]string{"mail.contoso.test:8443": "127.0.0.1:8443"})}, resolved: both[:1], want: []string{"192.0.2.10:443"}},
		"a proxy: the name is left to it":     {url: url, target: config.Target{Proxy: checktest.Setting[config.Proxy]("http://proxy.contoso.test:3128")}, resolved: both, want: []string{"invalid AddrPort"}},
		"an address that is of this link too": {url: "https://[fe80::1%25eth0]/", reasons: []string{"dns_failed"}, notes: "never asked"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := newRoute(test.target, testEnv(nil, test.resolved...))
			require.NoError(t, err)
			ws, faults, notes, err := r.ways(t.Context(), testURL(t, test.url), members(test.members...)...)
			require.NoError(t, err)
			var got []string
			for _, w := range ws {
				got = append(got, w.address.String())
				assert.Equal(t, testURL(t, test.url).Hostname(), w.host, "SNI and Host stay the URL's")
			}
			assert.Equal(t, test.want, got)
			assert.Equal(t, append([]string{}, test.reasons...), foundNames(faults))
			assert.Contains(t, strings.Join(notes, "\n"), test.notes)
		})
	}
}

func members(texts ...string) (all []netip.AddrPort) {
	for _, m := range texts {
		all = append(all, netip.MustParseAddrPort(m))
	}
	return all
}

func withPort(addrs []string, port uint16) (out []string) {
	for _, a := range addrs {
		out = append(out, netip.AddrPortFrom(netip.MustParseAddr(a), port).String())
	}
	return out
}

func TestAConnectToNameIsNotLookedUp(t *testing.T) {
	env := testEnv(nil)
	env.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		t.Error("looked up")
		return nil, errors.New("looked up")
	}
	r, err := newRoute(config.Target{ConnectTo: checktest.Setting[config.ConnectTo](map[string]string{"mail.contoso.test:443": "127.0.0.1:8443"})}, env)
	require.NoError(t, err)
	_, _, _, err = r.ways(t.Context(), testURL(t, "https://mail.contoso.test/"))
	assert.NoError(t, err)
}

// dialOnly lets one family through to the given place and has no route to the
// other.
func dialOnly(network string, to netip.AddrPort) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, n, _ string) (net.Conn, error) {
		if n != network {
			return nil, &net.OpError{Op: "dial", Net: n, Err: syscall.ENETUNREACH}
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", to.String())
	}
}

func TestWhatThisHostHasNoRouteToIsANoteAndNothingIsAnError(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	to := serveTLS(t, ca.leaf(t, nil), keepAnswering)
	tests := map[string]struct {
		resolved, members []string
		route             string
		asked             []string // in the order of the ways
		notes             int
		err               string
	}{
		"no route to IPv6":         {[]string{"192.0.2.10", "2001:db8::10"}, nil, "tcp4", []string{"192.0.2.10:443"}, 1, ""},
		"no route to IPv4":         {[]string{"192.0.2.10", "2001:db8::10"}, nil, "tcp6", []string{"[2001:db8::10]:443"}, 1, ""},
		"no route to either":       {[]string{"192.0.2.10", "2001:db8::10"}, nil, "none", nil, 2, "this host has no route to mail.contoso.test (192.0.2.10:443, [2001:db8::10]:443)"},
		"no route to the only one": {[]string{"2001:db8::10"}, nil, "tcp4", nil, 1, "this host has no route to mail.contoso.test ([2001:db8::10]:443)"},
		"a member does not stand in for the name": {[]string{"2001:db8::10"}, []string{"10.0.0.11:443"}, "tcp4",
			[]string{"10.0.0.11:443"}, 1, "no route to mail.contoso.test ([2001:db8::10]:443)"},
		"no route to a member": {[]string{"192.0.2.10"}, []string{"[2001:db8::11]:443", "10.0.0.11:443"}, "tcp4",
			[]string{"192.0.2.10:443", "10.0.0.11:443"}, 1, ""},
		"no route to the only member of a name that is gone": {nil, []string{"[2001:db8::11]:443"}, "tcp4", nil, 1, "no route to mail.contoso.test ([2001:db8::11]:443)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := testEnv(ca, test.resolved...)
			env.Dial = dialOnly(test.route, to)
			r, err := newRoute(config.Target{CAFile: "ca.pem"}, env)
			require.NoError(t, err)
			u := testURL(t, "https://"+testHost+"/")
			ws, _, _, err := r.ways(t.Context(), u, members(test.members...)...)
			require.NoError(t, err)
			vs, notes, err := r.visitAll(t.Context(), ws, r.get(u))
			var asked []string
			for _, v := range vs {
				assert.Empty(t, v.Faults)
				asked = append(asked, v.peer())
			}
			assert.Equal(t, test.asked, asked)
			assert.Len(t, notes, test.notes)
			for _, n := range notes {
				assert.Contains(t, n, "this host has no route to it")
			}
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.err)
			assert.Equal(t, check.VantageOffline, check.ClassOf(err))
		})
	}
}

func TestAPanicInAParallelVisitComesOutInTheCaller(t *testing.T) {
	assert.PanicsWithValue(t, "one of two", func() {
		parallel(2, func(i int) {
			if i == 1 {
				panic("one of two")
			}
		})
	})
}

func TestARouteThatCannotBeBuiltNamesTheSetting(t *testing.T) {
	tests := map[string]struct {
		target config.Target
		words  string
	}{
		"a CA file that is not there": {config.Target{CAFile: "missing.pem"}, "ca_file: missing.pem: no such file"},
		"a CA file of something else": {config.Target{CAFile: "not.pem"}, "ca_file: not.pem holds no certificate in PEM"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newRoute(test.target, testEnv(nil))
			assert.ErrorContains(t, err, test.words)
			var field *config.FieldError
			assert.ErrorAs(t, err, &field)
		})
	}
}
