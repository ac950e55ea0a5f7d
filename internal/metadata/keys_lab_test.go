package metadata

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/lab"
)

// Through the real credential, whose tokens live for an hour: a key that signs
// from one run to the next shows at once.
func TestAnEmergencyRollShowsAtTheNextRun(t *testing.T) {
	l, err := lab.Start(lab.Options{Dir: t.TempDir(), Control: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	file, err := config.Parse("lab", lab.Config(l))
	require.NoError(t, err)
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", l.Facts().Resolver)
	}}
	parts, err := EvoSTSMetadata.New(file.Targets[0], check.Env{Now: time.Now, Memory: new(checktest.Memory), Reports: l.Facts().Reports,
		Dial: new(net.Dialer).DialContext,
		Resolve: func(ctx context.Context, _, host string) ([]netip.Addr, error) {
			return resolver.LookupNetIP(ctx, "ip4", host)
		},
		ReadFile: func(name string, _ int64) ([]byte, error) { return os.ReadFile(name) },
		ReadDir:  func(name string) ([]string, error) { return filepath.Glob(filepath.Join(name, "*")) },
	})
	require.NoError(t, err)
	see := func() string {
		report, err := EvoSTSMetadata.Look(t.Context(), parts.Run)
		assert.NotContains(t, report.Unevaluated(), signingKeyMissing)
		return outcome(check.Result{Report: report, Err: err})
	}
	require.Equal(t, "good", see())
	l.Roll(true)
	assert.Equal(t, "signing_key_missing", see())
	require.NoError(t, l.Refresh())
	assert.Equal(t, "good", see())
}
